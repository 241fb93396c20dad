# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as library

from hardwire.certs import CertificateRefused, OcspAnswer, ocsp, open_gate, read_ocsp
from hardwire.errors import Misuse
from support import certchains as org
from support.certchains import BASIC, EKU, MIDDLE_KEY, STRANGER_KEY, USAGE, basic, device, eku_of, middle, usage_bits
from support.certparts import CRITICAL, NOW, P384_KEY, RSA, extension, integer, oid, tlv
from support.revocations import NO_CHECK, OCSP_SIGNER_KEY, Ocsp, delegate, delegated, key_bits

ISSUER, LEAF = open_gate(middle().der()), open_gate(device().der())
NULL = tlv(0x05)
REVOKED = tlv(0xA1, tlv(0x18, b"20260601000000Z"))
NONCE = tlv(0x30, oid("1.3.6.1.5.5.7.48.1.2"), tlv(0x04, tlv(0x04, b"n")))
STRANGER = tlv(0x30, oid("1.2.3"), CRITICAL, tlv(0x04, NULL))
NOTHING = timedelta(0)
SHA256_ID = bytes.fromhex("300d06096086480165030402010500")

GOOD = {
    "good": Ocsp(),
    "revoked": Ocsp(status=REVOKED),
    "revoked with a reason": Ocsp(status=tlv(0xA1, tlv(0x18, b"20260601000000Z"), tlv(0xA0, tlv(0x0A, b"\1")))),
    "unknown": Ocsp(status=tlv(0x82)),
    "named by key": Ocsp(responder=tlv(0xA2, tlv(0x04, ocsp._hash("sha1", key_bits(MIDDLE_KEY))))),
    "named with SHA-256": Ocsp(hash_id=SHA256_ID, hashed=(sha256(org.MIDDLE_NAME).digest(), sha256(key_bits(MIDDLE_KEY)).digest())),
    "with a nonce": Ocsp(more_data=tlv(0xA1, tlv(0x30, NONCE))),
    "with a critical nonce": Ocsp(more_data=tlv(0xA1, tlv(0x30, tlv(0x30, oid("1.2.3"), tlv(0x04, NULL)), NONCE.replace(oid("1.3.6.1.5.5.7.48.1.2"), oid("1.3.6.1.5.5.7.48.1.2"))))),
    "from a delegate": delegated(),
    "with the issuer's certificate": Ocsp(certificate=middle().der()),
}  # fmt: skip

