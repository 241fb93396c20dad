# SPDX-License-Identifier: Apache-2.0
"""A network of our own to move machines about in: namespaces, made and unmade by a test, joined by a bridge.

Every machine is a process of :mod:`support.mover` in a network namespace of its own, which dies with it. The ``ip`` of
iproute2 does the plumbing. Without root the namespaces lie inside a user namespace.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

TESTS = Path(__file__).parents[1]
NETWORKS = {4: ("10.77.0.{}/24",), 6: ("fd77::{}/64", "nodad")}
"""By version of IP: an address in it, and what else ``ip`` is to know."""


class Machine:
    """A process in a namespace, and what it has told so far."""

    def __init__(self, lab: "Lab", name: str, process: asyncio.subprocess.Process) -> None:
        self.lab = lab
        self.name = name
        self.process = process
        self.told: list[dict] = []
        self._changed = asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while line := await self.process.stdout.readline():
            self.told.append(json.loads(line))
            self._changed.set()

    async def until(self, within: float = 30.0, /, **wanted: object) -> dict:
        """The first thing told that has these fields (any value for ``...``), and was not waited for before."""
        try:
            async with asyncio.timeout(within):
                while True:
                    for index, told in enumerate(self.told):
                        if all(key in told and value in (..., told[key]) for key, value in wanted.items()):
                            return self.told.pop(index)
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"{self.name} told {self.told}, and not {wanted}") from None

    def all(self, field: str) -> list[object]:
        """This field of everything that was told with it, and not waited for."""
        return [told[field] for told in self.told if field in told]

    def say(self, text: str) -> None:
        self.process.stdin.write(text.encode() + b"\n")

    async def ip(self, *words: str) -> None:
        """Run ``ip`` inside this machine."""
        await self.lab.run(*self.lab.inside(self.process.pid), "ip", *words)

    async def listens_to(self, group: str) -> bool:
        """Whether anything on this machine has joined that multicast group."""
        return f" {group}\n" in await self.lab.run(*self.lab.inside(self.process.pid), "ip", "maddress", "show")

    async def plug(self, interface: str, host: int) -> None:
        """A network card with the address 10.77.0.``host``, or fd77::``host``, plugged into the bridge."""
        port = f"{self.name}-{interface}"
        await self.lab.ip(
            "link", "add", port, "type", "veth", "peer", "name", interface, "netns", str(self.process.pid)
        )
        await self.lab.ip("link", "set", port, "master", "lab0", "up")
        await self.ip("link", "set", interface, "up")
        await self.readdress(interface, new=host)

    async def unplug(self, interface: str) -> None:
        """The card is gone, with its address."""
        await self.ip("link", "delete", interface)

    async def readdress(self, interface: str, old: int | None = None, new: int | None = None) -> None:
        """The card gets another address, or its first, or none."""
        for host, verb in ((old, "delete"), (new, "add")):
            if host is not None:
                address, *more = self.lab.network
                await self.ip("address", verb, address.format(host), "dev", interface, *(more if verb == "add" else ()))

    async def cable(self, interface: str, state: str) -> None:
        """Pull the far end of the cable (``out``), or plug it ``in`` again: the card itself notices nothing."""
        await self.lab.ip(
            "link", "set", f"{self.name}-{interface}", *{"in": ("master", "lab0"), "out": ("nomaster",)}[state]
        )

    async def end(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading


class Lab:
    """The bridge, in a namespace that a sleeping process holds."""

    def __init__(self, holder: asyncio.subprocess.Process, version: int) -> None:
        self._holder = holder
        self.network = NETWORKS[version]
        self.machines: list[Machine] = []

    def inside(self, pid: int) -> tuple[str, ...]:
        """The words that run something in the namespaces of a process."""
        user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        return ("nsenter", f"--target={pid}", *user, "--net")

    async def run(self, *words: str) -> str:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*words, stdout=pipe, stderr=pipe)
        out, said = await process.communicate()
        assert process.returncode == 0, (words, said)
        return out.decode()

    async def ip(self, *words: str) -> None:
        """Run ``ip`` beside the bridge."""
        await self.run(*self.inside(self._holder.pid), "ip", *words)

    async def machine(self, name: str, mode: str, program: str = "support.mover", **interfaces: int) -> Machine:
        """Start one that runs this program with the words of ``mode``, with these cards and addresses."""
        process = await asyncio.create_subprocess_exec(
            *self.inside(self._holder.pid),
            *("unshare", "--net", sys.executable, "-m", program, *mode.split()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(TESTS)},
        )
        machine = Machine(self, name, process)
        self.machines.append(machine)
        await machine.until(ready=True)
        await machine.ip("link", "set", "lo", "up")
        for interface, host in interfaces.items():
            await machine.plug(interface, host)
        machine.say("go")
        return machine


@asynccontextmanager
async def lab(version: int = 4) -> AsyncIterator[Lab]:
    rootless = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    holder = await asyncio.create_subprocess_exec("unshare", *rootless, "--net", "cat", stdin=asyncio.subprocess.PIPE)
    made = Lab(holder, version)
    try:
        await _is_apart(holder.pid)
        await made.ip("link", "add", "lab0", "type", "bridge")
        await made.ip("link", "set", "lab0", "up")
        yield made
    finally:
        await asyncio.gather(*(machine.end() for machine in made.machines))
        holder.stdin.close()
        await holder.wait()


async def _is_apart(pid: int) -> None:
    """Return when the process has left our namespace."""
    async with asyncio.timeout(10):
        while _namespace(str(pid)) == _namespace("self"):  # noqa: ASYNC110 (another process has no event)
            await asyncio.sleep(0.01)


def _namespace(pid: str) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")  # noqa: PTH115 (what it points to is no path)


async def meet(here: Machine, there: Machine) -> None:
    """Carry the codes until the line is open at both, and both know where the other can be found next."""
    there.say((await here.until(code=...))["code"])
    here.say((await there.until(code=...))["code"])
    for machine in (here, there):
        await machine.until(open=True)
    for machine in (here, there):
        await machine.until(spare=True)
