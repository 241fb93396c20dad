# SPDX-License-Identifier: Apache-2.0
"""What a transfer holds in memory does not grow with it. With ten gigabytes: ``python -m support.longmemory``."""

import pytest

from support.longmemory import WAYS, long_transfer

MB = 1_000_000
OCTETS = 250 * MB


@pytest.mark.parametrize("way", WAYS)
async def test_a_transfer_is_held_in_windows(way):
    found = await long_transfer(way, OCTETS, every=0.1)
    assert (found["direct"] > OCTETS / 2) is (way == "lane")
    for end in ("sender", "receiver"):
        samples = found[end]["samples"]
        assert max(samples) < samples[0] + 60 * MB
