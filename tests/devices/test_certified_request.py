# SPDX-License-Identifier: Apache-2.0
"""A certificate request whose evidence comes from a device: a TPM that was enrolled, a YubiKey; judged as an authority does."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app.attestation import Trust, authorities
from hardwire.app.evidence import judge_statement, statement_of
from hardwire.app.keys import public_octets
from hardwire.certs import PIV_ATTESTATION, TPM_CERTIFY, make_request, read_request
from hardwire.errors import CertificateRefused
from hwkeys import Enrollable, capability, generate_key, open_key
from hwkeys.evidence import load_roots, make_credential, read_attestation_key, verify_endorsement
from hwkeys.evidence.maker import general_name
from hwkeys.evidence.tpm import ATTESTATION_PURPOSE
from support.evidence import Authority, der
from support.hwbench import right
from support.hwpiv import PivBench

SECRET = b"what the authority keeps"
SOON = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


def believing(*certificates):
    return Trust(authorities(certificates), authorities(certificates))


def requested(key):
    statement = statement_of(key, public_octets(key))
    return read_request(make_request(key, statement=statement))


@pytest.mark.device("swtpm")
def test_a_tpm_from_its_enrolment_to_the_verdict(swtpm):
    enrolment = Authority.root("enrolment", after=SOON - DAY, before=SOON + DAY)
    with generate_key(swtpm.uri("alice"), prompter=right(swtpm)) as key:
        assert requested(key).statement is None, "nobody knows its attestation key yet"
        device = capability(key, Enrollable)
        issuer, root = swtpm.tpm.makers
        chain = [device.endorsements()[0], der(x509.load_pem_x509_certificate(issuer.read_bytes()))]
        chosen = verify_endorsement(chain, roots=load_roots(root.read_bytes()), at=SOON)
        challenge = make_credential(chosen.certificate, device.attestation_public(), SECRET)
        assert device.activate(der(chosen.certificate), challenge) == SECRET
        extensions = [
            (x509.ExtendedKeyUsage([ATTESTATION_PURPOSE]), False),
            (x509.SubjectAlternativeName([general_name(chosen.maker)]), True),
        ]
        attestation = read_attestation_key(device.attestation_public()).public_key()
        device.keep_certificates(
            [der(enrolment.issue("ak", attestation, extensions, after=SOON - HOUR, before=SOON + HOUR))]
        )
        asked = requested(key)
    assert asked.statement.kind == TPM_CERTIFY
    assert judge_statement(asked, believing(enrolment.certificate), SOON).startswith("TPM by id:00001014")
    with pytest.raises(CertificateRefused):
        judge_statement(
            asked, believing(Authority.root("somebody", after=SOON - DAY, before=SOON + DAY).certificate), SOON
        )


@pytest.mark.device("piv-ykcs11")
def test_a_yubikey_from_its_request_to_the_verdict():
    piv = PivBench("ykcs11")
    root = x509.load_pem_x509_certificate(piv.card.attest("9a")[2].encode())
    with open_key(piv.uri("alice"), prompter=right(piv)) as key:
        asked = requested(key)
    at = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    assert asked.statement.kind == PIV_ATTESTATION
    assert judge_statement(asked, believing(root), at) == f"YubiKey 5 (serial {piv.card.serial})"
    other = ec.generate_private_key(ec.SECP256R1())
    stolen = read_request(make_request(other, statement=asked.statement))
    with pytest.raises(CertificateRefused) as caught:
        judge_statement(stolen, believing(root), at)
    assert caught.value.evidence == {"check": "key-mismatch"}
    piv.card.pull()
