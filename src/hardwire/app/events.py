# SPDX-License-Identifier: Apache-2.0
"""What happens on a line, as values that every face renders and ``--json`` prints.

Each event has a stable kebab-case name (its class's) and plain fields; :func:`to_json` is the one encoding.
Nothing here is secret: invites are shown to the person who carries them, and to nobody else.
"""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Event:
    """Root of the events."""


@dataclass(frozen=True, slots=True)
class InviteReady(Event):
    """A code for the peer to join with.

    Attributes:
        code: The code.
        expires: Unix seconds.
        listens: Of a one-way invite: where this machine must be reachable; nothing comes back.
    """

    code: str
    expires: int
    listens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InviteGone(Event):
    """A one-way invite leads nowhere any more, as this machine has other addresses now; another one follows.

    Attributes:
        listens: The addresses that were in it.
    """

    listens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnswerReady(Event):
    """The joiner's code, to be carried back."""

    code: str


@dataclass(frozen=True, slots=True)
class HelperUsed(Event):
    """A STUN or TURN server was asked, and so learned this side's address and the time.

    Attributes:
        server: Its URL.
        learns: In words, all that it learns.
        addresses: Those of this machine that it saw, by its own answer; none without an answer.
    """

    server: str
    learns: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opening(Event):
    """How far the opening has come: what this side does, or waits for, from now on.

    Attributes:
        stage: ``listening`` (for who dials), ``connecting`` (looking for a path), ``securing`` (there is one),
            ``signing`` (the own device), ``verifying`` (the own person or policy), ``waiting`` (the peer's device or
            person).
    """

    stage: str


@dataclass(frozen=True, slots=True)
class PeerSeen(Event):
    """The peer proved a key. Its identity is known, and not yet verified by a person or a pin.

    Attributes:
        did: ``did:key`` URI of the key.
        device_id: Hex of the 32-octet device id.
        assurance: Where the peer's key lives: what was proved, or else what it claims.
        safety_number: 60 digits over both long-term keys.
        pinned: The key is the one this side asked for.
        attested: It was proved to this side that the key is in hardware.
        attested_by: The name of the root that the proof led to; empty without one.
        facts: What was proved besides, in words.
        organisation: Who vouches for the peer and is believed here, so that nothing need be compared; or empty.
        names: What the organisation calls it.
        level: What the organisation says about the key's home, in words; empty when it says nothing.
        revocation: What is known about revocation so far, in words; empty without an organisation.
        revocation_age: Seconds since that was known; None when it is not known.
    """

    did: str
    device_id: str
    assurance: str
    safety_number: str
    pinned: bool
    attested: bool = False
    attested_by: str = ""
    facts: tuple[str, ...] = ()
    organisation: str = ""
    names: tuple[str, ...] = ()
    level: str = ""
    revocation: str = ""
    revocation_age: float | None = None


@dataclass(frozen=True, slots=True)
class RevocationJudged(Event):
    """Both sides have shown their lists of revoked certificates, and the peer is still good.

    Attributes:
        revocation: What is known, in words.
        age: Seconds since that was known; None when nothing fresh is known.
    """

    revocation: str
    age: float | None


@dataclass(frozen=True, slots=True)
class DeviceAsked(Event):
    """The own device is signing now.

    Attributes:
        device: In words.
        software: It is a program.
        touch: It waits for a touch; None when it does not tell whether it does.
    """

    device: str
    software: bool
    touch: bool | None = None


@dataclass(frozen=True, slots=True)
class LineOpen(Event):
    """Both sides proved themselves; the short authentication string is ready to compare.

    Attributes:
        sas: Three groups of four digits.
        words: The same value as seven words (each with its picture).
        sid: Hex session id, for logs.
        open_ms: From both codes known to an open data channel, in ms.
        handshake_ms: HBI/1 itself, signatures and decisions included, in ms.
        verified_by: The organisation that vouches for the peer; empty when people have to compare.
    """

    sas: str
    words: tuple[str, ...]
    sid: str
    open_ms: float
    handshake_ms: float
    verified_by: str = ""


@dataclass(frozen=True, slots=True)
class Verified(Event):
    """A person compared the strings: ``by`` is ``here`` or ``peer``."""

    by: str
    matched: bool


