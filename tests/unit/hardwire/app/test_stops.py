# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.app.stops import RESUME_HINT, ROOM_HINT, failed, given_up, reason_for, words_for
from hardwire.channel import StopReason
from hardwire.errors import TransferIncomplete


def test_every_reason_has_words():
    assert len({words_for(reason) for reason in StopReason}) == len(StopReason)


@pytest.mark.parametrize(
    "code, reason, gone",
    [
        ("cancelled", StopReason.PERSON, True), ("declined", StopReason.PERSON, True),
        ("bad-name", StopReason.BAD_NAME, True), ("file-changed", StopReason.FILE_CHANGED, True),
        ("disk-full", StopReason.NO_SPACE, False), ("busy", StopReason.BUSY, False),
        ("hash-mismatch", StopReason.FAILED, False), ("closed", StopReason.FAILED, False), ("", StopReason.FAILED, False),
    ],
)  # fmt: skip
def test_what_the_peer_hears_and_what_is_kept(code, reason, gone):
    assert reason_for(code) is reason
    assert given_up(code) is gone


def test_the_end_in_one_event():
    event = failed(3, "a", "in", TransferIncomplete("no", code="closed", hint="again"), resumable=True)
    assert (event.id, event.code, event.reason, event.hint, event.resumable) == (3, "closed", "no", RESUME_HINT, True)
    assert failed(3, "a", "in", TransferIncomplete("no", hint="again")).hint == "again"
    for code in ("disk-full", "peer-full"):  # whoever is told of it: the same again alone would help nobody
        assert failed(3, "a", "in", TransferIncomplete("no", code=code), resumable=True).hint == ROOM_HINT
