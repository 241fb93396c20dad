# SPDX-License-Identifier: Apache-2.0
"""The watch over a link that cannot move; over one that can: test_roam.py."""

import asyncio

import pytest

from hardwire.errors import Misuse
from hardwire.net.rtc import watch as watch_module
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