@dataclass(frozen=True, slots=True)
class Said(Event):
    """A chat line; ``by`` is ``peer``, or ``here`` when it was handed to the line.

    Attributes:
        by: Whose it is.
        id: Hex of its 16 octets.
        text: What was said.
        queued: There is no path to the peer at the time: it goes out when there is one.
    """

    by: str
    id: str
    text: str
    queued: bool = False


@dataclass(frozen=True, slots=True)
class Delivered(Event):
    """The peer's device has a chat line."""

    id: str


@dataclass(frozen=True, slots=True)
class FileOffer(Event):
    """The peer offers something; nothing is written before it is accepted.

    Attributes:
        id: Number of the transfer on this line.
        name: As the peer calls it.
        kind: ``file``, ``directory``, or ``stream`` (its size is known at its end).
        size: Octets of content; 0 for a stream.
        files: How many regular files.
        directories: How many directories, not counting itself.
        root: Hex of the 32 octets that bind all of it (docs/protocol.md §14.11); a stream's comes at its end.
    """

    id: int
    name: str
    kind: str
    size: int
    files: int
    directories: int
    root: str


@dataclass(frozen=True, slots=True)
class FileStarted(Event):
    """It moves now; ``done`` octets of its content were at the receiver already, from an earlier time."""

    id: int
    name: str
    direction: str
    done: int
    size: int


@dataclass(frozen=True, slots=True)
class FilePaused(Event):
    """``by`` (``here`` or ``peer``) holds a transfer (``on``), or lets it go on."""

    id: int
    name: str
    by: str
    on: bool


@dataclass(frozen=True, slots=True)
class FileMoved(Event):
    """A transfer goes on over a new line with the same peer, and has another number there."""

    id: int
    was: int
    name: str
    direction: str


@dataclass(frozen=True, slots=True)
class FileProgress(Event):
    """How far a transfer is. ``rate`` in octets a second, ``eta`` in seconds or None while unknown.

    ``size`` is 0 as long as nobody knows it.
    """

    id: int
    name: str
    direction: str
    done: int
    size: int
    rate: float
    eta: float | None


@dataclass(frozen=True, slots=True)
class WayChanged(Event):
    """Files take another way from now on: a ``direct`` connection beside the line that opened, or is gone."""

    way: str
    open: bool


@dataclass(frozen=True, slots=True)
class FileDone(Event):
    """All of it, its hashes checked by the receiver. ``path`` is where it lies there; None elsewhere, and in a pipe.

    ``direct``: octets of it that went over a direct connection; the others went over the line's own data channel. The
    receiver counts each once; the sender also those that it sent both ways, when a connection opened or broke.
    ``sha256``: hex, where somebody asked; empty for a directory, and what another process began to receive.
    """

    id: int
    name: str
    direction: str
    size: int
    root: str
    seconds: float
    path: Path | None
    direct: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class FileFailed(Event):
    """A transfer that ended without a file; nothing is left under its name.

    ``resumable``: what arrived is kept by the receiver, and the same offer by the same peer goes on from there.
    """

    id: int
    name: str
    direction: str
    code: str
    reason: str
    hint: str
    resumable: bool = False


@dataclass(frozen=True, slots=True)
class PeerFlood(Event):
    """So many events about offers that the peer took back, and about its pauses, were left out: they came too fast."""

    count: int


@dataclass(frozen=True, slots=True)
class EpochChanged(Event):
    """The line changed its keys (a fresh post-quantum exchange)."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something the person should know, in a sentence."""

    text: str


@dataclass(frozen=True, slots=True)
class LineClosed(Event):
    """The end. ``clean`` is false when the line broke: there may have been more."""

    clean: bool
    reason: str


def event_name(event: Event) -> str:
    """``FileOffer`` → ``file-offer``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(event).__name__).lower()


def to_json(event: Event) -> dict[str, object]:
    """The event as a flat JSON object, its name under ``event``."""
    fields: dict[str, object] = {"event": event_name(event)}
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if isinstance(value, Path):
            value = str(value)
        elif isinstance(value, float):
            value = round(value, 3)
        elif isinstance(value, tuple):
            value = list(value)
        fields[field.name] = value
    return fields
