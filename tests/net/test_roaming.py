# SPDX-License-Identifier: Apache-2.0
"""Whole lines whose paths change under them, on loopback; what networks do to them is in test_moving_networks.py."""

import asyncio

import pytest

from hardwire.channel import ChatReceived
from hardwire.net.paths import PathFound, PathLost
from hardwire.net.rtc import roam as roam_module
from hardwire.net.rtc import watch as watch_module
from support.lines import line_pair, next_of
from support.links import deafen


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(watch_module, "PROBE_INTERVAL", 0.1)
    monkeypatch.setattr(roam_module, "FIRST_SPARE", 0.0)
    monkeypatch.setattr(roam_module, "LINGER", 0.2)


async def both_have_a_spare(*lines) -> None:
    async with asyncio.timeout(10):
        while not all(line._link._roamer._peer.get(line._link._roamer.generation + 1) for line in lines):  # noqa: ASYNC110 (it lies on both ends)
            await asyncio.sleep(0.01)


async def test_a_line_moves_and_nobody_notices():
    async with line_pair() as (first, second):
        for number in range(1, 4):
            await both_have_a_spare(first, second)
            mover = (first, second)[number % 2]
            mover.change_path()
            first.send_chat(f"{number} from here")
            second.send_chat(f"{number} from there")
            assert (await next_of(first, PathFound)).moved
            assert (await next_of(second, PathFound)).moved
            assert first._link._roamer.generation == second._link._roamer.generation == number
        first.send_chat("last")
        assert (await next_of(second, ChatReceived)).text == "last"


async def test_a_path_that_goes_dead_in_a_conversation(monkeypatch):
    async with line_pair() as (first, second):
        await both_have_a_spare(first, second)
        for line in (first, second):
            deafen(monkeypatch, line._link._path.connection)
        first.send_chat("into the dark")
        await next_of(first, PathLost)
        assert first.path_is_lost
        assert (await next_of(second, ChatReceived)).text == "into the dark"
        found = await next_of(first, PathFound)
        assert found.moved
        assert found.seconds > 0
        assert first.unacknowledged == () or not first.path_is_lost
