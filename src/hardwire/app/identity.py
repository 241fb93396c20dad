# SPDX-License-Identifier: Apache-2.0
"""The identity on this machine: which key, and the certificate that the key signed for itself.

``identity.toml`` in :func:`~hardwire.app.paths.config_dir` holds the key's URI (never a PIN), what the device is, the
certificate, and what the device can prove of the key. All of it is public; the private key is in the device. One file,
replaced as a whole.
"""

import base64
import binascii
import json
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app.entropy import SystemEntropy, utc_now
from hardwire.app.paths import config_dir, write_private
from hardwire.certs import (
    Assurance,
    Evidence,
    GatedCertificate,
    VerifiedIdentity,
    encode_claim,
    make_self_signed,
    open_gate,
    read_attestations,
    verify_self_signed,
)
from hardwire.errors import LocalError, NoIdentity, PeerError, UsageError
from hardwire.handshake import Credential

_SCHEMA: Final = 1
_FILE: Final = "identity.toml"
_LIFETIME: Final = timedelta(days=5 * 365)
# A certificate is backdated by a day, so that a peer whose clock is a little behind accepts a new identity. Nothing
# is at stake: the key did not exist before, and a self-signed date proves nothing.
_BACKDATE: Final = timedelta(days=1)
_SERIAL_OCTETS: Final = 16
_EXIT_EXPIRED: Final = 50
_TIME_CODES: Final = frozenset({"cert-expired", "cert-not-yet-valid"})


@dataclass(frozen=True, slots=True)
class Identity:
    """What :func:`load_identity` gives.

    Attributes:
        key_uri: ``pkcs11:…`` or ``tpm:…``; opens the key.
        device: The device in words, as it was when the identity was made.
        assurance: What this side truthfully claims about the key's home.
        certificate: DER.
        own: The verified certificate.
        evidence: What the device proves of the key to those who trust its maker or authority; None when it cannot.
    """

    key_uri: str
    device: str
    assurance: Assurance
    certificate: bytes
    own: VerifiedIdentity
    evidence: Evidence | None = None

    @property
    def credential(self) -> Credential:
        """What the handshake shows to an accepted peer."""
        proof = () if self.evidence is None else (self.evidence.encode(),)
        return Credential((self.certificate,), (encode_claim(self.assurance), *proof))

    def record(self) -> dict[str, object]:
        """The identity as an event for programs."""
        return {
            "event": "identity",
            "did": self.own.did,
            "device_id": self.own.device_id.hex(),
            "device": self.device,
            "assurance": self.assurance.value,
            "evidence": None if self.evidence is None else self.evidence.kind.name.lower(),
            "key": self.key_uri,
            "not_after": self.own.not_after.isoformat(),
        }


def identity_path(home: Path | None = None) -> Path:
    """Where the identity is, or would be."""
    return (home or config_dir()) / _FILE


def load_identity(home: Path | None = None) -> Identity:
    """Read the identity of this machine.

    Raises:
        NoIdentity: There is none, or the file is damaged (the message says what).
        LocalError: Its own certificate does not pass the checks any more (expired, clock wrong).
    """
    kept = _read(identity_path(home))
    try:
        own = verify_self_signed(kept.gated, at=utc_now())
    except PeerError as problem:
        # Our own certificate, judged as strictly as a peer's; the blame and the cure are local.
        raise LocalError(
            f"the identity's own certificate is refused: {problem.message}",
            code=problem.code,
            exit_code=_EXIT_EXPIRED if problem.code in _TIME_CODES else NoIdentity.default_exit_code,
            hint="check this machine's clock; `hardwire init --renew` makes a new certificate for the same key",
            evidence=problem.evidence,
        ) from None
    return Identity(kept.key_uri, kept.device, kept.assurance, kept.gated.der, own, kept.evidence)


