# SPDX-License-Identifier: Apache-2.0
"""Session descriptions of one data channel, as browsers hand them out (docs/adr/0022-sdp-bridge.md).

::

    offered = parse(text, Side.OFFER)      a frozen value, or one WireError before anything was opened
    answer = write(SessionDescription(…))  the text for the other side

A reader of one kind of description, and a strict one: the grammar and the order of lines of RFC 8866, one media section
(RFC 8841), ICE (RFC 8839), DTLS roles and fingerprints (RFC 8842, RFC 8122), a bundle of one (RFC 9143). What a
description may say but this side has no use for is left alone, as the RFCs ask; what contradicts itself, or asks for
more than one data-channel transport, is refused.

Candidates that cannot be used are no error: they are left out, and :attr:`SessionDescription.skipped` says why.
Browsers hide their addresses behind ``.local`` names (multicast DNS). Those are left out as well: to ask the network
for a name tells everybody on it who is being called, and there is no need, since the browser's own checks show where
it is.

Pure: text in, values out.
"""

import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from hardwire.errors import WireError
from hardwire.net.candidate import Candidate, CandidateKind, select
from hardwire.net.invite import IceCredentials

MAX_TEXT: Final = 16_384
MAX_LINES: Final = 256
MAX_LINE: Final = 1024
DEFAULT_MESSAGE: Final = 65_536
"""Octets of a message that a side takes which does not say (RFC 8841 §6.1)."""
FINGERPRINT_SIZE: Final = 32

