# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import EvidenceRefused, Purpose
from hwkeys.evidence import TpmAttestation, TpmEvidence, verify_tpm_attestation
from hwkeys.evidence.tpm import ATTESTATION_PURPOSE
from hwkeys.tpm.public import ATTESTING, SIGNING, Attributes
from support.evidence import AT, DAY, Authority, SoftTpm, Statement, area_of, ca, rsa_key, unknown

NONCE = bytes(range(32))
AK = (x509.ExtendedKeyUsage([ATTESTATION_PURPOSE]), False)


@pytest.fixture
def tpm() -> SoftTpm:
    return SoftTpm()


def judge(tpm: SoftTpm, evidence: TpmEvidence, *, nonce: bytes = NONCE, key=None) -> TpmAttestation:
    public = key or tpm.key.public_key()
    return verify_tpm_attestation(evidence, public_key=public, nonce=nonce, roots=[tpm.authority.certificate], at=AT)


def refused(tpm: SoftTpm, evidence: TpmEvidence, **changes) -> str:
    with pytest.raises(EvidenceRefused) as refused:
        judge(tpm, evidence, **changes)
    return refused.value.code


def test_what_is_proved(tpm):
    proved = judge(tpm, TpmEvidence.decode(tpm.evidence(NONCE).encode()))
    assert proved == TpmAttestation(maker=tpm.maker, nonce=NONCE)
    with pytest.raises(dataclasses.FrozenInstanceError):
        proved.nonce = b""


def test_a_key_for_agreement_and_another_curve(tpm):
    tpm.key = ec.generate_private_key(ec.SECP384R1())
    judge(tpm, tpm.evidence(NONCE, area=tpm.area(purpose=Purpose.AGREE)))
    judge(tpm, tpm.signed(Statement(tpm.area().name(), NONCE).encode(), tpm.area().encode(), number=0xC))


def test_a_certificate_that_says_less(tpm):
    tpm.certificate = tpm.certified([AK])
    assert judge(tpm, tpm.evidence(NONCE)).maker is None


def test_no_certificate(tpm):
    assert refused(tpm, dataclasses.replace(tpm.evidence(NONCE), certificates=())) == "tpm-not-enrolled"


def test_certificates_that_do_not_hold(tpm):
    good = tpm.evidence(NONCE)
    tpm.certificate = tpm.certified(before=AT - DAY / 2)
    assert refused(tpm, tpm.evidence(NONCE)) == "chain-expired"
    other = Authority.root("enrolment")
    tpm.authority, mine = other, tpm.authority
    tpm.certificate = tpm.certified()
    tpm.authority = mine
    assert refused(tpm, tpm.evidence(NONCE)) == "chain-signature"
    tpm.authority = Authority.root("elsewhere")
    assert refused(tpm, good) == "chain-root"


@pytest.mark.parametrize(
    "extensions",
    [
        [],
        [(x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.23.133.8.1")]), False)],
        [AK, (x509.KeyUsage(*[False] * 4, True, *[False] * 4), True)],
        [unknown("2.5.29.37.1", b"x")],
    ],
    ids=["nothing", "an endorsement key's", "no signatures", "another"],
)
def test_certificates_of_other_keys(tpm, extensions):
    tpm.certificate = tpm.certified(extensions)
    assert refused(tpm, tpm.evidence(NONCE)) == "tpm-attestation-key"


def test_an_attestation_key_that_may_sign(tpm):
    tpm.certificate = tpm.certified([AK, (x509.KeyUsage(True, *[False] * 8), True)])
    judge(tpm, tpm.evidence(NONCE))


def test_an_rsa_attestation_key_is_not_one_of_ours(tpm):
    tpm.certificate = tpm.certified([AK], key=rsa_key().public_key())
    assert refused(tpm, tpm.evidence(NONCE)) == "tpm-attestation-key"


def test_an_authority_is_not_an_attestation_key(tpm):
    tpm.certificate = tpm.certified([AK, *ca()])
    assert refused(tpm, tpm.evidence(NONCE)) == "chain-authority"


def test_the_attestation_key_of_another_tpm(tpm):
    other = SoftTpm()
    other.key = tpm.key
    forged = dataclasses.replace(other.evidence(NONCE), certificates=tpm.evidence(NONCE).certificates)
    assert refused(tpm, forged) == "tpm-signature"


def test_the_signature_of_another_statement(tpm):
    one, two = tpm.evidence(NONCE), tpm.evidence(bytes(32))
    assert refused(tpm, dataclasses.replace(one, signature=two.signature)) == "tpm-signature"


@pytest.mark.parametrize("scheme, number", [(0x14, 0xB), (0x18, 0x4), (0x18, 0xC)])
def test_signatures_of_other_kinds(tpm, scheme, number):
    evidence = tpm.evidence(NONCE)
    head = scheme.to_bytes(2) + number.to_bytes(2)
    assert refused(tpm, dataclasses.replace(evidence, signature=head + evidence.signature[4:])) == "tpm-signature"


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"magic": 0xFF544346}, "tpm-magic"),
        ({"magic": 0}, "tpm-magic"),
        ({"kind": 0x8018}, "tpm-type"),
        ({"kind": 0x801A}, "tpm-type"),
        ({"end": b"\0"}, "evidence-malformed"),
    ],
)
def test_statements_of_other_kinds(tpm, changes, code):
    assert refused(tpm, tpm.evidence(NONCE, **changes)) == code


