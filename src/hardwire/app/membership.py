# SPDX-License-Identifier: Apache-2.0
"""The certificate that an organisation issued to this machine's identity, and the ones above it.

``membership.pem`` beside the identity: the device's certificate first, its authorities after it without the root, and
OCSP responses if there are any. It is shown in the place of the self-signed certificate, for the same key: who knew the
device by its key still does. ``--personal`` leaves it at home for one line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from hardwire.app import pem
from hardwire.app.crlstore import CrlStore
from hardwire.app.entropy import utc_now
from hardwire.app.identity import Identity
from hardwire.app.organisations import Organisations
from hardwire.app.paths import config_dir, write_private
from hardwire.certs import (
    GatedCertificate,
    RevocationMaterial,
    Trust,
    TrustAnchor,
    VerifiedIdentity,
    encode_claim,
    encode_status,
    name_of,
    open_gate,
    trust_anchor,
    verify_chain,
)
from hardwire.errors import CertificateRefused, LocalError, Misuse, PeerError, UsageError
from hardwire.handshake import Credential

_FILE: Final = "membership.pem"
_EXPIRED: Final = 50
_PERSONAL: Final = "--personal shows the self-signed certificate of this identity instead"


@dataclass(frozen=True, slots=True)
class Membership:
    """What the file holds.

    Attributes:
        chain: The device's certificate first, no root.
        ocsp: Responses about them, DER.
    """

    chain: tuple[GatedCertificate, ...]
    ocsp: tuple[bytes, ...] = field(default=(), repr=False)

    def credential(self, identity: Identity) -> Credential:
        """What the handshake shows to an accepted peer.

        Raises:
            Misuse: It is larger than a credential may be.
        """
        proof = () if identity.evidence is None else (identity.evidence.encode(),)
        blobs = (encode_claim(identity.assurance), *proof, *map(encode_status, self.ocsp))
        return Credential(tuple(one.der for one in self.chain), blobs)

    def summary(self) -> str:
        """One line for people: whose member this is, as it says, under which names, until when."""
        leaf = self.chain[0]
        issuer = leaf.parsed.issuer
        attributes = issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        organisation = str(attributes[0].value) if attributes else issuer.rfc4514_string()
        called = ", ".join(one.text for one in map(name_of, _general_names(leaf)) if one is not None)
        return f"{organisation}{f' as {called}' if called else ''}, until {leaf.not_after:%Y-%m-%d}"

    def render(self) -> str:
        """The file's text."""
        parts = [pem.to_pem(pem.CERTIFICATE, one.der) for one in self.chain]
        return "".join(parts + [pem.to_pem(pem.OCSP, one) for one in self.ocsp])


def _general_names(leaf: GatedCertificate) -> tuple[x509.GeneralName, ...]:
    values = (extension.value for extension in leaf.parsed.extensions)
    return tuple(name for one in values if isinstance(one, x509.SubjectAlternativeName) for name in one)


def membership_path(home: Path | None = None) -> Path:
    """Where it is, or would be."""
    return (home or config_dir()) / _FILE


def load_membership(identity: Identity, home: Path | None = None) -> Membership | None:
    """The membership of this identity; None when it has none.

    Raises:
        LocalError: The file is damaged, is about another key, or the certificate is not valid now.
    """
    path = membership_path(home)
    if not path.exists():
        return None
    try:
        found = _read(path)
    except (UsageError, PeerError) as problem:
        raise LocalError(
            f"{path} is damaged: {problem.message}",
            code="membership-damaged",
            hint=f"install the certificate again; {_PERSONAL}",
        ) from None
    leaf = found.chain[0]
    if leaf.spki != identity.own.spki:
        raise LocalError(
            f"{path} is about another key than this identity's",
            code="membership-key",
            hint=f"ask for a new certificate with `hardwire cert request`; {_PERSONAL}",
        )
    _require_valid(leaf, utc_now())
    return found


