# SPDX-License-Identifier: Apache-2.0
"""What both drivers have in common, with a machine that does as it is told; the real ones: test_shake, test_settle."""

import asyncio
from collections import deque

import pytest

from hardwire.errors import ConnectionLost, LineTimeout
from hardwire.net.config import Clock
from hardwire.net.driver import Driver
from support.lines import config_for_test
from support.memorylink import Hand, MemoryLink


class Told:
    """A machine whose messages and events are put there by the test."""

    def __init__(self) -> None:
        self.outbox: deque[bytes] = deque()
        self.events: deque[object] = deque()
        self.deadline: float | None = None
        self.received: list[bytes] = []

    def receive_data(self, data, now):
        self.received.append(data)

    def data_to_send(self):
        return self.outbox.popleft() if self.outbox else None

    def next_event(self):
        return self.events.popleft() if self.events else None

    def next_timeout(self):
        return self.deadline

    def handle_timeout(self, now):
        if self.deadline is not None and now >= self.deadline:
            self.deadline = None
            self.events.append(LineTimeout("too long"))


class Plain(Driver[Told]):
    _lost = "gone"
    _lost_hint = "ask"

    def __init__(self, on_done=lambda done: None, **config):
        self.link = MemoryLink()
        self.seen = []
        self.let_go = 0
        super().__init__(Told(), self.link, config_for_test(**config), on_done)
        self.machine = self._machine

    def _on_event(self, event):
        self.seen.append((event, len(self.link.sent)))
        if isinstance(event, Exception):
            self._fail(event)
        elif callable(event):
            self._ask(event)
        else:
            self._hand_over(event)

    def _let_go(self):
        self.let_go += 1


async def test_what_is_to_be_sent_leaves_before_the_next_one_takes_the_link():
    driver = Plain()
    driver.machine.outbox += [b"one", b"two"]
    driver.machine.events.append("done")
    await driver.run()
    assert driver.seen == [("done", 2)]
    assert driver.let_go == 1


async def test_nothing_is_sent_and_nothing_looked_at_after_the_end():
    driver = Plain()
    driver.closed(ConnectionLost("away"))
    driver.machine.outbox.append(b"late")
    driver.machine.events.append("done")
    driver.message(0, b"more")
    with pytest.raises(ConnectionLost, match="gone: away") as caught:
        await driver.run()
    assert caught.value.hint == "ask"
    assert not driver.link.sent
    assert not driver.machine.received
    assert not driver.seen


async def test_a_link_that_breaks_takes_no_second_message():
    driver = Plain()
    driver.link.broken = True
    driver.machine.outbox += [b"one", b"two"]
    with pytest.raises(ConnectionLost, match="gone"):
        await driver.run()
    assert list(driver.machine.outbox) == [b"two"]


async def test_a_timer_that_fires_early_is_set_again():
    hand = Hand()
    driver = Plain(clock=Clock(monotonic=hand))
    driver.machine.deadline = hand.now + 0.05
    running = asyncio.create_task(driver.run())
    await asyncio.sleep(0.2)  # the loop's clock went on, the line's did not
    assert not running.done()
    hand.now += 1
    with pytest.raises(LineTimeout):
        await asyncio.wait_for(running, 2)


async def test_a_question_ends_with_its_machine_and_its_time_counts():
    hand, ended = Hand(), asyncio.Event()
    driver = Plain(clock=Clock(monotonic=hand))

    async def forever():
        hand.now += 3
        try:
            await asyncio.sleep(600)
        finally:
            ended.set()

    driver.machine.events.append(forever)
    running = asyncio.create_task(driver.run())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    driver.closed(ConnectionLost("away"))
    with pytest.raises(ConnectionLost):
        await running
    assert ended.is_set()
    assert driver.asked_seconds == 3


async def test_a_bug_in_an_answer_is_the_outcome():
    async def broken():
        raise ZeroDivisionError

    driver = Plain()
    driver.machine.events.append(broken)
    with pytest.raises(ZeroDivisionError):
        await driver.run()


async def test_whoever_cannot_take_over_is_the_outcome():
    def refuse(done):
        raise RuntimeError(done)

    driver = Plain(on_done=refuse)
    driver.machine.events.append("done")
    with pytest.raises(RuntimeError, match="done"):
        await driver.run()
