# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from hardwire.app.events import LineClosed, LineOpen, PathFound, PathLost, Said, Verified
from hardwire.app.outgoing import OutgoingFile
from hardwire.channel import Offer, TransferKind
from hardwire.errors import (
    ConnectionLost,
    LocalError,
    PeerNotVerified,
    UsageError,
)
from support.people import open_ends

pytestmark = pytest.mark.device("softhsm")


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
