# SPDX-License-Identifier: Apache-2.0
"""Certificate requests (PKCS#10, RFC 2986) of a device, with evidence that its key is in hardware.

A request carries the device's ``did:key`` and the names it asks for (a subjectAltName in extensionRequest), and at most
one attestation (``id-aa-attestation`` of draft-ietf-lamps-csr-attestation)::

    AttestationBundle    ::= SEQUENCE { attestations SEQUENCE OF AttestationStatement,
                                        certs        SEQUENCE OF Certificate OPTIONAL }
    AttestationStatement ::= SEQUENCE { type OBJECT IDENTIFIER, stmt ANY }

Two types: a TPM's ``tcg-attest-tpm-certify`` (2.23.133.20.1; stmt: SEQUENCE { tpmSAttest, signature, tpmTPublic },
three OCTET STRINGs), and a PIV card's, for which nobody has registered a type, under an OID of our own (stmt: the
attestation certificate). The statement is carried here and judged elsewhere; what is checked here is that the request
is canonical, within its bounds, and signed by the very key it is for.
"""

from dataclasses import InitVar, dataclass, field
from hashlib import sha256
from typing import Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from hardwire.certs import der
from hardwire.certs.der import Node
from hardwire.certs.devicename import MAX_NAMES, DeviceName, name_of
from hardwire.certs.did import did_key
from hardwire.certs.encode import integer, oid, sequence, set_of, tlv
from hardwire.certs.issue import usable_key
from hardwire.certs.profile import (
    DEVICE,
    DEVICE_PURPOSE,
    KEY_ALGORITHMS,
    RSA_EXPONENTS,
    SIGNATURE_ALGORITHMS,
    SUBJECT,
    SUBJECT_ALT_NAME,
    KeyKind,
    SignatureAlgorithm,
)
from hardwire.errors import CertificateRefused, DeviceFailed, Misuse

MAX_REQUEST: Final = 32 * 1024
"""Octets of a request."""
MAX_EVIDENCE_CERTIFICATES: Final = 6
TPM_CERTIFY: Final = "2.23.133.20.1"
PIV_ATTESTATION: Final = f"{DEVICE_PURPOSE}.2.1"
"""Our own: nobody has given the attestation certificate of a PIV card a type."""

