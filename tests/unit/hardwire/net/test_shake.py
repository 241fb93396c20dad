# SPDX-License-Identifier: Apache-2.0
"""The handshake's driver with two real machines, a link in memory and a clock moved by hand."""

import asyncio

import pytest

from hardwire.errors import ConnectionLost, HandshakeRefused, LineTimeout, Misuse, PeerNotVerified, WireError
from hardwire.handshake import Binding, Initiator, Responder
from hardwire.net.config import Clock
from hardwire.net.shake import HandshakeDriver
from support.lines import config_for_test
from support.memorylink import Hand, MemoryLink, deliver

BINDING = Binding(b"offer", b"answer", bytes(32), bytes(31) + b"\x01", bytes(31) + b"\x02", bytes(31) + b"\x03")


class Side:
    def __init__(self, role, hand=None, **changes):
        config = config_for_test(**changes)
        if hand is not None:
            config = config_for_test(**changes, clock=Clock(monotonic=hand))
        self.link = MemoryLink()
        self.done = []
        machine = role(BINDING, config.credential, entropy=config.entropy, now=config.clock.monotonic())
        self.driver = HandshakeDriver(machine, self.link, config, self.done.append)

    def start(self):
        self.task = asyncio.create_task(self.driver.run())
        return self.task


async def settle(first: Side, second: Side, rounds: int = 200):
    for _ in range(rounds):
        deliver(first.link, second.driver)
        deliver(second.link, first.driver)
        await asyncio.sleep(0.005)
        if first.task.done() and second.task.done():
            return


async def test_both_are_done_and_each_was_asked_once():
    first, second = Side(Initiator), Side(Responder)
    first.start()
    second.start()
    await settle(first, second)
    first.task.result()
    second.task.result()
    # Handed on once at each end. The responder's last message left before its line began: the initiator is done, too.
    assert [one.sas for one in first.done] == [one.sas for one in second.done]
    assert len(first.done) == 1
    assert first.driver.asked_seconds > 0


async def test_nobody_speaks():
    hand = Hand()
    side = Side(Responder, hand)
    task = side.start()
    await asyncio.sleep(0)
    hand.now += 10
    side.driver._time_out()
    with pytest.raises(LineTimeout) as caught:
        await task
    assert caught.value.exit_code == 31


async def test_the_timer_of_the_loop_fires():
    hand = Hand()
    side = Side(Responder, hand)
    task = side.start()
    await asyncio.sleep(0)
    hand.now += 9.98
    side.driver._set_timer()
    hand.now += 1
    with pytest.raises(LineTimeout):
        await asyncio.wait_for(task, 2)


async def test_nonsense_ends_it_and_nothing_is_said():
    side = Side(Responder)
    task = side.start()
    await asyncio.sleep(0)
    side.driver.message(0, b"\x09nonsense")
    with pytest.raises(WireError):
        await task
    assert not side.link.sent
    side.driver.message(0, b"more")


async def test_the_end_cancels_the_question():
    asked, ended = asyncio.Event(), asyncio.Event()

    async def forever(tbs, scheme):
        asked.set()
        try:
            await asyncio.sleep(600)
        finally:
            ended.set()

    first, second = Side(Initiator), Side(Responder, sign=forever)
    first.start()
    second.start()
    await asyncio.sleep(0)
    deliver(first.link, second.driver)
    await asyncio.wait_for(asked.wait(), 2)
    second.driver.closed(ConnectionLost("the peer went away"))
    with pytest.raises(ConnectionLost, match="before both sides"):
        await second.task
    assert ended.is_set()
    first.driver.closed(HandshakeRefused("another story"))
    with pytest.raises(HandshakeRefused, match="another story"):
        await first.task


async def test_a_link_that_breaks_under_a_send():
    side = Side(Initiator)
    side.link.broken = True
    with pytest.raises(ConnectionLost):
        await side.start()


async def test_a_verdict_without_proof_is_a_bug_and_comes_out():
    async def yes(credential, leaf, role):
        return "trust me"

    first, second = Side(Initiator, verify=yes), Side(Responder)
    first.start()
    second.start()
    await settle(first, second, rounds=60)
    with pytest.raises(Misuse):
        await first.task
    second.driver.writable()
    second.task.cancel()
    await asyncio.wait({second.task})


async def test_a_verdict_that_breaks_comes_out_as_it_is():
    async def broken(credential, leaf, role):
        raise ZeroDivisionError

    first, second = Side(Initiator, verify=broken), Side(Responder)
    first.start()
    second.start()
    await settle(first, second, rounds=60)
    with pytest.raises(ZeroDivisionError):
        await first.task
    second.task.cancel()
    await asyncio.wait({second.task})


async def test_the_responder_says_no():
    async def no(credential, leaf, role):
        raise PeerNotVerified("a stranger")

    first, second = Side(Initiator), Side(Responder, verify=no)
    first.start()
    second.start()
    await settle(first, second, rounds=60)
    with pytest.raises(PeerNotVerified):
        await second.task
    first.task.cancel()
    await asyncio.wait({first.task})


async def test_a_line_that_cannot_begin_is_the_outcome():
    def refuse(_done):
        raise ConnectionLost("the line cannot begin")

    first, second = Side(Initiator), Side(Responder)
    second.driver._on_done = refuse
    first.start()
    second.start()
    await settle(first, second)
    assert first.task.exception() is None
    with pytest.raises(ConnectionLost, match="cannot begin"):
        await second.task