def test_a_stale_nonce(tpm):
    assert refused(tpm, tpm.evidence(bytes(32))) == "tpm-nonce"
    assert refused(tpm, tpm.evidence(NONCE + b"x")) == "tpm-nonce"
    assert refused(tpm, tpm.evidence(b"")) == "tpm-nonce"
    # A judge that asks nothing has not asked.
    assert refused(tpm, tpm.evidence(b""), nonce=b"") == "tpm-nonce"


def test_a_statement_about_another_key(tpm):
    other = area_of(ec.generate_private_key(ec.SECP256R1()).public_key())
    swapped = tpm.signed(Statement(other.name(), NONCE).encode(), tpm.area().encode())
    assert refused(tpm, swapped) == "tpm-name"
    assert refused(tpm, tpm.signed(Statement(tpm.area().name()[2:], NONCE).encode(), tpm.area().encode())) == "tpm-name"


@pytest.mark.parametrize("flag", list(SIGNING), ids=lambda flag: flag.name)
def test_each_attribute_that_must_be(tpm, flag):
    assert refused(tpm, tpm.evidence(NONCE, area=tpm.area(attributes=SIGNING & ~flag))) == "tpm-attributes"


@pytest.mark.parametrize(
    "flag", [Attributes.NO_DA, Attributes.RESTRICTED, Attributes.DECRYPT], ids=lambda flag: flag.name
)
def test_each_attribute_that_must_not_be(tpm, flag):
    assert refused(tpm, tpm.evidence(NONCE, area=tpm.area(attributes=SIGNING | flag))) == "tpm-attributes"


def test_a_way_around_the_pin(tpm):
    assert refused(tpm, tpm.evidence(NONCE, area=tpm.area(policy=bytes(32)))) == "tpm-attributes"


def test_the_attestation_key_itself_is_no_identity(tpm):
    area = area_of(tpm.attestation.public_key(), attributes=ATTESTING, ecdsa=True)
    assert refused(tpm, tpm.evidence(NONCE, area=area), key=tpm.attestation.public_key()) == "tpm-attributes"


def test_a_point_off_the_curve(tpm):
    assert refused(tpm, tpm.evidence(NONCE, area=dataclasses.replace(tpm.area(), y=bytes(32)))) == "tpm-attributes"


def test_another_identity(tpm):
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert refused(tpm, tpm.evidence(NONCE), key=other) == "key-mismatch"


def test_structures_that_are_cut_or_go_on(tpm):
    good = tpm.evidence(NONCE)
    for size in range(len(good.signature)):
        assert refused(tpm, dataclasses.replace(good, signature=good.signature[:size])) == "evidence-malformed"
    assert refused(tpm, dataclasses.replace(good, signature=good.signature + b"\0")) == "evidence-malformed"
    for size in range(len(good.attest)):
        cut = tpm.signed(good.attest[:size], good.public)
        assert refused(tpm, cut) == "evidence-malformed"
    for public in (b"", good.public[:-1], good.public + b"\0"):
        assert refused(tpm, dataclasses.replace(good, public=public)) == "evidence-malformed"


def test_each_turned_bit_is_refused(tpm):
    good = tpm.evidence(NONCE)
    for name in ("attest", "signature", "public"):
        octets = getattr(good, name)
        for at in range(len(octets)):
            turned = bytearray(octets)
            turned[at] ^= 1 << at % 8
            with pytest.raises(EvidenceRefused):
                judge(tpm, dataclasses.replace(good, **{name: bytes(turned)}))
