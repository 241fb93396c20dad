# SPDX-License-Identifier: Apache-2.0
import time
from datetime import UTC, datetime, timedelta

import pytest

from hardwire.app.entropy import SystemEntropy, monotonic, utc_now


@pytest.mark.parametrize("size", [0, 1, 16, 32, 4096])
def test_as_many_octets_as_asked_for(size):
    assert len(SystemEntropy().octets(size)) == size


def test_never_the_same_twice():
    assert len({SystemEntropy().octets(16) for _ in range(100)}) == 100


def test_the_wall_clock_knows_its_zone():
    now = utc_now()
    assert now.utcoffset() == timedelta(0)
    assert abs(now - datetime.fromtimestamp(time.time(), UTC)) < timedelta(seconds=5)


def test_the_other_clock_only_grows():
    first = monotonic()
    assert first <= monotonic() <= time.monotonic()
