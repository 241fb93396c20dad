# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest

from hardwire.cli.conversation import Wishes, compare, conversation, race, require_directory
from hardwire.cli.lines import Interrupted
from hardwire.cli.output import Output
from hardwire.errors import ConnectionLost, NoIdentity, PeerNotVerified, UsageError
from hardwire.net.servers import NO_SERVERS
from support.faces import seats


async def test_comparing_until_it_is_right():
    async with seats() as (alice, bob):
        events = asyncio.create_task(bob.session.run())
        alice.type("", "0" if bob.number != "0" else "1", bob.number)
        await compare(alice.session, alice.face)
        assert alice.session.verified
        assert alice.said.err.count("those are not the numbers here") == 1
        await bob.hears("your peer says that the numbers match")
        await compare(alice.session, alice.face)  # asks nothing any more
        await alice.session.close()
        await events


@pytest.mark.parametrize("typed", [("differs",), ("1", "2", "3")])
async def test_strings_that_differ_are_told_to_the_peer(typed):
    async with seats() as (alice, bob):
        events = asyncio.create_task(bob.session.run())
        alice.type(*typed)
        with pytest.raises(PeerNotVerified, match="the strings differ"):
            await compare(alice.session, alice.face)
        with pytest.raises(PeerNotVerified, match="your peer says that the strings differ"):
            await events


async def test_nobody_compares():
    async with seats() as (alice, _):
        alice.type(None)
        with pytest.raises(PeerNotVerified, match="was not verified"):
            await compare(alice.session, alice.face)


async def test_unverified_was_asked_for():
    async with seats(unverified=True) as (alice, _):
        await compare(alice.session, alice.face)
        assert not alice.session.verified
        assert not alice.face.lines.prompts


async def test_the_person_ends_it():
    async with seats() as (alice, bob):
        other = asyncio.create_task(race(bob.session, lambda: asyncio.sleep(60)))
        await race(alice.session, lambda: asyncio.sleep(0))
        await other
        assert alice.said.err.endswith("line closed\n")


@pytest.mark.parametrize("problem", [UsageError("mine"), Interrupted()])
async def test_the_persons_failure_is_told_after_the_goodbye(problem):
    async def fail() -> None:
        raise problem

    async with seats() as (alice, bob):
        other = asyncio.create_task(race(bob.session, lambda: asyncio.sleep(60)))
        with pytest.raises(type(problem)):
            await race(alice.session, fail)
        await other


async def test_a_line_that_breaks_explains_what_follows_from_it():
    async def wait_and_fail() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise UsageError("because of that")

    async with seats() as (alice, _):
        task = asyncio.create_task(race(alice.session, wait_and_fail))
        await asyncio.sleep(0.05)
        await alice.session._line.abort(ConnectionLost("cut"))
        with pytest.raises(ConnectionLost, match="cut"):
            await task


async def test_what_can_be_refused_is_refused_before_the_pin(tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWIRE_HOME", str(tmp_path))
    (tmp_path / "there").touch()
    for wishes, refusal in (
        (Wishes(NO_SERVERS, peer="nobody"), UsageError),
        (Wishes(NO_SERVERS, out_file=tmp_path / "there"), UsageError),
        (Wishes(NO_SERVERS), NoIdentity),
    ):
        with pytest.raises(refusal):
            async with conversation(Output(), wishes, hosting=True, plain=False):
                pass
    with pytest.raises(UsageError, match="is not a directory"):
        require_directory(tmp_path / "there")
    require_directory(tmp_path, writable=True)
