# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel import (
    BULK,
    CONTROL,
    ChatReceived,
    EpochAdvanced,
    FileChunk,
    Limits,
    LineClosed,
    LineFailed,
    SecureChannel,
)
from hardwire.channel.filecontrol import Offer, TransferKind
from hardwire.channel.messages import CHUNK_SIZE, Kind, RekeyAck, RekeyInit
from hardwire.channel.ratchet import Chain, Epoch
from hardwire.channel.records import RecordLayer
from hardwire.errors import ConnectionLost, Misuse
from hardwire.handshake import Role
from hardwire.handshake.kem import XWing
from support.channelpair import EPOCH_SECRET, CountedEntropy, Wire, finished

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741 - the protocol's names


def epoch_of(frame):
    return int.from_bytes(frame[4:8])


def failure(wire, role):
    (failed,) = wire.take(role, LineFailed)
    return failed.error.code


def transfer(wire, chunks):
    """A file under way from R to I, with room for this many chunks."""
    number = wire.responder.offer_file(
        Offer(TransferKind.DIRECTORY, 0, 0, chunks * CHUNK_SIZE, bytes(32), "a"), wire.now
    )
    wire.settle()
    wire.initiator.accept_file(number, 0, wire.now)
    wire.settle()
    for role in Role:
        wire.take(role)
    return number


def alone(role, limits=Limits()):  # noqa: B008 - frozen
    """One end, and a hand-driven peer's record layer and epoch."""
    end = SecureChannel(finished(role), entropy=CountedEntropy(), now=0.0, limits=limits)
    epoch = Epoch(0, EPOCH_SECRET)
    return end, RecordLayer(R if role is I else I, epoch), epoch


def outcome(end):
    events = []
    while (event := end.next_event()) is not None:
        events.append(event)
    return events[-1].error.code if events and isinstance(events[-1], LineFailed) else events


def test_init_ack_fin():
    wire = Wire()
    wire.initiator.request_rekey(1.0)
    wire.collect()
    assert [len(frame) for frame in wire.flying[I, CONTROL]] == [2080]
    wire.deliver(I, CONTROL)
    assert [(len(frame), epoch_of(frame)) for frame in wire.flying[R, CONTROL]] == [(2080, 0)]
    wire.deliver(R, CONTROL)
    assert [epoch_of(frame) for frame in wire.flying[I, CONTROL]] == [1]
    assert [epoch_of(frame) for frame in wire.flying[I, BULK]] == [1]
    wire.settle()
    assert wire.take(I, EpochAdvanced) == wire.take(R, EpochAdvanced) == [EpochAdvanced(1)]
    assert wire.initiator._records.behind == wire.responder._records.behind == ()


def test_the_responder_asks_and_the_initiator_begins():
    wire = Wire()
    wire.responder.request_rekey(0.0)
    wire.settle()
    assert wire.take(R, EpochAdvanced) == []  # the epoch is too young to follow a request
    wire.now = wire.initiator._limits.rekey_pause
    wire.initiator.handle_timeout(wire.now)
    wire.settle()
    assert wire.take(R, EpochAdvanced) == [EpochAdvanced(1)]


def test_three_rekeys_with_a_late_frame_of_the_old_epoch():
    wire = Wire()
    number = transfer(wire, 3)
    for turn in range(3):
        wire.responder.send_chunk(number, bytes([turn]) * CHUNK_SIZE, wire.now)
        wire.now += 2.0
        wire.initiator.request_rekey(wire.now)
        while wire.deliver(I, CONTROL) or wire.deliver(R, CONTROL):
            pass  # channel 0 is through, the chunk still flies
        wire.responder.send_chat(f"in epoch {turn + 1}", wire.now)
        assert wire.deliver(R, CONTROL)
        assert epoch_of(wire.flying[R, BULK][0]) == turn
        assert wire.initiator._records.behind == (BULK,)
        wire.settle()
        events = wire.take(I)
        assert [event.text for event in events if isinstance(event, ChatReceived)] == [f"in epoch {turn + 1}"]
        assert [event.data[:1] for event in events if isinstance(event, FileChunk)] == [bytes([turn])]
        assert wire.initiator._records.behind == ()
    assert wire.take(R, EpochAdvanced) == [EpochAdvanced(n) for n in (1, 2, 3)]


