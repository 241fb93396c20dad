# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel.events import (
    FileAccepted,
    FileCancelled,
    FileChunk,
    FileComplete,
    FileDeclined,
    FileDone,
    FileFinished,
    FileOffered,
    FilePaused,
    FileProgress,
    FileWindow,
)
from hardwire.channel.filecontrol import (
    FILE_SIZE_MAX,
    TRANSFER_MAX,
    FileAccept,
    FileCancel,
    FileConfirm,
    FileDecline,
    FileFinish,
    FileOffer,
    FilePause,
    FileWritten,
    Offer,
    StopReason,
    TransferKind,
)
from hardwire.channel.limits import Limits
from hardwire.channel.messages import CHUNK_SIZE, Chunk
from hardwire.channel.transfer import Transfers
from hardwire.errors import LocalError, Misuse, TransferIncomplete, WireError
from hardwire.handshake import Role

HASH = bytes(32)
FULL = bytes(CHUNK_SIZE)
LIMITS = Limits(window=2 * CHUNK_SIZE, transfers=2)
STREAM = Offer(TransferKind.STREAM, 0, 1, 0, HASH, "a")


def offered(end):
    """An offer whose whole stream has so many octets: a directory with nothing but a long manifest."""
    return Offer(TransferKind.DIRECTORY, 0, 0, end, HASH, "a")


class End:
    """One side's transfers with its events and messages in lists."""

    def __init__(self, role=Role.INITIATOR, limits=LIMITS):
        self.events, self.sent = [], []
        self.files = Transfers(role, limits, emit=self.events.append, send=self.sent.append)

    def drain(self):
        found = (list(self.events), list(self.sent))
        self.events.clear()
        self.sent.clear()
        return found


def sender(size, *, accepted=True, window=2 * CHUNK_SIZE):
    end = End()
    assert end.files.offer(offered(size)) == 1
    if accepted:
        end.files.on_control(FileAccept(1, window, 0))
    end.drain()
    return end


def receiver(size, *, accepted=True):
    end = End()
    end.files.on_control(FileOffer(2, offered(size)))
    if accepted:
        end.files.accept(2)
    end.drain()
    return end


def refused(end, message):
    take = end.files.on_chunk if isinstance(message, Chunk) else end.files.on_control
    with pytest.raises(WireError) as caught:
        take(message)
    assert caught.value.code == "transfer"


def test_a_sender_from_offer_to_verdict():
    end = End()
    assert end.files.offer(offered(CHUNK_SIZE + 1)) == 1
    assert end.drain() == ([], [FileOffer(1, offered(CHUNK_SIZE + 1))])
    assert end.files.room(1) == 0
    end.files.on_control(FileAccept(1, CHUNK_SIZE, 0))
    assert end.drain() == ([FileAccepted(1, 0)], [])
    assert end.files.room(1) == CHUNK_SIZE
    assert end.files.sending(1, FULL) == 0
    assert end.files.room(1) == 0
    end.files.on_control(FileWritten(1, CHUNK_SIZE))
    assert end.drain() == ([FileProgress(1, CHUNK_SIZE), FileWindow(1)], [])
    assert end.files.sending(1, b"x") == CHUNK_SIZE
    assert end.files.room(1) == 0
    end.files.on_control(FileWritten(1, CHUNK_SIZE + 1))
    end.files.on_control(FileConfirm(1, ok=True))
    assert end.drain() == ([FileProgress(1, CHUNK_SIZE + 1), FileComplete(1, True)], [])
    assert end.files.room(1) == 0


