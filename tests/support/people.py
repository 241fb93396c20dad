# SPDX-License-Identifier: Apache-2.0
"""Whole sessions in one process: real SoftHSM keys, real lines over loopback; only the person is played."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path

from hardwire.app.events import AnswerReady, Event, InviteReady, PeerSeen
from hardwire.app.identity import Identity, make_identity
from hardwire.app.keys import DeviceKey, assurance_of_device, describe_device
from hardwire.app.opening import SessionConfig, host, join
from hardwire.app.session import Session
from hardwire.errors import HardwireError
from hardwire.net import Line, carriers
from hardwire.net.servers import NO_SERVERS
from hwkeys import generate_key
from support import softhsm
from support.lines import line_pair

STRANGER = PeerSeen("did:key:zStranger", "00", "unproven", "0" * 60, pinned=False)
_numbers = itertools.count()


class Person:
    """A face: remembers what was shown, answers what it was told to answer."""

    def __init__(self, *, accepts: bool = True, patient: bool = True) -> None:
        self.accepts = accepts
        self.patient = patient
        self.events: list[Event] = []
        self.asked: list[PeerSeen] = []
        self.refusals: list[HardwireError] = []
        self.codes: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.again: asyncio.Queue[bytes | None] | None = None
        self.invited: list[bool] = []
        self._changed = asyncio.Event()

    def emit(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def code(self, wanted: str) -> bytes | None:
        return await self.codes.get()

    async def another_code(self, *, invited: bool, waiting: bool = False) -> bytes | None:
        if not waiting:
            self.invited.append(invited)
        return None if self.again is None else await self.again.get()

    def refused(self, problem: HardwireError) -> bool:
        self.refusals.append(problem)
        return self.patient

    async def accept_inviter(self, seen: PeerSeen) -> bool:
        self.asked.append(seen)
        return self.accepts

    def give(self, code: str) -> None:
        self.codes.put_nowait(carriers.from_text(code))

    def all(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type, within: float = 15.0, **fields: object):
        """The first event of a kind with these fields, whether it was shown already or comes."""
        async with asyncio.timeout(within):
            while True:
                for event in self.all(kind):
                    if all(getattr(event, name) == value for name, value in fields.items()):
                        return event
                self._changed.clear()
                await self._changed.wait()


class End:
    """One end of an open line, its events running."""

    def __init__(self, person: Person, session: Session) -> None:
        self.person = person
        self.session = session
        self.transfers = session.transfers
        self.running = asyncio.create_task(session.run())

    async def ended(self, within: float = 10.0) -> BaseException | None:
        """What run() ended with."""
        done, _ = await asyncio.wait({self.running}, timeout=within)
        assert done, "the line did not end"
        return self.running.exception()

    async def close(self) -> None:
        await self.session.close()
        await asyncio.gather(self.running, return_exceptions=True)


@asynccontextmanager
async def open_ends() -> AsyncIterator[tuple[End, End, tuple[Line, Line]]]:
    """Two ends of a real line, with keys in memory: for what happens once it is open."""
    async with line_pair() as lines:
        ends = []
        for line in lines:
            person = Person()
            ends.append(End(person, Session(line, person, STRANGER)))
        try:
            yield *ends, lines
        finally:
            await asyncio.gather(*(end.close() for end in ends))


@cache
def shared_token() -> softhsm.Token:
    """One token for the keys of many tests; not for tests of PINs."""
    return softhsm.in_process().token()


def token_identity(home: Path) -> Identity:
    """A fresh key in SoftHSM, and its identity in ``home``."""
    uri = shared_token().uri(f"person-{next(_numbers)}", pin_source=True)
    with generate_key(uri) as key:
        return make_identity(
            key,
            key_uri=uri,
            device=describe_device(key.device),
            assurance=assurance_of_device(key.device),
            home=home,
        )


@asynccontextmanager
async def configs(home: Path, **expected: str | None) -> AsyncIterator[tuple[SessionConfig, SessionConfig]]:
    """Configurations for a host and a joiner."""
    made = []
    async with AsyncExitStack() as stack:
        for name in ("alice", "bob"):
            identity = token_identity(home / name)
            key = await DeviceKey.open(identity, None)
            stack.push_async_callback(key.close)
            made.append(SessionConfig(identity, key, NO_SERVERS, loopback=True, expected=expected.get(name)))
        yield made[0], made[1]


async def meet(
    first: SessionConfig, second: SessionConfig, alice: Person, bob: Person
) -> tuple[Session | BaseException, Session | BaseException]:
    """Carry the codes; each side's outcome, an exception as a value."""
    hosting = asyncio.create_task(host(first, alice))
    joining = asyncio.create_task(join(second, bob))
    bob.give((await alice.until(InviteReady)).code)
    alice.give((await bob.until(AnswerReady)).code)
    one, two = await asyncio.gather(hosting, joining, return_exceptions=True)
    return one, two


@asynccontextmanager
async def talking(home: Path, **expected: str | None) -> AsyncIterator[tuple[End, End]]:
    """Two people on a line, their keys in SoftHSM."""
    async with configs(home, **expected) as (first, second):
        alice, bob = Person(), Person()
        outcomes = await meet(first, second, alice, bob)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        ends = [End(person, session) for person, session in zip((alice, bob), outcomes, strict=True)]
        try:
            yield ends[0], ends[1]
        finally:
            await asyncio.gather(*(end.close() for end in ends))
