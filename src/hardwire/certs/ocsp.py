# SPDX-License-Identifier: Apache-2.0
"""OCSP responses (RFC 6960) that a device brings along, read strictly: one answer about one certificate.

Nothing is asked over the network, so there is no nonce; what counts is who signed it, and how old it is. The signer is
the issuer itself, or somebody whose certificate the issuer signed for this purpose alone and never takes back
(ocsp-nocheck): there is nobody to ask about the signer.
"""

from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta
from hashlib import new
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp

from hardwire.certs import der, profile
from hardwire.certs.der import Node
from hardwire.certs.gate import GatedCertificate, open_gate
from hardwire.certs.profile import KeyUsage, SignatureAlgorithm
from hardwire.certs.refusal import refused
from hardwire.errors import CertificateRefused, Misuse

MAX_OCSP: Final = 6144
"""Octets of a response, with the certificate of its signer."""
OCSP_PURPOSE: Final = "1.3.6.1.5.5.7.3.9"
OCSP_NO_CHECK: Final = "1.3.6.1.5.5.7.48.1.5"

_HINT: Final = "the device has to fetch a new answer from the organisation that issued its certificate"
_BASIC: Final = "1.3.6.1.5.5.7.48.1.1"
_NONCE: Final = "1.3.6.1.5.5.7.48.1.2"
_BY_NAME, _BY_KEY = 0xA1, 0xA2
_GOOD, _REVOKED, _UNKNOWN = 0x80, 0xA1, 0x82
# AlgorithmIdentifier of the hash that names the issuer, with and without NULL: here it protects nothing.
_HASHES: Final = {
    bytes.fromhex("300906052b0e03021a0500"): "sha1",
    bytes.fromhex("300706052b0e03021a"): "sha1",
    bytes.fromhex("300d06096086480165030402010500"): "sha256",
    bytes.fromhex("300b0609608648016503040201"): "sha256",
}
_DIGESTS: Final = {
    SignatureAlgorithm.ECDSA_SHA256: hashes.SHA256(), SignatureAlgorithm.RSA_SHA256: hashes.SHA256(),
    SignatureAlgorithm.ECDSA_SHA384: hashes.SHA384(), SignatureAlgorithm.RSA_SHA384: hashes.SHA384(),
    SignatureAlgorithm.ECDSA_SHA512: hashes.SHA512(), SignatureAlgorithm.RSA_SHA512: hashes.SHA512(),
}  # fmt: skip
_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class OcspAnswer:
    """An answer that is well formed; only :func:`read_ocsp` makes one.

    Attributes:
        der: The response's octets.
        serial: Of the certificate it is about.
        revoked_at: When that was taken back; None when it was not.
        known: Whether the signer knows the certificate at all.
        this_update: When this was known to be so, aware.
        next_update: When a newer answer is due at the latest, aware.
    """

    der: bytes = field(repr=False)
    serial: int
    revoked_at: datetime | None
    known: bool
    this_update: datetime
    next_update: datetime
    issuer_hashes: tuple[str, bytes, bytes] = field(repr=False)
    responder: Node = field(repr=False)
    signed: tuple[bytes, SignatureAlgorithm, bytes] = field(repr=False)
    signer: bytes | None = field(repr=False)
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise Misuse("an answer is made by read_ocsp only")

    def is_about(self, certificate: GatedCertificate, issuer: GatedCertificate) -> bool:
        """Whether it answers for this certificate of this issuer."""
        name, name_hash, key_hash = self.issuer_hashes
        mine = (_hash(name, issuer.shape.subject), _hash(name, _key_bits(issuer)))
        return self.serial == certificate.serial and mine == (name_hash, key_hash)

    def check_signature(self, issuer: GatedCertificate, *, at: datetime, skew: timedelta) -> None:
        """Refuse an answer that neither the issuer signed nor somebody it named for that.

        Raises:
            CertificateRefused: ``ocsp-signer`` or ``ocsp-signature``.
        """
        signer = issuer if self.signer is None else open_gate(self.signer)
        if self.responder.raw not in {_by_name(signer), _by_key(signer)}:
            raise _bad("ocsp-signer", "names another signer than the one whose certificate it brings")
        if signer.spki != issuer.spki:
            _check_delegate(signer, issuer, at, skew)
        octets, algorithm, signature = self.signed
        try:
            _verify(signer, algorithm, octets, signature)
        except Exception as error:
            # InvalidSignature is declared; whatever else comes means no, too.
            raise _bad("ocsp-signature", "was not signed by its signer, or was altered") from error


def _bad(code: str, why: str) -> CertificateRefused:
    return refused(code, why, who="the OCSP answer", hint=_HINT)


