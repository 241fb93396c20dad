# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.app.files import check_name
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
    told = RESUME_HINT["in"]
    assert (event.id, event.code, event.reason, event.hint, event.resumable) == (3, "closed", "no", told, True)
    assert failed(3, "a", "in", TransferIncomplete("no", hint="again")).hint == "again"
    for code in ("disk-full", "peer-full"):  # whoever is told of it: the same again alone would help nobody
        for direction in ("in", "out"):
            end = failed(3, "a", direction, TransferIncomplete("no", code=code), resumable=True)
            assert end.hint == ROOM_HINT[direction]


@pytest.mark.parametrize("resumable", [False, True])
def test_only_a_sender_is_told_to_send(resumable):
    with pytest.raises(TransferIncomplete) as caught:
        check_name("../a")
    for problem in (TransferIncomplete("no"), caught.value):
        assert failed(3, "a", "in", problem, resumable=resumable).hint.startswith("ask your peer to ")
        assert not failed(3, "a", "out", problem, resumable=resumable).hint.startswith("ask")


def test_a_no_brings_no_hint():
    assert failed(3, "a", "in", TransferIncomplete("declined here", code="declined", hint="")).hint == ""
