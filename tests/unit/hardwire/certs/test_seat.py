# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

from hardwire.certs import open_gate
from hardwire.certs.profile import ISSUED
from hardwire.certs.seat import Seat, moment, span
from support import certchains as org


def test_a_refusal_carries_the_facts() -> None:
    seat = Seat(open_gate(org.device().der()), ISSUED, "this one")
    error = seat.no("a-code", "is odd", hint="do that", exit_code=7, evidence={"more": "x"})
    assert (error.message, error.code, error.hint, error.exit_code) == ("this one is odd", "a-code", "do that", 7)
    assert error.evidence == {
        "serial": "30",
        "subject": "CN=laptop 7",
        "not_before": "2026-01-01 00:00:00 UTC",
        "not_after": "2036-12-31 23:59:59 UTC",
        "more": "x",
    }


def test_times_for_people() -> None:
    assert moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02 03:04:05 UTC"
    assert span(timedelta(days=2, hours=3, minutes=4)) == "2 d 3 h"
    assert span(timedelta(hours=3, minutes=4, seconds=5)) == "3 h 4 min"
    assert span(timedelta(minutes=4, seconds=5)) == "4 min 5 s"
