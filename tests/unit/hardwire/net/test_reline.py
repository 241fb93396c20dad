# SPDX-License-Identifier: Apache-2.0
import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from hardwire.channel import ChatReceived, LineFailed, NextAnswered, NextOffered
from hardwire.errors import ConnectionLost, IdentityChanged, NetworkFailed
from hardwire.net import reline as module
from hardwire.net.config import Clock
from hardwire.net.line import Line
from hardwire.net.paths import PathFound
from hardwire.net.reline import NextLine
from support.lines import config_for_test, line_pair, next_of


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(module, "FIRST_OFFER", 0.0)
    monkeypatch.setattr(module, "BETWEEN_OFFERS", 0.05)


class Side:
    """One end, its events handled as an application does."""

    def __init__(self, line: Line, config) -> None:
        self.line = line
        self.following = NextLine(line, lambda: config)
        self.events: list[object] = []
        self.running = asyncio.create_task(self.run())

    async def run(self) -> None:
        async for event in self.line:
            if not self.following.handle(event):
                self.events.append(event)

    async def agreed(self) -> None:
        async with asyncio.timeout(10):
            while not self.following.agreed:  # noqa: ASYNC110 (it lies on both ends)
                await asyncio.sleep(0.01)


@asynccontextmanager
async def sides(*configs):
    """Two ends of a line, the offerer of it first."""
    hosting, joining = configs or (config_for_test(), config_for_test())
    async with line_pair(hosting, joining) as lines:
        made = [Side(line, config) for line, config in zip(lines, (hosting, joining), strict=True)]
        try:
            yield made
        finally:
            await asyncio.gather(*(side.following.close() for side in made))
            await asyncio.gather(*(side.line.close() for side in made))
            await asyncio.gather(*(side.running for side in made))


async def cut(*both: Side) -> None:
    for side in both:
        await side.line.abort(ConnectionLost("no path"))


async def test_the_line_after_a_line_is_opened_without_anybody():
    async with sides() as (first, second):
        await asyncio.gather(first.agreed(), second.agreed())
        await cut(first, second)
        one, two = await asyncio.gather(first.following.open(10), second.following.open(10))
        assert one.done.sas == two.done.sas != first.line.done.sas
        assert one.done.peer.device_id == first.line.done.peer.device_id
        assert one.done.role is first.line.done.role
        one.send_chat("again")
        assert (await next_of(two, ChatReceived)).text == "again"
        await asyncio.gather(first.following.close(), second.following.close())
        two.send_chat("still")
        assert (await next_of(one, ChatReceived)).text == "still"
        await asyncio.gather(one.close(), two.close())


async def test_no_event_of_it_reaches_the_application():
    async with sides() as (first, second):
        await asyncio.gather(first.agreed(), second.agreed())
        assert not [
            event for side in (first, second) for event in side.events if isinstance(event, NextOffered | NextAnswered)
        ]


async def test_another_device_is_a_hard_stop():
    async with sides() as (first, second):
        impostor = config_for_test()
        second.following._make_config = lambda: impostor
        first.following._wanted.set()
        await asyncio.gather(first.agreed(), second.agreed())
        await asyncio.sleep(0.2)
        await asyncio.gather(first.agreed(), second.agreed())
        await cut(first, second)
        outcomes = await asyncio.gather(first.following.open(5), second.following.open(5), return_exceptions=True)
        assert isinstance(outcomes[0], IdentityChanged)
        assert isinstance(outcomes[1], ConnectionLost)


async def test_the_initiator_stops_before_it_shows_itself():
    async with sides() as (first, second):
        await asyncio.gather(first.agreed(), second.agreed())
        impostor = config_for_test()
        first.following._answered[0]._config = impostor
        await cut(first, second)
        outcomes = await asyncio.gather(first.following.open(5), second.following.open(5), return_exceptions=True)
        assert isinstance(outcomes[1], IdentityChanged)
        assert isinstance(outcomes[0], ConnectionLost)


async def moved(first: Side, second: Side) -> None:
    for side in (first, second):
        assert side.following.handle(PathFound(moved=True, seconds=0.0)) is False


