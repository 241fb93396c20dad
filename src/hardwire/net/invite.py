# SPDX-License-Identifier: Apache-2.0
"""The two codes that open a line: an offer, and the answer to it (docs/protocol.md §6).

Both are packed octets; :mod:`hardwire.net.carriers` turns them into text and QR. Everything that two ICE agents
usually tell each other besides addresses (user fragments, passwords) is derived from the offer's 16-octet secret,
so neither code repeats it, and neither names a person, a certificate or a key.

The checksum is read first and stands in the same place in every version: a slip of the finger is reported as one,
whatever octet it hit. Pure functions: the clock comes in as unix seconds, the secret as octets.
"""

import base64
import datetime as dt
import hashlib
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hardwire.errors import InviteRefused, Misuse, WireError
from hardwire.net.candidate import MAX_CANDIDATES, Candidate
from hardwire.wire import U32_MAX, Reader, Writer

SECRET_SIZE: Final = 16
FINGERPRINT_SIZE: Final = 32
OFFER_REF_SIZE: Final = 8
CHECKSUM_SIZE: Final = 2
DEFAULT_LIFE: Final = 600
MAX_LIFE: Final = 86_400

OFFER_HEAD: Final = 0x10
ANSWER_HEAD: Final = 0x11
ONE_WAY_HEAD: Final = 0x12
_NAMES: Final = {OFFER_HEAD: "an invite", ANSWER_HEAD: "an answer", ONE_WAY_HEAD: "a one-way invite"}

LABEL_CHECKSUM: Final = b"HBI1 invite checksum"
LABEL_INV_SECRET: Final = b"HBI1 invite secret"
LABEL_OFFER_UFRAG: Final = b"HBI1 invite offer ufrag"
LABEL_OFFER_PASSWORD: Final = b"HBI1 invite offer password"
LABEL_ANSWER_UFRAG: Final = b"HBI1 invite answer ufrag"
LABEL_ANSWER_PASSWORD: Final = b"HBI1 invite answer password"
_UFRAG_OCTETS: Final = 6
_PASSWORD_OCTETS: Final = 18

# version, secret, expiry, fingerprint, all candidates as IPv6, checksum.
MAX_BLOB: Final = 1 + SECRET_SIZE + 4 + FINGERPRINT_SIZE + MAX_CANDIDATES * 19 + CHECKSUM_SIZE
_MIN_BLOB: Final = 1 + CHECKSUM_SIZE


