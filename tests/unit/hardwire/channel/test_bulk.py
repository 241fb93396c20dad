# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel.bulk import PATH_CHUNK_MAX, due


@pytest.mark.parametrize(
    "offset, end, size, octets",
    [(0, 10, 4, 4), (4, 10, 4, 4), (8, 10, 4, 2), (10, 10, 4, 0), (0, 1 << 53, PATH_CHUNK_MAX, 1 << 20)],
)
def test_a_stream_is_cut_in_one_way(offset, end, size, octets):
    assert due(offset, end, size) == octets
