# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel import (
    BULK,
    CHUNK_SIZE,
    CONTROL,
    ChatDelivered,
    ChatReceived,
    CloseReason,
    FileAccepted,
    FileCancelled,
    FileComplete,
    FileDeclined,
    FileDone,
    FileOffered,
    FileProgress,
    FileWindow,
    Limits,
    LineClosed,
    LineFailed,
    NextAnswered,
    NextOffered,
    Offer,
    PathTold,
    PeerConfirmed,
    PeerVerified,
    SecureChannel,
    StopReason,
    TransferKind,
)
from hardwire.channel.lane import LaneAgreed, LaneWanted
from hardwire.channel.messages import Kind, encode_chat
from hardwire.channel.ratchet import Epoch
from hardwire.channel.records import RecordLayer
from hardwire.errors import ConnectionLost, LocalError, Misuse, RecordRefused, TransferIncomplete
from hardwire.handshake import Role
from support.channelpair import EPOCH_SECRET, CountedEntropy, Wire, finished

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741 - the protocol's names
ID = bytes(range(16))


def drained(end):
    events = []
    while (event := end.next_event()) is not None:
        events.append(event)
    return events


def against_hand(limits=Limits()):  # noqa: B008 - frozen
    """A responder, and the record layer of an initiator that is driven by hand."""
    end = SecureChannel(finished(R), entropy=CountedEntropy(), now=0.0, limits=limits)
    return end, RecordLayer(I, Epoch(0, EPOCH_SECRET))


def code_after(kind, payload=b"", channel=CONTROL):
    end, peer = against_hand()
    end.send_chat("something is queued", 0.0)
    end.receive_data(channel, peer.seal(channel, kind, payload), 0.0)
    *_, last = drained(end)
    if not isinstance(last, LineFailed):
        return None
    assert end.data_to_send() is None  # silent to the peer
    assert end.next_timeout() is None
    return last.error.code


def test_chat_is_delivered_and_acknowledged():
    wire = Wire()
    first = wire.initiator.send_chat("hallo", 0.0)
    second = wire.responder.send_chat("selber", 0.0)
    assert wire.initiator.unacknowledged == ((first, "hallo"),)
    assert not wire.initiator.peer_confirmed
    wire.settle()
    assert wire.take(I) == [PeerConfirmed(), ChatReceived(second, "selber"), ChatDelivered(first)]
    assert wire.take(R) == [PeerConfirmed(), ChatReceived(first, "hallo"), ChatDelivered(second)]
    assert wire.initiator.peer_confirmed
    assert wire.initiator.unacknowledged == ()
    assert len(first) == 16 != second


def test_a_repeated_message_is_acknowledged_and_shown_once():
    wire = Wire()
    for _ in range(2):
        assert wire.initiator.send_chat("again", 0.0, message_id=ID) == ID
        with pytest.raises(Misuse):
            wire.initiator.send_chat("again", 0.0, message_id=ID)
        wire.settle()
    assert wire.take(R, ChatReceived) == [ChatReceived(ID, "again")]
    assert wire.take(I, ChatDelivered) == [ChatDelivered(ID)] * 2


def test_an_answer_goes_before_the_acknowledgement():
    end, peer = against_hand(Limits())
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.CHAT, encode_chat(ID, "how are you?")), 1.0)
    end.send_chat("well", 1.0)
    assert [peer.open(*end.data_to_send()).kind for _ in range(1)] == [Kind.CHAT]
    assert end.data_to_send() is None
    assert end.next_timeout() == 1.0 + Limits().ack_delay
    end.handle_timeout(end.next_timeout())
    record = peer.open(*end.data_to_send())
    assert (record.kind, record.payload) == (Kind.ACK, ID)


def test_what_is_owed_goes_before_the_goodbye():
    end, peer = against_hand(Limits())
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.CHAT, encode_chat(ID, "bye")), 1.0)
    end.close(1.0)
    assert [peer.open(*end.data_to_send()).kind for _ in range(2)] == [Kind.ACK, Kind.CLOSE]