def make_identity(
    key: ec.EllipticCurvePrivateKey,
    *,
    key_uri: str,
    device: str,
    assurance: Assurance,
    evidence: Evidence | None = None,
    home: Path | None = None,
    renewal: bool = False,
) -> Identity:
    """Let the key sign its own certificate, check the result as a peer would, and keep it.

    Args:
        key: The key in the device; signs once.
        key_uri: What opens it again; holds no PIN.
        device: Words for people.
        assurance: The claim shown to peers.
        evidence: The proof shown to peers.
        home: Directory, when not the default one.
        renewal: Replace the certificate of the same key: the identity that peers know stays the same. Otherwise an
            identity that is there already stays.

    Raises:
        UsageError: There is an identity already.
        LocalError: The file cannot be written; what was there before still is.
    """
    now = utc_now().replace(microsecond=0)
    # RFC 5280 §4.1.2.2: positive, at most 20 octets; the top bit clear keeps it positive, the next one set full length.
    raw = bytearray(SystemEntropy().octets(_SERIAL_OCTETS))
    raw[0] = raw[0] & 0x7F | 0x40
    certificate = make_self_signed(
        key, not_before=now - _BACKDATE, not_after=now + _LIFETIME, serial=int.from_bytes(raw)
    )
    own = verify_self_signed(open_gate(certificate), at=now)
    made = Identity(key_uri, device, assurance, certificate, own, evidence)
    path = identity_path(home)
    try:
        write_private(path, _render(made).encode(), replace=renewal)
    except OSError as problem:
        if isinstance(problem, FileExistsError) and path.exists():
            raise identity_exists(path) from None
        reason = (problem.strerror or str(problem)).lower()
        hint = "make room there, or let HARDWIRE_HOME name a directory of yours; then run the command again"
        raise LocalError(f"{path} cannot be written: {reason}", code="disk", hint=hint) from None
    return made


def identity_exists(path: Path) -> UsageError:
    """What to say when a second identity is asked for."""
    return UsageError(
        f"there is an identity in {path} already",
        hint="`hardwire id` shows it and `hardwire init --renew` renews its certificate; "
        "to start over, move the file away yourself",
    )


def read_key_uri(home: Path | None = None) -> tuple[str, str, Assurance, bytes]:
    """(key URI, device, assurance, SubjectPublicKeyInfo) of an identity whose certificate may be past its time.

    Raises:
        NoIdentity: As for :func:`load_identity`.
    """
    kept = _read(identity_path(home))
    return kept.key_uri, kept.device, kept.assurance, kept.gated.spki


def _render(made: Identity) -> str:
    fields = {
        "key": made.key_uri,
        "device": made.device,
        "assurance": made.assurance.name.lower(),
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "certificate": base64.b64encode(made.certificate).decode(),
    }
    if made.evidence is not None:
        fields["evidence"] = base64.b64encode(made.evidence.encode()).decode()
    # A JSON string is a TOML basic string as long as no surrogates are in it, and ensure_ascii sees to that.
    body = "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
    return f"# hardwire identity: public data only, the private key is in the device\nschema = {_SCHEMA}\n{body}"


@dataclass(frozen=True, slots=True)
class _Kept:
    """The file, read."""

    key_uri: str
    device: str
    assurance: Assurance
    gated: GatedCertificate
    evidence: Evidence | None


def _read(path: Path) -> _Kept:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NoIdentity("there is no identity on this machine yet") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise NoIdentity(f"{path} cannot be read: {problem}") from None
    return _parse(path, text)


def _check_schema(path: Path, schema: object) -> None:
    if schema != _SCHEMA:
        raise NoIdentity(
            f"{path} was written by another version of hardwire (schema {schema})",
            hint="use that version, or move the file away and run `hardwire init`",
        )


def _parse(path: Path, text: str) -> _Kept:
    try:
        fields = tomllib.loads(text)
        _check_schema(path, fields["schema"])
        gated = open_gate(base64.b64decode(fields["certificate"], validate=True))
        assurance = Assurance[str(fields["assurance"]).upper()]
        proof = fields.get("evidence")
        blobs = () if proof is None else (base64.b64decode(proof, validate=True),)
        evidence = read_attestations(blobs).evidence
        return _Kept(str(fields["key"]), str(fields["device"]), assurance, gated, evidence)
    except NoIdentity:
        raise
    except (tomllib.TOMLDecodeError, PeerError, KeyError, TypeError, ValueError, binascii.Error) as problem:
        raise NoIdentity(
            f"{path} is damaged: {type(problem).__name__}: {problem}",
            hint="restore it from a backup, or move it away and run `hardwire init` (the key in the device is safe)",
        ) from None
