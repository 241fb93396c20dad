# SPDX-License-Identifier: Apache-2.0
"""The one-way invite: a code to which nothing comes back (docs/protocol.md §6).

Whoever makes it listens at the addresses in it, and must be reachable there; whoever holds it dials. What an answer
would tell is derived instead: both ICE credentials, and both DTLS key pairs with their certificates. So DTLS between
the two proves that the other end holds the invite, and nothing more; who it is, is proved inside the line as always.

The code is as short as it can be: no fingerprint, and the expiry in whole minutes. Pure functions: the clock comes in
as unix seconds, the secret as octets.
"""

import datetime as dt
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hardwire.errors import Misuse, WireError
from hardwire.net.candidate import Candidate, CandidateKind
from hardwire.net.invite import (
    ONE_WAY_HEAD,
    SECRET_SIZE,
    InviteSecrets,
    check_expiry,
    expand,
    ice_credentials,
    malformed,
    read_candidates,
    require_candidates,
    require_size,
    seal,
    unseal,
)
from hardwire.wire import Writer

EPOCH: Final = 1_735_689_600
"""2025-01-01 00:00:00 UTC in unix seconds: where the minutes of an expiry begin."""
MINUTE: Final = 60
EXPIRY_SIZE: Final = 3
_MINUTES_END: Final = 1 << 8 * EXPIRY_SIZE

LABEL_INV_SECRET: Final = b"HBI1 one-way secret"
_LABEL: Final = "HBI1 one-way {side} {what}"
_KEY_OCTETS: Final = 48
_SUBJECT_OCTETS: Final = 16
_SERIAL_OCTETS: Final = 20
# The order of P-256 (FIPS 186-5, A.2.1 wants a multiple of 1 to n - 1 from at least 64 bits more than n has).
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_BEFORE_EXPIRY: Final = dt.timedelta(days=2)
_AFTER_EXPIRY: Final = dt.timedelta(days=28)


@dataclass(frozen=True, slots=True)
class OneWay:
    """What a side hands out that can be reached.

    Args:
        secret: 16 fresh random octets; everything else follows from them.
        expiry: Unix seconds after which nobody may use the code; a whole minute.
        candidates: 1 to 16 distinct addresses at which this side listens, none of them a relay's.
    """

    secret: bytes = field(repr=False)
    expiry: int
    candidates: tuple[Candidate, ...]

    def __post_init__(self) -> None:
        require_size("secret", self.secret, SECRET_SIZE)
        require_candidates(self.candidates)
        if any(one.kind is CandidateKind.RELAY for one in self.candidates):
            raise Misuse("a relay lets nobody in whom it was not told of")
        minutes, rest = divmod(self.expiry - EPOCH, MINUTE)
        if rest or not 0 <= minutes < _MINUTES_END:
            raise Misuse(f"expiry {self.expiry} is no minute of a one-way invite")

    def encode(self) -> bytes:
        """The packed form, checksum included."""
        minutes = (self.expiry - EPOCH) // MINUTE
        body = Writer().u8(ONE_WAY_HEAD).raw(self.secret).raw(minutes.to_bytes(EXPIRY_SIZE))
        return seal(body, self.candidates)

    @classmethod
    def decode(cls, blob: bytes, *, loopback: bool = False) -> Self:
        """Read one; :meth:`check_time` is the caller's next step.

        Raises:
            InviteRefused: ``invite-checksum``, ``invite-version`` or ``invite-malformed``.
        """
        reader = unseal(blob, ONE_WAY_HEAD)
        try:
            secret, minutes = reader.take(SECRET_SIZE), int.from_bytes(reader.take(EXPIRY_SIZE))
            candidates = read_candidates(reader, loopback=loopback)
        except WireError as error:
            raise malformed(error) from error
        if any(one.kind is CandidateKind.RELAY for one in candidates):
            raise malformed(WireError("invite: nobody can be dialled at a relay's address"))
        return cls(secret, EPOCH + MINUTE * minutes, candidates)

    def check_time(self, now: float) -> None:
        """The code must be alive at ``now`` (unix seconds), and not live longer than any code may.

        Raises:
            InviteRefused: ``invite-expired``, with both times in the evidence.
        """
        check_expiry(self.expiry, now)


@dataclass(frozen=True, slots=True)
class OneWaySecrets:
    """Everything that follows from a one-way invite.

    Args:
        ice: Both ICE credentials, and ``inv_secret``.
        offer: DTLS key and certificate of the side that listens.
        answer: Those of the side that dials.
    """

    ice: InviteSecrets
    offer: "KeyAndCertificate"
    answer: "KeyAndCertificate"


@dataclass(frozen=True, slots=True)
class KeyAndCertificate:
    """What one side shows in DTLS."""

    key: ec.EllipticCurvePrivateKey = field(repr=False)
    certificate: x509.Certificate


def expiry_after(now: float, life: int) -> int:
    """The last whole minute within ``life`` seconds from ``now``, and at least the next one."""
    minutes = max((int(now) + life - EPOCH) // MINUTE, (int(now) - EPOCH) // MINUTE + 1)
    return EPOCH + MINUTE * minutes


def derive(secret: bytes, expiry: int) -> OneWaySecrets:
    """The same values at both ends; HKDF-SHA-256, no salt, one label for each value (RFC 5869).

    Args:
        secret: Of the invite, 16 octets.
        expiry: Of the invite, unix seconds.
    """
    require_size("secret", secret, SECRET_SIZE)
    offer, answer = (
        ice_credentials(secret, _label(side, "ufrag"), _label(side, "password")) for side in ("offer", "answer")
    )
    return OneWaySecrets(
        ice=InviteSecrets(offer=offer, answer=answer, inv_secret=expand(secret, LABEL_INV_SECRET, 32)),
        offer=_certified(secret, expiry, "offer"),
        answer=_certified(secret, expiry, "answer"),
    )


def _label(side: str, what: str) -> bytes:
    return _LABEL.format(side=side, what=what).encode()


def _certified(secret: bytes, expiry: int, side: str) -> KeyAndCertificate:
    """One value for each bit of it: RFC 6979 takes the chance out of the signature.

    Subject, serial number and dates look like those of any throw-away certificate, which goes over the wire in clear.
    """
    drawn = int.from_bytes(expand(secret, _label(side, "key"), _KEY_OCTETS))
    key = ec.derive_private_key(drawn % (_P256_ORDER - 1) + 1, ec.SECP256R1())
    subject = expand(secret, _label(side, "subject"), _SUBJECT_OCTETS).hex()
    serial = int.from_bytes(expand(secret, _label(side, "serial"), _SERIAL_OCTETS)) >> 1
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    end = dt.datetime.fromtimestamp(expiry, dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(end - _BEFORE_EXPIRY)
        .not_valid_after(end + _AFTER_EXPIRY)
    )
    return KeyAndCertificate(key, builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True))