def test_a_receiver_from_offer_to_verdict():
    end = End()
    size = 2 * CHUNK_SIZE + 3
    end.files.on_control(FileOffer(2, offered(size)))
    assert end.drain() == ([FileOffered(2, offered(size))], [])
    end.files.accept(2)
    assert end.drain() == ([], [FileAccept(2, 2 * CHUNK_SIZE, 0)])
    end.files.on_chunk(Chunk(2, 0, FULL))
    end.files.on_chunk(Chunk(2, CHUNK_SIZE, FULL))
    assert end.drain() == ([FileChunk(2, 0, FULL), FileChunk(2, CHUNK_SIZE, FULL)], [])
    end.files.written(2, 5)
    assert end.drain() == ([], [])  # not worth a frame yet
    end.files.written(2, 2 * CHUNK_SIZE)
    assert end.drain() == ([], [FileWritten(2, 2 * CHUNK_SIZE)])
    end.files.on_chunk(Chunk(2, 2 * CHUNK_SIZE, b"end"))
    assert end.drain() == ([FileChunk(2, 2 * CHUNK_SIZE, b"end"), FileDone(2)], [])
    end.files.written(2, size)
    end.files.written(2, size)
    end.files.confirm(2, ok=False)
    assert end.drain() == ([], [FileWritten(2, size), FileConfirm(2, ok=False)])


def test_nothing_to_send_and_nothing_to_get():
    """All of it is at the receiver already, since an earlier line."""
    ours, theirs = sender(9, accepted=False), receiver(9, accepted=False)
    theirs.files.accept(2, 9)
    assert theirs.drain() == ([FileDone(2)], [FileAccept(2, 2 * CHUNK_SIZE, 9)])
    ours.files.on_control(FileAccept(1, CHUNK_SIZE, 9))
    assert ours.files.room(1) == 0
    ours.files.on_control(FileConfirm(1, ok=True))
    assert ours.events == [FileAccepted(1, 9), FileComplete(1, True)]


def test_from_where_the_receiver_is():
    ours, theirs = sender(9, accepted=False), receiver(9, accepted=False)
    theirs.files.accept(2, 5)
    ours.files.on_control(FileAccept(1, CHUNK_SIZE, 5))
    assert (ours.files.position(1), ours.files.room(1)) == (5, 4)
    assert ours.files.sending(1, b"rest") == 5
    theirs.files.on_chunk(Chunk(2, 5, b"rest"))
    assert theirs.events == [FileChunk(2, 5, b"rest"), FileDone(2)]
    refused(sender(9, accepted=False), FileAccept(1, CHUNK_SIZE, 10))
    for start in (-1, 10):
        with pytest.raises(Misuse):
            receiver(9, accepted=False).files.accept(2, start)


def test_another_way_is_taken():
    end = sender(10 * CHUNK_SIZE, window=4 * CHUNK_SIZE)
    for _ in range(4):
        end.files.sending(1, FULL)
    assert end.files.room(1) == 0
    end.files.on_control(FileWritten(1, CHUNK_SIZE))
    end.drain()
    end.files.rewind(1)
    assert end.files.position(1) == CHUNK_SIZE
    assert end.files.room(1, 2 * CHUNK_SIZE) == 2 * CHUNK_SIZE
    assert end.files.sending(1, FULL + FULL, 2 * CHUNK_SIZE) == CHUNK_SIZE
    # What the old way had carried is acknowledged after all.
    end.files.on_control(FileWritten(1, 4 * CHUNK_SIZE))
    assert end.files.position(1) == 4 * CHUNK_SIZE


def test_a_verdict_that_crosses_another_way():
    end = sender(2 * CHUNK_SIZE)
    end.files.sending(1, FULL)
    end.files.sending(1, FULL)
    end.files.rewind(1)
    assert end.events == []
    end.files.on_control(FileWritten(1, 2 * CHUNK_SIZE))
    end.files.on_control(FileConfirm(1, ok=True))
    assert end.events[-1] == FileComplete(1, True)
    end.files.rewind(1)
    assert end.files.position(1) == 0
    waiting = sender(9, accepted=False)
    waiting.files.rewind(1)
    assert waiting.files.room(1) == 0


def test_whoever_waited_hears_of_another_way():
    end = sender(2 * CHUNK_SIZE)
    end.files.sending(1, FULL)
    end.files.sending(1, FULL)
    assert end.files.room(1) == 0
    end.files.rewind(1)
    assert end.events == [FileWindow(1)]


