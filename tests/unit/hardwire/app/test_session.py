# SPDX-License-Identifier: Apache-2.0
import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hardwire.app.attestation import Trust
from hardwire.app.events import (
    Delivered,
    DeviceAsked,
    InviteReady,
    LineClosed,
    LineOpen,
    PathFound,
    PathLost,
    PeerSeen,
    Said,
    Verified,
)
from hardwire.app.outgoing import OutgoingFile
from hardwire.app.session import host, join
from hardwire.app.verdict import Verifier
from hardwire.channel import Offer, TransferKind
from hardwire.errors import (
    ConnectionLost,
    DeviceFailed,
    IdentityChanged,
    InviteRefused,
    LocalError,
    PeerNotVerified,
    UsageError,
)
from hardwire.net.config import Clock
from hardwire.net.pending import host as net_host
from support.lines import config_for_test
from support.people import Person, configs, meet, open_ends, talking

pytestmark = pytest.mark.device("softhsm")


async def test_a_line_from_the_first_code_to_the_goodbye(tmp_path):
    async with talking(tmp_path) as (alice, bob):
        for end in (alice, bob):
            names = [type(event) for event in end.person.events]
            assert names.index(PeerSeen) < names.index(LineOpen)
            assert names.count(DeviceAsked) == 1
        opened = [await end.person.until(LineOpen) for end in (alice, bob)]
        assert opened[0].sas == opened[1].sas
        assert opened[0].words == opened[1].words
        assert opened[0].sid == opened[1].sid
        assert len(opened[0].words) == 7
        assert all(0 < one.open_ms < 30_000 and 0 < one.handshake_ms < 30_000 for one in opened)
        assert alice.session.peer.assurance == bob.session.peer.assurance == "SOFTWARE TOKEN"
        assert alice.session.peer.safety_number == bob.session.peer.safety_number
        assert len(bob.person.asked) == 1
        assert alice.person.asked == []

        key = alice.session.say("hello bob")
        assert (await bob.person.until(Said, by="peer")).text == "hello bob"
        await alice.person.until(Delivered, id=key)
        bob.session.say("grüß dich")
        assert (await alice.person.until(Said, by="peer")).text == "grüß dich"

        await alice.session.close()
        await alice.session.close()
        assert await bob.ended() is None
        assert await alice.ended() is None
        assert await bob.person.until(LineClosed) == LineClosed(clean=True, reason="your peer closed the line")
        assert await alice.person.until(LineClosed) == LineClosed(clean=True, reason="closed here")


async def test_both_are_the_expected_ones(tmp_path):
    async with configs(tmp_path) as (first, second):
        pinned = replace(second, expected=first.identity.own.did)
        bob = Person(accepts=False)
        one, two = await meet(first, pinned, Person(), bob)
        async with one, two:
            assert two.verified
            assert not one.verified
            assert bob.asked == [], "somebody who named the peer is not asked whether it is the one"


async def test_another_one_than_expected(tmp_path):
    async with configs(tmp_path) as (first, second):
        wanted = second.identity.own.did  # anybody but alice
        alice = Person()
        one, two = await meet(first, replace(second, expected=wanted), alice, Person())
        assert isinstance(two, IdentityChanged)
        assert two.exit_code == 21
        assert two.evidence == {"wanted": wanted, "got": first.identity.own.did}
        assert isinstance(one, ConnectionLost)
        assert alice.all(PeerSeen) == [], "the joiner had not shown itself"


async def test_an_inviter_who_is_not_accepted_sees_nothing(tmp_path):
    async with configs(tmp_path) as (first, second):
        alice, bob = Person(), Person(accepts=False)
        one, two = await meet(first, second, alice, bob)
        assert isinstance(two, PeerNotVerified)
        assert two.exit_code == 20
        assert isinstance(one, ConnectionLost)
        assert one.exit_code == 30
        assert alice.all(PeerSeen) == []
        assert bob.all(DeviceAsked) == [], "and nothing was signed"


