# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest

from hardwire.certs import open_gate
from hardwire.certs.profile import ISSUED
from hardwire.certs.seat import Seat
from hardwire.certs.validity import common_moment, require_clock
from hardwire.errors import CertificateRefused, Misuse
from support import certchains as org
from support.certparts import NOW, dates, tlv

MINUTE = timedelta(minutes=1)


def _seat(begin: bytes = b"260101000000Z", end: bytes = b"361231235959Z") -> Seat:
    return Seat(open_gate(org.device().with_(validity=dates(tlv(0x17, begin), tlv(0x17, end))).der()), ISSUED)


def test_inside_is_now() -> None:
    assert common_moment([_seat(), _seat()], NOW, timedelta(0)) == NOW


def test_the_nearest_moment_in_which_all_are_valid() -> None:
    late = _seat(end=b"260701115930Z")
    assert common_moment([_seat(), late], NOW, MINUTE) == late.gated.not_after
    early = _seat(begin=b"260701120030Z")
    assert common_moment([early, _seat()], NOW, MINUTE) == early.gated.not_before


@pytest.mark.parametrize("begin, end, code", [(b"260701120101Z", b"361231235959Z", "cert-not-yet-valid"), (b"260101000000Z", b"260701115859Z", "cert-expired")])  # fmt: skip
def test_beyond_the_allowance(begin: bytes, end: bytes, code: str) -> None:
    with pytest.raises(CertificateRefused) as caught:
        common_moment([_seat(begin, end)], NOW, MINUTE)
    assert caught.value.code == code


def test_clocks_that_are_none() -> None:
    require_clock(datetime(2026, 1, 1, tzinfo=UTC), timedelta(hours=24))
    with pytest.raises(Misuse):
        require_clock(datetime(2026, 1, 1), timedelta(0))  # noqa: DTZ001 - the point
    for skew in (timedelta(seconds=-1), timedelta(hours=24, seconds=1)):
        with pytest.raises(Misuse):
            require_clock(NOW, skew)
