# SPDX-License-Identifier: Apache-2.0
"""Debian's Chromium without a screen, as a WebRTC peer that nobody here wrote.

::

    async with chromium() as browser:
        peer = await browser.peer()                    an RTCPeerConnection in a page of its own
        await peer.call("create", "label", {})         before an offer: a channel, with the browser's own options
        offer = await peer.call("offer")               session description, candidates included
        await peer.call("accept", answer)              or: answer = await peer.call("answer", offer)
        await peer.call("opened")                      its channel is open, whoever made it
        await peer.call("expect", size)
        told = await peer.call("received")             sha256 and ended: of so many binary octets
        told = await peer.call("send", size, 65536)    sha256 and began: random octets in messages of that size
        await peer.call("close")
        await peer.leave()                             its page, with everything that it kept

The verbs are the methods of ``Peer`` in ``browserpeer.js``. ``began`` and ``ended`` are seconds of the machine's clock
(:func:`time.time`), so a rate is ``size / (ended - began)`` across both ends. ``say``, ``heard`` and ``echo`` are for text
and for round trips. Nothing is hashed or made while the clock runs. ``support/sdppeers.py`` has the same verbs for our
bridge and for plain aiortc, and puts any two together: ``connect(peer, BridgePeer())``, ``move(…)``.

The browser is driven over two pipes (the DevTools protocol, one JSON object a message); no port listens, no driver is
downloaded, and no name resolves. Candidates are 127.0.0.1 and what else the machine has, in clear unless ``hide`` is
given. Its profile is a temporary directory, and what it started is gone when the block is left.
"""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

START = 60.0
PATIENCE = 120.0
_SCRIPT = Path(__file__).with_name("browserpeer.js")
_FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--password-store=basic",
    "--remote-debugging-pipe",
    # It loads one page of ours. Its sandbox starts neither for root nor in most containers.
    "--no-sandbox",
    # Local addresses in clear, loopback among them: the test is about the transport, and has no second machine.
    "--allow-loopback-in-peer-connection",
)
_LOADED = "document.readyState === 'complete' && isSecureContext && !!globalThis.Peer"
_HIDES = "WebRtcHideLocalIpsWithMdns"


class BrowserError(Exception):
    """The page or the browser said no."""


class Browser:
    """One process tree."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: int, page: str
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.folder = page.parent
        self._page = page.as_uri()
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())

    async def ask(
        self, method: str, session: str | None = None, within: float = PATIENCE, **params: Any
    ) -> dict[str, Any]:
        """One command of the DevTools protocol, and its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        self._asked[number] = asyncio.get_running_loop().create_future()
        os.write(self._writer, json.dumps(message).encode() + b"\0")
        async with asyncio.timeout(within):
            return await self._asked[number]

    async def peer(self) -> "BrowserPeer":
        """A page of its own with one connection in it."""
        target = (await self.ask("Target.createTarget", url=self._page, within=START))["targetId"]
        session = (await self.ask("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        peer = BrowserPeer(self, session, target)
        async with asyncio.timeout(START):
            while not await peer.evaluate(_LOADED):  # noqa: ASYNC110  (events would come before anybody listens)
                await asyncio.sleep(0.05)
        await peer.evaluate("globalThis.peer = new Peer(), null")
        return peer

    async def stop(self) -> None:
        """Ask it to close, and end whatever of its processes is left."""
        with contextlib.suppress(BrowserError, OSError, TimeoutError):
            await self.ask("Browser.close", within=5)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        self._reading.cancel()
        await asyncio.wait({self._reading})

    async def _read(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                future = self._asked.pop(message.get("id", 0), None)
                if future is not None and not future.done():
                    if "error" in message:
                        future.set_exception(BrowserError(message["error"]["message"]))
                    else:
                        future.set_result(message["result"])
        for future in self._asked.values():
            if not future.done():
                future.set_exception(BrowserError("the browser went away"))


class BrowserPeer:
    """One page."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser = browser
        self._session = session
        self._target = target

    async def evaluate(self, expression: str, within: float = PATIENCE) -> Any:
        """The value of an expression, awaited if it is a promise."""
        result = await self._browser.ask(
            "Runtime.evaluate",
            self._session,
            within,
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    async def call(self, verb: str, *arguments: Any, within: float = PATIENCE) -> Any:
        """One method of ``Peer`` in ``browserpeer.js``."""
        return await self.evaluate(f"peer.{verb}({', '.join(map(json.dumps, arguments))})", within)

    async def leave(self) -> None:
        """Close the page without a word to the peer of ours."""
        await self._browser.ask("Target.closeTarget", targetId=self._target)


@asynccontextmanager
async def chromium(*, hide: bool = False) -> AsyncIterator[Browser]:
    """A browser of our own. With ``hide`` local addresses stand behind ``.local`` names, as browsers do it by themselves."""
    folder = Path(tempfile.mkdtemp(prefix="hardwire-chromium-"))
    # A file is a secure context, which hashing in the page asks for.
    page = folder / "peer.html"
    page.write_text(f"<!doctype html><script>{_SCRIPT.read_text(encoding='utf-8')}</script>", encoding="utf-8")
    flags = [*_FLAGS, f"--user-data-dir={folder / 'profile'}", *([] if hide else [f"--disable-features={_HIDES}"])]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "LANG": "C.UTF-8"}
    try:
        async with _started(flags, environment, page) as browser:
            yield browser
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _started(flags: list[str], environment: dict[str, str], page: Path) -> AsyncIterator[Browser]:
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    process = None
    try:
        # It reads from descriptor 3 and writes to 4.
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            f'exec chromium "$@" 3<&{theirs_in} 4>&{theirs_out} {theirs_in}<&- {theirs_out}>&-',
            "chromium",
            *flags,
            env=environment,
            pass_fds=(theirs_in, theirs_out),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
        if process is None:
            os.close(ours_in)
            os.close(ours_out)
    reader = asyncio.StreamReader(limit=1 << 24)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours_in, "rb", 0)
    )
    browser = Browser(process, reader, ours_out, page)
    try:
        await browser.ask("Browser.getVersion", within=START)
        yield browser
    finally:
        await browser.stop()
        transport.close()
        os.close(ours_out)