def test_a_peer_that_acknowledges_nothing():
    end, _ = against_hand(Limits(chats=2))
    end.send_chat("1", 0.0)
    end.send_chat("2", 0.0)
    with pytest.raises(LocalError) as caught:
        end.send_chat("3", 0.0)
    assert caught.value.code == "chat-backlog"
    assert [text for _, text in end.unacknowledged] == ["1", "2"]
    end.path_lost()
    assert [text for _, text in end.unacknowledged] == ["1", "2"]


def test_verification_notices():
    wire = Wire()
    wire.initiator.send_verification(matched=True, now=0.0)
    wire.responder.send_verification(matched=False, now=0.0)
    wire.settle()
    assert wire.take(R, PeerVerified) == [PeerVerified(True)]
    assert wire.take(I, PeerVerified) == [PeerVerified(False)]


@pytest.mark.parametrize(
    "kind,payload,channel,code",
    [
        (0x7F, b"whatever", CONTROL, None), (0x08, b"", BULK, None), (0x00, b"", CONTROL, None),
        (0x80, b"", CONTROL, "record-kind"), (0xFF, b"", BULK, "record-kind"),
        (Kind.DUMMY, b"", BULK, None), (Kind.DUMMY, b"", CONTROL, None), (Kind.DUMMY, b"x", BULK, "malformed"),
        (Kind.KEEPALIVE, b"", CONTROL, None), (Kind.KEEPALIVE, b"x", CONTROL, "malformed"),
        (Kind.KEEPALIVE, b"", BULK, "record-kind"), (Kind.CHAT, ID + b"x", BULK, "record-kind"),
        (Kind.CHUNK, bytes(13), CONTROL, "record-kind"), (Kind.CHUNK, bytes(13), BULK, "transfer"),
        (Kind.CLOSE, b"\x00", BULK, "record-kind"), (Kind.CLOSE, b"\x09", CONTROL, "malformed"),
        (Kind.ACK, ID, CONTROL, "malformed"), (Kind.CHAT, ID, CONTROL, "malformed"),
        (Kind.FILE, b"", CONTROL, "malformed"), (Kind.FILE, bytes.fromhex("0200000000000100000000000000000000"), CONTROL, "transfer"),
        (Kind.VERIFICATION, b"\x02", CONTROL, "malformed"),
    ],
)  # fmt: skip
def test_what_a_peer_may_send_and_what_ends_the_line(kind, payload, channel, code):
    assert code_after(kind, payload, channel) == code


def test_a_dead_line_is_deaf_dumb_and_forgetful():
    end, peer = against_hand()
    frame = peer.seal(CONTROL, Kind.KEEPALIVE)
    end.send_chat("queued", 0.0)
    end.receive_data(CONTROL, b"garbage", 0.0)
    assert [type(event) for event in drained(end)] == [LineFailed]
    end.receive_data(CONTROL, frame, 0.0)
    end.receive_data(CONTROL, b"garbage", 0.0)
    end.handle_timeout(1e9)
    end.path_lost()
    end.abort(Misuse("late"))
    end.close(0.0)
    assert drained(end) == []
    assert end.data_to_send() is None
    assert end.next_timeout() is None
    assert end.chunk_room(1) == 0
    with pytest.raises(Misuse):
        end._records.seal(CONTROL, Kind.CHAT)
    for call in (
        lambda: end.send_chat("x", 0.0),
        lambda: end.send_verification(matched=True, now=0.0),
        lambda: end.offer_file(an_offer(1), 0.0),
        lambda: end.accept_file(1, 0, 0.0),
        lambda: end.decline_file(1, StopReason.PERSON, 0.0),
        lambda: end.cancel_file(1, StopReason.PERSON, 0.0),
        lambda: end.send_chunk(1, b"x", 0.0),
        lambda: end.acknowledge_written(1, 1, 0.0),
        lambda: end.confirm_file(1, ok=True, now=0.0),
        lambda: end.pause_file(1, on=True, now=0.0),
        lambda: end.count_chunk(1, b"x", 1, 0.0),
        lambda: end.rewind_file(1, 0.0),
        lambda: end.finish_stream(1, bytes(32), 0.0),
        lambda: end.request_rekey(0.0),
    ):
        with pytest.raises(ConnectionLost) as caught:
            call()
        assert caught.value.code == "line-over"