def test_other_ways_have_other_chunks():
    end = receiver(10 * CHUNK_SIZE)
    end.files.on_chunk(Chunk(2, 0, FULL + FULL), 1 << 20)
    assert end.drain() == ([FileChunk(2, 0, FULL + FULL)], [])
    refused(end, Chunk(2, 0, FULL + FULL))


def test_a_stream_from_beginning_to_end():
    ours, theirs = End(), End()
    ours.files.offer(STREAM)
    theirs.files.on_control(FileOffer(2, STREAM))
    theirs.files.accept(2)
    with pytest.raises(Misuse):
        ours.files.finish(1, HASH)
    refused(ours, FileAccept(1, 2 * CHUNK_SIZE, FILE_SIZE_MAX + 1))
    ours.files.on_control(FileAccept(1, 2 * CHUNK_SIZE, 0))
    ours.drain(), theirs.drain()
    assert ours.files.room(1) == CHUNK_SIZE
    ours.files.sending(1, FULL)
    ours.files.sending(1, b"end")
    ours.files.finish(1, HASH)
    assert ours.drain() == ([], [FileFinish(1, CHUNK_SIZE + 3, HASH)])
    assert ours.files.room(1) == 0
    with pytest.raises(Misuse):
        ours.files.finish(1, HASH)
    theirs.files.on_chunk(Chunk(2, 0, FULL))
    theirs.files.on_control(FileFinish(2, CHUNK_SIZE + 3, HASH))
    theirs.files.on_chunk(Chunk(2, CHUNK_SIZE, b"end"))
    got = theirs.drain()[0]
    assert [type(event) for event in got] == [FileChunk, FileFinished, FileChunk, FileDone]
    assert got[1] == FileFinished(2, CHUNK_SIZE + 3, HASH)
    theirs.files.confirm(2, ok=True)
    theirs.files.on_control(FileFinish(2, CHUNK_SIZE + 3, HASH))  # late


def test_ends_of_streams_that_are_none():
    refused(receiver(9), FileFinish(2, 9, HASH))
    refused(receiver(9), FileFinish(1, 9, HASH))
    refused(receiver(9), FileFinish(4, 9, HASH))
    with pytest.raises(Misuse):
        sender(9).files.finish(1, HASH)
    ended = sender(9)
    ended.files.cancel(1, StopReason.PERSON)
    with pytest.raises(TransferIncomplete):
        ended.files.finish(1, HASH)


def test_a_sender_pauses():
    end = sender(9)
    end.files.pause(1, on=False)
    end.files.pause(1, on=True)
    end.files.pause(1, on=True)
    assert end.drain() == ([], [FilePause(1, on=True)])
    assert end.files.room(1) == 0
    end.files.pause(1, on=False)
    assert end.drain() == ([FileWindow(1)], [FilePause(1, on=False)])
    assert end.files.room(1) == 9


def test_a_receiver_pauses():
    ours, theirs = sender(9), receiver(4 * CHUNK_SIZE)
    theirs.files.on_chunk(Chunk(2, 0, FULL))
    theirs.files.pause(2, on=True)
    theirs.files.written(2, CHUNK_SIZE)
    assert theirs.drain()[1] == [FilePause(2, on=True)], "no more room is given while it waits"
    theirs.files.on_chunk(Chunk(2, CHUNK_SIZE, FULL))
    refused(theirs, Chunk(2, 2 * CHUNK_SIZE, FULL))
    theirs.files.pause(2, on=False)
    assert theirs.drain()[1] == [FilePause(2, on=False), FileWritten(2, CHUNK_SIZE)]
    theirs.files.pause(2, on=True)
    ours.files.on_control(FilePause(1, on=True))
    assert ours.files.room(1) == 0
    ours.files.on_control(FilePause(1, on=False))
    assert ours.drain() == ([FilePaused(1, True), FileWindow(1), FilePaused(1, False)], [])
    theirs.files.on_control(FilePause(2, on=True))
    assert theirs.drain()[0][-1] == FilePaused(2, True)


