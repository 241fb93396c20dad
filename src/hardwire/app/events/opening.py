# SPDX-License-Identifier: Apache-2.0
"""What is told while a line opens: codes, helpers, devices, and who the peer is."""

from dataclasses import dataclass

from hardwire.app.events.event import Event


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
        verified_by: The organisation that vouches for the peer; empty without one.
        pinned: The peer is the one that this side asked for. Otherwise, and without an organisation, people compare.
    """

    sas: str
    words: tuple[str, ...]
    sid: str
    open_ms: float
    handshake_ms: float
    verified_by: str = ""
    pinned: bool = False
