# SPDX-License-Identifier: Apache-2.0
"""Two processes on loopback: the whole way, and a peer that is killed in the middle of it."""

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hardwire.channel import ChatReceived, LineFailed
from hardwire.errors import ConnectionLost
from hardwire.net.paths import PathLost
from hardwire.net.pending import host
from hardwire.net.rtc import watch as watch_module
from support.lines import config_for_test, next_of

TESTS = Path(__file__).parents[1]


class Child:
    def __init__(self, process):
        self.process = process

    async def told(self):
        line = await asyncio.wait_for(self.process.stdout.readline(), 20)
        assert line, "the child said nothing more"
        return json.loads(line)

    def tell(self, text: str):
        self.process.stdin.write(text.encode() + b"\n")


@asynccontextmanager
async def child(mode: str):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "support.joiner",
        mode,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    try:
        yield Child(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        process.stdin.close()
        process._transport.close()


async def test_two_processes_talk():
    async with child("chat") as other:
        offer = await host(config_for_test())
        other.tell(offer.text)
        line = await offer.accept((await other.told())["answer"])
        assert (await other.told())["sas"] == line.done.sas.decimal
        line.send_chat("hello over there")
        assert (await next_of(line, ChatReceived)).text == "HELLO OVER THERE"
        await line.close()
        assert (await other.told())["closed"] is True
        assert await asyncio.wait_for(other.process.wait(), 10) == 0


async def test_an_answer_that_is_pasted_late_still_works():
    async with child("chat") as other:
        offer = await host(config_for_test())
        other.tell(offer.text)
        answer = (await other.told())["answer"]
        await asyncio.sleep(4)
        line = await offer.accept(answer)
        assert line.timings.open_ms < 1500
        assert (await other.told())["sas"] == line.done.sas.decimal
        await line.close()


@pytest.fixture
def quick_probes(monkeypatch):
    """The same six unanswered probes, at a faster beat."""
    monkeypatch.setattr(watch_module, "PROBE_INTERVAL", 0.2)


def test_a_dead_path_is_noticed_within_five_seconds():
    # At worst the last sign of life comes right after a round.
    assert watch_module.PROBE_INTERVAL * watch_module.DEAD_AFTER_PROBES >= 4
    assert watch_module.PROBE_INTERVAL * (watch_module.DEAD_AFTER_PROBES + 1) < 5
    assert round(watch_module.PROBE_INTERVAL * watch_module.GIVE_UP_PROBES) == 15


async def test_a_peer_killed_in_the_handshake(quick_probes):
    async with child("ponder") as other:
        offer = await host(config_for_test())
        other.tell(offer.text)
        hosting = asyncio.create_task(offer.accept((await other.told())["answer"]))
        assert (await other.told())["asked"]
        other.process.send_signal(signal.SIGKILL)
        began = time.perf_counter()
        with pytest.raises(ConnectionLost) as caught:
            await asyncio.wait_for(hosting, 10)
        assert "no sign of the peer" in caught.value.message
        assert caught.value.exit_code == 30
        assert time.perf_counter() - began < 5


async def test_a_peer_killed_on_the_open_line(quick_probes):
    async with child("chat") as other:
        offer = await host(config_for_test(patience=2.0))
        other.tell(offer.text)
        line = await offer.accept((await other.told())["answer"])
        await other.told()
        other.process.send_signal(signal.SIGKILL)
        await next_of(line, PathLost)
        assert line.path_is_lost
        failed = await next_of(line, LineFailed)
        assert isinstance(failed.error, ConnectionLost)
        assert failed.error.code == "path-lost"
        began = time.perf_counter()
        await line.close()
        assert time.perf_counter() - began < 2.5


async def test_a_peer_that_is_only_slow_is_kept(quick_probes):
    """A stopped process answers no probe; a person who thinks for longer than that is another matter."""
    async with child("ponder") as other:
        offer = await host(config_for_test())
        other.tell(offer.text)
        hosting = asyncio.create_task(offer.accept((await other.told())["answer"]))
        assert (await other.told())["asked"]
        await asyncio.sleep(2)
        assert not hosting.done()
        hosting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hosting
