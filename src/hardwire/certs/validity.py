# SPDX-License-Identifier: Apache-2.0
"""Is it the certificate's time? With the measured distance in the answer, because it is so often the clock's fault.

There is no tolerance unless a policy allows one: the first and the last second are inside.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from hardwire.certs.seat import Seat, moment, span
from hardwire.errors import Misuse

EXIT_EXPIRED: Final = 50
NO_SKEW: Final = timedelta(0)
MAX_SKEW: Final = timedelta(hours=24)

_CLOCK_HINT: Final = "one of the two clocks is probably wrong: compare `date -u` on both machines"
_RENEW_HINT: Final = (
    "its owner makes a new certificate for the same key with `hardwire init`; "
    "if it should still be good, compare `date -u` on both machines"
)
_REISSUE_HINT: Final = (
    "its organisation issues a new one for the same key; if it should still be good, compare `date -u` on both machines"
)


def require_clock(at: datetime, skew: timedelta) -> None:
    """Refuse a time that is none.

    Raises:
        Misuse: ``at`` has no time zone, or ``skew`` is negative or more than a day.
    """
    if at.utcoffset() is None:
        raise Misuse("the time of a verification needs a time zone")
    if not NO_SKEW <= skew <= MAX_SKEW:
        raise Misuse("an allowance for clocks is between nothing and a day")


def check_begun(seat: Seat, at: datetime, skew: timedelta = NO_SKEW) -> None:
    """``cert-not-yet-valid``."""
    begins = seat.gated.not_before
    if at + skew < begins:
        early = begins - at
        raise seat.no(
            "cert-not-yet-valid",
            f"becomes valid at {moment(begins)}, but the clock here says {moment(at)}, {span(early)} earlier",
            hint=_CLOCK_HINT,
            evidence=_times(at, -early, skew),
        )


def check_not_over(seat: Seat, at: datetime, skew: timedelta = NO_SKEW) -> None:
    """``cert-expired``; the process's exit code is 50."""
    ends = seat.gated.not_after
    if at - skew > ends:
        late = at - ends
        raise seat.no(
            "cert-expired",
            f"expired at {moment(ends)}, and the clock here says {moment(at)}, {span(late)} later",
            hint=_RENEW_HINT if seat.gated.self_issued else _REISSUE_HINT,
            exit_code=EXIT_EXPIRED,
            evidence=_times(at, late, skew),
        )


def common_moment(seats: Sequence[Seat], at: datetime, skew: timedelta) -> datetime:
    """The moment nearest to ``at``, at most ``skew`` away, in which all are valid.

    Raises:
        CertificateRefused: ``cert-not-yet-valid`` or ``cert-expired``, of the first that is neither.
    """
    for seat in seats:
        check_begun(seat, at, skew)
        check_not_over(seat, at, skew)
    last = min(seats, key=lambda seat: seat.gated.not_after)
    when = min(max(at, *(seat.gated.not_before for seat in seats)), last.gated.not_after)
    for seat in seats:
        check_begun(seat, when)
    return when


def _times(at: datetime, offset: timedelta, skew: timedelta) -> dict[str, str]:
    """``clock_offset``: seconds that the clock here lies outside the validity, negative when before it."""
    facts = {"clock": moment(at), "clock_offset": f"{offset.total_seconds():+.0f} s"}
    return facts | {"clock_allowance": f"{skew.total_seconds():.0f} s"} if skew else facts