_ATTESTATION: Final = "1.2.840.113549.1.9.16.2.59"
_EXTENSION_REQUEST: Final = "1.2.840.113549.1.9.14"
_ATTRIBUTES: Final = 0xA0
_TYPES: Final = frozenset({TPM_CERTIFY, PIV_ATTESTATION})
_HINT: Final = "have it made again: `hardwire cert request` on the device's machine"
_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class Statement:
    """Evidence about the key, not judged yet.

    Attributes:
        kind: :data:`TPM_CERTIFY` or :data:`PIV_ATTESTATION`.
        value: The statement, one DER value.
        certificates: DER, what may help to verify it; at most 6.
    """

    kind: str
    value: bytes = field(repr=False)
    certificates: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A request whose key signed it; made by :func:`read_request` only.

    Attributes:
        public_key: P-256, P-384, or RSA of 2048 to 4096 bits.
        spki: DER SubjectPublicKeyInfo.
        did: The key's did:key.
        names: What the device asks to be called; a wish, and the authority's to grant.
        statement: Evidence, if there is any.
    """

    public_key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey = field(repr=False)
    spki: bytes = field(repr=False)
    did: str
    names: tuple[DeviceName, ...]
    statement: Statement | None
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise Misuse("a device request is made by read_request only")


def attestation_nonce(spki: bytes) -> bytes:
    """The 32 octets that the statement in a request signs, where a device signs any: about this key, for this use.

    A request is carried by hand and has no challenge; that the key is alive is shown by the request's own signature.
    """
    return sha256(b"hardwire certificate request" + spki).digest()


def make_request(
    key: CertificateIssuerPrivateKeyTypes, *, names: tuple[DeviceName, ...] = (), statement: Statement | None = None
) -> bytes:
    """The DER request of the device that holds ``key``; exactly one signature is made with it.

    The result has been through :func:`read_request` before it is returned.

    Raises:
        UsageError: ``key-kind``.
        DeviceFailed: ``bad-signature``; the device returned a signature that does not verify.
        Misuse: More than 8 names, or a statement that no reader would take.
    """
    public_key, digest = usable_key(key)
    alternative = x509.SubjectAlternativeName(
        [x509.UniformResourceIdentifier(did_key(public_key)), *(name.general for name in names)]
    )
    extensions = sequence(sequence(oid(SUBJECT_ALT_NAME), tlv(der.OCTET_STRING, alternative.public_bytes())))
    attributes = [sequence(oid(_EXTENSION_REQUEST), set_of(extensions))]
    if statement is not None:
        attributes.append(sequence(oid(_ATTESTATION), set_of(_bundle(statement))))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, SUBJECT)])
    info = sequence(
        integer(0),
        subject.public_bytes(),
        public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        tlv(_ATTRIBUTES, *sorted(attributes)),
    )
    if isinstance(public_key, rsa.RSAPublicKey):
        algorithm = SignatureAlgorithm.RSA_SHA256
        signature = cast("rsa.RSAPrivateKey", key).sign(info, padding.PKCS1v15(), digest)
    else:
        small = public_key.curve.name == "secp256r1"
        algorithm = SignatureAlgorithm.ECDSA_SHA256 if small else SignatureAlgorithm.ECDSA_SHA384
        signature = cast("ec.EllipticCurvePrivateKey", key).sign(info, ec.ECDSA(digest))
    identifier = next(octets for octets, known in SIGNATURE_ALGORITHMS.items() if known is algorithm)
    request = sequence(info, identifier, tlv(der.BIT_STRING, b"\0", signature))
    try:
        read_request(request)
    except CertificateRefused as error:
        if error.code == "request-signature":
            raise DeviceFailed("the device made a signature that does not verify", code="bad-signature") from error
        raise Misuse(f"that request would be refused: {error.message}") from error
    return request


def read_request(octets: bytes) -> DeviceRequest:
    """Read one DER request from a stranger.

    Raises:
        CertificateRefused: ``request-size``, ``request-der``, ``request-shape``, ``request-key``, ``request-names``,
            ``request-evidence`` or ``request-signature``.
    """
    if len(octets) > MAX_REQUEST:
        raise _no("request-size", f"is {len(octets)} octets long, {MAX_REQUEST} are allowed")
    try:
        root = der.parse(octets)
    except CertificateRefused as error:
        raise _no("request-der", "is not canonical DER") from error
    info, algorithm, _ = _members(root, (der.SEQUENCE, der.SEQUENCE, der.BIT_STRING))
    version, _, spki, attributes = _members(info, (der.INTEGER, der.SEQUENCE, der.SEQUENCE, _ATTRIBUTES))
    if version.content != b"\0" or algorithm.raw not in SIGNATURE_ALGORITHMS:
        raise _no("request-shape", "is of another version, or signed with an algorithm that is not accepted")
    found = _attributes(attributes)
    try:
        parsed = x509.load_der_x509_csr(octets)
        public_key = parsed.public_key()
        proved = parsed.is_signature_valid
        canonical = public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception as error:
        # The library leaks undeclared exceptions on hostile input; each of them means no.
        raise _no("request-key", "holds a key that cannot be read") from error
    key = _accepted(spki, public_key, canonical)
    did = did_key(key)
    names = _names(parsed, did)
    statement = _statement(found[_ATTESTATION]) if _ATTESTATION in found else None
    if not proved:
        raise _no("request-signature", "is not signed by the key that it is for")
    return DeviceRequest(key, canonical, did, names, statement, _SEAL)


def _no(code: str, why: str) -> CertificateRefused:
    return CertificateRefused(f"the certificate request {why}", code=code, hint=_HINT)


def _members(node: Node, tags: tuple[int, ...]) -> tuple[Node, ...]:
    if node.tag != der.SEQUENCE or tuple(child.tag for child in node.children) != tags:
        raise _no("request-shape", "has other members than the standard gives it")
    return node.children


def _attributes(node: Node) -> dict[str, Node]:
    """The one value of each attribute, by type."""
    encoded = [child.raw for child in node.children]
    if encoded != sorted(encoded):
        raise _no("request-der", "has its attributes out of order")
    found: dict[str, Node] = {}
    for child in node.children:
        kind, values = _members(child, (der.OBJECT_IDENTIFIER, der.SET))
        if len(values.children) != 1 or der.dotted(kind) in found:
            raise _no("request-shape", "has an attribute twice, or one without exactly one value")
        found[der.dotted(kind)] = values.children[0]
    if not found.keys() <= {_EXTENSION_REQUEST, _ATTESTATION}:
        raise _no("request-shape", "has attributes that a device does not send")
    return found


def _accepted(spki: Node, public_key: object, canonical: bytes) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    kind = KEY_ALGORITHMS.get(spki.children[0].raw) if spki.children else None
    if kind in {None, KeyKind.ED25519} or spki.raw != canonical:
        raise _no("request-key", "holds a key of another kind or form than P-256, P-384 and RSA")
    if kind is not KeyKind.RSA:
        return cast("ec.EllipticCurvePublicKey", public_key)
    key = cast("rsa.RSAPublicKey", public_key)
    if key.key_size not in DEVICE.rsa_bits or key.public_numbers().e not in RSA_EXPONENTS:
        raise _no("request-key", "holds an RSA key that is too small, too large, or has an odd exponent choice")
    return key


def _asked(parsed: x509.CertificateSigningRequest) -> tuple[str | None, tuple[DeviceName | None, ...]]:
    """The URI in front, and the names behind it; a name that is of no kind known here is None."""
    extensions = list(parsed.extensions)
    if len(extensions) != 1 or not isinstance(extensions[0].value, x509.SubjectAlternativeName):
        raise _no("request-names", "does not ask for names, and for nothing but names")
    first, *others = extensions[0].value
    uri = first.value if isinstance(first, x509.UniformResourceIdentifier) else None
    return uri, tuple(map(name_of, others))


def _names(parsed: x509.CertificateSigningRequest, did: str) -> tuple[DeviceName, ...]:
    try:
        uri, names = _asked(parsed)
    except CertificateRefused:
        raise
    except Exception as error:
        raise _no("request-names", "asks for something that cannot be read") from error
    known = tuple(name for name in names if name is not None)
    if uri != did:
        raise _no("request-names", "names another key than the one it holds, or none")
    if len(known) != len(names) or len(set(known)) != len(known) or len(known) > MAX_NAMES:
        raise _no("request-names", "asks for a name twice, for too many, or for one of a kind that is not accepted")
    return known


def _bundle(statement: Statement) -> bytes:
    certificates = (sequence(*statement.certificates),) if statement.certificates else ()
    return sequence(sequence(sequence(oid(statement.kind), statement.value)), *certificates)


def _statement(bundle: Node) -> Statement:
    tags = tuple(child.tag for child in bundle.children)
    if tags not in {(der.SEQUENCE,), (der.SEQUENCE, der.SEQUENCE)} or len(bundle.children[0].children) != 1:
        raise _no("request-evidence", "carries evidence of another form than one statement and its certificates")
    (one,) = bundle.children[0].children
    if tuple(child.tag for child in one.children) != (der.OBJECT_IDENTIFIER, der.SEQUENCE):
        raise _no("request-evidence", "carries a statement that is not a type and a value")
    kind, certificates = der.dotted(one.children[0]), bundle.children[1].children if len(tags) > 1 else ()
    if kind not in _TYPES:
        raise _no("request-evidence", f"carries evidence of a type that is not known here: {kind}")
    if len(tags) > 1 and not 1 <= len(certificates) <= MAX_EVIDENCE_CERTIFICATES:
        raise _no("request-evidence", f"carries no certificate in its list, or more than {MAX_EVIDENCE_CERTIFICATES}")
    if any(child.tag != der.SEQUENCE for child in certificates):
        raise _no("request-evidence", "carries something else than certificates in their list")
    return Statement(kind, one.children[1].raw, tuple(child.raw for child in certificates))