async def test_an_inviter_in_software_sees_nothing_of_whoever_requires_hardware(tmp_path):
    async with configs(tmp_path) as (first, second):
        strict = replace(second, verifier=Verifier(Trust(require_attested=True)))
        alice, bob = Person(), Person()
        one, two = await meet(first, strict, alice, bob)
        assert isinstance(two, PeerNotVerified)
        assert (two.code, two.exit_code) == ("attestation-software", 20)
        assert isinstance(one, ConnectionLost)
        assert alice.all(PeerSeen) == []
        assert bob.asked == []
        assert bob.all(DeviceAsked) == [], "and nothing was signed"


async def test_a_device_that_will_not_sign(tmp_path):
    async with configs(tmp_path) as (first, second):
        await second.key.close()
        one, two = await meet(first, second, Person(), Person())
        assert isinstance(two, DeviceFailed)
        assert two.exit_code == 10
        assert "closed" in two.message
        assert isinstance(one, ConnectionLost)


async def test_nobody_gives_a_code(tmp_path):
    async with configs(tmp_path) as (first, second):
        for opening in (host, join):
            person = Person()
            person.codes.put_nowait(None)
            with pytest.raises(UsageError, match="was given"):
                await opening(first if opening is host else second, person)


async def test_a_wrong_code_is_asked_for_again(tmp_path):
    async with configs(tmp_path) as (first, second):
        alice, bob = Person(), Person()
        bob.codes.put_nowait(b"no invite at all")
        alice.codes.put_nowait(b"no answer either")
        one, two = await meet(first, second, alice, bob)
        async with one, two:
            assert [len(person.refusals) for person in (alice, bob)] == [1, 1]


async def test_a_wrong_code_and_nobody_to_ask(tmp_path):
    async with configs(tmp_path) as (first, second):
        for opening, config in ((host, first), (join, second)):
            person = Person(patient=False)
            person.codes.put_nowait(b"nonsense")
            with pytest.raises(InviteRefused) as caught:
                await opening(config, person)
            assert caught.value.exit_code == 2


async def test_an_invite_from_a_clock_two_hours_behind(tmp_path):
    async with configs(tmp_path) as (_, second):
        late = await net_host(config_for_test(clock=Clock(wall=lambda: time.time() - 7200)))
        async with late:
            bob = Person(patient=False)
            bob.give(late.text)
            with pytest.raises(InviteRefused) as caught:
                await join(second, bob)
    assert caught.value.code == "invite-expired"
    assert "by this machine's clock" in caught.value.message
    assert "clock" in caught.value.hint
    assert "\n" not in caught.value.message


class Broken(Person):
    """A face whose output went away."""

    def emit(self, event):
        if isinstance(event, LineOpen):
            raise BrokenPipeError
        super().emit(event)


async def test_a_face_that_fails_leaves_no_line_behind(tmp_path):
    async with configs(tmp_path) as (first, second):
        bob = Person()
        one, two = await meet(first, second, Broken(), bob)
        assert isinstance(one, BrokenPipeError)
        async with two:
            await asyncio.wait_for(two.run(), 10)
        assert (await bob.until(LineClosed)).clean


async def test_what_is_no_line_of_chat():
    async with open_ends() as (alice, bob, _):
        for text in ("", "x" * 16_001, "ü" * 8_001, "caf\udce9"):
            with pytest.raises(UsageError):
                alice.session.say(text)
        alice.session.say("ü" * 8_000)
        assert len((await bob.person.until(Said)).text) == 8_000


async def test_a_peer_that_acknowledges_nothing():
    async with open_ends() as (alice, _, _):
        with pytest.raises(LocalError) as caught:  # noqa: PT012
            for number in range(1000):
                alice.session.say(str(number))
        assert caught.value.code == "chat-backlog"
        assert "bug" not in caught.value.hint


