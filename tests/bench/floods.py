# SPDX-License-Identifier: Apache-2.0
"""``bash hsm/up.sh bench floods``: what a hostile peer's packets cost the end that gets them, flood by flood.

One process. Each flood gets a line of its own, open over loopback; its datagrams are encrypted under the line's keys
and put where the socket puts what it read, half a megabyte in one turn of the loop. Only the time of the end that
gets them is counted: once from the datagram on, once from the decrypted packet on. Strangers have no keys: theirs are
datagrams that reach an open port. Datagrams are full ones except where the table says otherwise, and figures are for
100 MB of them on the wire. A line that ended is counted up to its end, and the table says how many octets that took.

What time pays into the account of a peer (``hardwire.net.rtc.work``) is what it would be at 25 MB a second. The system
calls that read the datagrams are not in the figures: one reads up to fifty full datagrams. Some of the same floods are
put before a plain aiortc end, a megabyte of each, for comparison.
"""

import argparse
import asyncio
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from time import thread_time

from bench.frame import finish, machine_words, parser_for, say
from hardwire.net.rtc.work import Account
from support.attacks import (
    attacked,
    decrypted,
    encrypted,
    from_datagrams,
    from_packets,
    from_strangers,
    grow_flight,
    silence,
)
from support.floods import DATAGRAMS, FLOODS, HONEST, STRANGERS
from support.forge import IN_A_TURN, Aim, Sealer, chunk
from support.links import End
from support.rawpeer import open_with_raw

HUNDRED = 100e6
PACE = 25e6
AIORTC_OCTETS = 1_000_000
_PEAK = re.compile(r"VmHWM:\s+(\d+)")


class Paced(Account):
    """An account whose clock is the octets that came: the flood is as fast as the table says, however fast it is made."""

    def __init__(self) -> None:
        super().__init__(0.0)
        self._came = 0

    def admits(self, size: int) -> bool:
        self._came += size
        return super().admits(size)

    def refill(self, now: float) -> None:
        super().refill(self._came / PACE)


@dataclass
class Cost:
    """Of one flood.

    Args:
        octets: On the wire.
        packets: How many.
        seconds: Of the processor.
        peak: Octets that the process grew by at most.
        ended: The line did not outlive it.
    """

    octets: int = 0
    packets: int = 0
    seconds: float = 0.0
    peak: int = 0
    ended: bool = False

    def told(self) -> dict:
        return {
            "s_per_100_mb": self.seconds if self.ended else self.seconds * HUNDRED / self.octets,
            "us_per_packet": 1e6 * self.seconds / max(1, self.packets),
            "peak_mb": self.peak / 1e6,
            "ended_after_kb": self.octets / 1e3 if self.ended else None,
        }


