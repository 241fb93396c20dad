# SPDX-License-Identifier: Apache-2.0
import asyncio

import pytest

from hardwire.app.events import (
    AnswerReady,
    Delivered,
    FileDone,
    FileOffer,
    FileProgress,
    InviteNeeded,
    InviteReady,
    LineClosed,
    Reconnected,
    Reconnecting,
    Said,
)
from hardwire.app.outgoing import inspect
from hardwire.app.reconnect import Reconnector
from hardwire.app.renewal import Renewal
from hardwire.app.session import Session
from hardwire.channel import CloseReason
from hardwire.errors import ConnectionLost, IdentityChanged, InviteRefused, NetworkFailed, UsageError
from hardwire.net import carriers, listening
from hardwire.net import host as net_host
from support.lines import config_for_test, line_pair
from support.people import STRANGER, End, Person

LOST = ConnectionLost("no path", code="path-lost")


class Two:
    """Two people on a line, who can carry codes; ``configs`` is what each opens another line with."""

    def __init__(self, lines, configs) -> None:
        self.configs = configs
        self.ends = [self._end(index, line) for index, line in enumerate(lines)]

    def _end(self, index: int, line) -> End:
        person = Person()
        person.again = asyncio.Queue()

        async def ask(make_config):
            return await Renewal(make_config, person, lambda _pending: None).open()

        again = Reconnector(lambda: self.configs[index], 0.2, person.emit, ask)
        return End(person, Session(line, person, STRANGER, again))


@pytest.fixture
async def two():
    configs = [config_for_test(), config_for_test()]
    async with line_pair(*configs) as lines:
        made = Two(lines, list(configs))
        yield made
        await asyncio.gather(*(end.close() for end in made.ends))


async def lose(*ends: End) -> None:
    """Without another line that was agreed: it is too soon for one."""
    await asyncio.gather(*(end.session._line.abort(LOST) for end in ends))
    for end in ends:
        await end.person.until(InviteNeeded)


def paste(end: End, code: str) -> None:
    end.person.again.put_nowait(carriers.from_text(code))


async def code(end: End, kind: type, ask) -> str:
    """The next code of that kind."""
    known = len(end.person.all(kind))
    ask()
    async with asyncio.timeout(10):
        while len(end.person.all(kind)) == known:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return end.person.all(kind)[-1].code


async def carry(inviter: End, other: End) -> None:
    paste(other, await code(inviter, InviteReady, lambda: inviter.person.again.put_nowait(b"")))
    paste(inviter, (await other.person.until(AnswerReady)).code)


@pytest.mark.parametrize("inviter", [0, 1])
async def test_everything_goes_on_over_a_line_that_people_made(two, inviter, tmp_path):
    alice, bob = two.ends
    await alice.session.verify(matched=True)
    content = tmp_path / "big.bin"
    content.write_bytes(bytes(range(256)) * 40_000)
    (tmp_path / "in").mkdir()
    number = alice.session.offer(await inspect(content))
    offered = await bob.person.until(FileOffer)
    bob.session.transfers.accept(offered.id, tmp_path / "in")
    await bob.person.until(FileProgress)
    ending = asyncio.create_task(alice.session.transfers.outcome(number))
    await lose(alice, bob)
    said = alice.session.say("while there was no line")
    assert (await alice.person.until(Said, id=said)).queued
    await carry(two.ends[inviter], two.ends[1 - inviter])
    opened = await asyncio.gather(*(end.person.until(Reconnected) for end in two.ends))
    assert opened[0].sas == opened[1].sas
    await bob.person.until(Said, by="peer", text="while there was no line")
    await alice.person.until(Delivered, id=said)
    assert isinstance(await asyncio.wait_for(ending, 20), FileDone)
    assert (await bob.person.until(FileDone)).path.read_bytes() == content.read_bytes()
    assert alice.session.verified
    assert not bob.session.verified


async def test_both_make_an_invite_and_one_is_taken(two):
    alice, bob = two.ends
    await lose(alice, bob)
    for end in (alice, bob):
        end.person.again.put_nowait(b"")
        await end.person.until(InviteReady)
    assert [end.person.invited for end in two.ends] == [[False, True]] * 2
    paste(bob, (await alice.person.until(InviteReady)).code)
    paste(alice, (await bob.person.until(AnswerReady)).code)
    await asyncio.gather(*(end.person.until(Reconnected) for end in two.ends))


async def test_what_cannot_be_used_is_said_and_the_next_code_is_another_attempt(two):
    alice, bob = two.ends
    await lose(alice, bob)
    async with await net_host(config_for_test()) as other:
        stranger = await listening.take(config_for_test(), other.text)
        paste(alice, stranger.text)  # an answer, and no invite was made
        alice.person.again.put_nowait(b"")
        await alice.person.until(InviteReady)
        paste(alice, stranger.text)  # an answer to another one
        await stranger.close()
    await carry(alice, bob)
    await asyncio.gather(*(end.person.until(Reconnected) for end in two.ends))
    assert [problem.code for problem in alice.person.refusals] == ["invite-kind", "invite-other-offer"]


async def refused(end: End, count: int = 1) -> list[str]:
    """What the person heard of the codes that could not be used."""
    async with asyncio.timeout(10):
        while len(end.person.refusals) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return [problem.code for problem in end.person.refusals]