async def until(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (it lies on both ends)
            await asyncio.sleep(0.01)


async def test_a_move_brings_new_codes():
    async with sides() as (first, second):
        await asyncio.gather(first.agreed(), second.agreed())
        before = first.following._answered[0]
        await moved(first, second)
        await until(lambda: first.following._answered[0] is not before)
        await until(lambda: not before._link._path.connection._protocols)  # both have the new ones: the old are let go
        await until(lambda: len(second.following._answers) == 1)
        assert len(first.following._offers) == 1
        await cut(first, second)
        lines = await asyncio.gather(first.following.open(10), second.following.open(10))
        await asyncio.gather(*(line.close() for line in lines))


@pytest.mark.parametrize("ahead", [0.3, 0.6, 1.0, 30.0, -1.0])
async def test_codes_do_not_grow_old_on_a_line_that_never_moves(ahead, monkeypatch):
    """A line is followed when it is a day old, and no code lives that long. Clocks are set, too."""
    monkeypatch.setattr(module, "LOOK_AT_CLOCK", 0.05)
    shift = [0.0]
    clock = Clock(wall=lambda: time.time() + shift[0])
    async with sides(config_for_test(clock=clock), config_for_test(clock=clock)) as (first, second):
        await asyncio.gather(first.agreed(), second.agreed())
        await asyncio.sleep(0.3)
        before = first.following._answered[0]
        assert first.following._offers == [before], "made anew without a reason"
        shift[0] = ahead * 86_400
        await until(lambda: first.following._answered[0] is not before)
        await cut(first, second)
        lines = await asyncio.gather(first.following.open(10), second.following.open(10))
        await asyncio.gather(*(line.close() for line in lines))


@pytest.mark.parametrize("swallowed", ["offer", "answer"])
async def test_a_line_that_dies_between_old_codes_and_new_ones(swallowed, monkeypatch):
    """The offerer has made another offer; that, or the answer to it, is lost with the line."""
    async with sides() as (first, second):
        await asyncio.gather(first.agreed(), second.agreed())
        monkeypatch.setattr(module, "BETWEEN_OFFERS", 60.0)
        await asyncio.sleep(0.2)
        deaf = {"offer": first, "answer": second}[swallowed]
        monkeypatch.setattr(deaf.line, "tell_next", lambda _code: None)
        offers, answers = len(first.following._offers), len(second.following._answers)
        await moved(first, second)
        await until(lambda: len(first.following._offers) > offers)
        await until(lambda: swallowed == "offer" or len(second.following._answers) > answers)
        await cut(first, second)
        lines = await asyncio.gather(first.following.open(10), second.following.open(10))
        assert lines[0].done.sas == lines[1].done.sas
        await asyncio.gather(*(line.close() for line in lines))


async def test_codes_that_may_still_be_needed_are_few(monkeypatch):
    async with sides() as (first, second):
        await asyncio.gather(first.agreed(), second.agreed())
        monkeypatch.setattr(Line, "path_is_lost", True)
        seen = set()
        for _ in range(module.MOST_HELD + 2):
            known = first.following._offers[-1]
            await moved(first, second)
            await until(lambda known=known: first.following._offers[-1] is not known)
            await asyncio.sleep(0.1)
            seen |= {len(first.following._offers), len(second.following._answers)}
        assert 1 < max(seen) <= module.MOST_HELD


async def test_the_first_line_counts_and_any_other_is_closed():
    closed = []

    class Won(Line):
        def __init__(self) -> None: ...

        async def close(self) -> None:
            closed.append(self)

    async def wins() -> Line:
        return won.setdefault("line", Won())

    async def wins_too() -> Line:
        return Won()

    async def nobody() -> Line:
        raise NetworkFailed("nobody is there", code="no-path")

    async def impostor() -> Line:
        raise IdentityChanged("somebody else is there")

    async def never() -> Line:
        await asyncio.sleep(60)
        return Won()

    won: dict[str, Line] = {}
    assert await module.first_line([nobody(), wins(), never()]) is won["line"]
    assert not closed
    assert await module.first_line([wins(), wins_too()]) not in closed
    assert len(closed) == 1
    with pytest.raises(NetworkFailed):
        await module.first_line([nobody(), nobody()])
    with pytest.raises(IdentityChanged):
        await module.first_line([never(), impostor()])


async def test_nothing_agreed_is_nothing_opened(monkeypatch):
    monkeypatch.setattr(module, "FIRST_OFFER", 60.0)
    async with sides() as (first, second):
        assert not first.following.agreed
        assert not second.following.agreed
        await cut(first, second)
        for side in (first, second):
            with pytest.raises(ConnectionLost) as caught:
                await side.following.open(1)
            assert caught.value.code == "no-next-line"


async def test_a_peer_that_does_not_come():
    async with sides() as (first, second):
        await asyncio.gather(first.agreed(), second.agreed())
        await cut(first, second)
        await second.following.close()
        with pytest.raises(ConnectionLost) as caught:
            await first.following.open(0.5)
        assert caught.value.code == "no-next-line"


async def test_a_code_that_cannot_be_read_is_dropped():
    async with sides() as (first, second):
        await asyncio.gather(first.agreed(), second.agreed())
        answers = list(second.following._answers)
        first.line.tell_next(b"no code at all")
        await asyncio.sleep(0.3)
        assert second.following._answers == answers
        assert not [event for event in second.events if isinstance(event, LineFailed)]