def refuse_revoked(membership: Membership, store: CrlStore) -> None:
    """Say so before a code is carried around: whoever holds the same list will refuse this device.

    Raises:
        LocalError: ``cert-revoked``; a list that is held here takes one of the certificates back.
    """
    for one in membership.chain:
        for crl in store.of_issuers((one.shape.issuer,)):
            found = crl.find(one.serial)
            if found is not None:
                raise LocalError(
                    f"this identity's certificate was revoked at {found[0]:%Y-%m-%d %H:%M} UTC ({found[1]})",
                    code="cert-revoked",
                    exit_code=_EXPIRED,
                    hint=f"its organisation took it back: ask for a new one, for a new key; {_PERSONAL}",
                    evidence={"serial": f"{one.serial:x}", "number": str(crl.number)},
                )


def install(
    identity: Identity, items: Sequence[pem.Item], organisations: Organisations, home: Path | None = None
) -> VerifiedIdentity:
    """Check what an organisation sent as a peer would, and keep it in the place of an older one.

    Args:
        identity: This machine's.
        items: The certificates, the device's first; OCSP responses about them; a root is used and not kept.
        organisations: Whom this side believes; the root may also be among the items.
        home: Directory, when not the default one.

    Raises:
        UsageError: ``issuer-unknown``, ``other-key``; or too large for a credential.
        CertificateRefused: A check failed.
        LocalError: It could not be written.
    """
    gated = [open_gate(item.der) for item in items if item.label == pem.CERTIFICATE]
    roots = [one for one in gated if one.self_issued]
    chain = tuple(one for one in gated if not one.self_issued)
    ocsp = tuple(item.der for item in items if item.label == pem.OCSP)
    if not chain or chain[0].spki != identity.own.spki:
        raise UsageError(
            "that certificate is not for this identity's key",
            code="other-key",
            hint="`hardwire cert request` here, and have that request certified",
        )
    anchors = (*organisations.anchors, *(trust_anchor(one.der) for one in roots))
    own = _verified(chain, anchors, ocsp, organisations)
    made = Membership(chain, ocsp)
    try:
        made.credential(identity)
    except Misuse as problem:
        raise UsageError(problem.message, code="too-large", hint="leave out OCSP responses") from None
    try:
        write_private(membership_path(home), made.render().encode())
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise LocalError(
            f"{membership_path(home)} cannot be written: {reason}", code="disk", hint="make room"
        ) from None
    return own


def issuers_known_here(organisations: Organisations, home: Path | None = None) -> tuple[GatedCertificate, ...]:
    """The authorities whose lists are taken: those that are trusted, and those that certified this device."""
    path = membership_path(home)
    above = _read(path).chain[1:] if path.exists() else ()
    return (*(anchor.certificate for anchor in organisations.anchors), *above)


def _verified(
    chain: tuple[GatedCertificate, ...], anchors: tuple[TrustAnchor, ...], ocsp: tuple[bytes, ...], known: Organisations
) -> VerifiedIdentity:
    unknown = UsageError(
        "nobody here knows the authority that issued that certificate",
        code="issuer-unknown",
        hint="`hardwire cert trust FILE` with the authority's certificate first, or put it into the same file",
    )
    if not anchors:
        raise unknown
    try:
        trust = Trust(anchors, known.skew)
        return verify_chain(chain, trust, at=utc_now(), material=RevocationMaterial(ocsp=ocsp))
    except CertificateRefused as problem:
        if problem.code == "cert-untrusted":
            raise unknown from problem
        raise


def _read(path: Path) -> Membership:
    items = pem.read_items(path)
    chain = tuple(open_gate(item.der) for item in items if item.label == pem.CERTIFICATE)
    if not chain:
        raise UsageError("there is no certificate in it", code="file")
    return Membership(chain, tuple(item.der for item in items if item.label == pem.OCSP))


def _require_valid(leaf: GatedCertificate, now: datetime) -> None:
    """Before a code is carried around for a line that the peer then refuses."""
    if not leaf.not_before <= now <= leaf.not_after:
        raise LocalError(
            f"the certificate of this identity's organisation is good from {leaf.not_before:%Y-%m-%d %H:%M} to "
            f"{leaf.not_after:%Y-%m-%d %H:%M} UTC, and it is {now:%Y-%m-%d %H:%M}",
            code="cert-expired" if now > leaf.not_after else "cert-not-yet-valid",
            exit_code=_EXPIRED,
            hint=f"check this machine's clock, or ask for a new one with `hardwire cert request`; {_PERSONAL}",
        )