BAD = {
    "too large": (bytes(ocsp.MAX_OCSP + 1), "ocsp-size"),
    "nothing": (b"", "ocsp-der"),
    "empty": (b"\x30\x00", "ocsp-shape"),
    "an error": (tlv(0x30, tlv(0x0A, b"\6")), "ocsp-shape"),
    "an error with a body": (Ocsp(result=tlv(0x0A, b"\1")).der(), "ocsp-shape"),
    "another kind": (Ocsp(kind=oid("1.2.3")).der(), "ocsp-shape"),
    "two bodies": (tlv(0x30, tlv(0x0A, b"\0"), tlv(0xA0, NULL, NULL)), "ocsp-shape"),
    "a body that is none": (tlv(0x30, tlv(0x0A, b"\0"), tlv(0xA0, tlv(0x30, oid("1.3.6.1.5.5.7.48.1.1"), tlv(0x04, tlv(0x30))))), "ocsp-shape"),
    "something behind the body": (Ocsp(more_basic=NULL).der(), "ocsp-shape"),
    "two lists of certificates": (Ocsp(more_basic=tlv(0xA0, tlv(0x30, device().der()), tlv(0x30, device().der()))).der(), "ocsp-shape"),
    "two certificates": (Ocsp(more_basic=tlv(0xA0, tlv(0x30, device().der(), device().der()))).der(), "ocsp-shape"),
    "sha1": (Ocsp(algorithm=bytes.fromhex("300906072a8648ce3d0401")).der(), "ocsp-shape"),
    "a signature with unused bits": (Ocsp(signature=tlv(0x03, b"\4\x30")).der(), "ocsp-shape"),
    "a version": (Ocsp(responder=tlv(0xA0, integer(0)) + tlv(0xA1, org.MIDDLE_NAME)).der(), "ocsp-shape"),
    "no responder": (Ocsp(responder=b"").der(), "ocsp-shape"),
    "made at another kind of time": (Ocsp(produced=tlv(0x17, b"260701100000Z")).der(), "ocsp-shape"),
    "two answers": (Ocsp(twice=True).der(), "ocsp-shape"),
    "a critical stranger": (Ocsp(more_data=tlv(0xA1, tlv(0x30, STRANGER))).der(), "ocsp-extension"),
    "a critical stranger in the answer": (Ocsp(more_single=tlv(0xA1, tlv(0x30, STRANGER))).der(), "ocsp-extension"),
    "an extension that is none": (Ocsp(more_data=tlv(0xA1, tlv(0x30, NULL))).der(), "ocsp-extension"),
    "other members behind": (Ocsp(more_single=NULL).der(), "ocsp-shape"),
    "no next update": (Ocsp(next=b"").der(), "ocsp-shape"),
    "next update is no time": (Ocsp(next=tlv(0xA0, NULL)).der(), "ocsp-shape"),
    "replaced when it is made": (Ocsp(next=tlv(0xA0, tlv(0x18, b"20260701100000Z"))).der(), "ocsp-shape"),
    "this update of another kind": (Ocsp(this=tlv(0x17, b"260701100000Z")).der(), "ocsp-shape"),
    "good with a value": (Ocsp(status=tlv(0x80, b"x")).der(), "ocsp-shape"),
    "unknown with a value": (Ocsp(status=tlv(0x82, b"x")).der(), "ocsp-shape"),
    "revoked at no time": (Ocsp(status=tlv(0xA1)).der(), "ocsp-shape"),
    "another status": (Ocsp(status=tlv(0x83)).der(), "ocsp-shape"),
    "named with another hash": (Ocsp(hash_id=tlv(0x30, oid("1.2.3"))).der(), "ocsp-shape"),
}  # fmt: skip


@pytest.mark.parametrize("made", GOOD.values(), ids=GOOD)
def test_reads(made: Ocsp) -> None:
    answer = read_ocsp(made.der())
    assert answer.is_about(LEAF, ISSUER)
    assert not answer.is_about(ISSUER, ISSUER)
    assert not answer.is_about(LEAF, LEAF)
    answer.check_signature(ISSUER, at=NOW, skew=NOTHING)


@pytest.mark.parametrize("octets, code", BAD.values(), ids=BAD)
def test_refuses(octets: bytes, code: str) -> None:
    with pytest.raises(CertificateRefused) as caught:
        read_ocsp(octets)
    assert caught.value.code == code
    assert caught.value.message.startswith("the OCSP answer ")


def test_the_members() -> None:
    answer = read_ocsp(GOOD["revoked with a reason"].der())
    assert (answer.serial, answer.known, answer.revoked_at) == (0x30, True, datetime(2026, 6, 1, tzinfo=UTC))
    assert (answer.this_update, answer.next_update) == (
        datetime(2026, 7, 1, 10, tzinfo=UTC),
        datetime(2026, 7, 2, 10, tzinfo=UTC),
    )
    assert read_ocsp(GOOD["unknown"].der()).known is False
    assert read_ocsp(GOOD["good"].der()).revoked_at is None