# The types of lines of a description in their order (RFC 8866 §9).
_ORDER: Final = re.compile(r"vosi?u?e*p*c?b*(?:tr*z?)+k?a*(?:mi?c*b*k?a*)*")
_ATTRIBUTE: Final = re.compile(r"a=([!#$%&'*+\-.^_`{|}~0-9A-Za-z]+)(?::(.+))?")
_MEDIA: Final = re.compile(r"m=application ([0-9]{1,5}) (?:UDP|TCP)/DTLS/SCTP webrtc-datachannel")
_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`{|}~0-9A-Za-z]{1,64}")
_NUMBER: Final = re.compile(r"[0-9]{1,19}")
_FINGERPRINT: Final = re.compile(rf"[0-9A-Fa-f]{{2}}(?::[0-9A-Fa-f]{{2}}){{{FINGERPRINT_SIZE - 1}}}")
_CANDIDATE: Final = re.compile(
    r"candidate:[A-Za-z0-9+/]{1,32} (?P<component>[0-9]{1,3}) (?P<transport>[!-~]{1,16}) (?P<priority>[0-9]{1,10})"
    r" (?P<address>[!-~]{1,255}) (?P<port>[0-9]{1,5}) typ (?P<type>[!-~]{1,32})(?: [!-~]+ [!-~]+)*"
)
_KINDS: Final = {kind.name.lower(): kind for kind in CandidateKind}
_TYPE_PREFERENCE: Final = {CandidateKind.HOST: 126, CandidateKind.SRFLX: 100, CandidateKind.RELAY: 0}
_NOWHERE: Final = {4: str(ipaddress.IPv4Address(0)), 6: str(ipaddress.IPv6Address(0))}
_PORT_MAX: Final = 65_535
_PRIORITY_MAX: Final = 2**31 - 1


class Side(StrEnum):
    """Which half of the exchange a description is; the text itself does not say."""

    OFFER = "offer"
    ANSWER = "answer"


class Setup(StrEnum):
    """Who begins DTLS (RFC 8842 §5, RFC 4145)."""

    ACTPASS = "actpass"
    ACTIVE = "active"
    PASSIVE = "passive"


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """One side of a data-channel transport.

    Args:
        side: Offer or answer.
        mid: Name of the media section; both sides use the offerer's.
        credentials: ICE user fragment and password of the side that wrote it.
        fingerprint: SHA-256 of its DTLS certificate, 32 octets.
        setup: Its DTLS role; open in an offer only.
        candidates: At most 16 addresses, best first.
        sctp_port: Its SCTP port, 1 to 65 535.
        most: Octets of a message that it takes; 0: of any size.
        bundled: There is a BUNDLE group, of this one section.
        complete: No candidates follow.
        skipped: Candidates that were left out, one reason each.
    """

    side: Side
    mid: str
    credentials: IceCredentials
    fingerprint: bytes
    setup: Setup
    candidates: tuple[Candidate, ...]
    sctp_port: int = 5000
    most: int = DEFAULT_MESSAGE
    bundled: bool = True
    complete: bool = True
    skipped: tuple[str, ...] = field(default=())


def parse(text: str, side: Side, *, loopback: bool = False) -> SessionDescription:
    """Read a description.

    Args:
        text: At most 16 384 characters, each line ended.
        side: What it is said to be.
        loopback: Whether addresses inside one machine may stand in it.

    Raises:
        WireError: ``sdp-malformed``: no description, or one that contradicts itself; ``sdp-unsupported``: one of
            something else than a single data-channel transport.
    """
    lines = _split(text)
    media = [number for number, line in enumerate(lines) if line.startswith("m=")]
    _check_media([lines[number] for number in media])
    fields = _Fields(_attributes(lines[: media[0]]), _attributes(lines[media[0] :]))
    if fields.has("ice-lite"):
        raise _unsupported("an ICE lite agent")
    found = [read_candidate(f"candidate:{value}", loopback=loopback) for value in fields.every("candidate")]
    usable = sorted((one for one in found if isinstance(one, RankedCandidate)), key=lambda one: -one.priority)
    mid, bundled = _mid(fields)
    return SessionDescription(
        side=side,
        mid=mid,
        credentials=IceCredentials(fields.one("ice-ufrag", _UFRAG), fields.one("ice-pwd", _PASSWORD)),
        fingerprint=_fingerprint(fields),
        setup=_setup(fields, side),
        candidates=select(one.candidate for one in usable),
        sctp_port=fields.number("sctp-port", 1, _PORT_MAX),
        most=fields.number("max-message-size", 0, 2**63, absent=DEFAULT_MESSAGE),
        bundled=bundled,
        complete=fields.has("end-of-candidates"),
        skipped=tuple(one for one in found if isinstance(one, str)),
    )


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A usable candidate and the priority that its side gives it (RFC 8445 §5.1.2)."""

    candidate: Candidate
    priority: int


def read_candidate(text: str, *, loopback: bool = False) -> RankedCandidate | str:
    """Read the value of ``candidate`` as a browser hands it out (RFC 8839 §5.1); for one that is left out, why.

    Raises:
        WireError: ``sdp-malformed``.
    """
    match = _CANDIDATE.fullmatch(text) if len(text) <= MAX_LINE else None
    if match is None:
        raise _malformed("a candidate that is none")
    port, priority = int(match["port"]), int(match["priority"])
    if port > _PORT_MAX or not 1 <= priority <= _PRIORITY_MAX:
        raise _malformed(f"a candidate with port {port} and priority {priority}")
    kind, name = _KINDS.get(match["type"]), match["address"]
    if match["component"] != "1" or match["transport"].lower() != "udp" or kind is None:
        return f"{name}: {match['type']} of component {match['component']} over {match['transport']} is not used here"
    if name.lower().endswith(".local"):
        return f"{name}: a hidden address, which is found by the checks of the one who hides it"
    if "%" in name:
        return f"{name}: an address on one interface only"
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return f"{name}: a name, and names are not looked up"
    candidate = Candidate(kind, address, port)
    refusal = candidate.refusal(loopback=loopback)
    return RankedCandidate(candidate, priority) if refusal is None else refusal


def write(description: SessionDescription, session: int) -> str:
    """The text of a description; related addresses of helpers are not told (RFC 8828 §5.2).

    Args:
        description: What to write.
        session: A random number below 2⁶³ for the origin line (RFC 8829 §5.2.1).
    """
    own = description
    first = next(iter(own.candidates), None)
    port, host = (9, "IP4 0.0.0.0") if first is None else (first.port, f"IP{first.address.version} {first.address}")
    lines = [
        "v=0",
        f"o=- {session} 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        *([f"a=group:BUNDLE {own.mid}"] if own.bundled else []),
        f"m=application {port} UDP/DTLS/SCTP webrtc-datachannel",
        f"c=IN {host}",
        *(f"a={_candidate_text(one, place)}" for place, one in enumerate(own.candidates)),
        *(["a=end-of-candidates"] if own.complete else []),
        f"a=ice-ufrag:{own.credentials.ufrag}",
        f"a=ice-pwd:{own.credentials.password}",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {own.fingerprint.hex(':').upper()}",
        f"a=setup:{own.setup}",
        f"a=mid:{own.mid}",
        f"a=sctp-port:{own.sctp_port}",
        f"a=max-message-size:{own.most}",
    ]
    return "".join(f"{line}\r\n" for line in lines)


def _candidate_text(one: Candidate, place: int) -> str:
    name = one.kind.name.lower()
    priority = _TYPE_PREFERENCE[one.kind] << 24 | _PORT_MAX - place << 8 | 255
    related = "" if one.kind is CandidateKind.HOST else f" raddr {_NOWHERE[one.address.version]} rport 9"
    return f"candidate:{name}{one.address.version} 1 udp {priority} {one.address} {one.port} typ {name}{related}"


class _Fields:
    """Attributes of the session and of its one media section; those of the section count more."""

    def __init__(self, session: dict[str, list[str]], media: dict[str, list[str]]) -> None:
        self._levels = (media, session)

    def has(self, name: str) -> bool:
        return any(name in level for level in self._levels)

    def every(self, name: str) -> list[str]:
        return next((level[name] for level in self._levels if name in level), [])

    def one(self, name: str, form: re.Pattern[str], *, absent: str | None = None) -> str:
        values = self.every(name)
        if not values and absent is not None:
            return absent
        if len(values) != 1:
            raise _malformed(f"{'no' if not values else 'more than one'} a={name}")
        if form.fullmatch(values[0]) is None:
            raise _malformed(f"an a={name} that is none")
        return values[0]

    def number(self, name: str, least: int, most: int, *, absent: int | None = None) -> int:
        value = int(self.one(name, _NUMBER, absent=None if absent is None else str(absent)))
        if not least <= value <= most:
            raise _malformed(f"a={name} of {value}")
        return value


def _split(text: str) -> list[str]:
    """The lines, of known types, in their order, printable."""
    if len(text) > MAX_TEXT or text.count("\n") > MAX_LINES:
        raise _malformed(f"{len(text)} characters in {text.count(chr(10))} lines")
    if not text.endswith("\n"):
        raise _malformed("a last line without its end: the text is cut off")
    lines = [line.removesuffix("\r") for line in text[:-1].split("\n")]
    for number, line in enumerate(lines, 1):
        # Only the name of a session is text for people (RFC 8866 §5.3, §5.4).
        is_fit = line.isprintable() and (line.isascii() or line[:2] in {"s=", "i="})
        if not is_fit or len(line) > MAX_LINE or line[1:2] != "=" or len(line) < 3:  # noqa: PLR2004  (a type, =, a value)
            raise _malformed(f"line {number}")
    if _ORDER.fullmatch("".join(line[0] for line in lines)) is None:
        raise _malformed("lines of unknown types, or not in their order")
    if lines[0] != "v=0":
        raise _malformed("another version of SDP")
    return lines


def _check_media(sections: list[str]) -> None:
    if len(sections) != 1:
        raise _unsupported(f"{len(sections)} media sections")
    match = _MEDIA.fullmatch(sections[0])
    if match is None:
        raise _unsupported("something else than a data channel in the form of RFC 8841")
    if int(match[1]) > _PORT_MAX:
        raise _malformed(f"port {match[1]}")
    if int(match[1]) == 0:
        raise _unsupported("a data channel that was declined")


def _attributes(lines: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("a="):
            match = _ATTRIBUTE.fullmatch(line)
            if match is None:
                raise _malformed("an attribute that is none")
            found.setdefault(match[1], []).append(match[2] or "")
    return found


def _mid(fields: _Fields) -> tuple[str, bool]:
    mid = fields.one("mid", _TOKEN)
    bundles = [group.split()[1:] for group in fields.every("group") if group.split()[:1] == ["BUNDLE"]]
    if bundles not in ([], [[mid]]):
        raise _malformed("a BUNDLE of other sections than the one that is there")
    return mid, bool(bundles)


def _setup(fields: _Fields, side: Side) -> Setup:
    setup = Setup(fields.one("setup", re.compile("|".join(Setup))))
    if side is Side.ANSWER and setup is Setup.ACTPASS:
        raise _malformed("an answer that leaves the DTLS role open")
    return setup


def _fingerprint(fields: _Fields) -> bytes:
    """That of SHA-256; a certificate may be named by other hashes as well (RFC 8122 §5), and only by one of these."""
    named = [value.partition(" ") for value in fields.every("fingerprint")]
    values = {value.lower() for algorithm, _, value in named if algorithm.lower() == "sha-256"}
    if len(values) != 1:
        raise _malformed(f"{len(values) or 'no'} fingerprints by SHA-256, where one certificate has one")
    value = values.pop()
    if _FINGERPRINT.fullmatch(value) is None:
        raise _malformed("a fingerprint that is none")
    return bytes.fromhex(value.replace(":", ""))


def _malformed(what: str) -> WireError:
    return WireError(
        f"the session description cannot be used: {what}",
        code="sdp-malformed",
        hint="hand over the whole text, as the other side wrote it",
    )


def _unsupported(what: str) -> WireError:
    return WireError(
        f"the session description is of another kind: {what}",
        code="sdp-unsupported",
        hint="only one data-channel transport can be opened here, without audio and video",
    )
