# SPDX-License-Identifier: Apache-2.0
"""Chromium as one end (support/chromium.py): a page of its own that takes the commands of bench/ends.py.

It always sends random octets and always hashes, before and after what is timed. Its clock is the machine's time of day.
"""

import json
import time

from bench.frame import MESSAGE
from support.chromium import Browser, BrowserPeer

LABEL = "bench"
UNBOUNDED = 600.0


class PageEnd:
    """What :class:`bench.frame.Pair` asks."""

    def __init__(self, page: BrowserPeer) -> None:
        self._page = page

    @classmethod
    async def made(cls, browser: Browser) -> "PageEnd":
        return cls(await browser.peer())

    async def ask(self, verb: str, **arguments) -> dict:
        arguments.pop("within", None)
        arguments.pop("hashed", None)
        return await getattr(self, f"_{verb}")(**arguments)

    async def _offer(self) -> dict:
        await self._page.call("create", LABEL, {})
        return _described("offer", await self._page.call("offer"))

    async def _answer(self, text: str) -> dict:
        return _described("answer", await self._page.call("answer", json.loads(text)["sdp"]))

    async def _accept(self, text: str) -> dict:
        await self._page.call("accept", json.loads(text)["sdp"])
        return await self._opened()

    async def _opened(self) -> dict:
        await self._page.call("opened")
        return {}

    async def _expect(self, size: int) -> dict:
        await self._page.call("expect", size)
        return {}

    async def _send(self, size: int) -> dict:
        told = await self._page.call("send", size, MESSAGE, within=UNBOUNDED)
        return {**told, "began": _monotonic(told["began"])}

    async def _received(self) -> dict:
        told = await self._page.call("received", within=UNBOUNDED)
        return {**told, "ended": _monotonic(told["ended"])}

    async def _cpu(self) -> dict:
        """Nobody knows what of a browser's work is ours."""
        return {}

    async def _close(self) -> dict:
        await self._page.call("close")
        return {}


def _described(kind: str, sdp: str) -> dict:
    return {"text": json.dumps({"type": kind, "sdp": sdp})}


def _monotonic(moment: float) -> float:
    """A point in the time of day, on the clock of all other ends."""
    return moment - time.time() + time.monotonic()