def test_close_is_the_last_thing_said():
    wire = Wire()
    wire.initiator.send_chat("bye", 0.0)
    wire.initiator.close(0.0, CloseReason.NOT_VERIFIED)
    wire.initiator.close(0.0)
    wire.settle()
    wire.initiator.path_lost()
    wire.responder.path_lost()
    assert wire.take(I) == [LineClosed(CloseReason.NOT_VERIFIED, by_peer=False)]
    received = wire.take(R)
    assert [type(event) for event in received] == [PeerConfirmed, ChatReceived, LineClosed]
    assert received[-1] == LineClosed(CloseReason.NOT_VERIFIED, by_peer=True)


def test_an_end_without_a_close_frame_is_a_loss():
    wire = Wire()
    wire.initiator.path_lost()
    (failed,) = wire.take(I)
    assert isinstance(failed.error, ConnectionLost)
    assert failed.error.message.startswith("connection lost")
    assert failed.error.code == "connection-lost"


def test_abort_tells_only_this_side():
    end, _ = against_hand()
    end.send_chat("queued", 0.0)
    error = RecordRefused("the person pulled the plug", code="x")
    end.abort(error)
    assert drained(end) == [LineFailed(error)]
    assert end.data_to_send() is None


def test_a_truncated_line_ends_at_the_gap():
    wire = Wire()
    wire.initiator.send_chat("lost", 0.0)
    wire.initiator.close(0.0)
    wire.collect()
    wire.flying[I, CONTROL].pop(0)
    wire.settle()
    (failed,) = wire.take(R)
    assert failed.error.code == "frame-sequence"


def test_the_initiator_speaks_first_and_keepalives_follow():
    wire = Wire()
    assert wire.initiator.next_timeout() == 0.0
    assert wire.responder.next_timeout() == 2.0
    wire.initiator.handle_timeout(0.0)
    wire.settle()
    assert wire.take(R) == [PeerConfirmed()]
    assert wire.initiator.next_timeout() == 2.0
    wire.initiator.handle_timeout(1.9)
    assert wire.initiator.data_to_send() is None
    wire.initiator.send_verification(matched=True, now=1.9)
    assert wire.initiator.next_timeout() == 3.9
    assert wire.responder.next_timeout() == 2.0


def test_silence_is_a_lost_path():
    end, peer = against_hand()
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.KEEPALIVE), 3.0)
    end.handle_timeout(17.9)
    assert [type(event) for event in drained(end)] == [PeerConfirmed]
    end.handle_timeout(18.0)
    (failed,) = drained(end)
    assert isinstance(failed.error, ConnectionLost)
    assert failed.error.message.startswith("connection lost")
    assert failed.error.code == "peer-silent"


def test_a_line_lives_a_day():
    wire = Wire(Limits(silence=1e6))
    wire.initiator.handle_timeout(86_399.9)
    wire.take(I)
    wire.initiator.handle_timeout(86_400.0)
    assert wire.take(I) == [LineClosed(CloseReason.LIFE, by_peer=False)]
    wire.responder.receive_data(CONTROL, wire.flying[I, CONTROL][0], 86_400.0)


def test_a_hard_stop_while_sending():
    end, _ = against_hand(Limits(stop_frames=1))
    end.send_chat("1", 0.0)
    end.send_chat("2", 0.0)
    with pytest.raises(ConnectionLost):
        end.send_chat("3", 0.0)
    assert [event.error.code for event in drained(end)] == ["rekey-overdue"]


