# SPDX-License-Identifier: Apache-2.0
"""Every pair of machines behind every pair of NATs, in network namespaces inside this one process.

``unshare --net python -m support.natlab`` prints the tables of docs/transport.md: which lines opened, and over what.

A namespace belongs to a thread: each place (machine or router) is a thread that left ours, with an event loop of its own,
and what it starts runs there as well. The main thread is the internet: a bridge with a coturn. NATs are nftables rules:

* **full-cone**: the source port stays, and whatever comes from outside goes in;
* **restricted**: the source port stays, and only who was written to comes in (by address and port);
* **symmetric**: each destination sees another source port, and only that destination comes in;
* **nat66**: as restricted, for IPv6.
"""

import asyncio
import ctypes
import itertools
import os
import subprocess
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hardwire.errors import HardwireError
from hardwire.net import listening, pending
from hardwire.net.listening import listen, take
from hardwire.net.pending import host
from hardwire.net.servers import NO_SERVERS, IceServers
from support.coturn import PASSWORD, USER, coturn
from support.lines import config_for_test

NEW_NET = 0x4000_0000
WITHIN = 15.0
"""Seconds for a line. One that opens takes one or two; one that does not, all of them, beside the others."""
AT_ONCE = 16

HELPER, HELPER6 = "198.51.100.1", "2001:db8::1"
NATS = ("public", "full-cone", "restricted", "symmetric")
HELPERS = ("none", "stun", "turn")
SNAT = {"full-cone": "masquerade", "restricted": "masquerade", "symmetric": "masquerade fully-random"}
SNAT["nat66"] = "masquerade"
RULES = """
table {family} nat {{
    chain out {{ type nat hook postrouting priority srcnat; oifname "wan" {snat}; }}
    chain in {{ type nat hook prerouting priority dstnat; {dnat} }}
}}
table {family} guard {{
    chain input {{ type filter hook input priority filter; meta l4proto ipv6-icmp accept; iifname "wan" drop; }}
}}
"""


