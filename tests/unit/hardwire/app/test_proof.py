# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import hwkeys
from hardwire.app.attestation import Authorities, Trust
from hardwire.app.identity import make_identity
from hardwire.app.keys import spki_of
from hardwire.app.proof import prove_home, shown_as
from hardwire.certs import Assurance, BlobType, device_id
from hwkeys import DeviceInfo, PinState
from hwkeys.evidence import PivEvidence, TpmEvidence
from support.evidence import SoftCard, SoftTpm, der

CARD = DeviceInfo("pkcs11", software=False, manufacturer="Yubico", model="YK5", serial="1", label="l", uri="pkcs11:",
                  pin_state=PinState.OK)  # fmt: skip


class Key:
    """As much of a hardware key as attests; what it says is said by a card or TPM in software."""

    capabilities = frozenset({hwkeys.Attester})

    def __init__(self, private, made, device: DeviceInfo = CARD) -> None:
        self.private, self.made, self.device = private, made, device
        self.nonces: list[bytes] = []

    def public_key(self):
        return self.private.public_key()

    def attest(self, nonce: bytes):
        self.nonces.append(nonce)
        if isinstance(self.made, Exception):
            raise self.made
        return self.made


def test_a_cards_proof_is_made_whole_with_the_authorities_that_are_known():
    card = SoftCard()
    leaf, f9, between = card.evidence().certificates
    told = []
    key = Key(card.key, PivEvidence((leaf, f9)))
    trust = Trust(Authorities((card.maker.certificate,), (card.between.certificate,)))
    evidence = prove_home(key, trust, told.append)
    assert evidence is not None
    assert (evidence.kind, PivEvidence.decode(evidence.body).certificates) == (BlobType.PIV, (leaf, f9, between))
    assert key.nonces == [device_id(spki_of(card.key))]
    assert told == []


def test_a_tpms_proof(tmp_path):
    tpm = SoftTpm()
    nonce = device_id(spki_of(tpm.key))
    made = tpm.evidence(nonce)
    told = []
    evidence = prove_home(Key(tpm.key, made, replace(CARD, kind="tpm")), Trust(), told.append)
    assert evidence is not None
    assert (evidence.kind, TpmEvidence.decode(evidence.body)) == (BlobType.TPM, made)
    identity = make_identity(
        tpm.key, key_uri="tpm:", device="d", assurance=Assurance.TPM_CLAIMED, evidence=evidence, home=tmp_path
    )
    assert shown_as(identity) == "TPM, unproven; attested to peers who trust enrolment"
    assert shown_as(replace(identity, evidence=None)) == "TPM, unproven"


@pytest.mark.parametrize("software, words", [(False, 1), (True, 0)])
def test_a_tpm_that_nobody_enrolled_proves_nothing(software, words):
    tpm = SoftTpm()
    bare = replace(tpm.evidence(b"n"), certificates=())
    told = []
    assert prove_home(Key(tpm.key, bare, replace(CARD, kind="tpm", software=software)), Trust(), told.append) is None
    assert len(told) == words
    assert all("enrolled" in each and "init --renew" in each for each in told)


def test_a_device_that_will_not_is_no_failure():
    private = ec.generate_private_key(ec.SECP256R1())
    told = []
    refusal = hwkeys.Unsupported("the key was brought to it", hint="generate one")
    assert prove_home(Key(private, refusal), Trust(), told.append) is None
    assert told == ["the device proves nothing of the key: the key was brought to it (generate one)"]
    assert prove_home(Key(private, PivEvidence((b"\x30\x00",))), Trust(), told.append) is None, "no certificate"
    large = PivEvidence((der(SoftCard().maker.certificate),) * 30)
    assert prove_home(Key(private, large), Trust(), told.append) is None
    assert "larger than" in told[-1]


def test_a_token_that_does_not_attest_is_not_asked():
    key = Key(ec.generate_private_key(ec.SECP256R1()), AssertionError())
    key.capabilities = frozenset()
    assert prove_home(key, Trust(), lambda _text: None) is None
    assert key.nonces == []