def test_pauses_of_what_does_not_move():
    for make, number in ((sender, 1), (receiver, 2)):
        end = make(9, accepted=False)
        with pytest.raises(Misuse):
            end.files.pause(number, on=True)
        refused(end, FilePause(number, on=True))
        end.files.cancel(number, StopReason.PERSON)
        end.drain()
        end.files.pause(number, on=True)
        end.files.on_control(FilePause(number, on=True))
        assert end.drain() == ([], [])
    refused(sender(9), FilePause(3, on=True))


def test_declined():
    ours, theirs = sender(9, accepted=False), receiver(9, accepted=False)
    theirs.files.decline(2, StopReason.NO_SPACE)
    assert theirs.sent == [FileDecline(2, StopReason.NO_SPACE)]
    theirs.files.decline(2, StopReason.NO_SPACE)  # over already: nothing more
    assert len(theirs.sent) == 1
    ours.files.on_control(FileDecline(1, StopReason.PERSON))
    assert ours.events == [FileDeclined(1, StopReason.PERSON)]


@pytest.mark.parametrize("make,number", [(sender, 1), (receiver, 2)])
@pytest.mark.parametrize("accepted", [False, True])
def test_cancelled_from_either_side(make, number, accepted):
    end = make(9, accepted=accepted)
    end.files.cancel(number, StopReason.FAILED)
    end.files.cancel(number, StopReason.FAILED)
    assert end.drain() == ([], [FileCancel(number, StopReason.FAILED)])
    end.files.on_control(FileCancel(number, StopReason.PERSON))  # theirs crossed ours
    assert end.drain() == ([], [])
    end = make(9, accepted=accepted)
    end.files.on_control(FileCancel(number, StopReason.PERSON))
    assert end.drain() == ([FileCancelled(number, StopReason.PERSON)], [])


def test_answers_for_an_ended_transfer_are_late_not_wrong():
    end = sender(9)
    end.files.cancel(1, StopReason.PERSON)
    end.drain()
    for late in (
        FileAccept(1, CHUNK_SIZE, 0),
        FileDecline(1, StopReason.PERSON),
        FileWritten(1, 3),
        FileConfirm(1, ok=True),
    ):
        end.files.on_control(late)
    assert end.drain() == ([], [])


def test_late_chunks_have_their_credit_and_no_more():
    end = receiver(10 * CHUNK_SIZE)
    end.files.on_chunk(Chunk(2, 0, FULL))
    end.files.cancel(2, StopReason.PERSON)
    end.drain()
    end.files.on_chunk(Chunk(2, CHUNK_SIZE, FULL))
    assert end.drain() == ([], [])
    end.files.on_chunk(Chunk(2, 0, FULL))  # what a broken way may make it send again
    end.files.on_chunk(Chunk(2, CHUNK_SIZE, FULL))
    refused(end, Chunk(2, 2 * CHUNK_SIZE, b"x"))


def test_what_comes_again_after_the_verdict_is_late_too():
    end = receiver(CHUNK_SIZE)
    end.files.on_chunk(Chunk(2, 0, FULL))
    end.files.written(2, CHUNK_SIZE)
    end.files.confirm(2, ok=True)
    end.drain()
    end.files.on_chunk(Chunk(2, 0, FULL))  # it took the other way, and that was slower
    assert end.drain() == ([], [])


@pytest.mark.parametrize("number", [0, 1, 3, 4])
def test_chunks_for_no_transfer(number):
    refused(receiver(9), Chunk(number, 0, b"x"))


def test_an_empty_late_chunk():
    end = receiver(9)
    end.files.cancel(2, StopReason.PERSON)
    refused(end, Chunk(2, 0, b""))


@pytest.mark.parametrize(
    "chunk",
    [
        Chunk(2, 1, FULL), Chunk(2, CHUNK_SIZE, FULL),  # a gap
        Chunk(2, 0, b""), Chunk(2, 0, FULL[1:]), Chunk(2, 0, FULL + b"x"),  # not canonical
    ],
)  # fmt: skip
def test_chunks_that_are_not_the_next(chunk):
    refused(receiver(3 * CHUNK_SIZE), chunk)