async def test_ones_own_invite_is_not_the_peers(two):
    alice, bob = two.ends
    await lose(alice, bob)
    invite = await code(alice, InviteReady, lambda: alice.person.again.put_nowait(b""))
    paste(alice, invite)
    assert await refused(alice) == ["invite-own"]
    assert "your peer's answer is wanted here" in alice.person.refusals[0].message
    assert not alice.person.all(AnswerReady)
    paste(bob, invite)
    paste(alice, (await bob.person.until(AnswerReady)).code)
    await asyncio.gather(*(end.person.until(Reconnected) for end in two.ends))


async def test_another_code_takes_the_place_of_one_that_is_waited_for(two):
    """A wrong invite was pasted: what is pasted or made after it counts."""
    alice, bob = two.ends
    await lose(alice, bob)
    async with await net_host(config_for_test()) as other, await net_host(config_for_test()) as third:
        paste(alice, other.text)
        answer = (await alice.person.until(AnswerReady)).code
        stray = await listening.take(config_for_test(), third.text)
        paste(alice, stray.text)  # an answer to nothing
        assert await refused(alice) == ["invite-kind"]
        await stray.close()
        assert await code(alice, AnswerReady, lambda: paste(alice, other.text)) == answer, "it is still waited for"
        assert await code(alice, AnswerReady, lambda: paste(alice, third.text)) != answer
    await carry(alice, bob)
    await asyncio.gather(*(end.person.until(Reconnected) for end in two.ends))


async def test_the_answer_to_ones_own_invite_counts_while_another_is_waited_for(two):
    alice, bob = two.ends
    await lose(alice, bob)
    invite = await code(alice, InviteReady, lambda: alice.person.again.put_nowait(b""))
    async with await net_host(config_for_test()) as other:
        paste(alice, other.text)
        await alice.person.until(AnswerReady)
        paste(bob, invite)
        paste(alice, (await bob.person.until(AnswerReady)).code)
        await asyncio.gather(*(end.person.until(Reconnected) for end in two.ends))


async def test_whoever_leaves_while_a_line_is_waited_for_leaves_nothing_behind(two):
    alice, bob = two.ends
    await lose(alice, bob)
    async with await net_host(config_for_test()) as other:
        paste(alice, other.text)
        await alice.person.until(AnswerReady)
        await alice.session.close()
        assert isinstance(await alice.ended(), ConnectionLost)


async def test_a_new_invite_after_one_that_came_to_nothing(two, monkeypatch):
    alice, bob = two.ends
    await lose(alice, bob)
    alice.person.again.put_nowait(b"")
    invite = (await alice.person.until(InviteReady)).code
    answer = await listening.take(two.configs[1], invite)
    text = answer.text
    await answer.close()  # nobody knocks
    monkeypatch.setattr("hardwire.net.rtc.link.RtcLink._find_path", _nobody)
    paste(alice, text)
    async with asyncio.timeout(10):
        while not alice.person.refusals:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    monkeypatch.undo()
    assert isinstance(alice.person.refusals[0], NetworkFailed)
    await carry(alice, bob)
    await asyncio.gather(*(end.person.until(Reconnected) for end in two.ends))
    assert alice.person.invited == [False, True, False, True]


async def _nobody(*_arguments, **_more) -> None:
    raise NetworkFailed("no path to the peer was found", code="no-path")


async def test_another_device_is_the_end(two):
    alice, bob = two.ends
    two.configs[1] = config_for_test()
    await lose(alice, bob)
    await carry(alice, bob)
    with pytest.raises(IdentityChanged):
        await alice.running
    assert not bob.person.all(Reconnected)


async def test_nobody_is_there_to_ask(two):
    alice, bob = two.ends
    alice.person.again = None
    await lose(alice, bob)
    with pytest.raises(ConnectionLost):
        await alice.running
    assert not alice.person.all(LineClosed)[0].clean
    await bob.session.close()
    assert not bob.person.all(Reconnected)


async def test_a_person_need_not_wait_until_all_else_failed(two):
    alice, bob = two.ends
    with pytest.raises(UsageError):
        alice.session.renew()
    for end in two.ends:
        end.session._again._patience = 60.0
        end.session._line._paths.path_lost()
        assert end.session.is_lost
        end.session.renew()
        await end.person.until(InviteNeeded)
        end.session.renew()  # once more does no harm
    await carry(bob, alice)
    await asyncio.gather(*(end.person.until(Reconnected) for end in two.ends))
    assert not [event for end in two.ends for event in end.person.all(Reconnecting)]
    assert not alice.session.is_lost


async def test_an_invite_instead_of_the_line_that_was_agreed(two):
    alice, bob = two.ends
    for end in two.ends:
        end.session._again._patience = 60.0
        end.session._again._young = 5  # a pause, in which they may change their minds
    await asyncio.gather(*(end.session._line.abort(LOST) for end in two.ends))
    for end in two.ends:
        await end.person.until(Reconnecting)
        end.session.renew()
        await end.person.until(InviteNeeded)
    await carry(alice, bob)
    await asyncio.gather(*(end.person.until(Reconnected) for end in two.ends))


async def test_a_peer_that_closed_the_line_is_not_asked_for(two):
    alice, bob = two.ends
    await bob.session._line.close(CloseReason.NORMAL)
    await alice.person.until(LineClosed)
    assert not alice.person.all(InviteNeeded)
    with pytest.raises(InviteRefused):
        await Renewal(lambda: two.configs[0], alice.person, lambda _: None)._check(b"\x11")