@pytest.mark.parametrize("verb", ["close", "handle_timeout"])
def test_a_hard_stop_in_what_cannot_raise(verb):
    end, _ = against_hand(Limits(stop_frames=1))
    end.send_chat("1", 0.0)
    end.send_chat("2", 0.0)
    getattr(end, verb)(5.0)
    assert [event.error.code for event in drained(end)] == ["rekey-overdue"]
    assert end.data_to_send() is None


def an_offer(size):
    """A directory with nothing in it but a manifest of that many octets: the stream is as long."""
    return Offer(TransferKind.DIRECTORY, 0, 0, size, bytes(32), "a.tar")


def offered(wire, size):
    number = wire.initiator.offer_file(an_offer(size), 0.0)
    wire.settle()
    assert wire.take(R, FileOffered) == [FileOffered(number, an_offer(size))]
    return number


def test_a_file():
    wire = Wire(Limits(window=2 * CHUNK_SIZE))
    content = bytes(range(256)) * 1200
    number = offered(wire, len(content))
    wire.responder.accept_file(number, 0, 0.0)
    wire.settle()
    assert wire.take(I, FileAccepted) == [FileAccepted(number, 0)]
    sent, got, progress = 0, b"", []
    while len(got) < len(content):
        while room := wire.initiator.chunk_room(number):
            wire.initiator.send_chunk(number, content[sent : sent + room], 0.0)
            sent += room
        wire.settle()
        for event in wire.take(R):
            if isinstance(event, FileDone):
                break
            assert event.offset == len(got)
            got += event.data
            wire.responder.acknowledge_written(number, len(got), 0.0)
        wire.settle()
        progress += wire.take(I)
    assert got == content
    assert progress[0] == FileProgress(number, CHUNK_SIZE)
    assert FileWindow(number) in progress
    wire.responder.confirm_file(number, ok=True, now=0.0)
    wire.settle()
    assert wire.take(I) == [FileComplete(number, True)]


def test_files_declined_and_cancelled():
    wire = Wire()
    number = offered(wire, 9)
    wire.responder.decline_file(number, StopReason.BUSY, 0.0)
    wire.settle()
    assert wire.take(I, FileDeclined) == [FileDeclined(number, StopReason.BUSY)]
    number = offered(wire, 9)
    wire.initiator.cancel_file(number, StopReason.FILE_CHANGED, 0.0)
    wire.settle()
    assert wire.take(R, FileCancelled) == [FileCancelled(number, StopReason.FILE_CHANGED)]
    with pytest.raises(TransferIncomplete):
        wire.responder.accept_file(number, 0, 0.0)
    assert wire.responder.next_timeout() is not None


def test_the_queue_of_chunks_is_bounded_and_control_goes_first():
    wire = Wire(Limits(queue=2 * 65_536))
    number = offered(wire, 10 * CHUNK_SIZE)
    wire.responder.accept_file(number, 0, 0.0)
    wire.settle()
    sent = 0
    while room := wire.initiator.chunk_room(number):
        wire.initiator.send_chunk(number, bytes(room), 0.0)
        sent += 1
    assert sent == 2
    with pytest.raises(Misuse):
        wire.initiator.send_chunk(number, bytes(CHUNK_SIZE), 0.0)
    wire.initiator.send_chat("urgent", 0.0)
    drained(wire.initiator)
    assert wire.initiator.data_to_send()[0] == CONTROL
    assert wire.initiator.data_to_send()[0] == BULK
    assert drained(wire.initiator) == [FileWindow(number)]
    assert wire.initiator.data_to_send()[0] == BULK
    assert drained(wire.initiator) == []


