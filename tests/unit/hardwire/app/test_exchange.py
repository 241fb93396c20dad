# SPDX-License-Identifier: Apache-2.0
import asyncio
import gc
import re
from dataclasses import replace

import pytest

from hardwire.app.events import FileDone, FileFailed, FileOffer
from hardwire.app.incoming import Incoming
from hardwire.app.moving import Transfer
from hardwire.channel import events as line_events
from hardwire.channel.tree import root_of
from hardwire.errors import LocalError, TransferIncomplete
from support.deliveries import a_file, empty, failed, kept, offered, pretended
from support.memoryline import memory_pair
from support.people import open_ends


async def turned(condition) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 (it is the turning of the loop that moves the frames)
            await asyncio.sleep(0)


async def test_another_content_than_the_offered_one(outbox, inbox):
    async with open_ends() as (alice, bob, _):
        file = a_file(outbox)
        wrong = file.preface[:-1] + bytes([file.preface[-1] ^ 1])
        offer = replace(
            file.offer,
            root=root_of(file.offer.kind, wrong[: file.offer.manifest], wrong[file.offer.manifest :], file.size),
        )
        number = alice.session.offer(replace(file, preface=wrong, offer=offer))
        await offered(bob)
        bob.transfers.accept(number, inbox)
        assert "not the ones that were offered" in (await failed(bob, "hash-mismatch")).reason
        assert (await alice.transfers.outcome(number)).code == "file-changed"
        await bob.transfers.settled()
        assert kept(inbox), "the leaves before the wrong one were right"


@pytest.mark.parametrize("name", [".bashrc", "gnp\u202egpj.exe", "a\u200bb", " padded "])
async def test_names_that_trick_are_declined_without_a_question(inbox, name):
    async with open_ends() as (alice, bob, _):
        number = alice.transfers.offer(pretended(name))
        assert (await alice.transfers.outcome(number)).reason == "the peer refused its name"
        shown = await failed(bob, "bad-name")
        assert not re.search("[\u202e\u200b]", shown.name + shown.reason)
        assert bob.person.all(FileOffer) == []
        assert bob.transfers.waiting == ()
        assert bob.transfers.last == shown.id == number, "a number that was said is not given again"


async def test_consent_says_how_much_is_to_be_expected_while_there_is_no_place_for_it(outbox, inbox, monkeypatch):
    alice, bob = memory_pair()
    file = a_file(outbox)
    number = alice.transfers.offer(file)
    await bob.person.until(FileOffer)
    assert bob.beside.expected == []
    seen = []

    def no_place(*_):
        seen.extend(bob.beside.expected)
        raise TransferIncomplete("there is no place", code="disk")

    monkeypatch.setattr(Transfer, "open_sink", no_place)
    bob.transfers.accept(number, inbox)
    await failed(bob, "disk")
    assert seen == [file.size]
    assert alice.beside.expected == []


@pytest.mark.parametrize("end", ["cancel", "close"])
async def test_what_waited_behind_the_end(outbox, inbox, end):
    """The peer sends everything and then thinks better of it, while this side's event loop is busy elsewhere."""
    alice, bob = memory_pair()
    number = alice.transfers.offer(a_file(outbox))
    await bob.person.until(FileOffer)
    bob.transfers.accept(number, inbox)
    await turned(lambda: bob.transfers._active[number].accepted)
    bob.hold = True
    await turned(lambda: bob.held and isinstance(bob.held[-1], line_events.FileDone))
    if end == "cancel":
        alice.transfers.cancel(number)
    else:
        alice.close()
    await turned(lambda: not isinstance(bob.held[-1], line_events.FileDone))
    bob.release()
    outcome = await bob.person.until(FileFailed)
    assert outcome.code == {"cancel": "cancelled", "close": "closed"}[end]
    assert empty(inbox)
    if end == "cancel":
        alice.transfers.offer(a_file(outbox, "second"))
        await bob.person.until(FileOffer, name="second")
    await alice.transfers.settled()


@pytest.mark.parametrize(
    "fault, shown",
    [
        (TransferIncomplete("no room", code="disk-full"), ("disk-full", "no room")),
        (OSError(5, "Input/output error"), ("disk", "report.pdf: input/output error")),
        (LocalError("not here"), ("failed", "not here")),
        (MemoryError(), ("failed", "an internal error")),
    ],
    ids=["a refusal", "the disk", "this machine", "a fault of ours"],
)
async def test_whatever_goes_wrong_while_a_file_gets_its_name_is_an_end(outbox, inbox, monkeypatch, fault, shown):
    def fails(*_):
        raise fault

    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what["exception"]))
    alice, bob = memory_pair()
    file = a_file(outbox)
    with monkeypatch.context() as patch:
        patch.setattr(Incoming, "finish", fails)
        number = alice.transfers.offer(file)
        await bob.person.until(FileOffer)
        bob.transfers.accept(number, inbox)
        there = await asyncio.wait_for(bob.transfers.outcome(number), 10)
        here = await asyncio.wait_for(alice.transfers.outcome(number), 10)
    assert ((there.code, there.reason), there.resumable) == (shown, True)
    assert (here.code, here.reason) == (
        "hash-mismatch", "the peer got other octets than were offered, or could not keep them",
    )  # fmt: skip
    assert not alice.transfers.moving
    assert not bob.transfers.moving
    await bob.transfers.settled()
    gc.collect()
    assert reported == ([fault] if isinstance(fault, MemoryError) else []), "only a fault of ours is"
    assert kept(inbox)
    number = alice.transfers.offer(file)
    await bob.person.until(FileOffer, id=number)
    bob.transfers.accept(number, inbox)
    assert isinstance(await alice.transfers.outcome(number), FileDone)
    await bob.transfers.settled()
    assert (inbox / "report.pdf").read_bytes() == file.path.read_bytes()
