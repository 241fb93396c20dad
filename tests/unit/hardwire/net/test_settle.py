# SPDX-License-Identifier: Apache-2.0
import asyncio
import time

import pytest

from hardwire.channel import ChatReceived
from hardwire.errors import CertificateRefused, ConnectionLost, LineTimeout, RecordRefused
from hardwire.net import settle as module
from hardwire.net.config import Clock
from support.lines import config_for_test, line_pair, next_of, open_lines


class Judge:
    """Shows some lists, remembers what it was shown, and says yes or no when it is let."""

    def __init__(self, *lists: bytes, verdict: Exception | None = None, waits: bool = False) -> None:
        self.lists = lists
        self.shown: tuple[bytes, ...] | None = None
        self.verdict = verdict
        self.asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        if not waits:
            self.may_answer.set()

    def show(self) -> tuple[bytes, ...]:
        return self.lists

    async def judge(self, lists: tuple[bytes, ...]) -> None:
        self.shown = lists
        self.asked.set()
        await self.may_answer.wait()
        if self.verdict is not None:
            raise self.verdict


async def outcomes(first: Judge, second: Judge):
    return await open_lines(config_for_test(revocation=first), config_for_test(revocation=second))


async def test_lists_go_both_ways_before_the_line_opens():
    first, second = Judge(b"one", bytes(300_000)), Judge(b"two")
    async with line_pair(config_for_test(revocation=first), config_for_test(revocation=second)) as (here, there):
        assert (first.shown, second.shown) == ((b"two",), (b"one", bytes(300_000)))
        here.send_chat("hello")
        assert (await next_of(there, ChatReceived)).text == "hello"


async def test_the_time_of_the_judge_counts_as_asked():
    first, second = Judge(waits=True), Judge()
    opening = asyncio.create_task(outcomes(first, second))
    await first.asked.wait()
    await second.asked.wait()
    await asyncio.sleep(0.05)
    assert not opening.done(), "no line without the judgement"
    first.may_answer.set()
    for line in await opening:
        await line.close()
    assert (await opening)[0].timings.asked_ms >= 50


@pytest.mark.parametrize("who", [0, 1])
async def test_a_peer_that_is_revoked(who):
    refusal = CertificateRefused("revoked", code="cert-revoked", exit_code=50)
    judges = [Judge(), Judge()]
    judges[who].verdict = refusal
    ends = await outcomes(*judges)
    assert ends[who] is refusal
    assert isinstance(ends[1 - who], ConnectionLost)
    assert "before it was open" in ends[1 - who].message
    assert "revoked" not in ends[1 - who].message, "the peer is told nothing"


async def test_a_judge_with_a_bug():
    first, _ = await outcomes(Judge(verdict=ZeroDivisionError()), Judge())
    assert isinstance(first, ZeroDivisionError)


async def test_too_much_to_show_ends_it():
    first, second = await outcomes(Judge(b""), Judge())
    assert isinstance(first, Exception)
    assert isinstance(second, ConnectionLost)


async def test_a_line_that_cannot_begin(monkeypatch):
    def broken(*_):
        raise RuntimeError("no line")

    monkeypatch.setattr("hardwire.net.pending.Line", broken)
    first, _ = await outcomes(Judge(), Judge())
    assert isinstance(first, RuntimeError)


async def test_a_judge_who_never_answers(monkeypatch):
    monkeypatch.setattr("hardwire.channel.settle.TIME", 0.3)
    first, second = await outcomes(Judge(waits=True), Judge())
    assert isinstance(first, LineTimeout)
    assert isinstance(second, (LineTimeout, ConnectionLost))


async def test_a_timer_that_fires_early_is_set_again(monkeypatch):
    monkeypatch.setattr("hardwire.channel.settle.TIME", 0.3)
    slow = Clock(monotonic=lambda: time.monotonic() / 2)
    judge = Judge(waits=True)
    async with asyncio.timeout(10):
        first, _ = await open_lines(
            config_for_test(revocation=judge, clock=slow), config_for_test(revocation=Judge(), clock=slow)
        )
    assert isinstance(first, (LineTimeout, ConnectionLost))


async def test_a_peer_that_talks_too_early(monkeypatch):
    class Early(module.SettleDriver):
        def begin(self) -> None:
            self._machine._queue.clear()
            self._machine._queue.append(self._machine._records.seal(0, 0x01, b"hello"))
            super().begin()

    monkeypatch.setattr("hardwire.net.pending.SettleDriver", Early)
    first, second = await outcomes(Judge(), Judge())
    assert {first.code, second.code} & {"settle-order", "frame-sequence"}
    assert RecordRefused in {type(first), type(second)}


async def test_what_comes_after_the_end_is_not_looked_at():
    judge = Judge(waits=True)
    opening = asyncio.create_task(outcomes(judge, Judge()))
    await judge.asked.wait()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