def test_a_chunk_cannot_overtake_the_ack():
    wire = Wire()
    number = transfer(wire, 2)
    wire.initiator.request_rekey(wire.now)
    wire.deliver(I, CONTROL)  # R has answered, I does not know yet
    wire.responder.send_chunk(number, bytes(CHUNK_SIZE), wire.now)
    wire.deliver(R, BULK)
    assert len(wire.take(I, FileChunk)) == 1
    wire.settle()
    wire.responder.send_chunk(number, bytes(CHUNK_SIZE), wire.now)
    wire.settle()
    assert len(wire.take(I, FileChunk)) == 1


@pytest.mark.parametrize(
    "limits",
    [Limits(rekey_frames=6), Limits(rekey_octets=6 * 288)],
)
def test_triggers_by_amount(limits):
    wire = Wire(limits)
    for _ in range(2):
        wire.initiator.send_chat("x", 0.0)
        wire.settle()
    assert wire.take(I, EpochAdvanced) == []
    wire.initiator.send_chat("x", 0.0)
    wire.settle()
    assert wire.take(I, EpochAdvanced) == wire.take(R, EpochAdvanced) == [EpochAdvanced(1)]


def run(wire, until):
    """Let time pass, timeout by timeout."""
    while wire.now < until:
        due = min(end.next_timeout() for end in wire.ends.values())
        wire.now = min(max(due, wire.now), until)
        for end in wire.ends.values():
            end.handle_timeout(wire.now)
        wire.settle()


def test_triggers_by_time():
    wire = Wire()
    wire.initiator.send_chat("traffic", 0.0)
    wire.settle()
    run(wire, 59.9)
    assert wire.take(I, EpochAdvanced) == []
    run(wire, 60.0)
    assert wire.take(I, EpochAdvanced) == [EpochAdvanced(1)]
    run(wire, 900.0)  # nothing but keepalives now: no traffic
    assert wire.take(I, EpochAdvanced) == []
    run(wire, 960.0)
    assert wire.take(I, EpochAdvanced) == [EpochAdvanced(2)]
    run(wire, 1000.0)
    wire.responder.send_chat("late in an idle epoch", wire.now)
    wire.settle()
    run(wire, 1019.0)
    assert wire.take(I, EpochAdvanced) == []
    run(wire, 1020.0)
    assert wire.take(I, EpochAdvanced) == [EpochAdvanced(3)]


def test_the_responder_asks_once_when_the_initiator_forgets():
    end, peer, _ = alone(R, Limits(rekey_frames=3))
    for _ in range(8):
        end.receive_data(CONTROL, peer.seal(CONTROL, Kind.KEEPALIVE), 0.0)
    opener = RecordLayer(I, Epoch(0, EPOCH_SECRET))
    kinds = []
    while (item := end.data_to_send()) is not None:
        kinds.append(opener.open(*item).kind)
    assert kinds == [Kind.REKEY_REQUEST]


@pytest.mark.parametrize("limits", [Limits(stop_frames=3), Limits(stop_octets=3 * 288)])
def test_hard_stops_by_amount(limits):
    end, peer, _ = alone(R, limits)
    for _ in range(3):
        end.receive_data(CONTROL, peer.seal(CONTROL, Kind.KEEPALIVE), 0.0)
        assert end.next_timeout() is not None
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.KEEPALIVE), 0.0)
    assert outcome(end) == "rekey-overdue"


def test_hard_stop_by_time_counts_from_the_first_traffic():
    end, peer, _ = alone(R, Limits(life=1e6, silence=1e6))
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.KEEPALIVE), 5000.0)
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.VERIFICATION, b"\x01"), 5000.0)
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.KEEPALIVE), 5599.9)
    assert end.next_timeout() is not None
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.KEEPALIVE), 5600.0)
    assert outcome(end) == "rekey-overdue"


def test_a_verb_finds_an_unfinished_rekey_too():
    end, _, _ = alone(I, Limits(silence=1e6))
    end.request_rekey(2.0)
    with pytest.raises(ConnectionLost, match="over"):
        end.send_verification(matched=True, now=122.0)
    assert outcome(end) == "rekey-timeout"


def test_an_unfinished_rekey_has_a_deadline():
    limits = Limits(silence=1e6)
    end, peer, _ = alone(I, limits)
    end.request_rekey(2.0)
    assert end.next_timeout() <= 122.0
    end.handle_timeout(121.9)
    assert not isinstance(outcome(end), str)
    end.handle_timeout(122.0)
    assert outcome(end) == "rekey-timeout"
    end, peer, _ = alone(R, limits)
    init = RekeyInit(1, XWing().generate(CountedEntropy()).public)
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.REKEY_INIT, init.encode()), 3.0)
    end.handle_timeout(123.0)
    assert outcome(end) == "rekey-timeout"


