# SPDX-License-Identifier: Apache-2.0
"""The driver of an open line over a link in memory; the whole way is tried in tests/net."""

import asyncio
import gc
import time

import pytest

from hardwire.channel import CloseReason, Limits, LineClosed, LineFailed
from hardwire.errors import ConnectionLost, Misuse, WireError
from hardwire.handshake import HandshakeDone
from hardwire.net import line as line_module
from hardwire.net.config import Clock
from hardwire.net.inbox import Inbox
from hardwire.net.line import Line
from support.linepair import Pair
from support.lines import config_for_test, line_pair, next_of
from support.memorylink import MemoryLink, deliver


async def test_what_epoch_0_grew_from_is_forgotten_when_the_line_is_open():
    gc.collect()  # lines that failed in other tests live on in the tracebacks of their errors
    async with line_pair() as (first, second):
        assert first.done.sid == second.done.sid
        held = [one.epoch_secret for one in gc.get_objects() if isinstance(one, HandshakeDone)]
        assert set(held) == {b""}


async def test_frames_wait_until_the_link_has_room(proofs):
    pair = Pair(proofs)
    first, _ = pair.lines
    pair.settle()
    pair.links[0].may_send = False
    first.send_chat("later")
    assert not pair.links[0].sent
    pair.links[0].may_send = True
    first.writable()
    assert len(pair.links[0].sent) == 1
    await pair.end()


async def test_a_close_leaves_even_when_the_link_is_full(proofs):
    pair = Pair(proofs)
    first, second = pair.lines
    pair.settle()
    pair.links[0].may_send = False
    first.send_chat("before")
    await first.close()
    await first.close(CloseReason.SHUTDOWN)
    assert pair.links[0].flushed == 1
    assert pair.links[0].closed.is_set()
    deliver(pair.links[0], second)
    events = [event async for event in second]
    assert [type(event).__name__ for event in events][-2:] == ["ChatReceived", "LineClosed"]
    assert [event async for event in first][-1] == LineClosed(CloseReason.NORMAL, by_peer=False)
    with pytest.raises(ConnectionLost):
        first.send_chat("after")
    await second.close()


async def test_keys_for_the_next_word_are_derived_when_the_last_one_has_left(proofs):
    pair = Pair(proofs)
    first, _ = pair.lines
    pair.settle()
    records = first._channel._records
    positions = [records._outgoing[0], records._incoming[0]]
    ready = []
    plain = pair.links[0].send

    def send(channel, data):
        ready.append(positions[0].prepared)
        plain(channel, data)

    pair.links[0].send = send
    for _ in range(2):
        first.send_chat("a word")
        assert None not in [one.prepared for one in positions]
    assert ready == [None, None]
    await pair.end()


async def test_one_task_at_a_time_waits_for_events(proofs):
    pair = Pair(proofs)
    first, second = pair.lines
    second.send_chat("none")
    pair.settle()
    while first._events:
        await anext(first)
    reading = asyncio.create_task(anext(first))
    await asyncio.sleep(0)
    with pytest.raises(Misuse, match="somebody else"):
        await anext(first)
    reading.cancel()
    await asyncio.wait([reading])
    reading = asyncio.create_task(anext(first))
    await asyncio.sleep(0)
    second.send_chat("one")
    second.send_chat("two")
    deliver(pair.links[1], first)
    assert [(await reading).text, (await anext(first)).text] == ["one", "two"]
    await pair.end()


async def test_leaving_the_block_closes(proofs):
    pair = Pair(proofs)
    async with pair.lines[0]:
        pass
    assert pair.links[0].closed.is_set()
    await pair.end()


async def test_a_forged_frame_ends_it_without_a_word(proofs):
    pair = Pair(proofs)
    _, second = pair.lines
    pair.settle()
    second.message(0, bytes(300))
    failed = await next_of(second, LineFailed)
    assert failed.error.exit_code == 20
    assert not pair.links[1].sent
    await second.close()
    assert pair.links[1].flushed == 0
    assert pair.links[1].closed.is_set()
    second.message(0, b"late")
    second.closed(ConnectionLost("late"))
    await pair.end()


async def test_the_links_own_story_is_told(proofs):
    pair = Pair(proofs)
    first, _ = pair.lines
    error = WireError("the peer sent text", code="transport-limit")
    first.closed(error)
    assert (await next_of(first, LineFailed)).error is error
    await pair.end()


async def test_a_link_that_breaks_under_a_send(proofs):
    pair = Pair(proofs)
    first, _ = pair.lines
    pair.settle()
    pair.links[0].broken = True
    first.send_chat("into the void")
    assert isinstance((await next_of(first, LineFailed)).error, ConnectionLost)
    await pair.end()


async def test_silence_ends_it_and_one_timer_serves_all(proofs):
    pair = Pair(proofs, limits=Limits(keepalive=0.02, silence=0.1))
    first, second = pair.lines
    pair.settle()
    for _ in range(20):
        pair.hand.now += 0.03
        for line in (first, second):
            line._time_out()
        pair.settle()
    assert not first._over
    pair.hand.now += 0.2
    first._time_out()
    assert isinstance((await next_of(first, LineFailed)).error, ConnectionLost)
    assert first._timer is None
    await pair.end()


async def test_the_loops_timer_reaches_the_channel(proofs):
    config = config_for_test(clock=Clock(monotonic=time.monotonic), limits=Limits(keepalive=0.02))
    link = MemoryLink()
    line = Line(proofs[0], link, Inbox(), config)
    link.sent.clear()
    await asyncio.sleep(0.15)
    assert 2 <= len(link.sent) <= 8
    await line.close()


async def test_a_flood_that_nobody_reads_ends_it(proofs, monkeypatch):
    monkeypatch.setattr(line_module, "MAX_EVENTS", 50)
    pair = Pair(proofs)
    first, second = pair.lines
    for _ in range(60):
        first.send_chat("x")
        pair.settle()
        if second._over:
            break
    events = [event async for event in second]
    assert events[-1].error.code == "flood"
    await pair.end()


@pytest.mark.parametrize(
    "error, silently",
    [
        (ConnectionLost("no path", code="path-lost"), True),
        (ConnectionLost("silent", code="peer-silent"), True),
        (ConnectionLost("the peer ended the line"), False),
        (WireError("the peer sent text", code="transport-limit"), False),
    ],
)
async def test_a_peer_that_may_still_be_found_hears_of_no_end(proofs, error, silently):
    pair = Pair(proofs)
    pair.lines[0].closed(error)
    await pair.links[0].closed.wait()
    assert pair.links[0].silently is silently
    await pair.lines[1].close()
    assert pair.links[1].silently is False
    await pair.end()