def test_a_lane_is_agreed_in_the_line_and_dies_with_it():
    wire = Wire()
    with wire.responder.lanes(wire.now) as lanes:
        lanes.want()
    wire.settle()
    assert wire.take(Role.INITIATOR, LaneWanted) == [LaneWanted()]
    with wire.initiator.lanes(wire.now) as lanes:
        number = lanes.offer(40_000)
    wire.settle()
    with wire.responder.lanes(wire.now) as lanes:
        lanes.answer(number, 0)
    wire.settle()
    (here,), (there,) = wire.take(Role.INITIATOR, LaneAgreed), wire.take(Role.RESPONDER, LaneAgreed)
    there.keys.answer(here.keys.hello(bytes(32)), bytes(32))
    wire.initiator.close(wire.now)
    with pytest.raises(Misuse):
        here.keys.hello(bytes(32))
    with pytest.raises(ConnectionLost), wire.initiator.lanes(wire.now):
        pass


def test_a_lane_message_that_nobody_honest_sends_ends_the_line():
    wire = Wire()
    wire.initiator._send(CONTROL, Kind.LANE, b"\x02" + bytes(4 + 2 + 1216))
    wire.settle()
    (failed,) = wire.take(Role.RESPONDER, LineFailed)
    assert failed.error.code == "lane"


def test_a_lane_key_that_is_none_ends_the_line():
    wire = Wire()
    wire.initiator._send(CONTROL, Kind.LANE, b"\x02" + bytes([0, 0, 0, 1, 0, 0]) + bytes([0xFF]) * 1216)
    wire.settle()
    with pytest.raises(ConnectionLost), wire.responder.lanes(wire.now) as lanes:
        lanes.answer(1, 0)
    (failed,) = wire.take(Role.RESPONDER, LineFailed)
    assert failed.error.code == "lane-kem"


def test_nothing_is_due_while_there_is_no_path():
    end, peer = against_hand(Limits(stop_seconds=600.0))
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.CHAT, encode_chat(ID, "hallo")), 1.0)
    end.handle_timeout(2.0)
    drained(end)
    while end.data_to_send():
        pass
    end.time.pause(4.0)
    assert end.next_timeout() == 86_400.0
    end.handle_timeout(3600.0)
    assert end.data_to_send() is None
    end.send_chat("waits", 3600.0)
    assert end.data_to_send() is not None
    end.time.resume(3600.0)
    assert end.next_timeout() <= 3602.0
    end.handle_timeout(3602.0)
    assert end.data_to_send() is not None
    # An hour without a path is no reason to call the keys overdue, or the peer silent.
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.KEEPALIVE), 3610.0)
    assert drained(end) == []
    end.handle_timeout(3625.0)
    assert [event.error.code for event in drained(end)] == ["peer-silent"]


def test_a_frame_that_comes_in_does_not_end_the_pause():
    """One from another path, or from before: only the driver knows whether there is a path, and it may say no for long."""
    end, peer = against_hand()
    end.time.pause(4.0)
    end.receive_data(CONTROL, peer.seal(CONTROL, Kind.KEEPALIVE), 5.0)
    assert end.next_timeout() == 86_400.0
    end.handle_timeout(1000.0)
    assert not [event for event in drained(end) if isinstance(event, LineFailed)]
    end.time.resume(1000.0)
    end.handle_timeout(1016.0)
    assert [event.error.code for event in drained(end)] == ["peer-silent"]


def test_a_paused_line_has_its_greatest_age_all_the_same():
    end, _ = against_hand()
    end.time.pause(4.0)
    end.handle_timeout(86_400.0)
    assert drained(end) == [LineClosed(CloseReason.LIFE, by_peer=False)]


def test_paths_and_codes_travel():
    wire = Wire()
    with wire.responder.paths(0.0) as paths:
        paths.tell(1, b"here")
        paths.tell_next(b"code")
    wire.settle()
    assert wire.take(I)[1:] == [PathTold(1, b"here"), NextOffered(b"code")]
    with wire.initiator.paths(0.0) as paths:
        paths.tell_next(b"answer")
    wire.settle()
    assert wire.take(R)[-1] == NextAnswered(b"answer")
