# SPDX-License-Identifier: Apache-2.0
"""The book of a line's transfers; what is done with it: test_transfers.py and test_moving.py."""

import asyncio
import gc

from hardwire.app import underway as module
from hardwire.app.events import FileFailed, FileProgress
from hardwire.app.moving import Transfer
from hardwire.app.progress import Meter
from hardwire.app.underway import Underway
from hardwire.channel import Offer, StopReason, TransferKind
from hardwire.errors import ConnectionLost, Misuse, TransferIncomplete

STREAM = Offer(TransferKind.STREAM, 0, 1, 0, bytes(32), "a")
FILE = Offer(TransferKind.FILE, 5, 1, 21, bytes(32), "a")


class DeadLine:
    """Says what it was asked to say, and that it is over."""

    def __init__(self):
        self.said = []

    def _say(self, *words):
        self.said.append(words)
        raise ConnectionLost("over")

    decline_file = cancel_file = _say


def a_book():
    events, line = [], DeadLine()
    return Underway(line, events.append), events, line


async def test_an_end_is_told_once_and_after_the_task():
    book, events, line = a_book()
    transfer = Transfer(2, "in", FILE, Meter(5, 0.0))
    book._add(transfer)
    go_on = asyncio.Event()
    book._start(transfer, go_on.wait)
    book._stop(transfer, TransferIncomplete("no", code="disk-full"))
    book._stop(transfer, TransferIncomplete("again", code="cancelled"))
    assert line.said == [(2, StopReason.NO_SPACE)]
    assert events == []
    go_on.set()
    await book.settled()
    assert events == [FileFailed(2, "a", "in", "disk-full", "no", "ask your peer to send it again", False)]
    assert await transfer.over == events[0]


async def test_what_the_disk_says():
    async def breaks():
        raise OSError(5, "Input/output error")

    book, events, _ = a_book()
    transfer = Transfer(2, "in", FILE, Meter(5, 0.0))
    book._add(transfer)
    book._start(transfer, breaks)
    await book.settled()
    assert (events[0].code, events[0].reason) == ("disk", "a: input/output error")


async def test_nothing_is_known_of_how_long_a_stream_takes():
    book, events, _ = a_book()
    book._advance(Transfer(1, "out", STREAM, Meter(0, 0.0)), 7)
    (step,) = events
    assert isinstance(step, FileProgress)
    assert (step.done, step.size, step.eta) == (7, 0, None)


async def test_whatever_goes_wrong_is_an_end():
    async def breaks():
        raise Misuse("a machine that was used wrongly")

    book, events, _ = a_book()
    transfer = Transfer(2, "in", FILE, Meter(5, 0.0))
    book._add(transfer)
    book._start(transfer, breaks)
    await book.settled()
    assert (events[0].code, events[0].reason) == ("failed", "a machine that was used wrongly")


async def test_a_fault_of_ours_ends_the_transfer_and_is_reported():
    async def breaks():
        raise ZeroDivisionError("division by zero")

    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what["exception"]))
    book, events, line = a_book()
    transfer = Transfer(2, "in", FILE, Meter(5, 0.0), accepted=True)
    book._add(transfer)
    book._start(transfer, breaks)
    await book.settled()
    gc.collect()
    assert (events[0].code, events[0].reason) == ("failed", "an internal error")
    assert line.said == [(2, StopReason.FAILED)]
    assert await transfer.over == events[0]
    assert [type(one) for one in reported] == [ZeroDivisionError]


async def test_offers_that_nobody_answered_are_forgotten():
    book, events, _ = a_book()
    for number in (2, 4):
        transfer = Transfer(number, "in", FILE, Meter(5, 0.0), answered=number == 4)
        book._add(transfer)
        book._fail(transfer, TransferIncomplete("no"))
    assert list(book._outcomes) == [4]
    assert len(events) == 2


async def test_of_ends_long_ago_nothing_is_kept(monkeypatch):
    monkeypatch.setattr(module, "OUTCOMES_KEPT", 3)
    book, events, _ = a_book()
    under_way = Transfer(1, "out", FILE, Meter(5, 0.0))
    book._add(under_way)
    for number in range(2, 8):
        transfer = Transfer(number, "out", FILE, Meter(5, 0.0))
        book._add(transfer)
        book._fail(transfer, TransferIncomplete("no", code="cancelled"))
    assert [event.id for event in events] == [2, 3, 4, 5, 6, 7]
    assert list(book._outcomes) == [1, 6, 7]
    book._fail(under_way, TransferIncomplete("no", code="cancelled"))
    assert await under_way.over == events[-1]