class Place:
    """A thread in a network namespace of its own, running an event loop."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        threading.Thread(target=self._live, name=name, daemon=True).start()
        assert self._ready.wait(10)

    def _live(self) -> None:
        assert ctypes.CDLL(None, use_errno=True).unshare(NEW_NET) == 0, os.strerror(ctypes.get_errno())
        self.namespace = f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"
        self._ready.set()
        self.loop.run_forever()

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    async def call(self, function: Callable[[], object]) -> None:
        async def work() -> None:
            function()

        await self.run(work())

    async def ip(self, *commands: str) -> None:
        for command in commands:
            await self.call(lambda command=command: run("ip", *command.split()))


def run(*words: str, stdin: str = "") -> None:
    done = subprocess.run(words, input=stdin, text=True, capture_output=True, check=False)
    assert done.returncode == 0, (words, done.stderr)


@dataclass(frozen=True)
class Case:
    """One line that is tried: who makes the invite, who takes it, with which help, by which kind of invite."""

    offerer: str
    answerer: str
    helper: str
    one_way: bool = False


def cases() -> list[Case]:
    """Every pair of NATs, either way round, with every help; IPv6 and both; one-way invites to whoever can be reached, and not."""
    pairs = list(itertools.product(NATS, repeat=2))
    found = [Case(*pair, helper) for helper in HELPERS for pair in pairs]
    found += [Case("ipv6", "ipv6", "none"), Case("dual", "dual", "none")]
    found += [
        Case(*pair, "none")
        for pair in (("dual", "ipv6"), ("ipv6", "dual"), ("dual", "symmetric"), ("symmetric", "dual"))
    ]
    found += [Case("nat66", "nat66", helper) for helper in HELPERS[:2]]
    found += [Case("public", "symmetric", "relay-only")]
    found += [Case("public", nat, "none", one_way=True) for nat in NATS]
    found += [Case(nat, "symmetric", "stun", one_way=True) for nat in NATS[1:]]
    return found


class Net:
    """The internet, and everybody who is on it."""

    def __init__(self) -> None:
        self.machines: dict[tuple[str, int], Place] = {}
        self._numbers = itertools.count(10)

    async def build(self) -> None:
        run("ip", *["link", "add", "net0", "type", "bridge"])
        for address in (f"{HELPER}/24", f"{HELPER6}/64"):
            run("ip", *f"address add {address} dev net0 nodad".split())
        run("ip", *["link", "set", "net0", "up"])
        run("ip", *["link", "set", "lo", "up"])
        # The rest of the internet: what is sent there is gone. A coturn that finds no route ends the whole allocation.
        for command in (
            "link add rest type veth peer name nowhere",
            "link set rest up",
            "link set nowhere up",
            "neighbour add 203.0.113.1 lladdr 02:00:00:00:00:01 dev rest",
            "route add default via 203.0.113.1 dev rest onlink",
        ):
            run("ip", *command.split())
        for kind in (*NATS, "nat66", "ipv6", "dual"):
            for side in (0, 1):
                self.machines[kind, side] = await self._machine(kind, side)

    async def _machine(self, kind: str, side: int) -> Place:
        machine, number = Place(f"{kind}-{side}"), next(self._numbers)
        if kind not in SNAT:
            plug("net0", machine, "eth0", number)
            addresses = {"ipv6": [f"2001:db8::{number}/64"], "public": [f"198.51.100.{number}/24"]}
            addresses["dual"] = [f"2001:db8::{number}/64", f"198.51.100.{number}/24"]
            await machine.ip("link set eth0 up", *(f"address add {one} dev eth0 nodad" for one in addresses[kind]))
            return machine
        router, six = Place(f"router-{number}"), kind == "nat66"
        outside = f"2001:db8::{number}/64" if six else f"198.51.100.{number}/24"
        lan, bits = (f"fd00:{number}::", 64) if six else (f"10.{number}.0.", 24)
        plug("net0", router, "wan", number)
        await router.ip(f"link add lan type veth peer name eth0 netns {machine.namespace}")
        await router.ip(f"address add {outside} dev wan nodad", f"address add {lan}1/{bits} dev lan nodad")
        await router.ip("link set wan up", "link set lan up")
        await machine.ip(f"address add {lan}2/{bits} dev eth0 nodad", "link set eth0 up")
        await machine.ip(f"route add default via {lan}1")
        dnat = f'iifname "wan" meta l4proto udp dnat to {lan}2;' if kind == "full-cone" else ""
        rules = RULES.format(family="ip6" if six else "ip", snat=SNAT[kind], dnat=dnat)
        await router.call(lambda: run("nft", "-f", "-", stdin=rules))
        forward = "ipv6/conf/all/forwarding" if six else "ipv4/ip_forward"
        await router.call(lambda: Path(f"/proc/sys/net/{forward}").write_text("1", encoding="ascii") and None)
        return machine


def plug(bridge: str, place: Place, interface: str, number: int) -> None:
    """A cable from the bridge to a place."""
    run("ip", "link", "add", f"port{number}", "type", "veth", "peer", "name", interface, "netns", place.namespace)
    run("ip", "link", "set", f"port{number}", "master", bridge, "up")


def servers(helper: str, place: str) -> IceServers:
    """What a person would have typed."""
    if helper == "none":
        return NO_SERVERS
    if helper == "stun":
        return IceServers(stun=f"stun:{place}")
    turn = {"turn": f"turn:{place}", "username": USER, "password": PASSWORD}
    return IceServers(**turn, relay_only=helper == "relay-only")


async def open_one(case: Case, ends: tuple[Place, Place], place: str) -> str:
    """Try it: the name of the path, or "no"."""
    config = config_for_test(loopback=False, servers=servers(case.helper, place))
    other = config_for_test(loopback=False, servers=servers(case.helper, place))
    offer = await ends[0].run(listen(config) if case.one_way else host(config))
    answer = await ends[1].run(take(other, offer.text))
    accepting = offer.accept() if case.one_way else offer.accept(answer.text)
    ways = await asyncio.gather(ends[0].run(way(accepting)), ends[1].run(way(answer.connect())))
    return name(*ways)


async def way(opening: Awaitable[Any]) -> tuple[str, str] | None:
    """The kinds of the two candidates in use, as this end sees them; None when there is no line in time."""
    try:
        line = await asyncio.wait_for(opening, WITHIN)
    except (HardwireError, TimeoutError):
        return None
    pair = line._link._path.connection._nominated[1]
    await asyncio.sleep(0.2)
    await line.close()
    return pair.local_candidate.type, pair.remote_candidate.type


def name(*ways: tuple[str, str] | None) -> str:
    """Over a relay, between two addresses of machines, or by what a NAT made of one."""
    if None in ways:
        return "no" if ways == (None, None) else "half"
    kinds = {kind for pair in ways for kind in pair}
    return next(kind for kind in ("relay", "srflx", "prflx", "host") if kind in kinds)


async def main() -> None:
    pending.PATH_TIMEOUT = listening.PATH_TIMEOUT = WITHIN
    net = Net()
    await net.build()
    gate = asyncio.Semaphore(AT_ONCE)
    async with coturn(HELPER) as port, coturn(HELPER6) as port6:

        async def attempt(case: Case) -> str:
            place = f"[{HELPER6}]:{port6}" if case.offerer == "nat66" else f"{HELPER}:{port}"
            async with gate:
                return await open_one(case, (net.machines[case.offerer, 0], net.machines[case.answerer, 1]), place)

        paths = await asyncio.gather(*map(attempt, cases()))
    print(tables(dict(zip(cases(), paths, strict=True))), flush=True)


def tables(paths: dict[Case, str]) -> str:
    """Markdown: pairs of NATs, then the rest."""
    rows = ["| offerer | answerer | no helper | `--stun` | `--turn` |", "|---|---|---|---|---|"]
    pairs = list(itertools.product(NATS, repeat=2))
    for pair in pairs:
        alone, stun, turn = (paths[Case(*pair, helper)] for helper in HELPERS)
        # Where both ways are open, the first that answers is taken, and which one that is may differ from run to run.
        rows.append(row(*pair, alone, stun, "either" if alone != "no" and turn in {alone, "relay"} else turn))
    matrix = {Case(*pair, helper) for pair in pairs for helper in HELPERS}
    rows += ["", "| offerer | answerer | asked for | path |", "|---|---|---|---|"]
    for case in (one for one in paths if one not in matrix):
        asked = [] if case.helper == "none" else [f"`--{case.helper}`"]
        asked += ["`--one-way`"] if case.one_way else []
        rows.append(row(case.offerer, case.answerer, ", ".join(asked) or "–", paths[case]))
    return "\n".join(rows)


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    asyncio.run(main())
    os._exit(0)  # the places are threads that sleep in their loops
