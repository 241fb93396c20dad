# SPDX-License-Identifier: Apache-2.0
"""The card is pulled in each state of a handshake: a typed error or an open line, and the next use after it is back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app.events import AnswerReady, DeviceAsked, Event, InviteReady, LineOpen, Opening, PeerSeen, Said
from hardwire.app.identity import make_identity
from hardwire.app.keys import DeviceKey, describe_device, spki_of
from hardwire.app.opening import SessionConfig, host, join
from hardwire.app.session import Session
from hardwire.certs import Assurance
from hardwire.errors import ConnectionLost, TokenMissing
from hardwire.handshake import SignatureScheme
from hardwire.net.servers import NO_SERVERS
from support.hwbench import right
from support.hwpiv import PivBench
from support.people import End, Person, token_identity

HOSTING = ("before the invite", "awaiting M1", "signing", "verdict", "open")
JOINING = ("before the invite", "awaiting M2", "verdict", "signing", "awaiting M4", "open")
OPENSC, YKCS11 = pytest.mark.device("piv-opensc"), pytest.mark.device("piv-ykcs11")
CASES = [
    *(pytest.param("host", state, "opensc", marks=OPENSC) for state in HOSTING),
    *(pytest.param("join", state, "opensc", marks=OPENSC) for state in JOINING),
    # What the modules make of a card that is gone differs; the states of a handshake do not.
    pytest.param("host", "signing", "ykcs11", marks=YKCS11),
    pytest.param("join", "verdict", "ykcs11", marks=YKCS11),
]
NEEDS_NO_CARD = {("host", "verdict"), ("host", "open"), ("join", "awaiting M4"), ("join", "open")}
"""The one signature is made by then."""
PATIENCE = 30.0


class Puller(Person):
    """Somebody who pulls their card at a certain moment."""

    def __init__(self, bench: PivBench, state: str, role: str) -> None:
        super().__init__()
        self.bench, self.state, self.role = bench, state, role
        self.pulled: asyncio.Task[None] | None = None

    async def pull(self) -> None:
        await asyncio.to_thread(self.bench.card.pull)

    def emit(self, event: Event) -> None:
        super().emit(event)
        match event:
            case DeviceAsked() if self.state == "signing":
                self.pulled = asyncio.create_task(self.pull())
            case PeerSeen() if (self.role, self.state) == ("host", "verdict"):
                self.pulled = asyncio.create_task(self.pull())
            case Opening(stage="waiting") if self.state == "awaiting M4" and self.all(DeviceAsked):
                self.pulled = asyncio.create_task(self.pull())

    async def accept_inviter(self, seen: PeerSeen) -> bool:
        if self.state == "verdict":
            await self.pull()
        return await super().accept_inviter(seen)


@asynccontextmanager
async def card_config(bench: PivBench, home) -> AsyncIterator[SessionConfig]:
    """An identity in the card, its key open."""
    with bench.make("alice", right(bench)) as key:
        identity = make_identity(
            key,
            key_uri=bench.sourced("alice"),
            device=describe_device(key.device),
            assurance=Assurance.TOKEN_CLAIMED,
            home=home,
        )
    opened = await DeviceKey.open(identity, None)
    try:
        yield SessionConfig(identity, opened, NO_SERVERS, loopback=True)
    finally:
        await opened.close()


async def met(role: str, person: Puller, mine: SessionConfig, theirs: SessionConfig):
    """Both ends' outcomes; ``mine`` is the card's."""
    if person.state == "before the invite":
        await person.pull()
    if person.state == "signing":
        person.bench.card.hang()
    other = Person()
    alice, bob = (person, other) if role == "host" else (other, person)
    first, second = (mine, theirs) if role == "host" else (theirs, mine)
    hosting = asyncio.create_task(host(first, alice))
    joining = asyncio.create_task(join(second, bob))
    invite = (await alice.until(InviteReady)).code
    if person.state == "awaiting M1":
        await person.pull()
    bob.give(invite)
    answer = (await bob.until(AnswerReady)).code
    if person.state == "awaiting M2":
        await person.pull()
    alice.give(answer)
    async with asyncio.timeout(PATIENCE):
        outcomes = await asyncio.gather(hosting, joining, return_exceptions=True)
    return (outcomes, other) if role == "host" else (outcomes[::-1], other)


@pytest.mark.device("softhsm")
@pytest.mark.parametrize("role, state, module", CASES)
async def test_the_card_is_pulled(role, state, module, tmp_path):
    bench = PivBench(module)
    theirs = token_identity(tmp_path / "theirs")
    their_key = await DeviceKey.open(theirs, None)
    person = Puller(bench, state, role)
    async with card_config(bench, tmp_path / "mine") as mine:
        used = bench.card.used("9a")
        (outcome, theirs_outcome), other = await met(
            role, person, mine, SessionConfig(theirs, their_key, NO_SERVERS, loopback=True)
        )
        if (role, state) in NEEDS_NO_CARD:
            assert isinstance(outcome, Session)
            assert isinstance(theirs_outcome, Session)
            if state == "open":
                await person.pull()
            ends = End(person, outcome), End(other, theirs_outcome)
            outcome.say("the card is in my pocket")
            assert (await other.until(Said, by="peer")).text == "the card is in my pocket"
            for end in ends:
                await end.close()
            assert bench.card.used("9a") == used + 1
        else:
            assert isinstance(outcome, TokenMissing), outcome
            assert outcome.code in {"token-removed", "token-missing"}
            assert outcome.hint
            assert isinstance(theirs_outcome, ConnectionLost)
            assert not person.all(LineOpen)
            assert bench.card.used("9a") in {used, used + (state == "signing")}
        if person.pulled is not None:
            await person.pulled
        assert bench.card.reader is None, "it was pulled"
        await asyncio.to_thread(bench.card.insert)
        signature = await mine.key.sign(b"the next line", SignatureScheme.ECDSA_SECP256R1_SHA256)
        mine.identity.own.certificate.public_key.verify(signature, b"the next line", ec.ECDSA(hashes.SHA256()))
        assert spki_of(bench.make("alice", right(bench))) == mine.identity.own.spki
    bench.card.pull()
    await their_key.close()
