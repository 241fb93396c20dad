# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel.events import (
    FileAccepted,
    FileCancelled,
    FileChunk,
    FileComplete,
    FileDeclined,
    FileDone,
    FileOffered,
    FileProgress,
    FileWindow,
)
from hardwire.channel.limits import Limits
from hardwire.channel.messages import (
    CHUNK_SIZE,
    TRANSFER_MAX,
    Chunk,
    FileAccept,
    FileCancel,
    FileConfirm,
    FileDecline,
    FileOffer,
    FileWritten,
    StopReason,
)
from hardwire.channel.transfer import Transfers
from hardwire.errors import LocalError, Misuse, TransferIncomplete, WireError
from hardwire.handshake import Role

HASH = bytes(32)
FULL = bytes(CHUNK_SIZE)
LIMITS = Limits(window=2 * CHUNK_SIZE, transfers=2)


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
    assert end.files.offer("a", size, HASH) == 1
    if accepted:
        end.files.on_control(FileAccept(1, window))
    end.drain()
    return end


def receiver(size, *, accepted=True):
    end = End()
    end.files.on_control(FileOffer(2, size, HASH, "a"))
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
    assert end.files.offer("a", CHUNK_SIZE + 1, HASH) == 1
    assert end.drain() == ([], [FileOffer(1, CHUNK_SIZE + 1, HASH, "a")])
    assert end.files.room(1) == 0
    end.files.on_control(FileAccept(1, CHUNK_SIZE))
    assert end.drain() == ([FileAccepted(1)], [])
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
    end.files.on_control(FileOffer(2, size, HASH, "a"))
    assert end.drain() == ([FileOffered(2, "a", size, HASH)], [])
    end.files.accept(2)
    assert end.drain() == ([], [FileAccept(2, 2 * CHUNK_SIZE)])
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


def test_an_empty_file():
    ours, theirs = sender(0, accepted=False), receiver(0, accepted=False)
    theirs.files.accept(2)
    assert theirs.events == [FileDone(2)]
    ours.files.on_control(FileAccept(1, CHUNK_SIZE))
    assert ours.files.room(1) == 0
    ours.files.on_control(FileConfirm(1, ok=True))
    assert ours.events == [FileAccepted(1), FileComplete(1, True)]


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
        FileAccept(1, CHUNK_SIZE),
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
    refused(end, Chunk(2, 2 * CHUNK_SIZE, b"x"))


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
        FileAccept(1, CHUNK_SIZE), FileDecline(1, StopReason.PERSON), FileConfirm(1, ok=True),
        FileWritten(1, 0), FileWritten(1, CHUNK_SIZE + 1),  # backwards, ahead
        FileWritten(3, 1), FileAccept(2, CHUNK_SIZE), FileCancel(2, StopReason.PERSON), FileCancel(0, StopReason.PERSON),
        FileOffer(1, 1, HASH, "a"), FileOffer(4, 1, HASH, "a"), FileOffer(0, 1, HASH, "a"),
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
    end.files.on_control(FileOffer(2, 1, HASH, "a"))
    end.files.on_control(FileOffer(4, 1, HASH, "a"))
    refused(end, FileOffer(6, 1, HASH, "a"))
    end = End()
    end.files.offer("a", 1, HASH)
    end.files.offer("a", 1, HASH)
    with pytest.raises(LocalError) as caught:
        end.files.offer("a", 1, HASH)
    assert caught.value.code == "too-many-transfers"


def test_numbers_end_some_day():
    end = End()
    end.files._next_outgoing = TRANSFER_MAX + 2
    with pytest.raises(LocalError):
        end.files.offer("a", 1, HASH)


def test_numbers_belong_to_roles():
    assert End(Role.INITIATOR).files.offer("a", 1, HASH) == 1
    responder = End(Role.RESPONDER)
    assert responder.files.offer("a", 1, HASH) == 2
    assert responder.files.offer("a", 1, HASH) == 4
    refused(responder, FileOffer(2, 1, HASH, "a"))


def test_a_refused_offer_uses_no_number():
    end = End()
    with pytest.raises(Misuse):
        end.files.offer("a/b", 1, HASH)
    assert end.sent == []
    assert end.files.offer("a", 1, HASH) == 1


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
