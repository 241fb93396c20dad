# SPDX-License-Identifier: Apache-2.0
"""Lines between machines that move, in network namespaces: docs/transport.md's table, as far as a bridge can show it."""

import asyncio
import re
import signal

import pytest

from hardwire.channel.announcement import ANNOUNCEMENT_SIZE
from hardwire.net import multicast
from support.netlab import Lab, Machine, lab, meet


async def still_talking(here: Machine, there: Machine, word: str) -> None:
    here.say(f"{word} from here")
    there.say(f"{word} from there")
    await there.until(heard=f"{word} from here")
    await here.until(heard=f"{word} from there")


async def two(made: Lab, here: dict[str, int], there: dict[str, int]) -> tuple[Machine, Machine]:
    ends = await asyncio.gather(made.machine("a", "host", **here), made.machine("b", "join", **there))
    await meet(*ends)
    await still_talking(*ends, "hello")
    return ends


async def test_an_address_that_changes():
    """At the offerer of one line and the answerer of another, at the same time: most of it is waiting."""
    await asyncio.gather(_changes_address(0), _changes_address(1))


async def _changes_address(mover: int) -> None:
    async with lab() as made:
        ends = await two(made, {"eth0": 2}, {"eth0": 3})
        await ends[mover].readdress("eth0", 2 + mover, 22)
        ends[mover].say("sent without a path")
        await ends[mover].until(path="lost")
        assert (await ends[mover].until(path="moved"))["address"] == "10.77.0.22"
        await ends[1 - mover].until(heard="sent without a path")
        await still_talking(*ends, "after")
        # Once more: there is a spare for the next move, too.
        await ends[mover].until(spare=True)
        await ends[mover].readdress("eth0", 22, 23)
        assert (await ends[mover].until(path="moved"))["address"] == "10.77.0.23"
        await still_talking(*ends, "again")


async def test_an_interface_that_disappears_and_one_that_comes():
    async with lab() as made:
        here, there = await two(made, {"eth0": 2}, {"eth0": 3})
        await here.plug("wlan0", 4)
        assert (await there.until(spare=True))["addresses"] == ["10.77.0.2", "10.77.0.4"]
        await here.unplug("eth0")
        await here.until(path="lost")
        assert (await here.until(path="moved"))["address"] == "10.77.0.4"
        await still_talking(here, there, "over the air")
        await here.plug("eth0", 5)
        await here.unplug("wlan0")
        assert (await here.until(path="moved"))["address"] == "10.77.0.5"
        await still_talking(here, there, "by cable")


async def test_both_move_at_once():
    """Each keeps one of two addresses, not the one in use."""
    async with lab() as made:
        here, there = await two(made, {"eth0": 2, "wlan0": 4}, {"eth0": 3, "wlan0": 5})
        for end in (here, there):
            end.say("before")
        await asyncio.gather(here.unplug("eth0"), there.unplug("eth0"))
        await asyncio.gather(here.until(path="moved"), there.until(path="moved"))
        await still_talking(here, there, "elsewhere")


async def test_waits_that_end_well():
    await asyncio.gather(
        _a_path_that_is_dead_for_half_a_minute(),
        _a_program_that_is_stopped_for_a_while(),
        _a_program_that_sleeps_longer_than_its_peer_waits(),
        _a_line_that_both_have_given_up(),
        _a_line_that_both_have_given_up(both_move=True),
    )


async def _a_line_that_both_have_given_up(*, both_move: bool = False) -> None:
    """Patience of 8 s ends while there is no way; the line that was agreed for this case opens when there is one."""
    async with lab() as made:
        here, there = await asyncio.gather(made.machine("a", "host 8", eth0=2), made.machine("b", "join 8", eth0=3))
        await meet(here, there)
        await asyncio.gather(here.until(agreed=True), there.until(agreed=True))
        await here.cable("eth0", "out")
        await asyncio.gather(here.until(failed="path-lost"), there.until(failed="path-lost"))
        await there.readdress("eth0", 3, 33)
        if both_move:
            await here.readdress("eth0", 2, 22)
        await asyncio.sleep(3)
        await here.cable("eth0", "in")
        first, second = await asyncio.gather(here.until(again=...), there.until(again=...))
        assert first == second
        await still_talking(here, there, "on the next line")


async def _a_program_that_sleeps_longer_than_its_peer_waits() -> None:
    """It wakes to a line that its peer has given up, and to nothing that says that this was meant."""
    async with lab() as made:
        here, there = await asyncio.gather(made.machine("a", "host 8", eth0=2), made.machine("b", "join 8", eth0=3))
        await meet(here, there)
        await asyncio.gather(here.until(agreed=True), there.until(agreed=True))
        there.process.send_signal(signal.SIGSTOP)
        await here.until(failed="path-lost")
        await asyncio.sleep(3)
        there.process.send_signal(signal.SIGCONT)
        first, second = await asyncio.gather(here.until(again=...), there.until(again=...))
        assert first == second
        await still_talking(here, there, "on the next line")


async def _a_path_that_is_dead_for_half_a_minute() -> None:
    """Longer than ICE's consent lasts (30 s), which ends a line of aiortc's."""
    async with lab() as made:
        here, there = await two(made, {"eth0": 2}, {"eth0": 3})
        await here.cable("eth0", "out")
        here.say("into the dark")
        loop = asyncio.get_running_loop()
        cut = loop.time()
        await asyncio.gather(here.until(path="lost"), there.until(path="lost"))
        await asyncio.sleep(32 - (loop.time() - cut))
        await here.cable("eth0", "in")
        found = await here.until(path=...)
        assert found["seconds"] > 30
        await there.until(heard="into the dark")
        await still_talking(here, there, "after")