def test_old_keys_go_when_nothing_comes_for_them():
    wire = Wire()
    number = transfer(wire, 2)
    wire.responder.send_chunk(number, bytes(CHUNK_SIZE), wire.now)
    wire.responder.send_chunk(number, bytes(CHUNK_SIZE), wire.now)
    wire.initiator.request_rekey(wire.now)
    while wire.deliver(I, CONTROL) or wire.deliver(R, CONTROL):
        pass
    wire.now = 20.0
    assert wire.deliver(R, BULK)  # late, and it keeps the keys for another while
    wire.now = 49.9
    wire.responder.send_verification(matched=True, now=wire.now)
    wire.deliver(R, CONTROL)
    old = wire.initiator._records._incoming[BULK].chain
    old.step()
    wire.now = 50.0
    wire.initiator.handle_timeout(wire.now)
    with pytest.raises(Misuse):
        old.step()
    wire.deliver(R, BULK)
    assert failure(wire, I) == "frame-epoch"


def test_an_init_is_held_while_a_channel_is_behind():
    wire = Wire(Limits(rekey_pause=0.0))
    wire.initiator.request_rekey(0.0)
    while wire.deliver(I, CONTROL) or wire.deliver(R, CONTROL) or wire.deliver(R, BULK):
        pass  # I's FIN on channel 1 still flies
    wire.initiator.request_rekey(0.0)
    while wire.deliver(I, CONTROL) or wire.deliver(R, CONTROL):
        pass
    assert wire.take(I, EpochAdvanced) == [EpochAdvanced(1)]
    assert wire.responder._records.behind == (BULK,)
    wire.settle()
    assert wire.take(I, EpochAdvanced) == [EpochAdvanced(2)]
    assert wire.take(R, EpochAdvanced) == [EpochAdvanced(1), EpochAdvanced(2)]


def test_a_request_during_a_rekey_is_not_a_second_one():
    wire = Wire(Limits(rekey_pause=0.0))
    wire.initiator.request_rekey(0.0)
    wire.responder.request_rekey(0.0)
    wire.initiator.request_rekey(0.0)
    wire.settle()
    assert wire.take(I, EpochAdvanced) == [EpochAdvanced(1)]


def rekey_out_of_turn(role, kind, payload):
    end, peer, _ = alone(role)
    end.receive_data(CONTROL, peer.seal(CONTROL, kind, payload), 0.0)
    return outcome(end)


def test_out_of_turn():
    public = XWing().generate(CountedEntropy()).public
    init, ack = RekeyInit(1, public).encode(), RekeyAck(1, bytes(1120)).encode()
    assert rekey_out_of_turn(I, Kind.REKEY_INIT, init) == "rekey-order"
    assert rekey_out_of_turn(R, Kind.REKEY_ACK, ack) == "rekey-order"
    assert rekey_out_of_turn(I, Kind.REKEY_ACK, ack) == "rekey-order"
    assert rekey_out_of_turn(R, Kind.REKEY_REQUEST, b"") == "rekey-order"
    assert rekey_out_of_turn(I, Kind.REKEY_REQUEST, b"x") == "malformed"
    assert rekey_out_of_turn(R, Kind.REKEY_FIN, b"") == "rekey-order"
    assert rekey_out_of_turn(I, Kind.REKEY_FIN, b"") == "rekey-order"
    assert rekey_out_of_turn(R, Kind.REKEY_INIT, RekeyInit(2, public).encode()) == "rekey-order"
    assert rekey_out_of_turn(R, Kind.REKEY_INIT, RekeyInit(1, b"\xff" * 1216).encode()) == "rekey-kem"


@pytest.mark.parametrize("number,code", [(2, "rekey-order"), (1, "rekey-kem")])
def test_a_wrong_ack(number, code):
    end, peer, _ = alone(I)
    end.request_rekey(0.0)
    # An all-zero X25519 share has low order.
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.REKEY_ACK, RekeyAck(number, bytes(1120)).encode()), 0.0)
    assert outcome(end) == code


def test_a_second_init_before_fin():
    end, peer, _ = alone(R)
    init = RekeyInit(1, XWing().generate(CountedEntropy()).public).encode()
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.REKEY_INIT, init), 0.0)
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.REKEY_INIT, init), 0.0)
    assert outcome(end) == "rekey-order"