def test_chunks_before_consent_beyond_the_window_and_after_the_end():
    refused(receiver(3 * CHUNK_SIZE, accepted=False), Chunk(2, 0, FULL))
    end = receiver(3 * CHUNK_SIZE)
    end.files.on_chunk(Chunk(2, 0, FULL))
    end.files.on_chunk(Chunk(2, CHUNK_SIZE, FULL))
    refused(end, Chunk(2, 2 * CHUNK_SIZE, FULL))
    end = receiver(1)
    end.files.on_chunk(Chunk(2, 0, b"x"))
    refused(end, Chunk(2, 1, b"x"))


@pytest.mark.parametrize(
    "message",
    [
        FileAccept(1, CHUNK_SIZE, 0), FileDecline(1, StopReason.PERSON), FileConfirm(1, ok=True),
        FileWritten(1, 0), FileWritten(1, CHUNK_SIZE + 1),  # backwards, ahead
        FileWritten(3, 1), FileAccept(2, CHUNK_SIZE, 0), FileCancel(2, StopReason.PERSON), FileCancel(0, StopReason.PERSON),
        FileOffer(1, offered(1)), FileOffer(4, offered(1)), FileOffer(0, offered(1)),
    ],
)  # fmt: skip
def test_control_out_of_turn(message):
    end = sender(5 * CHUNK_SIZE)
    end.files.sending(1, FULL)
    refused(end, message)


def test_control_before_consent():
    for message in (FileWritten(1, 1), FileConfirm(1, ok=True)):
        refused(sender(9, accepted=False), message)


def test_offers_are_bounded():
    end = End()
    end.files.on_control(FileOffer(2, offered(1)))
    end.files.on_control(FileOffer(4, offered(1)))
    refused(end, FileOffer(6, offered(1)))
    end = End()
    end.files.offer(offered(1))
    end.files.offer(offered(1))
    with pytest.raises(LocalError) as caught:
        end.files.offer(offered(1))
    assert caught.value.code == "too-many-transfers"


def test_numbers_end_some_day():
    end = End()
    end.files._next_outgoing = TRANSFER_MAX + 2
    with pytest.raises(LocalError):
        end.files.offer(offered(1))


def test_numbers_belong_to_roles():
    assert End(Role.INITIATOR).files.offer(offered(1)) == 1
    responder = End(Role.RESPONDER)
    assert responder.files.offer(offered(1)) == 2
    assert responder.files.offer(offered(1)) == 4
    refused(responder, FileOffer(2, offered(1)))


def test_room_waits_for_the_queue():
    end = sender(9)
    assert end.files.room(1, queue_full=True) == 0
    end.files.wake()
    end.files.wake()
    assert end.events == [FileWindow(1)]
    end.files.sending(1, bytes(9))
    end.files.wake()
    assert end.events == [FileWindow(1)]


def test_room_that_is_still_closed_wakes_nobody():
    end = sender(3 * CHUNK_SIZE, window=CHUNK_SIZE)
    end.files.sending(1, FULL)
    assert end.files.room(1) == 0
    end.files.wake()
    assert end.events == []


def test_misuse():
    ours, theirs = sender(9), receiver(9)
    for size in (0, 8, 10):
        with pytest.raises(Misuse):
            ours.files.sending(1, bytes(size))
    for call in (
        lambda: theirs.files.accept(2),
        lambda: theirs.files.decline(2, StopReason.PERSON),
        lambda: theirs.files.confirm(2, ok=True),
        lambda: theirs.files.written(2, 1),
        lambda: theirs.files.accept(8),
        lambda: ours.files.sending(7, b"x"),
    ):
        with pytest.raises(Misuse):
            call()


def test_verbs_for_an_ended_transfer():
    ours, theirs = sender(9), receiver(9)
    ours.files.on_control(FileCancel(1, StopReason.PERSON))
    theirs.files.on_control(FileCancel(2, StopReason.PERSON))
    theirs.files.written(2, 5)
    for call in (
        lambda: ours.files.sending(1, bytes(9)),
        lambda: theirs.files.accept(2),
        lambda: theirs.files.confirm(2, ok=True),
    ):
        with pytest.raises(TransferIncomplete) as caught:
            call()
        assert caught.value.code == "transfer-over"