async def _a_program_that_is_stopped_for_a_while() -> None:
    """As a machine that sleeps: its clock goes on, it does not."""
    async with lab() as made:
        here, there = await two(made, {"eth0": 2}, {"eth0": 3})
        there.process.send_signal(signal.SIGSTOP)
        here.say("are you asleep?")
        await here.until(path="lost")
        await asyncio.sleep(8)
        there.process.send_signal(signal.SIGCONT)
        await here.until(path=...)
        await there.until(heard="are you asleep?")
        assert not [told for told in there.told if told.get("path") == "lost"]
        await still_talking(here, there, "awake")


@pytest.mark.parametrize("version", [4, 6])
async def test_both_get_other_addresses_at_once(version):
    """Nothing that either told leads anywhere any more, but they are on one network."""
    async with lab(version) as made:
        third = await made.machine("c", "", "support.bystander", eth0=9)
        await third.until(listening=True)
        ends = await two(made, {"eth0": 2}, {"eth0": 3})
        group = {4: multicast.GROUP_4, 6: multicast.GROUP_6}[version]
        for round_, moves in enumerate((((2, 20), (3, 21)), ((20, 40), (21, 41)))):
            before = third.all("announced")
            assert bool(before) is bool(round_)
            assert not any([await end.listens_to(group) for end in ends])
            await asyncio.gather(*(end.readdress("eth0", *hosts) for end, hosts in zip(ends, moves, strict=True)))
            ends[0].say("sent without a path")
            moved = await asyncio.gather(*(end.until(path="moved") for end in ends))
            assert [int(re.split("[.:]", told["address"])[-1]) for told in moved] == [new for _, new in moves]
            await ends[1].until(heard="sent without a path")
            await still_talking(*ends, "after")
            said = third.all("announced")
            assert len(set(said)) == len(said) > len(before)
            assert {len(one) for one in said} == {2 * ANNOUNCEMENT_SIZE}
            await asyncio.gather(*(end.until(spare=True) for end in ends))


async def test_with_relays_only_nothing_is_announced():
    async with lab() as made:
        turner = await made.machine("t", "10.77.0.1", "support.turner", eth0=1)
        third = await made.machine("c", "", "support.bystander", eth0=9)
        await third.until(listening=True)
        words = f"8 turn:10.77.0.1:{(await turner.until(port=...))['port']}"
        ends = await asyncio.gather(
            made.machine("a", f"host {words}", eth0=2), made.machine("b", f"join {words}", eth0=3)
        )
        await meet(*ends)
        await asyncio.gather(*(end.until(agreed=True) for end in ends))
        await asyncio.gather(*(end.readdress("eth0", host, host + 20) for end, host in zip(ends, (2, 3), strict=True)))
        await asyncio.gather(*(end.until(path="lost") for end in ends))
        assert not any([await end.listens_to(multicast.GROUP_4) for end in ends])
        await asyncio.gather(*(end.until(failed="path-lost") for end in ends))
        await asyncio.sleep(3)  # now they look for the next line
        assert not any([await end.listens_to(multicast.GROUP_4) for end in ends])
        assert not third.all("announced")


async def test_a_third_machine_that_says_it_all_again_achieves_nothing():
    async with lab() as made:
        third = await made.machine("c", "", "support.bystander", eth0=9)
        await third.until(listening=True)
        ends = here, there = await two(made, {"eth0": 2}, {"eth0": 3})
        await asyncio.gather(here.readdress("eth0", 2, 20), there.readdress("eth0", 3, 21))
        for path in ("lost", "moved"):
            await asyncio.gather(*(end.until(path=path) for end in ends))
        await asyncio.gather(*(end.until(spare=True) for end in ends))
        assert {told["source"] for told in third.told if "source" in told} == {"10.77.0.20", "10.77.0.21"}
        assert not await here.listens_to(multicast.GROUP_4)
        await there.cable("eth0", "out")
        await here.until(path="lost")
        assert await here.listens_to(multicast.GROUP_4)
        known = len(here.told)
        third.say("!again")
        third.say("!noise 1000")
        await third.until(sent=1000)
        before = len(third.all("announced"))
        await asyncio.sleep(6)
        third.say("!again")
        await third.until(sent=...)
        await asyncio.sleep(2)
        # What it already knew, no path, and no answer: it went on as if nobody had spoken.
        assert here.told[known:] == []
        own = [told["at"] for told in third.told[before:] if told.get("source") == "10.77.0.20"]
        assert len(own) <= 4
        await there.cable("eth0", "in")
        await asyncio.gather(*(end.until(path=...) for end in ends))
        await still_talking(*ends, "after")


async def test_who_listens_with_a_one_way_invite_moves():
    """One address more changes nothing, and is listened at; when those in the code are gone another code is made."""
    async with lab() as made:
        here, there = await asyncio.gather(made.machine("a", "listen", eth0=2), made.machine("b", "dial", eth0=3))
        assert (await here.until(code=...))["at"] == ["10.77.0.2"]
        await here.plug("wlan0", 4)
        await here.unplug("eth0")
        await here.until(moved="address-gone")
        code = await here.until(code=...)
        assert code["at"] == ["10.77.0.4"]
        await here.plug("eth0", 5)
        await asyncio.sleep(4)
        assert not [told for told in here.told if "moved" in told]
        there.say(code["code"])
        await asyncio.gather(here.until(open=True), there.until(open=True))
        await still_talking(here, there, "by one code")