@dataclass(frozen=True, slots=True)
class Offer:
    """What the side that publishes an invitation hands out.

    Args:
        secret: 16 fresh random octets; the seed of both ICE credentials and of ``inv_secret``.
        expiry: Unix seconds after which nobody may use the code.
        fingerprint: SHA-256 of the offerer's DTLS certificate, 32 octets.
        candidates: 1 to 16 distinct addresses, the preferred one first.
    """

    secret: bytes = field(repr=False)
    expiry: int
    fingerprint: bytes
    candidates: tuple[Candidate, ...]

    def __post_init__(self) -> None:
        require_size("secret", self.secret, SECRET_SIZE)
        require_size("fingerprint", self.fingerprint, FINGERPRINT_SIZE)
        require_candidates(self.candidates)
        if not 0 <= self.expiry <= U32_MAX:
            raise Misuse(f"expiry {self.expiry} does not fit 32 bits")

    def encode(self) -> bytes:
        """The packed form, checksum included."""
        body = Writer().u8(OFFER_HEAD).raw(self.secret).u32(self.expiry).raw(self.fingerprint)
        return seal(body, self.candidates)

    @classmethod
    def decode(cls, blob: bytes, *, loopback: bool = False) -> Self:
        """Read an offer; :meth:`check_time` is the caller's next step.

        Args:
            blob: The packed form, at most :data:`MAX_BLOB` octets.
            loopback: Whether addresses inside one machine may stand in it.

        Raises:
            InviteRefused: ``invite-checksum``, ``invite-version`` or ``invite-malformed``.
        """
        reader = unseal(blob, OFFER_HEAD)
        try:
            secret, expiry, fingerprint = reader.take(SECRET_SIZE), reader.u32(), reader.take(FINGERPRINT_SIZE)
            return cls(secret, expiry, fingerprint, read_candidates(reader, loopback=loopback))
        except WireError as error:
            raise malformed(error) from error

    def check_time(self, now: float) -> None:
        """The code must be alive at ``now`` (unix seconds), and not live longer than any code may.

        Raises:
            InviteRefused: ``invite-expired``, with both times in the evidence.
        """
        check_expiry(self.expiry, now)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the accepting side sends back.

    Args:
        offer_ref: The first 8 octets of SHA-256 over the offer as it travelled.
        fingerprint: SHA-256 of the answerer's DTLS certificate, 32 octets.
        candidates: 1 to 16 distinct addresses, the preferred one first.
    """

    offer_ref: bytes
    fingerprint: bytes
    candidates: tuple[Candidate, ...]

    def __post_init__(self) -> None:
        require_size("offer reference", self.offer_ref, OFFER_REF_SIZE)
        require_size("fingerprint", self.fingerprint, FINGERPRINT_SIZE)
        require_candidates(self.candidates)

    def encode(self) -> bytes:
        """The packed form, checksum included."""
        return seal(Writer().u8(ANSWER_HEAD).raw(self.offer_ref).raw(self.fingerprint), self.candidates)

    @classmethod
    def decode(cls, blob: bytes, *, offer: bytes, loopback: bool = False) -> Self:
        """Read an answer and require that it belongs to ``offer`` (our own packed offer).

        Raises:
            InviteRefused: ``invite-checksum``, ``invite-version``, ``invite-malformed`` or ``invite-other-offer``.
        """
        reader = unseal(blob, ANSWER_HEAD)
        try:
            reference, fingerprint = reader.take(OFFER_REF_SIZE), reader.take(FINGERPRINT_SIZE)
            answer = cls(reference, fingerprint, read_candidates(reader, loopback=loopback))
        except WireError as error:
            raise malformed(error) from error
        if answer.offer_ref != offer_ref(offer):
            raise InviteRefused(
                "this answer belongs to another code than the one shown here",
                code="invite-other-offer",
                hint="paste the answer your peer got from this code, or make a new code and send that one",
            )
        return answer


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """A user fragment of 8 and a password of 24 ice-chars (RFC 8839 §5.4)."""

    ufrag: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InviteSecrets:
    """Everything that follows from an offer's secret.

    Args:
        offer: ICE credentials of the offerer.
        answer: ICE credentials of the answerer.
        inv_secret: 32 octets for the key schedule (docs/protocol.md §9).
    """

    offer: IceCredentials
    answer: IceCredentials
    inv_secret: bytes = field(repr=False)


def check_expiry(expiry: int, now: float) -> None:
    """A code that expires at ``expiry`` must be alive at ``now``, both unix seconds, and not live longer than any may.

    Raises:
        InviteRefused: ``invite-expired``, with both times in the evidence.
    """
    evidence = {"expiry": _utc(expiry), "clock": _utc(now)}
    if now >= expiry:
        raise InviteRefused(
            f"this code expired {_span(now - expiry)} ago by this machine's clock ({_utc(now)})",
            code="invite-expired",
            hint="ask for a new code; if it is new, one of the two clocks is wrong",
            evidence=evidence,
        )
    if expiry - now > MAX_LIFE:
        raise InviteRefused(
            f"this code would live {_span(expiry - now)} more by this machine's clock ({_utc(now)}), "
            f"and none lives longer than {_span(MAX_LIFE)}",
            code="invite-expired",
            hint="one of the two clocks is wrong: compare them, then ask for a new code",
            evidence=evidence,
        )


def offer_ref(offer: bytes) -> bytes:
    """The 8 octets by which an answer names its offer."""
    return hashlib.sha256(offer).digest()[:OFFER_REF_SIZE]


def derive_secrets(secret: bytes) -> InviteSecrets:
    """HKDF-SHA-256 over the offer's 16-octet secret, no salt, one label for each value (RFC 5869)."""
    require_size("secret", secret, SECRET_SIZE)
    return InviteSecrets(
        offer=ice_credentials(secret, LABEL_OFFER_UFRAG, LABEL_OFFER_PASSWORD),
        answer=ice_credentials(secret, LABEL_ANSWER_UFRAG, LABEL_ANSWER_PASSWORD),
        inv_secret=expand(secret, LABEL_INV_SECRET, 32),
    )


def is_one_way(blob: bytes) -> bool:
    """Whether a code calls itself a one-way invite; :mod:`hardwire.net.oneway` says whether it is one."""
    return blob[:1] == bytes((ONE_WAY_HEAD,))