def read_ocsp(octets: bytes) -> OcspAnswer:
    """Read one DER OCSPResponse of at most 6144 octets from a stranger. Signature and age are looked at later.

    Raises:
        CertificateRefused: ``ocsp-size``, ``ocsp-der``, ``ocsp-shape``, ``ocsp-extension`` or ``cert-ambiguous``.
    """
    if len(octets) > MAX_OCSP:
        raise _bad("ocsp-size", f"is {len(octets)} octets long, {MAX_OCSP} are allowed")
    try:
        return _read(octets)
    except CertificateRefused as error:
        if error.code.startswith(("ocsp-", "cert-ambiguous")):
            raise
        raise _bad("ocsp-der", f"is not well formed: {error.message}") from error
    except Exception as error:
        # The library leaks undeclared exceptions on hostile octets; each of them means no.
        raise _bad("ocsp-der", "cannot be read by the certificate library") from error


def _read(octets: bytes) -> OcspAnswer:
    status, wrapped = _members(der.parse(octets), (der.ENUMERATED, 0xA0), "a response")
    if status.content != b"\0":
        raise _bad("ocsp-shape", "is no answer, but an error")
    kind, inside = _members(_only(wrapped), (der.OBJECT_IDENTIFIER, der.OCTET_STRING), "its body")
    if der.dotted(kind) != _BASIC:
        raise _bad("ocsp-shape", "is of another kind than the basic one")
    basic = der.parse(inside.content)
    tags = tuple(child.tag for child in basic.children)
    if basic.tag != der.SEQUENCE or tags[:3] != (der.SEQUENCE, der.SEQUENCE, der.BIT_STRING) or tags[3:] not in _CERTS:
        raise _bad("ocsp-shape", "has other members in its body than the standard gives it")
    data, algorithm, signature = basic.children[:3]
    scheme = profile.SIGNATURE_ALGORITHMS.get(algorithm.raw)
    if scheme not in _DIGESTS or signature.content[0]:
        raise _bad("ocsp-shape", "is signed with an algorithm that is not accepted")
    responder, answer = _data(data)
    identity, state, this_update, next_update = _single(answer)
    issuer, serial = _certificate_id(identity)
    made = OcspAnswer(
        octets, serial, _revoked_at(state), state.tag != _UNKNOWN, this_update, next_update, issuer, responder,
        (data.raw, scheme, signature.content[1:]), _signer(basic.children[3:]), _SEAL,
    )  # fmt: skip
    _require_agreement(made)
    return made


_CERTS: Final = ((), (0xA0,))


def _require_agreement(made: OcspAnswer) -> None:
    """``cryptography`` has read the same answer."""
    theirs = ocsp.load_der_ocsp_response(made.der)
    revoked = theirs.certificate_status is ocsp.OCSPCertStatus.REVOKED
    seen = (theirs.serial_number, theirs.this_update_utc, theirs.next_update_utc, theirs.issuer_key_hash, revoked)
    mine = (made.serial, made.this_update, made.next_update, made.issuer_hashes[2], made.revoked_at is not None)
    if seen != mine or theirs.tbs_response_bytes != made.signed[0]:
        raise refused("cert-ambiguous", "reads differently to different software", who="the OCSP answer")


def _members(node: Node, tags: tuple[int, ...], what: str) -> tuple[Node, ...]:
    if node.tag != der.SEQUENCE or tuple(child.tag for child in node.children) != tags:
        raise _bad("ocsp-shape", f"has other members in {what} than the standard gives it")
    return node.children


def _only(node: Node) -> Node:
    if len(node.children) != 1:
        raise _bad("ocsp-shape", "has more than one value where one belongs")
    return node.children[0]


def _data(node: Node) -> tuple[Node, Node]:
    """The responder's identity, and the one answer."""
    children = node.children
    _extensions(children[3:], 0xA1)
    tags = [child.tag for child in children[:3]]
    if len(tags) != 3 or tags[0] not in {_BY_NAME, _BY_KEY} or tags[1:] != [der.GENERALIZED_TIME, der.SEQUENCE]:  # noqa: PLR2004
        raise _bad("ocsp-shape", "has other members in its signed part than the standard gives it")
    return _only(children[0]), _only(children[2])


def _extensions(nodes: tuple[Node, ...], tag: int) -> None:
    """At most one list, in which only a nonce may be critical: nobody asked, so it binds nobody."""
    if not nodes:
        return
    if [node.tag for node in nodes] != [tag]:
        raise _bad("ocsp-shape", "has other members behind its end than extensions")
    for member in _only(nodes[0]).children:
        tags = [child.tag for child in member.children]
        if tags[:1] != [der.OBJECT_IDENTIFIER] or tags[-1] != der.OCTET_STRING or len(tags) > 3:  # noqa: PLR2004
            raise _bad("ocsp-extension", "has an extension of another form than the standard's")
        number = der.dotted(member.children[0])
        if len(tags) == 3 and number != _NONCE:  # noqa: PLR2004 - with the flag, which DER writes for TRUE only
            raise _bad("ocsp-extension", f"has a critical extension that is not known here: {number}")