@pytest.mark.parametrize("clean", [True, False])
async def test_after_the_end(clean):
    async with open_ends() as (alice, bob, lines):
        if clean:
            await bob.session.close()
        else:
            await lines[1].abort(ConnectionLost("cut"))
        await alice.ended()
        for verb in (lambda: alice.session.say("too late"), lambda: alice.session.offer(NOTHING)):
            with pytest.raises(ConnectionLost) as caught:
                verb()
            assert caught.value.exit_code == 30
        with pytest.raises(ConnectionLost):
            await alice.session.verify(matched=True)
        assert not alice.session.verified
        with pytest.raises(PeerNotVerified):
            await alice.session.verify(matched=False)


NOTHING = OutgoingFile(Path("nothing"), Offer(TransferKind.FILE, 0, 1, 21, bytes(32), "nothing"), bytes(21), ())


async def test_a_line_that_is_cut_is_no_goodbye():
    async with open_ends() as (alice, bob, lines):
        await lines[0].abort(ConnectionLost("pulled out"))
        problem = await bob.ended()
        assert isinstance(problem, ConnectionLost)
        assert (await bob.person.until(LineClosed)).clean is False
        assert isinstance(await alice.ended(), ConnectionLost)


async def test_the_number_that_a_person_heard():
    async with open_ends() as (alice, _, _):
        sas = (await alice.person.until(LineOpen)).sas
        groups = sas.split()
        wrong = f"{(int(groups[-1]) + 1) % 10_000:04}"
        words = [name for _, name in alice.session._sas.emoji]
        right = (
            sas,
            f" {sas} ",
            "-".join(groups),
            "".join(groups),
            f"they are {sas}",
            " ".join(words),
            ", ".join(words).title(),
        )
        for heard in right:
            assert alice.session.matches(heard), heard
        for heard in (
            "",
            "yes",
            wrong,
            groups[-1],
            " ".join(groups[:2]),
            " ".join(words[:-1]),
            " ".join([*words[1:], words[0]]) + " x",
            f"{' '.join(words)} {groups[0]}",
            " ".join([*groups[:-1], wrong]),
            groups[-1][:3],
            sas + "0",
            " ".join(groups[1:]),
        ):
            assert not alice.session.matches(heard), heard


async def test_both_say_that_the_strings_are_the_same():
    async with open_ends() as (alice, bob, _):
        await alice.session.verify(matched=True)
        await bob.person.until(Verified, by="peer", matched=True)
        assert alice.session.verified
        assert not bob.session.verified, "what the peer says is not what a person here saw"
        assert await alice.person.until(Verified, by="here") == Verified("here", matched=True)


async def test_strings_that_differ_end_the_line_at_both_ends():
    async with open_ends() as (alice, bob, _):
        with pytest.raises(PeerNotVerified) as caught:
            await alice.session.verify(matched=False)
        assert caught.value.exit_code == 20
        assert "in between" in caught.value.message
        problem = await bob.ended()
        assert isinstance(problem, PeerNotVerified)
        assert problem.exit_code == 20
        assert (await bob.person.until(LineClosed)).reason == "your peer says that the strings differ"
        here = await alice.ended()
        assert isinstance(here, PeerNotVerified), "whoever waits for the end of the line hears of it, too"
        assert here.message == caught.value.message


async def test_an_offer_that_is_given_up_gives_its_sockets_back(tmp_path):
    async with configs(tmp_path) as (first, _):
        before = sockets()
        alice = Person()
        hosting = asyncio.create_task(host(first, alice))
        await alice.until(InviteReady)
        assert sockets() > before
        hosting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hosting
        assert sockets() == before


def sockets() -> int:
    return sum(str(fd.readlink()).startswith("socket:") for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink())


async def test_a_lost_path_is_shown_and_what_is_said_meanwhile_waits():
    async with open_ends() as (alice, bob, lines):
        lines[0]._paths.path_lost()
        assert await alice.person.until(PathLost) == PathLost(waiting=0)
        alice.session.say("are you there?")
        assert (await alice.person.until(Said, by="here")).queued
        lines[0]._paths.path_found(moved=True)
        assert (await alice.person.until(PathFound)).moved
        assert (await bob.person.until(Said, by="peer")).text == "are you there?"
        alice.session.say("good")
        assert not (await alice.person.until(Said, text="good")).queued