def is_answer(blob: bytes) -> bool:
    """Whether a code calls itself an answer."""
    return blob[:1] == bytes((ANSWER_HEAD,))


def ice_credentials(secret: bytes, ufrag: bytes, password: bytes) -> IceCredentials:
    """User fragment and password of one side, under these two labels."""
    # The base64 alphabet is exactly ice-char, and both sizes are multiples of three: no padding.
    return IceCredentials(
        base64.b64encode(expand(secret, ufrag, _UFRAG_OCTETS)).decode(),
        base64.b64encode(expand(secret, password, _PASSWORD_OCTETS)).decode(),
    )


def expand(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-SHA-256 over a secret, without salt (RFC 5869): ``size`` octets under ``label``."""
    return HKDF(hashes.SHA256(), size, None, label).derive(secret)


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(LABEL_CHECKSUM + body).digest()[:CHECKSUM_SIZE]


def seal(body: Writer, candidates: tuple[Candidate, ...]) -> bytes:
    """The code: what is written so far, the candidates, and the checksum over both."""
    for candidate in candidates:
        body.raw(candidate.encode())
    octets = body.getvalue()
    return octets + _checksum(octets)


def unseal(blob: bytes, head: int) -> Reader:
    """Checksum, then version, then kind; the reader that comes back stands behind the head octet."""
    if not _MIN_BLOB <= len(blob) <= MAX_BLOB:
        raise InviteRefused(
            f"a code of {len(blob)} octets is too short or too long to be one",
            code="invite-malformed",
            hint="copy the whole code, and nothing else",
        )
    body = blob[:-CHECKSUM_SIZE]
    if _checksum(body) != blob[-CHECKSUM_SIZE:]:
        raise InviteRefused(
            "this code has a typing error, or part of it is missing",
            code="invite-checksum",
            hint="copy it again, whole; nothing was sent",
        )
    if body[0] not in _NAMES:
        raise InviteRefused(
            f"this code is of a kind that this version does not know (0x{body[0]:02x})",
            code="invite-version",
            hint="one of the two sides needs a newer hardwire",
        )
    if body[0] != head:
        raise InviteRefused(
            f"this is {_NAMES[body[0]]}, and {_NAMES[head]} is wanted here",
            code="invite-malformed",
            hint="the invite goes to your peer, the answer comes back to whoever made the invite",
        )
    reader = Reader(body, "invite")
    reader.expect(head)
    return reader


def read_candidates(reader: Reader, *, loopback: bool) -> tuple[Candidate, ...]:
    """What is left of a code: 1 to 16 distinct candidates; a WireError otherwise."""
    candidates: list[Candidate] = []
    while reader.remaining:
        candidate = Candidate.read(reader, loopback=loopback)
        if candidate in candidates:
            raise WireError(f"invite: {candidate.address} port {candidate.port} stands in it twice")
        if len(candidates) == MAX_CANDIDATES:
            raise WireError(f"invite: more than {MAX_CANDIDATES} addresses")
        candidates.append(candidate)
    if not candidates:
        raise WireError("invite: no address in it")
    return tuple(candidates)


def malformed(error: WireError) -> InviteRefused:
    """A code that is none, whatever its checksum says."""
    return InviteRefused(
        f"this code is whole but not well made: {error.message.removeprefix('invite: ')}",
        code="invite-malformed",
        hint="ask for a new code; if it happens again, the other side runs something else than hardwire",
    )


def require_size(what: str, value: bytes, size: int) -> None:
    """Misuse unless ``value`` has ``size`` octets."""
    if len(value) != size:
        raise Misuse(f"{what} of {len(value)} octets, {size} wanted")


def require_candidates(candidates: tuple[Candidate, ...]) -> None:
    """Misuse unless there are 1 to 16 distinct ones."""
    if not 1 <= len(candidates) <= MAX_CANDIDATES or len(set(candidates)) != len(candidates):
        raise Misuse(f"{len(candidates)} candidates: 1 to {MAX_CANDIDATES} distinct ones wanted")


def _utc(seconds: float) -> str:
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(seconds: float) -> str:
    """A duration as a person says it: the two largest units at most."""
    whole = int(seconds)
    if whole < 60:  # noqa: PLR2004  (a minute)
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if hours < 1:
        return f"{minutes} min"
    if days < 2:  # noqa: PLR2004  (hours read better than "1 d")
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d"
