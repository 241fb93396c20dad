# SPDX-License-Identifier: Apache-2.0
"""`hardwire demo`: drives two real peers as two people would, and measures what happened.

Each peer is a process of its own that runs this program's ``chat`` or ``join`` with ``--json``; nothing is simulated.
Every number in the report comes from this run: times from the peers, signatures from the devices' own logs, the file's
hash from the disk at the far end.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from hardwire.app.demodevices import DEFAULT, DemoDevice, device
from hardwire.app.entropy import monotonic
from hardwire.app.keys import translated
from hardwire.app.text import human_duration, human_size
from hardwire.errors import LineTimeout, LocalError, Misuse

_STEP_TIMEOUT: Final = 60.0
_FILE_TIMEOUT: Final = 1800.0
_LINE_LIMIT: Final = 1 << 20
_SHORTEST: Final = 0.001
"""Seconds: the grain in which the peers report."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the demo measured; the field names are stable.

    Attributes:
        ok: Everything below is as it should be.
        sas: What both ends showed.
        sas_equal: They showed the same.
        peer_a: The inviter: its did, device, assurance and who proved that, as the *other* side saw it.
        peer_b: The joiner, likewise.
        signatures_per_side: Counted in the devices while the line opened and was used.
        open_ms: From the answer taken to the data channels open, at the inviter.
        handshake_ms: HBI/1 without the time of the own device, at the inviter.
        line_ms: From the answer taken to the line open, everything included.
        file_mb: Size of the file, 10^6 octets.
        file_mb_per_s: Through the whole line, hash and disk included.
        sha256: Of the file, computed from the disk at the far end.
        chat_ok: A chat line arrived each way.
        closed_clean: Both ends saw a proper end.
        seconds: The whole demo.
    """

    ok: bool
    sas: str
    sas_equal: bool
    peer_a: dict[str, str]
    peer_b: dict[str, str]
    signatures_per_side: list[int]
    open_ms: float
    handshake_ms: float
    line_ms: float
    file_mb: float
    file_mb_per_s: float
    sha256: str
    hash_ok: bool
    chat_ok: bool
    closed_clean: bool
    seconds: float

    def record(self) -> dict[str, object]:
        """The one JSON object of ``hardwire demo --json``."""
        return {"event": "demo", **asdict(self)}


class _Peer:
    """One process, its events, and the words typed to it."""

    def __init__(self, name: str, home: Path, device: DemoDevice) -> None:
        self.name = name
        self.home = home
        self.device = device
        self.environment = {**device.environment, "HARDWIRE_HOME": str(home)}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *arguments: str) -> Self:
        """Run ``hardwire ARGUMENTS --json``."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hardwire", *arguments, "--json",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env=self.environment, limit=_LINE_LIMIT,
            cwd=self.home,
        )  # fmt: skip
        return self

    async def init(self, *arguments: str) -> dict[str, Any]:
        """Run ``hardwire init ARGUMENTS``; its identity."""
        await self.start("init", *arguments)
        made = await self.expect("identity")
        await self.finished()
        return made

    def believe(self, folder: str, pem: bytes) -> None:
        """Put a root where this peer's hardwire looks for whom to believe."""
        place = self.home / "attestation" / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{secrets.token_hex(4)}.pem").write_bytes(pem)

    async def expect(self, event: str, timeout: float = _STEP_TIMEOUT, **fields: object) -> dict[str, Any]:  # noqa: ASYNC109
        """The next event of that name (and with those fields); others on the way are passed over.

        Raises:
            LocalError: The process reported an error (with its code and exit code), or ended.
            LineTimeout: Nothing of the kind came in time.
        """
        try:
            async with asyncio.timeout(timeout):
                async for got in self._events():
                    if got["event"] == event and all(got.get(name) == value for name, value in fields.items()):
                        return got
        except TimeoutError:
            raise LineTimeout(f"{self.name}: no {event} within {timeout:.0f} s") from None
        raise LocalError(f"{self.name} ended before {event}", code="demo")

    async def say(self, text: str) -> None:
        """Type one line."""
        stdin = self._running.stdin
        if stdin is not None:
            stdin.write(f"{text}\n".encode())
            await stdin.drain()

    async def finished(self) -> int:
        """Wait for the end; the exit code."""
        try:
            async with asyncio.timeout(_STEP_TIMEOUT):
                await self._running.communicate()
        except TimeoutError:
            raise LineTimeout(f"{self.name} did not end within {_STEP_TIMEOUT:.0f} s") from None
        return self._running.returncode or 0

    async def stop(self) -> None:
        """End it, if it still runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise Misuse(f"{self.name} was not started")
        return self._process

    async def _events(self) -> AsyncIterator[dict[str, Any]]:
        stdout = self._running.stdout
        while stdout is not None and (line := await stdout.readline()):
            event: dict[str, Any] = json.loads(line)
            if event["event"] == "error":
                message, hint, code = f"{self.name}: {event['message']}", event["hint"], event["code"]
                raise LocalError(message, hint=hint, code=code, exit_code=event["exit_code"])
            yield event


async def demonstrate(size: int, tell: Callable[[str], None], devices: tuple[str, str] | None = None) -> Report:
    """Run the demo.

    Args:
        size: Octets of the file.
        tell: Gets a dozen honest lines.
        devices: A kind for alice and one for bob, which then prove themselves; None for SoftHSM and a plain swtpm.

    Raises:
        TokenMissing: SoftHSM, swtpm or one of their libraries is not installed.
        HardwireError: A step failed; which one is in the message.
    """
    began = monotonic()
    # A short path: the names of sockets are in it.
    with tempfile.TemporaryDirectory(prefix="hw-demo-") as name, translated():
        base = Path(name)
        for part in ("a", "b", "t", "u", "inbox"):
            (base / part).mkdir(mode=0o700)
        pin = base / "pin"
        pin.touch(mode=0o600)
        pin.write_text(secrets.token_hex(4))  # a YubiKey takes eight characters at most
        first, second = devices or DEFAULT
        async with contextlib.AsyncExitStack() as stack:
            made = []
            for kind, part in ((first, "t"), (second, "u")):
                one = device(kind, base / part, pin, proves=devices is not None)
                made.append(await asyncio.to_thread(stack.enter_context, one))
            alice, bob = _Peer("alice", base / "a", made[0]), _Peer("bob", base / "b", made[1])
            for peer in (alice, bob):
                stack.push_async_callback(peer.stop)
            return await _Demo(base, size, tell, alice, bob, began).run()


@dataclass(slots=True)
class _Demo:
    base: Path
    size: int
    tell: Callable[[str], None]
    alice: _Peer
    bob: _Peer
    began: float

    async def run(self) -> Report:
        await self._identities()
        before = self._signatures()
        file = self.base / "a" / "demo.bin"
        await asyncio.to_thread(_write_random, file, self.size)
        wanted = await asyncio.to_thread(_sha256, file)

        open_a, open_b, seen_by_a, seen_by_b, line_ms = await self._open()
        equal = open_a["sas"] == open_b["sas"]
        self.tell(f"alice sees  {open_a['sas']}   bob sees  {open_b['sas']}   {'equal' if equal else 'DIFFERENT'}")
        chat_ok = await self._compare_and_chat(open_a["sas"])
        rate, got = await self._file(file)
        closed_clean = await self._close()
        signatures = [after - then for after, then in zip(self._signatures(), before, strict=True)]
        counted = zip(signatures, (self.alice, self.bob), strict=True)
        words = ", ".join(f"{count} by {peer.device.name}" for count, peer in counted)
        self.tell(f"signatures counted in the devices: {words}")
        hash_ok = got == wanted
        ok = equal and chat_ok and hash_ok and closed_clean and signatures == [1, 1]
        seconds = monotonic() - self.began
        self.tell(
            f"{'all well' if ok else 'NOT all well'}, {human_duration(seconds)}; everything made here is gone again"
        )
        return Report(
            ok=ok, sas=open_a["sas"], sas_equal=equal, peer_a=seen_by_b, peer_b=seen_by_a,
            signatures_per_side=signatures, open_ms=open_a["open_ms"], handshake_ms=open_a["handshake_ms"],
            line_ms=round(line_ms, 3), file_mb=self.size / 1e6, file_mb_per_s=round(rate / 1e6, 3), sha256=got,
            hash_ok=hash_ok, chat_ok=chat_ok, closed_clean=closed_clean, seconds=round(seconds, 3),
        )  # fmt: skip

    async def _identities(self) -> None:
        for peer, other in ((self.alice, self.bob), (self.bob, self.alice)):
            made = await peer.init(*peer.device.init)
            self.tell(f"{peer.name:<5} has a key in {made['device']}: {made['assurance']}")
            if peer.device.remark:
                self.tell(f"{'':<5} {peer.device.remark}")
            if peer.device.enrol is not None:
                await asyncio.to_thread(peer.device.enrol, str(made["key"]))
                made = await peer.init("--renew")
                self.tell(f"{'':<5} an authority made for this demo has enrolled {peer.device.name}")
            if peer.device.root is not None:
                await asyncio.to_thread(other.believe, *peer.device.root)

    async def _open(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, str], dict[str, str], float]:
        await self.alice.start("chat", "--loopback")
        invite = await self.alice.expect("invite-ready")
        self.tell(f"alice makes an invite of {len(invite['code'])} characters; the demo carries it to bob")
        await self.bob.start("join", "--loopback", "--dir", str(self.base / "inbox"))
        await self.bob.say(invite["code"])
        answer = await self.bob.expect("answer-ready")
        start = monotonic()
        await self.alice.say(answer["code"])
        seen_by_b = await self.bob.expect("peer-seen")
        await self.bob.say("yes")
        seen_by_a = await self.alice.expect("peer-seen")
        open_a, open_b = await self.alice.expect("line-open"), await self.bob.expect("line-open")
        line_ms = 1000 * (monotonic() - start)
        for peer, other, seen in ((self.alice, self.bob, seen_by_a), (self.bob, self.alice, seen_by_b)):
            if seen["attested_by"]:
                proved = f"{seen['assurance']}, proved by {seen['attested_by']}"
                self.tell(f"{peer.name} sees that {other.name}'s key is in: {proved}")
        self.tell(
            f"line open: {open_a['open_ms']:.0f} ms for ICE, DTLS and SCTP over loopback, "
            f"{open_a['handshake_ms']:.0f} ms for HBI/1, {line_ms:.0f} ms in all"
        )
        return open_a, open_b, _brief(seen_by_a), _brief(seen_by_b), line_ms

    async def _compare_and_chat(self, sas: str) -> bool:
        # The demo stands in for two people: each types the numbers as the other reads them out.
        for peer in (self.alice, self.bob):
            await peer.say(f"/verify {sas}")
            await peer.expect("verified", by="here", matched=True)
        await self.alice.say("hello bob")
        await self.bob.expect("said", by="peer", text="hello bob")
        await self.bob.say("hello alice")
        await self.alice.expect("said", by="peer", text="hello alice")
        self.tell("both compared the numbers; a line of chat went each way")
        return True

    async def _file(self, file: Path) -> tuple[float, str]:
        await self.alice.say(f"/send {file}")
        offer = await self.bob.expect("file-offer", _FILE_TIMEOUT)
        await self.bob.say(f"/accept {offer['id']}")
        done = await self.bob.expect("file-done", _FILE_TIMEOUT)
        await self.alice.expect("file-done", _FILE_TIMEOUT)
        got = await asyncio.to_thread(_sha256, Path(done["path"]))
        rate = self.size / max(done["seconds"], _SHORTEST)
        same = "the same" if done["root"] == offer["root"] and got else "ANOTHER"
        self.tell(f"file: {human_size(self.size)} at {human_size(round(rate))}/s; its hashes at the far end are {same}")
        return rate, got

    async def _close(self) -> bool:
        await self.alice.say("/quit")
        ends = [await peer.expect("line-closed") for peer in (self.alice, self.bob)]
        codes = [await peer.finished() for peer in (self.alice, self.bob)]
        clean = all(end["clean"] for end in ends) and codes == [0, 0]
        self.tell("line closed by alice; bob saw a proper end" if clean else "the line did NOT close properly")
        return clean

    def _signatures(self) -> tuple[int, int]:
        return self.alice.device.signatures(), self.bob.device.signatures()


def _brief(seen: dict[str, Any]) -> dict[str, str]:
    return {name: seen[name] for name in ("did", "device_id", "assurance", "attested_by")}


def _write_random(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for start in range(0, size, 1 << 20):
            file.write(os.urandom(min(1 << 20, size - start)))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
