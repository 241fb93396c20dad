# SPDX-License-Identifier: Apache-2.0
"""What chat, join, send and receive have in common: open the key, open the line, talk to the person meanwhile."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hardwire.app.attestation import load_trust
from hardwire.app.crlstore import CrlStore
from hardwire.app.events import Notice
from hardwire.app.identity import load_identity
from hardwire.app.keys import DeviceKey, person_prompter
from hardwire.app.membership import load_membership, refuse_revoked
from hardwire.app.opening import SessionConfig, host, join
from hardwire.app.organisations import load_organisations, with_authorities
from hardwire.app.outgoing import OutgoingFile
from hardwire.app.policy import check_expected
from hardwire.app.session import Session
from hardwire.app.verdict import Verifier
from hardwire.cli.face import Face
from hardwire.cli.lines import open_lines
from hardwire.cli.output import Output
from hardwire.errors import PeerNotVerified, UsageError
from hardwire.net import IceServers, Listen
from hardwire.net.config import DEFAULT_PATIENCE

_QUESTION: Final = "type the three numbers as your peer reads them to you (or: differs): "
_SKIPPED_SHOWN: Final = 5
_TRIES: Final = 3
"""Wrong numbers before a comparison counts as failed."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the options of a command said about its line.

    Attributes:
        servers: STUN and TURN.
        loopback: Both ends are on this machine.
        peer: The did:key of the only acceptable peer.
        require_attested: Take nobody whose key is not proved to be in hardware.
        trust_ca: Certificates of authorities to believe, for this line.
        members_only: Take nobody whom no organisation vouches for.
        revocation: ``require``, ``prefer`` or ``off``; None as in trust.toml.
        personal: Show the self-signed certificate, not the organisation's.
        unverified: Go on without comparing.
        qr: Show own codes as QR pictures.
        out_file: Write the own code there.
        code_file: Read the other side's code there.
        counterpart: The command that the peer runs.
        patience: Seconds that another path is looked for, when the line has lost its own.
        listen: Hosting, where to listen with a one-way invite; None makes an ordinary one.
    """

    servers: IceServers
    loopback: bool = False
    peer: str | None = None
    require_attested: bool = False
    trust_ca: tuple[Path, ...] = ()
    members_only: bool = False
    revocation: str | None = None
    personal: bool = False
    unverified: bool = False
    qr: bool = False
    out_file: Path | None = None
    code_file: Path | None = None
    counterpart: str = "hardwire join"
    patience: float = DEFAULT_PATIENCE
    listen: Listen | None = None


@asynccontextmanager
async def conversation(
    out: Output, wishes: Wishes, *, hosting: bool, plain: bool
) -> AsyncIterator[tuple[Session, Face]]:
    """An open line and the person at it; everything is given back at the end, whatever happens."""
    expected = check_expected(wishes.peer)
    _check_out_file(wishes.out_file)
    verifier = _verifier(wishes)
    identity = load_identity()
    membership = None if wishes.personal else load_membership(identity)
    if membership is not None:
        refuse_revoked(membership, CrlStore())
    async with contextlib.AsyncExitStack() as stack:
        # The PIN first: nobody should carry codes around for a line that a locked token then refuses.
        key = await DeviceKey.open(identity, person_prompter(json_mode=out.json_mode))
        stack.push_async_callback(key.close)
        lines = open_lines(out, plain=plain)
        stack.callback(lines.close)
        face = Face(
            out,
            lines,
            hosting=hosting,
            qr=wishes.qr,
            out_file=wishes.out_file,
            code_file=wishes.code_file,
            unverified=wishes.unverified,
            counterpart=wishes.counterpart,
        )
        config = SessionConfig(
            identity,
            key,
            wishes.servers,
            wishes.loopback,
            expected,
            verifier,
            membership,
            wishes.patience,
            wishes.listen,
        )
        session = await (host if hosting else join)(config, face)
        await stack.enter_async_context(session)
        yield session, face


def _verifier(wishes: Wishes) -> Verifier:
    organisations = with_authorities(
        load_organisations(), wishes.trust_ca, members_only=wishes.members_only, mode=wishes.revocation
    )
    return Verifier(load_trust(require_attested=wishes.require_attested), organisations, CrlStore())


def slip() -> UsageError:
    """What a person hears who typed other numbers than those shown here."""
    return UsageError(
        "those are not the numbers here",
        code="other-number",
        hint="a slip? ask your peer to read all of them again; if it stays so, answer: differs",
    )


async def compare(session: Session, face: Face, *, required: bool = True) -> None:
    """Have the person compare the strings before anything of value moves.

    Args:
        session: The open line.
        face: The person.
        required: Ask until there is an answer; otherwise an empty one means later.

    Raises:
        PeerNotVerified: They differ, or nobody answered.
    """
    if session.verified or face.unverified:
        return
    tries = 0
    while (heard := await face.ask("verify", _QUESTION)) is not None:
        if not heard.strip():
            if required:
                continue
            return
        if session.matches(heard):
            await session.verify(matched=True)
            return
        tries += 1
        if heard.strip().lower() == "differs" or tries == _TRIES:
            await session.verify(matched=False)
        face.out.error(slip(), final=False)
    raise PeerNotVerified(
        "the peer was not verified",
        hint="compare the numbers, or give the peer's did:key with --peer, or say --unverified",
    )


async def race(session: Session, work: Callable[[], Awaitable[None]]) -> None:
    """Run the person's part beside the line's events; whichever ends first ends both.

    Raises:
        HardwireError: The line broke, or the person's part failed.
    """
    events = asyncio.create_task(session.run())
    person = asyncio.ensure_future(work())
    try:
        await asyncio.wait({events, person}, return_when=asyncio.FIRST_COMPLETED)
        if not events.done():
            await session.close()  # the person is done, well or not: say goodbye, and take in what that brings
            await events
    finally:
        for task in (events, person):
            task.cancel()
        ended, said = await asyncio.gather(events, person, return_exceptions=True)
    # A line that broke explains whatever went wrong for the person; otherwise their own failure counts.
    for outcome in (ended, said):
        if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
            raise outcome


def tell_skipped(face: Face, file: OutgoingFile) -> None:
    """Say what of a directory is not sent."""
    for what in file.skipped[:_SKIPPED_SHOWN]:
        face.emit(Notice(f"not sent: {what}"))
    if (more := len(file.skipped) - _SKIPPED_SHOWN) > 0:
        face.emit(Notice(f"and {more} more that are not sent; `hardwire send --follow` follows links"))


def require_directory(directory: Path, *, writable: bool = False) -> None:
    """Refuse a directory for received files that is not there, before anybody carries a code.

    Args:
        directory: Which.
        writable: Files are going to be put there.

    Raises:
        UsageError: It is not there, or nothing can be put there.
    """
    if not directory.is_dir():
        raise UsageError(f"{directory} is not a directory", hint="make it first, or choose another with --dir")
    if writable and not os.access(directory, os.W_OK | os.X_OK):
        raise UsageError(f"nothing can be written in {directory}", hint="choose another directory with --dir")


def _check_out_file(path: Path | None) -> None:
    """The same words as when it is written, before the PIN is spent and the code made."""
    if path is not None and path.exists():
        raise UsageError(f"{path} exists already", code="file-exists", hint="choose another name")
