# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from hardwire.channel import BULK, CONTROL
from hardwire.channel.ratchet import Epoch
from hardwire.channel.records import PAYLOAD_MAX, RecordLayer
from hardwire.channel.settle import (
    LISTS_MAX,
    OCTETS_MAX,
    TIME,
    ListsShown,
    Settled,
    SettleFailed,
    SettleKind,
    Settlement,
    fits,
)
from hardwire.errors import ConnectionLost, Misuse
from hardwire.handshake import Role
from hardwire.handshake.schedule import expand_label
from support.channelpair import finished

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741 - the protocol's names
VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "settle.json").read_text())


def done(role: Role, exporter: bytes = bytes(32)):
    made = finished(role)
    object.__setattr__(made, "exporter", exporter)
    return made


def pair(mine: tuple[bytes, ...] = (), theirs: tuple[bytes, ...] = ()):
    return Settlement(done(I), mine, now=0.0), Settlement(done(R), theirs, now=0.0)


def carry(sender: Settlement, receiver: Settlement, now: float = 1.0) -> int:
    count = 0
    while (frame := sender.data_to_send()) is not None:
        receiver.receive_data(frame, now)
        count += 1
    return count


def events(end: Settlement) -> list:
    found = []
    while (event := end.next_event()) is not None:
        found.append(event)
    return found


def against_hand(lists: tuple[bytes, ...] = ()):
    """A responder, and the record layer of an initiator that is driven by hand."""
    end = Settlement(done(R), lists, now=0.0)
    return end, RecordLayer(I, Epoch(0, expand_label(bytes(32), b"settle", b"", 32)))


def code_after(*frames: tuple[int, bytes]) -> str | None:
    end, hand = against_hand()
    for kind, payload in frames:
        end.receive_data(hand.seal(CONTROL, kind, payload), 1.0)
    *_, last = [None, *events(end)]
    if not isinstance(last, SettleFailed):
        return None
    assert end.data_to_send() is None, "the peer is told nothing"
    assert end.next_timeout() is None
    return last.error.code


NOTHING = (SettleKind.LISTS, b"\0")


@pytest.mark.parametrize(
    "mine,theirs", [((), ()), ((b"a",), ()), ((b"a", b"bc"), (b"d" * 100_000,)), ((bytes(OCTETS_MAX),), ())]
)
def test_both_show_judge_and_open(mine, theirs):
    first, second = pair(mine, theirs)
    carry(first, second)
    carry(second, first)
    assert events(first) == [ListsShown(theirs)]
    assert events(second) == [ListsShown(mine)]
    first.accept(2.0)
    carry(first, second)
    assert events(first) == events(second) == []
    second.accept(2.0)
    carry(second, first)
    assert events(first) == events(second) == [Settled()]
    assert first.next_timeout() is None


def test_the_last_to_judge_opens_at_once():
    first, second = pair()
    carry(first, second)
    carry(second, first)
    first.accept(1.0)
    carry(first, second)
    second.accept(1.0)
    assert events(second) == [ListsShown(()), Settled()]


def test_a_large_list_travels_in_full_frames():
    first, second = pair((bytes(PAYLOAD_MAX + 1),))
    assert carry(first, second) == 3


def test_nothing_of_an_application_comes_before_the_judgement():
    for kind in (0x01, 0x02, 0x05, 0x0F, 0xF0, 0x84):
        assert code_after((kind, b"")) == "settle-order"
        assert code_after(NOTHING, (kind, b"")) == "settle-order"


@pytest.mark.parametrize("frames", [
    [(SettleKind.READY, b"")],
    [(SettleKind.PART, b"a")],
    [NOTHING, NOTHING],
    [NOTHING, (SettleKind.PART, b"")],
    [NOTHING, (SettleKind.READY, b""), (SettleKind.READY, b"")],
    [(SettleKind.LISTS, b"\1\0\0\0\5"), (SettleKind.READY, b"")],
    [(SettleKind.LISTS, b"\1\0\0\0\5"), (SettleKind.PART, b"12345"), (SettleKind.PART, b"")],
])  # fmt: skip
def test_out_of_order(frames):
    assert code_after(*frames) == "settle-order"