def _single(node: Node) -> tuple[Node, Node, datetime, datetime]:
    children = node.children
    tags = [child.tag for child in children[:4]]
    states = {_GOOD, _REVOKED, _UNKNOWN}
    if len(tags) != 4 or tags[0] != der.SEQUENCE or tags[1] not in states or tags[2:] != [der.GENERALIZED_TIME, 0xA0]:  # noqa: PLR2004
        raise _bad("ocsp-shape", "has no next update, or other members in its answer than the standard gives it")
    _extensions(children[4:], 0xA1)
    due = _only(children[3])
    if due.tag != der.GENERALIZED_TIME:
        raise _bad("ocsp-shape", "is due again at no time")
    begin, end = der.time(children[2]), der.time(due)
    if end <= begin:
        raise _bad("ocsp-shape", "is replaced before it is made")
    return children[0], children[1], begin, end


def _certificate_id(node: Node) -> tuple[tuple[str, bytes, bytes], int]:
    form = (der.SEQUENCE, der.OCTET_STRING, der.OCTET_STRING, der.INTEGER)
    algorithm, name, key, serial = _members(node, form, "the name of the certificate")
    if algorithm.raw not in _HASHES:
        raise _bad("ocsp-shape", "names the certificate with a hash that is not accepted")
    return (_HASHES[algorithm.raw], name.content, key.content), der.integer(serial)


def _revoked_at(state: Node) -> datetime | None:
    if state.tag != _REVOKED:
        if state.content:
            raise _bad("ocsp-shape", "says good or unknown with a value")
        return None
    tags = [child.tag for child in state.children]
    if tags not in ([der.GENERALIZED_TIME], [der.GENERALIZED_TIME, 0xA0]):
        raise _bad("ocsp-shape", "says revoked in another form than the standard's")
    return der.time(state.children[0])


def _signer(nodes: tuple[Node, ...]) -> bytes | None:
    return _only(_only(nodes[0])).raw if nodes else None


def _check_delegate(signer: GatedCertificate, issuer: GatedCertificate, at: datetime, skew: timedelta) -> None:
    """``ocsp-signer``: the issuer named it for answers, for now, and will not take that back."""
    purposes, usage = signer.values.purposes or (), signer.values.key_usage or frozenset()
    numbers = {extension.oid for extension in signer.extensions}
    critical = {extension.oid for extension in signer.extensions if extension.critical}
    if OCSP_PURPOSE not in purposes or KeyUsage.DIGITAL_SIGNATURE not in usage or signer.values.authority:
        raise _bad("ocsp-signer", "is signed by somebody who is not named for that")
    if OCSP_NO_CHECK not in numbers or critical - _DELEGATE:
        raise _bad("ocsp-signer", "is signed by somebody whose own certificate could have been taken back")
    if not signer.not_before <= at + skew or not signer.not_after >= at - skew:
        raise _bad("ocsp-signer", "is signed by somebody whose certificate is not valid now")
    try:
        signer.parsed.verify_directly_issued_by(issuer.parsed)
    except Exception as error:
        # InvalidSignature is declared; whatever else comes means no, too.
        raise _bad("ocsp-signer", "is signed by somebody whom the issuer did not name") from error


_DELEGATE: Final = frozenset({profile.BASIC_CONSTRAINTS, profile.KEY_USAGE, profile.EXTENDED_KEY_USAGE})


def _key_bits(certificate: GatedCertificate) -> bytes:
    """The subjectPublicKey without its tag, length and unused bits (RFC 6960 §4.1.1)."""
    return der.parse(certificate.spki).children[1].content[1:]


def _hash(name: str, octets: bytes) -> bytes:
    return new(name, octets, usedforsecurity=False).digest()


def _by_name(signer: GatedCertificate) -> bytes:
    return signer.shape.subject


def _by_key(signer: GatedCertificate) -> bytes:
    digest = _hash("sha1", _key_bits(signer))
    return bytes([der.OCTET_STRING, len(digest)]) + digest


def _verify(signer: GatedCertificate, algorithm: SignatureAlgorithm, octets: bytes, signature: bytes) -> None:
    key = signer.public_key
    if isinstance(key, rsa.RSAPublicKey) and algorithm.fits(signer.key_kind):
        key.verify(signature, octets, padding.PKCS1v15(), _DIGESTS[algorithm])
    elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm.fits(signer.key_kind):
        key.verify(signature, octets, ec.ECDSA(_DIGESTS[algorithm]))
    else:
        raise ValueError("the algorithm does not belong to the key")
