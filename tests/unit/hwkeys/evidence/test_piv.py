# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import EvidenceRefused
from hwkeys.evidence import (
    FormFactor,
    PinPolicy,
    PivAttestation,
    PivEvidence,
    TouchPolicy,
    UsePolicy,
    verify_piv_attestation,
)
from hwkeys.evidence.piv import policy_of
from support.evidence import AT, DAY, PIV, SoftCard, rsa_key, unknown


@pytest.fixture
def card() -> SoftCard:
    return SoftCard()


def judge(card: SoftCard, evidence: PivEvidence, key=None) -> PivAttestation:
    public = key or card.key.public_key()
    return verify_piv_attestation(evidence, public_key=public, roots=[card.maker.certificate], at=AT)


def refused(card: SoftCard, evidence: PivEvidence, key=None) -> str:
    with pytest.raises(EvidenceRefused) as refused:
        judge(card, evidence, key)
    return refused.value.code


def test_what_is_proved(card):
    proved = judge(card, PivEvidence.decode(card.evidence().encode()))
    assert proved == PivAttestation(
        model="YubiKey 5",
        firmware="5.4.3",
        serial=12345678,
        pin_policy=PinPolicy.ONCE,
        touch_policy=TouchPolicy.CACHED,
        form_factor=FormFactor.USB_C_KEYCHAIN,
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        proved.serial = 1


def test_a_card_that_says_less(card):
    proved = judge(card, card.evidence(card.extensions(o3=b"\x04\x03\x05", o7=None, o9=None)))
    assert (proved.model, proved.serial, proved.form_factor) == ("YubiKey 4", None, None)


@pytest.mark.parametrize(
    "octet, form", [(0x81, FormFactor.USB_A_KEYCHAIN), (0x3F, FormFactor.UNKNOWN), (0, FormFactor.UNKNOWN)]
)
def test_form_factors(card, octet, form):
    assert judge(card, card.evidence(card.extensions(o9=bytes([octet])))).form_factor is form


def test_another_key(card):
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert refused(card, card.evidence(), other) == "key-mismatch"
    assert refused(card, card.evidence(key=other)) == "key-mismatch"


def test_the_cards_own_certificate_is_not_an_attestation(card):
    chain = card.evidence().certificates[1:]
    assert refused(card, PivEvidence(chain), card.f9.key.public_key()) == "chain-authority"


def test_another_makers_card(card):
    other = SoftCard()
    other.key = card.key
    assert refused(card, other.evidence()) == "chain-signature"
    assert (
        refused(card, PivEvidence((other.evidence().certificates[0], *card.evidence().certificates[1:])))
        == "chain-signature"
    )
    assert refused(card, PivEvidence(())) == "evidence-malformed"
    assert refused(card, PivEvidence(card.evidence().certificates[:1])) == "chain-root"


def test_out_of_date(card):
    assert refused(card, card.evidence(before=AT - DAY / 2)) == "chain-expired"


@pytest.mark.parametrize(
    "changes, code",
    [
        ({"o3": None}, "piv-firmware"),
        ({"o3": b"\x05\x04"}, "piv-firmware"),
        ({"o3": b"\x04\x03\x05\x04\x03"}, "piv-firmware"),  # an OCTET STRING
        ({"o8": None}, "piv-policy"),
        ({"o8": b"\x02"}, "piv-policy"),
        ({"o8": b"\x02\x02\x02"}, "piv-policy"),
        ({"o8": b"\x00\x01"}, "piv-policy"),
        ({"o8": b"\x01\x04"}, "piv-policy"),
        ({"o7": b""}, "piv-serial"),
        ({"o7": b"\x00\xbc\x61\x4e"}, "piv-serial"),  # bare octets
        ({"o7": b"\x02\x01\x00"}, "piv-serial"),
        ({"o7": b"\x02\x01\xff"}, "piv-serial"),
        ({"o7": b"\x02\x02\x00\x01"}, "piv-serial"),
        ({"o7": b"\x02\x01\x01\x00"}, "piv-serial"),
        ({"o7": b"\x04\x01\x01"}, "piv-serial"),
        ({"o7": b"\x02\x0a" + b"\x01" * 10}, "piv-serial"),
        ({"o9": b""}, "piv-form-factor"),
        ({"o9": b"\x04\x01\x01"}, "piv-form-factor"),
    ],
)
def test_words_in_a_wrong_form(card, changes, code):
    assert refused(card, card.evidence(card.extensions(**changes))) == code


def test_a_word_said_twice(card):
    octets = card.evidence([*card.extensions(), unknown(PIV + "10", b"\5\4\3")]).certificates
    twice = octets[0].replace(bytes.fromhex("060a2b0601040182c40a030a"), bytes.fromhex("060a2b0601040182c40a0303"))
    assert twice != octets[0]
    assert refused(card, PivEvidence((twice, *octets[1:]))) == "evidence-malformed"


def test_weak_rsa_keys_of_2017(card):
    key = rsa_key()
    for version, code in ((b"\4\2\6", "piv-firmware"), (b"\4\3\4", "piv-firmware"), (b"\4\3\5", ""), (b"\4\2\5", "")):
        evidence = card.evidence(card.extensions(o3=version), key=key.public_key())
        if code:
            assert refused(card, evidence, key.public_key()) == code
        else:
            judge(card, evidence, key.public_key())
    judge(card, card.evidence(card.extensions(o3=b"\4\3\4")))


def test_each_turned_bit_is_refused(card):
    leaf, *others = card.evidence().certificates
    for at in range(len(leaf)):
        turned = bytearray(leaf)
        turned[at] ^= 1 << at % 8
        with pytest.raises(EvidenceRefused):
            judge(card, PivEvidence((bytes(turned), *others)))


def test_each_shortened_attestation_is_refused(card):
    leaf, *others = card.evidence().certificates
    for size in range(0, len(leaf), 11):
        assert refused(card, PivEvidence((leaf[:size], *others))) == "evidence-malformed"


def test_the_policy_can_be_read_by_the_cards_holder_without_a_judge(card):
    leaf = x509.load_der_x509_certificate(card.evidence().certificates[0])
    assert policy_of(leaf) == UsePolicy(PinPolicy.ONCE, TouchPolicy.CACHED)
    silent = x509.load_der_x509_certificate(card.evidence(card.extensions(o8=None)).certificates[0])
    with pytest.raises(EvidenceRefused) as refused:
        policy_of(silent)
    assert refused.value.code == "piv-policy"