class Memory:
    """How much the process grew since this was made."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")
        self._before = self._peak()

    def grown(self) -> int:
        return self._peak() - self._before

    @staticmethod
    def _peak() -> int:
        return 1024 * int(_PEAK.search(Path("/proc/self/status").read_text()).group(1))


async def measure(turns: Iterator[list], take: Callable, victim: End, octets: int) -> Cost:
    """Feed turn by turn, until so many octets or the end of the line."""
    cost, memory = Cost(), Memory()
    for packets, size, turn in turns:
        began = thread_time()
        take(turn)
        cost.seconds += thread_time() - began
        cost.packets += packets
        cost.octets += size
        await asyncio.sleep(0)
        if victim.events.errors:
            cost.ended = True
            break
        victim.events.messages.clear()
        if cost.octets >= octets:
            break
    cost.peak = memory.grown()
    return cost


LONE = "a small chunk in a datagram (each 53 octets)"
BESIDE_AIORTC = (
    *("honest: messages of 64 KiB", "honest: messages of 100 octets", "messages of an octet", "duplicates of an octet"),
    *("crumbs with gaps", "HEARTBEAT, tiny", "HEARTBEAT", LONE),
)


def lone(aim: Aim) -> Iterator[bytes]:
    return itertools.repeat(aim.packet(chunk(0xC7)))


async def of_peer(name: str, flood: Callable, octets: int) -> dict:
    told = {}
    for what in ("whole", "sctp"):
        async with attacked() as (attacker, victim):
            aim = Aim.at(victim.link._sctp)
            victim.link._sctp.account = Paced()
            if name.startswith("SACK"):
                grow_flight(victim.link, aim)
            packets = flood(aim)
            if what == "whole":
                cost = await measure(encrypted(attacker, packets), from_datagrams(victim), victim, octets)
                told = cost.told()
            else:
                cost = await measure(decrypted(packets), from_packets(victim), victim, octets)
                told["sctp_s_per_100_mb"] = cost.told()["s_per_100_mb"]
    return told


async def of_stranger(flood: Callable, octets: int) -> dict:
    async with attacked() as (attacker, victim):
        turns = flood(victim.link, attacker.link)
        size = next(turns)
        cost = await measure(turns, from_strangers(victim), victim, octets * size // 1200 if size < 600 else octets)
        return cost.told()


async def of_datagrams(flood: Callable, octets: int) -> dict:
    async with attacked() as (attacker, victim):
        turns = flood(attacker.link, victim.link)
        size = next(turns)
        wanted = octets * size // 1200 if size < 600 else octets
        return (await measure(turns, from_datagrams(victim), victim, wanted)).told()


async def of_aiortc(name: str, octets: int) -> float:
    """The same flood for a plain aiortc end, which reads datagrams from a queue: seconds for 100 MB."""
    end, peer = await open_with_raw()
    try:
        silence(end)
        asyncio.get_running_loop().remove_reader(end.link._path.connection._nominated[1].protocol.port._socket)
        sctp, pair = peer.sctp, peer.ice._connection._nominated[1]
        begin = sctp._last_received_tsn
        aim = Aim(
            sctp._local_verification_tag,
            (begin + 1) % 2**32,
            sctp._last_sacked_tsn,
            lambda: (sctp._last_received_tsn - begin) % 2**32,
        )
        sealer = Sealer(end.link)
        packets = lone(aim) if name == LONE else (HONEST | FLOODS)[name](aim)
        cost = Cost()
        while cost.octets < octets:
            turn = [sealer(packet) for packet in islice(packets, IN_A_TURN)]
            began = thread_time()
            for datagram in turn:
                pair.protocol.datagram_received(datagram, pair.remote_addr)
            while not peer.ice._connection._queue.empty():  # noqa: ASYNC110  (nobody tells)
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            cost.seconds += thread_time() - began
            cost.octets += sum(map(len, turn))
        return cost.told()["s_per_100_mb"]
    finally:
        await end.link.close()
        await peer.stop()


async def run(options: argparse.Namespace) -> dict:
    report: dict = {"ok": True, "mb": options.mb, "floods": {}}
    octets = round(1e6 * options.mb)
    for name, flood in (HONEST | FLOODS).items():
        if options.only in name:
            report["floods"][name] = await of_peer(name, flood, octets)
            say(name)
    for name, flood in DATAGRAMS.items():
        if options.only in name:
            report["floods"][name] = await of_datagrams(flood, octets)
            say(name)
    for name, flood in STRANGERS.items():
        if options.only in name:
            report["floods"][name] = await of_stranger(flood, octets)
            say(name)
    for name in report["floods"].keys() & set(BESIDE_AIORTC):
        report["floods"][name]["aiortc_s_per_100_mb"] = await of_aiortc(name, min(octets, AIORTC_OCTETS))
    return report


def table(report: dict) -> str:
    lines = [
        f"{'for 100 MB on the wire':<44}{'CPU s':>8}{'SCTP s':>8}{'µs each':>9}{'MB more':>9}{'aiortc s':>10}  the line"
    ]
    for name, one in report["floods"].items():
        within = f"{one['sctp_s_per_100_mb']:8.2f}" if "sctp_s_per_100_mb" in one else f"{'':8}"
        beside = f"{one['aiortc_s_per_100_mb']:10.1f}" if "aiortc_s_per_100_mb" in one else f"{'':10}"
        ended = one["ended_after_kb"]
        told = "stays" if ended is None else f"ended within {ended:.0f} KB"
        lines.append(
            f"{name:<44}{one['s_per_100_mb']:>8.2f}{within}{one['us_per_packet']:>9.1f}{one['peak_mb']:>9.1f}{beside}  {told}"
        )
    return "\n".join([*lines, "", machine_words(report["machine"])])


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = parser_for("floods", __doc__, "2 MB of each, where all that a peer may save up counts fifty times")
    parser.add_argument("--mb", type=float, help="of each flood (default 100)")
    parser.add_argument("--only", default="", help="floods whose name has this in it")
    options = parser.parse_args(arguments)
    options.mb = options.mb or (2.0 if options.quick else 100.0)
    return options


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    return 1 if finish(options, lambda: asyncio.run(run(options)), table) is None else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
