# SPDX-License-Identifier: Apache-2.0
"""The watch over a link that cannot move; over one that can: test_roam.py."""

import asyncio
from types import SimpleNamespace

import pytest

from hardwire.errors import Misuse
from hardwire.net.rtc import watch as watch_module
from hardwire.net.rtc.watch import COPIES_IN_VAIN, ROUNDS_IN_VAIN, Watch
from support.links import between, fresh_secrets, gather, open_pair


async def test_a_silent_path_is_found_dead(monkeypatch):
    monkeypatch.setattr(watch_module, "PROBE_INTERVAL", 0.05)
    async with open_pair() as (first, second):
        await asyncio.sleep(0.6)
        assert first.events.errors == []
        assert second.events.errors == []
        between(second.link, lambda data, pass_on: None)
        await second.events.until(lambda: second.events.errors, within=3)
        assert "no sign of the peer" in second.events.errors[0].message


async def test_nothing_roams_before_it_is_open():
    link = await gather(offerer=True, secrets=fresh_secrets())
    with pytest.raises(Misuse):
        link.roam(lambda generation: None, None)
    await link.close()


def watched(**changes):
    """A watch over an association that is in vain, and one round of it."""
    sctp = SimpleNamespace(acknowledged=7, cut_in_vain=COPIES_IN_VAIN, **changes)
    return sctp, Watch(sctp, is_over=bool, ended=list)


def test_a_path_that_drops_what_routers_cut_is_of_no_use():
    _, watch = watched()
    rounds = [watch._is_of_no_use(silent) for silent in (0, *[1, 0] * ROUNDS_IN_VAIN)]
    assert rounds == [False] * (len(rounds) - 2) + [False, True]


@pytest.mark.parametrize("better", ["arrived", "others arrive", "moved", "few copies", "silent"])
def test_a_path_that_may_still_be_of_use(better):
    sctp, watch = watched()
    for number in range(3 * ROUNDS_IN_VAIN):
        match better:
            case "arrived":
                sctp.acknowledged += number % ROUNDS_IN_VAIN == 0
            case "others arrive":
                sctp.cut_in_vain = COPIES_IN_VAIN * (number % ROUNDS_IN_VAIN > 0)
            case "moved":
                watch.moved = number % ROUNDS_IN_VAIN == 0
            case "few copies":
                sctp.cut_in_vain = COPIES_IN_VAIN - 1
        assert not watch._is_of_no_use(silent=better == "silent")
