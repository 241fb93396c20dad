# SPDX-License-Identifier: Apache-2.0
"""Where a peer's key lives, as far as it was proved: the one place that turns evidence into words.

Credential, verified key, trust and the time go in; a frozen :class:`PeerDevice` comes out, which the screen shows and
the policy reads. Which makers and authorities are believed is the person's word (:func:`load_trust`); none is built in.

The rules this file keeps:

* Evidence proves, a claim does not; a claim is shown when there is no more than that.
* A peer that calls itself software is believed, whatever it can prove.
* Evidence that is not accepted proves nothing, and harms nobody: whoever forges it could have left it out. The peer is
  shown by its claim, the person is told the reason, and a policy that requires proof refuses.
* The words come with the name of whoever vouches: "attested" alone says nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hardwire.app.paths import config_dir
from hardwire.certs import Assurance, BlobType, Evidence, VerifiedIdentity, read_attestations
from hardwire.errors import PeerNotVerified, UsageError, WireError
from hwkeys import EvidenceRefused
from hwkeys.evidence import (
    Maker,
    PinPolicy,
    PivAttestation,
    PivEvidence,
    TouchPolicy,
    TpmEvidence,
    load_roots,
    verify_piv_attestation,
    verify_tpm_attestation,
)
from hwkeys.evidence.chain import read_certificate
from hwkeys.evidence.values import MAX_CERTIFICATES

FOLDERS: Final = {BlobType.PIV: "piv", BlobType.TPM: "tpm"}
"""Below ``attestation/`` in the configuration directory. Apart: who vouches for one kind vouches for no other."""

_ENDINGS: Final = frozenset({".pem", ".crt", ".cer", ".der"})
_MAX_FILE: Final = 1 << 20
_PIN_WORDS: Final = {
    PinPolicy.NEVER: "no PIN",
    PinPolicy.ONCE: "PIN once a session",
    PinPolicy.ALWAYS: "PIN for each signature",
    PinPolicy.MATCH_ONCE: "fingerprint or PIN once a session",
    PinPolicy.MATCH_ALWAYS: "fingerprint or PIN for each signature",
}
_TOUCH_WORDS: Final = {
    TouchPolicy.NEVER: "no touch",
    TouchPolicy.ALWAYS: "touch for each signature",
    TouchPolicy.CACHED: "touch once in 15 s",
}


@dataclass(frozen=True, slots=True)
class Authorities:
    """Whom this side believes about one kind of device.

    Attributes:
        roots: Self-issued certificates: a chain that ends at one of them proves something.
        between: Authorities below them; they complete a chain that its sender cut short.
    """

    roots: tuple[x509.Certificate, ...] = ()
    between: tuple[x509.Certificate, ...] = ()

    def complete(self, chain: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The chain, led on through the authorities between as far as they lead, and no longer than evidence may be.

        Raises:
            EvidenceRefused: ``evidence-malformed``; its last certificate cannot be read.
        """
        names = {root.subject for root in self.roots}
        while chain and len(chain) < MAX_CERTIFICATES and (issuer := read_certificate(chain[-1]).issuer) not in names:
            above = next((each for each in self.between if each.subject == issuer), None)
            if above is None:
                break
            chain = (*chain, above.public_bytes(Encoding.DER))
        return chain


_NOBODY: Final = Authorities()