@pytest.mark.parametrize("code,frames", [
    ("settle-size", [(SettleKind.LISTS, b"\5" + b"\0\0\0\1" * 5)]),
    ("settle-size", [(SettleKind.LISTS, b"\1\0\0\0\0")]),
    ("settle-size", [(SettleKind.LISTS, b"\1" + (OCTETS_MAX + 1).to_bytes(4))]),
    ("settle-size", [(SettleKind.LISTS, b"\2\0\x08\0\0\0\x08\0\1")]),
    ("settle-size", [(SettleKind.LISTS, b"\1\0\0\0\5"), (SettleKind.PART, b"1234")]),
    ("settle-size", [(SettleKind.LISTS, b"\1\0\0\0\5"), (SettleKind.PART, b"123456")]),
    ("malformed", [(SettleKind.LISTS, b"")]),
    ("malformed", [(SettleKind.LISTS, b"\1\0\0\0")]),
    ("malformed", [(SettleKind.LISTS, b"\0\0")]),
    ("malformed", [NOTHING, (SettleKind.READY, b"\0")]),
])  # fmt: skip
def test_fields_out_of_bounds(code, frames):
    assert code_after(*frames) == code


def test_a_forged_frame():
    first, second = pair()
    frame = bytearray(first.data_to_send())
    frame[-1] ^= 1
    second.receive_data(bytes(frame), 1.0)
    assert events(second)[-1].error.code == "frame-forged"
    second.receive_data(bytes(frame), 1.0)
    assert events(second) == []


def test_frames_of_the_line_do_not_pass_for_these():
    end, _ = against_hand()
    line = RecordLayer(I, Epoch(0, bytes(range(32))))
    end.receive_data(line.seal(CONTROL, SettleKind.LISTS, b"\0"), 1.0)
    assert events(end)[-1].error.code == "frame-forged"
    end, hand = against_hand()
    end.receive_data(hand.seal(BULK, SettleKind.LISTS, b"\0"), 1.0)
    assert events(end)[-1].error.code == "frame-channel"


def test_time_runs_out():
    first, second = pair()
    first.handle_timeout(TIME - 0.1)
    assert events(first) == []
    assert first.next_timeout() == TIME
    first.handle_timeout(TIME)
    assert events(first)[-1].error.code == "settle-timeout"
    first.handle_timeout(TIME)
    assert events(first) == []
    carry(Settlement(done(I), (), now=0.0), second, TIME)
    assert events(second)[-1].error.code == "settle-timeout"


def test_a_judgement_that_comes_too_late():
    first, second = pair()
    carry(second, first)
    first.accept(TIME)
    assert [type(event) for event in events(first)] == [ListsShown, SettleFailed]
    assert first.data_to_send() is None
    first.accept(TIME)


def test_the_peer_never_becomes_ready():
    first, second = pair()
    carry(second, first)
    first.accept(1.0)
    first.handle_timeout(TIME)
    assert "did not settle" in events(first)[-1].error.message


def test_the_peer_shows_nothing():
    first, _ = pair()
    first.handle_timeout(TIME)
    assert "did not settle" in events(first)[-1].error.message


def test_a_refusal_is_told_to_the_own_person_only():
    first, second = pair()
    carry(second, first)
    first.fail(ConnectionLost("revoked"))
    assert events(first)[-1].error.message == "revoked"
    assert first.data_to_send() is None
    first.fail(ConnectionLost("again"))
    assert events(first) == []


def test_the_judgement_comes_after_the_question_and_once():
    first, second = pair()
    with pytest.raises(Misuse):
        first.accept(0.0)
    carry(second, first)
    first.accept(0.0)
    with pytest.raises(Misuse):
        first.accept(0.0)


@pytest.mark.parametrize("lists", [(b"a",) * (LISTS_MAX + 1), (b"",), (bytes(OCTETS_MAX), b"a")])
def test_what_is_not_shown(lists):
    assert not fits(lists)
    with pytest.raises(Misuse):
        Settlement(done(I), lists, now=0.0)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_vectors(vector):
    exporter, lists = bytes.fromhex(vector["exporter"]), tuple(map(bytes.fromhex, vector["lists"]))
    role = Role(vector["role"])
    sender = Settlement(done(role, exporter), lists, now=0.0)
    receiver = Settlement(done(R if role is I else I, exporter), (), now=0.0)
    receiver_frames = carry(receiver, sender)
    assert receiver_frames == 1
    sender.accept(0.0)
    frames = []
    while (frame := sender.data_to_send()) is not None:
        frames.append(frame.hex())
        receiver.receive_data(frame, 0.0)
    assert frames == vector["frames"]
    assert events(receiver) == [ListsShown(lists)]
