# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import hwkeys
from hardwire.app.attestation import Trust, authorities
from hardwire.app.evidence import judge_statement, statement_of
from hardwire.app.keys import spki_of
from hardwire.certs import PIV_ATTESTATION, TPM_CERTIFY, Statement, attestation_nonce, make_request, read_request
from hardwire.errors import CertificateRefused
from hwkeys.evidence import PivEvidence, TpmEvidence
from support.evidence import AT, SoftCard, SoftTpm

CARD, TPM = SoftCard(), SoftTpm()


class Attesting:
    """A hardware key, as far as its evidence goes."""

    capabilities = frozenset({hwkeys.Attester})

    def __init__(self, answer) -> None:
        self.answer = answer
        self.nonce = b""

    def attest(self, nonce: bytes):
        self.nonce = nonce
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def request(key, statement):
    return read_request(make_request(key, statement=statement))


def tpm_evidence(nonce: bytes | None = None) -> TpmEvidence:
    return TPM.evidence(attestation_nonce(spki_of(TPM.key)) if nonce is None else nonce)


def believing(*certificates) -> Trust:
    return Trust(authorities(certificates), authorities(certificates))


def refusal(asked, roots) -> CertificateRefused:
    with pytest.raises(CertificateRefused) as caught:
        judge_statement(asked, believing(*roots), AT)
    assert caught.value.hint
    return caught.value


def test_a_card_from_its_request_to_the_verdict():
    key = Attesting(CARD.evidence())
    statement = statement_of(key, b"spki")
    assert statement.kind == PIV_ATTESTATION
    assert key.nonce == attestation_nonce(b"spki")
    proved = judge_statement(request(CARD.key, statement), believing(CARD.maker.certificate), AT)
    assert proved == "YubiKey 5 (serial 12345678)"


def test_a_card_that_keeps_its_serial_to_itself():
    statement = statement_of(Attesting(CARD.evidence(CARD.extensions(o7=None))), b"")
    assert judge_statement(request(CARD.key, statement), believing(CARD.maker.certificate), AT) == "YubiKey 5"


def test_a_tpm_from_its_request_to_the_verdict():
    statement = statement_of(Attesting(tpm_evidence()), spki_of(TPM.key))
    assert statement.kind == TPM_CERTIFY
    proved = judge_statement(request(TPM.key, statement), believing(TPM.authority.certificate), AT)
    assert proved == "TPM by IBM model"


def test_a_tpm_of_an_unknown_maker():
    other = SoftTpm()
    other.certificate = other.certified([(each, flag) for each, flag in _purpose()])
    evidence = other.evidence(attestation_nonce(spki_of(other.key)))
    statement = statement_of(Attesting(evidence), spki_of(other.key))
    assert judge_statement(request(other.key, statement), believing(other.authority.certificate), AT) == "TPM"


def _purpose():
    from cryptography import x509

    from hwkeys.evidence.tpm import ATTESTATION_PURPOSE

    return [(x509.ExtendedKeyUsage([ATTESTATION_PURPOSE]), False)]


def test_devices_that_have_nothing_to_show():
    assert statement_of(ec.generate_private_key(ec.SECP256R1()), b"") is None
    assert statement_of(Attesting(hwkeys.Unsupported("imported")), b"") is None
    assert statement_of(Attesting(replace(tpm_evidence(), certificates=())), b"") is None


def test_no_evidence():
    assert refusal(request(CARD.key, None), [CARD.maker.certificate]).code == "request-unattested"


@pytest.mark.parametrize("key,statement,roots,check", [
    (CARD.key, statement_of(Attesting(CARD.evidence()), b""), [TPM.authority.certificate], "chain-root"),
    (TPM.key, statement_of(Attesting(CARD.evidence()), b""), [CARD.maker.certificate], "key-mismatch"),
    (TPM.key, statement_of(Attesting(tpm_evidence(b"another nonce")), b""), [TPM.authority.certificate], "tpm-nonce"),
    (CARD.key, statement_of(Attesting(tpm_evidence()), b""), [TPM.authority.certificate], "tpm-nonce"),
    (TPM.key, Statement(TPM_CERTIFY, b"\x30\x00"), [TPM.authority.certificate], "evidence-malformed"),
])  # fmt: skip
def test_evidence_that_proves_something_else(key, statement, roots, check):
    problem = refusal(request(key, statement), roots)
    assert (problem.code, problem.exit_code) == ("request-evidence", 20)
    if check != "chain-root":
        assert problem.evidence == {"check": check}


def test_a_chain_that_the_device_cut_short():
    evidence = CARD.evidence()
    cut = replace(evidence, certificates=evidence.certificates[:2])
    asked = request(CARD.key, statement_of(Attesting(cut), b""))
    assert refusal(asked, [CARD.maker.certificate]).code == "request-evidence"
    whole = believing(CARD.maker.certificate, CARD.between.certificate)
    assert judge_statement(asked, whole, AT) == "YubiKey 5 (serial 12345678)"


def test_makers_of_cards_say_nothing_of_tpms_and_the_other_way_round():
    card = request(CARD.key, statement_of(Attesting(CARD.evidence()), b""))
    tpm = request(TPM.key, statement_of(Attesting(tpm_evidence()), spki_of(TPM.key)))
    for asked, trust in [
        (card, Trust(tpm=authorities([CARD.maker.certificate]))),
        (tpm, Trust(piv=authorities([TPM.authority.certificate]))),
    ]:
        with pytest.raises(CertificateRefused) as caught:
            judge_statement(asked, trust, AT)
        assert caught.value.code == "request-evidence"


def test_a_tpm_does_not_speak_for_an_rsa_key():
    key = rsa.generate_private_key(65537, 2048)
    spki = read_request(make_request(key)).spki
    evidence = TPM.evidence(attestation_nonce(spki))
    problem = refusal(request(key, statement_of(Attesting(evidence), spki)), [TPM.authority.certificate])
    assert problem.evidence == {"check": "key-mismatch"}


def test_the_forms_are_the_ones_of_hwkeys():
    evidence = tpm_evidence()
    assert TpmEvidence.of_statement(evidence.statement(), evidence.certificates) == evidence
    assert PivEvidence.decode(CARD.evidence().encode())