def authorities(certificates: Iterable[x509.Certificate]) -> Authorities:
    """Roots and what is between, as they come out of files."""
    found = tuple(certificates)
    roots = tuple(each for each in found if each.issuer == each.subject)
    return Authorities(roots, tuple(each for each in found if each not in roots))


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom this side believes about devices, and how much of it it wants.

    Attributes:
        piv: The makers of cards.
        tpm: Those who enrol TPMs.
        require_attested: Take nobody whose key is not proved to be in hardware.
    """

    piv: Authorities = _NOBODY
    tpm: Authorities = _NOBODY
    require_attested: bool = False

    def about(self, kind: BlobType) -> Authorities:
        """For evidence of that kind."""
        return self.piv if kind is BlobType.PIV else self.tpm

    @property
    def anybody(self) -> bool:
        """Whether evidence of some kind could prove anything."""
        return bool(self.piv.roots or self.tpm.roots)


NO_TRUST: Final = Trust()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Evidence that was not accepted: the check's code, its sentence, what to do."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class PeerDevice:
    """Where a peer's key lives.

    Attributes:
        assurance: The words for a person: ``YubiKey 5 (attested)``, ``token, unproven``, ``SOFTWARE TOKEN``.
        attested: It was proved to be in hardware, and does not call itself software.
        by: The name of the root that the proof led to; empty when nothing was proved.
        facts: What was proved besides: firmware, serial number, PIN and touch, maker.
        refusal: Why evidence was not accepted; None when it was, or when there was none.
    """

    assurance: str
    attested: bool = False
    by: str = ""
    facts: tuple[str, ...] = ()
    refusal: Refusal | None = None

    def require_attested(self) -> None:
        """For a policy that wants hardware.

        Raises:
            PeerNotVerified: ``attestation-refused``, ``attestation-software`` or ``attestation-missing``.
        """
        if self.attested:
            return
        if self.refusal is not None:
            words = f"the peer's proof that its key is in hardware is not accepted: {self.refusal.message}"
            code, hint, evidence = "attestation-refused", self.refusal.hint, {"check": self.refusal.code}
        elif self.assurance.startswith(Assurance.SOFTWARE_TOKEN.value):
            words, code, evidence = "the peer's key is in a software token", "attestation-software", {}
            hint = "ask your peer to use a token or a TPM"
        else:
            words, code, evidence = "the peer does not prove that its key is in hardware", "attestation-missing", {}
            hint = "ask your peer to run `hardwire init --renew` with a YubiKey, or with a TPM that is enrolled"
        raise PeerNotVerified(words, code=code, hint=hint, evidence=evidence)


def load_trust(home: Path | None = None, *, require_attested: bool = False) -> Trust:
    """Read the authorities a person believes: the PEM or DER files of ``attestation/piv`` and ``attestation/tpm``.

    An empty file ``attestation/required`` makes every line require attested devices, as ``require_attested`` does one.

    Raises:
        UsageError: ``attestation-roots``; one of the files is not what it should be.
    """
    base = (home or config_dir()) / "attestation"
    piv, tpm = (_authorities(base / FOLDERS[kind]) for kind in (BlobType.PIV, BlobType.TPM))
    return Trust(piv, tpm, require_attested or (base / "required").exists())


def load_trust_from(file: Path) -> Trust:
    """Believe the authorities in one file, about either kind of device: whoever names a file knows what is in it.

    Raises:
        UsageError: ``attestation-roots``; it is not what it should be, or holds no root.
    """
    found = authorities(_read(file))
    if not found.roots:
        hint = "add the certificate that the others lead to, which its maker issued to itself"
        raise UsageError(f"{file} holds no root", code="attestation-roots", hint=hint)
    return Trust(found, found)


def judge(attestations: tuple[bytes, ...], peer: VerifiedIdentity, trust: Trust, at: datetime) -> PeerDevice:
    """What is known of the home of a peer's key.

    A TPM's statement carries the device id as its nonce (docs/protocol.md §8), a card's none: evidence is static. That
    the peer holds the key now is what its signature in the handshake shows.

    Args:
        attestations: The blobs of the credential.
        peer: Verified; the evidence must be about its key.
        trust: Whom this side believes.
        at: The time, aware.

    Raises:
        WireError: Blobs that no honest peer sends.
    """
    said = read_attestations(attestations)
    if said.evidence is None:
        return PeerDevice(said.claim.value)
    evidence = decode(said.evidence)
    try:
        words, facts, chain = _verified(evidence, peer, trust, at)
    except EvidenceRefused as problem:
        return PeerDevice(said.claim.value, refusal=Refusal(problem.code, problem.message, problem.hint))
    software = said.claim is Assurance.SOFTWARE_TOKEN
    return PeerDevice(
        f"{said.claim.value}, {words}" if software else words,
        attested=not software,
        by=name_of(read_certificate(chain[-1]).issuer),
        facts=facts,
    )


def decode(evidence: Evidence) -> PivEvidence | TpmEvidence:
    """The outer form of evidence.

    Raises:
        WireError: Not of the form of docs/protocol.md §8.
    """
    try:
        kind = PivEvidence if evidence.kind is BlobType.PIV else TpmEvidence
        return kind.decode(evidence.body)
    except EvidenceRefused as problem:
        raise WireError(f"attestation: {problem.message}", code="assurance") from None


def name_of(name: x509.Name) -> str:
    """A certificate's name as a person says it: its common name, or all of it."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _verified(
    evidence: PivEvidence | TpmEvidence, peer: VerifiedIdentity, trust: Trust, at: datetime
) -> tuple[str, tuple[str, ...], tuple[bytes, ...]]:
    """Words, facts, and the chain that led to a root."""
    key = peer.certificate.public_key
    if isinstance(key, ed25519.Ed25519PublicKey):
        raise EvidenceRefused("no evidence is known for keys on Ed25519", code="key-mismatch")
    if isinstance(evidence, PivEvidence):
        chain = trust.piv.complete(evidence.certificates)
        card = verify_piv_attestation(PivEvidence(chain), public_key=key, roots=trust.piv.roots, at=at)
        return f"{card.model} (attested)", _card_facts(card), chain
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise EvidenceRefused("the TPM certifies another key", code="key-mismatch")
    chain = trust.tpm.complete(evidence.certificates)
    whole = TpmEvidence(evidence.attest, evidence.signature, evidence.public, chain)
    proved = verify_tpm_attestation(whole, public_key=key, nonce=peer.device_id, roots=trust.tpm.roots, at=at)
    return "TPM (attested)", _tpm_facts(proved.maker), chain


def _card_facts(card: PivAttestation) -> tuple[str, ...]:
    serial = () if card.serial is None else (f"serial {card.serial}",)
    return (f"firmware {card.firmware}", *serial, _PIN_WORDS[card.pin_policy], _TOUCH_WORDS[card.touch_policy])


def _tpm_facts(maker: Maker | None) -> tuple[str, ...]:
    return () if maker is None else (f"made by {maker.manufacturer}", f"model {maker.model}, version {maker.version}")


def _authorities(folder: Path) -> Authorities:
    files = sorted(each for each in folder.iterdir() if each.suffix in _ENDINGS) if folder.is_dir() else []
    return authorities(certificate for file in files for certificate in _read(file))


def _read(file: Path) -> Sequence[x509.Certificate]:
    hint = "put the makers' certificates there, in PEM or DER, and nothing else"
    try:
        with file.open("rb") as stream:
            octets = stream.read(_MAX_FILE + 1)
        if len(octets) > _MAX_FILE:
            raise UsageError(f"{file} is no file of certificates: too large", code="attestation-roots", hint=hint)
        return load_roots(octets)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise UsageError(f"{file} cannot be read: {reason}", code="attestation-roots", hint=hint) from None
    except EvidenceRefused as problem:
        raise UsageError(f"{file}: {problem.message}", code="attestation-roots", hint=hint) from None