EARLY = org.dates(tlv(0x17, b"260701120001Z"))
LATE = org.dates(end=tlv(0x17, b"260701115959Z"))
SIGNERS = {
    "another name": (Ocsp(signer_name=org.ROOT_NAME), "ocsp-signer"),
    "another key": (Ocsp(responder=tlv(0xA2, tlv(0x04, bytes(20)))), "ocsp-signer"),
    "signed by a stranger": (Ocsp(signer=STRANGER_KEY), "ocsp-signature"),
    "signed by a stranger with RSA": (Ocsp(signer=RSA), "ocsp-signature"),
    "with another hash than announced": (Ocsp(algorithm=bytes.fromhex("300a06082a8648ce3d040303")), "ocsp-signature"),
    "a delegate that did not sign": (delegated().with_(signer=STRANGER_KEY), "ocsp-signature"),
    "a delegate for another purpose": (delegated(**{EKU: eku_of("1.3.6.1.5.5.7.3.2")}), "ocsp-signer"),
    "a delegate for no purpose": (delegated(**{EKU: b""}), "ocsp-signer"),
    "a delegate that must not sign": (delegated(**{USAGE: usage_bits("03020308")}), "ocsp-signer"),
    "a delegate without a key usage": (delegated(**{USAGE: b""}), "ocsp-signer"),
    "a delegate that is an authority": (delegated(**{BASIC: basic(CRITICAL)}), "ocsp-signer"),
    "a delegate that may be revoked": (delegated(**{NO_CHECK: b""}), "ocsp-signer"),
    "a delegate with a critical stranger": (delegated(**{"1.2.3": extension("1.2.3", NULL, critical=CRITICAL)}), "ocsp-signer"),
    "a delegate of somebody else": (delegated().with_(certificate=delegate().with_(signer=STRANGER_KEY).der()), "ocsp-signer"),
    "a delegate too early": (delegated().with_(certificate=delegate().with_(validity=EARLY).der()), "ocsp-signer"),
    "a delegate too late": (delegated().with_(certificate=delegate().with_(validity=LATE).der()), "ocsp-signer"),
    "a delegate that the gate refuses": (delegated(**{org.AKI: extension(org.AKI, NULL)}), "cert-extension"),
}  # fmt: skip


@pytest.mark.parametrize("made, code", SIGNERS.values(), ids=SIGNERS)
def test_signers(made: Ocsp, code: str) -> None:
    answer = read_ocsp(made.der())
    with pytest.raises(CertificateRefused) as caught:
        answer.check_signature(ISSUER, at=NOW, skew=NOTHING)
    assert caught.value.code == code


@pytest.mark.parametrize("key", [RSA, P384_KEY], ids=["RSA", "P-384"])
def test_signers_of_other_kinds(key: org.Key) -> None:
    issuer = open_gate(middle(key).der())
    made = Ocsp(issuer_key=key, signer=key)
    answer = read_ocsp(made.der())
    assert answer.is_about(LEAF, issuer)
    answer.check_signature(issuer, at=NOW, skew=NOTHING)


def test_an_allowance_for_clocks_is_for_the_delegate_as_well() -> None:
    for validity in (EARLY, LATE):
        answer = read_ocsp(delegated().with_(certificate=delegate().with_(validity=validity).der()).der())
        answer.check_signature(ISSUER, at=NOW, skew=timedelta(seconds=1))


def test_an_answer_of_another_writer() -> None:
    issuer, leaf = ISSUER.parsed, LEAF.parsed
    builder = library.OCSPResponseBuilder().add_response(
        leaf, issuer, hashes.SHA1(), library.OCSPCertStatus.GOOD, NOW, NOW + timedelta(days=1), None, None
    )
    signer = x509.load_der_x509_certificate(delegate().der())
    for whole in (
        builder.responder_id(library.OCSPResponderEncoding.NAME, issuer).sign(MIDDLE_KEY, hashes.SHA256()),
        builder.responder_id(library.OCSPResponderEncoding.HASH, signer)
        .certificates([signer])
        .sign(OCSP_SIGNER_KEY, hashes.SHA256()),
    ):
        answer = read_ocsp(whole.public_bytes(Encoding.DER))
        assert answer.is_about(LEAF, ISSUER)
        answer.check_signature(ISSUER, at=NOW, skew=NOTHING)


def test_two_readers_that_disagree_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    other = library.load_der_ocsp_response(Ocsp(serial=9).der())
    monkeypatch.setattr(ocsp.ocsp, "load_der_ocsp_response", lambda _: other)
    with pytest.raises(CertificateRefused) as caught:
        read_ocsp(Ocsp().der())
    assert caught.value.code == "cert-ambiguous"


def test_whatever_the_library_throws_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> None:
        raise RuntimeError

    monkeypatch.setattr(ocsp.ocsp, "load_der_ocsp_response", fail)
    with pytest.raises(CertificateRefused) as caught:
        read_ocsp(Ocsp().der())
    assert caught.value.code == "ocsp-der"


def test_nobody_else_makes_an_answer() -> None:
    with pytest.raises(Misuse):
        OcspAnswer(*[None] * 10)  # type: ignore[arg-type]