@pytest.mark.parametrize("channel", [CONTROL, BULK])
def test_a_new_epoch_opens_with_fin_on_every_channel(channel):
    end, peer, epoch = alone(R)
    pair = XWing().generate(CountedEntropy())
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.REKEY_INIT, RekeyInit(1, pair.public).encode()), 0.0)
    _, frame = end.data_to_send()
    ciphertext = RecordLayer(I, Epoch(0, EPOCH_SECRET)).open(CONTROL, frame).payload[4:]
    peer.advance(channel, epoch.following(pair.decapsulate(ciphertext), pair.public, ciphertext))
    end.receive_data(channel, peer.seal(channel, Kind.DUMMY), 0.0)
    assert outcome(end) == "rekey-order"


def test_nothing_more_of_the_old_epoch_after_the_ack():
    wire = Wire()
    late = RecordLayer(R, Epoch(0, EPOCH_SECRET))
    wire.initiator.request_rekey(0.0)
    wire.deliver(I, CONTROL)
    late.seal(CONTROL, Kind.KEEPALIVE)
    forged = late.seal(CONTROL, Kind.KEEPALIVE)
    wire.deliver(R, CONTROL)
    wire.initiator.receive_data(CONTROL, forged, 0.0)
    assert failure(wire, I) == "frame-epoch"


def test_keys_of_the_old_epoch_are_gone_on_both_sides():
    wire = Wire()
    epochs = [end._rekey._epoch for end in wire.ends.values()]
    wire.initiator.request_rekey(0.0)
    wire.settle()
    for epoch in epochs:
        assert epoch._root == b""
        for role in Role:
            for channel in (CONTROL, BULK):
                with pytest.raises(Misuse):
                    epoch.chain(role, channel).step()
    assert wire.initiator._rekey._pair is None


def test_a_line_that_ends_in_mid_rekey_forgets_the_key_pair():
    wire = Wire()
    wire.initiator.request_rekey(0.0)
    assert wire.initiator._rekey._pair is not None
    wire.initiator.close(0.0)
    assert wire.initiator._rekey._pair is None
    assert len(wire.take(I, LineClosed)) == 1


def behind_on_bulk():
    """A line after a rekey whose FIN from R on channel 1 still flies."""
    wire = Wire()
    wire.initiator.request_rekey(0.0)
    while wire.deliver(I, CONTROL) or wire.deliver(I, BULK) or wire.deliver(R, CONTROL):
        pass
    assert wire.initiator._records.behind == (BULK,)
    return wire


def test_no_rekey_begins_while_a_channel_is_behind():
    wire = behind_on_bulk()
    wire.initiator.request_rekey(0.0)
    wire.collect()
    assert wire.flying[I, CONTROL] == []
    wire.settle()
    assert wire.take(R, EpochAdvanced) == [EpochAdvanced(1), EpochAdvanced(2)]


def test_a_line_that_ends_between_two_epochs_forgets_both():
    wire = behind_on_bulk()
    position = wire.initiator._records._incoming[BULK]
    chains = [position.chain, position.following.chain(R, BULK), wire.initiator._records._outgoing[CONTROL].chain]
    wire.initiator.path_lost()
    for chain in chains:
        with pytest.raises(Misuse):
            chain.step()


def wait_without_bulk(wire, seconds):
    for _ in range(seconds):
        wire.now += 1.0
        for end in wire.ends.values():
            end.handle_timeout(wire.now)
        while wire.deliver(I, CONTROL) or wire.deliver(R, CONTROL):
            pass


def test_a_fin_that_comes_after_the_old_keys_were_dropped_still_moves_its_channel():
    wire = behind_on_bulk()
    old = wire.initiator._records._incoming[BULK].chain
    wait_without_bulk(wire, 31)
    with pytest.raises(Misuse):
        old.step()
    assert wire.initiator._records.behind == (BULK,)  # and until then no third epoch begins
    transfer(wire, 1)
    assert wire.take(I, LineFailed) == []
    assert wire.initiator._records.behind == ()


def test_but_no_frame_of_the_old_epoch_does_and_no_other_than_fin():
    for in_old_epoch in (True, False):
        wire = behind_on_bulk()
        wait_without_bulk(wire, 31)
        wire.take(I)
        records = RecordLayer(R, Epoch(0, EPOCH_SECRET))
        if not in_old_epoch:
            sending = records._outgoing[BULK]
            expected = wire.initiator._records._incoming[BULK].following.chain(R, BULK)
            sending.epoch, sending.chain = 1, Chain(expected._secret)
        wire.initiator.receive_data(BULK, records.seal(BULK, Kind.DUMMY), wire.now)
        assert failure(wire, I) == ("frame-epoch" if in_old_epoch else "rekey-order")
