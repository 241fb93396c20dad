# SPDX-License-Identifier: Apache-2.0
import dataclasses
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hardwire.app.attestation import (
    NO_TRUST,
    Authorities,
    PeerDevice,
    Trust,
    decode,
    judge,
    load_trust,
    load_trust_from,
    name_of,
)
from hardwire.certs import (
    BlobType,
    VerifiedIdentity,
    make_self_signed,
    open_gate,
    read_attestations,
    verify_self_signed,
)
from hardwire.errors import PeerNotVerified, UsageError, WireError
from hwkeys.evidence import PivEvidence
from support.evidence import AT, DAY, Authority, SoftCard, der, named, rsa_key

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "attestations.json").read_text())
CASES = VECTORS["cases"]
NOW = datetime.fromisoformat(VECTORS["at"])
LATER = NOW + timedelta(days=400)


def roots(kind: str) -> Authorities:
    return Authorities(tuple(x509.load_der_x509_certificate(bytes.fromhex(each)) for each in VECTORS[kind]))


TRUST = Trust(roots("piv_roots"), roots("tpm_roots"))


@pytest.fixture(scope="module")
def peer() -> VerifiedIdentity:
    found = verify_self_signed(open_gate(bytes.fromhex(VECTORS["certificate"])), at=NOW)
    assert found.device_id.hex() == VECTORS["device_id"]
    return found


def blobs(case: dict) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(each) for each in case["attestations"])


def named_case(name: str) -> dict:
    (found,) = [case for case in CASES if case["name"] == name]
    return found


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_each_vector(case, peer):
    if case["check"] == "malformed":
        with pytest.raises(WireError) as refused:
            judge(blobs(case), peer, TRUST, NOW)
        assert refused.value.code in {"assurance", "malformed"}
        return
    device = judge(blobs(case), peer, TRUST, NOW)
    assert (device.assurance, device.attested, device.by) == (case["assurance"], case["attested"], case["by"])
    assert device.facts == tuple(case["facts"])
    assert (device.refusal.code if device.refusal else "") == case["check"]
    evidence = read_attestations(blobs(case)).evidence
    assert evidence is None or decode(evidence).encode() == evidence.body, "one encoding a value"


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["check"] != "malformed"], ids=lambda case: case["name"]
)
def test_what_a_policy_that_requires_proof_says(case, peer):
    device = judge(blobs(case), peer, TRUST, NOW)
    if case["attested"]:
        device.require_attested()
        return
    with pytest.raises(PeerNotVerified) as refused:
        device.require_attested()
    problem = refused.value
    assert problem.hint
    if case["check"]:
        assert (problem.code, problem.evidence) == ("attestation-refused", {"check": case["check"]})
    elif case["assurance"].startswith("SOFTWARE"):
        assert problem.code == "attestation-software"
    else:
        assert problem.code == "attestation-missing"


@pytest.mark.parametrize("name", ["a card", "a TPM"])
def test_without_roots_or_at_another_time_nothing_is_proved(name, peer):
    case = named_case(name)
    swapped = Trust(TRUST.tpm, TRUST.piv)
    for trust, at, check in (
        (NO_TRUST, NOW, "chain-root"),
        (swapped, NOW, "chain-root"),
        (TRUST, LATER, "chain-expired"),
    ):
        device = judge(blobs(case), peer, trust, at)
        assert not device.attested
        assert device.assurance.endswith("unproven")
        assert device.refusal is not None
        assert device.refusal.code == check


@pytest.mark.parametrize("name, check", [("a card", "key-mismatch"), ("a TPM", "tpm-nonce")])
def test_another_identity_cannot_use_it(name, check, peer):
    key = SoftCard().key
    other = verify_self_signed(
        open_gate(make_self_signed(key, not_before=AT - DAY, not_after=AT + DAY, serial=7)), at=NOW
    )
    device = judge(blobs(named_case(name)), other, TRUST, NOW)
    assert device.refusal is not None
    assert device.refusal.code == check


def test_a_tpm_certifies_no_rsa_identity():
    certificate = make_self_signed(rsa_key(), not_before=AT - DAY, not_after=AT + DAY, serial=7)
    peer = verify_self_signed(open_gate(certificate), at=NOW)
    device = judge(blobs(named_case("a TPM")), peer, TRUST, NOW)
    assert device.refusal is not None
    assert device.refusal.code == "key-mismatch"


def test_a_chain_that_was_cut_short_is_completed(peer):
    evidence = read_attestations(blobs(named_case("a card"))).evidence
    assert evidence is not None
    leaf, f9, between = PivEvidence.decode(evidence.body).certificates
    short = (BlobType.PIV.to_bytes(2) + PivEvidence((leaf, f9)).encode(),)
    assert judge(short, peer, TRUST, NOW).refusal is not None
    helped = dataclasses.replace(TRUST.piv, between=(x509.load_der_x509_certificate(between),))
    assert judge(short, peer, Trust(helped), NOW).attested
    assert helped.complete((leaf, f9)) == (leaf, f9, between)
    assert helped.complete((leaf, f9, between)) == (leaf, f9, between)
    assert helped.complete(()) == ()


def test_authorities_in_a_circle_lead_nowhere():
    one, two = Authority.root("one"), Authority.root("two")
    circle = (one.issue("two", two.key.public_key()), two.issue("one", one.key.public_key()))
    chain = Authorities((), circle).complete((der(circle[0]),))
    assert len(chain) == 6


def test_names():
    assert name_of(named("maker")) == "maker"
    assert name_of(x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "ACME")])) == "O=ACME"


class TestFiles:
    def test_none_is_built_in(self, tmp_path):
        assert load_trust(tmp_path) == NO_TRUST
        assert load_trust(tmp_path, require_attested=True) == Trust(require_attested=True)

    def test_pem_and_der_roots_and_authorities(self, tmp_path):
        folder = tmp_path / "attestation" / "piv"
        folder.mkdir(parents=True)
        maker = Authority.root("maker")
        below = maker.authority("between")
        pem = maker.certificate.public_bytes(Encoding.PEM) + below.certificate.public_bytes(Encoding.PEM)
        (folder / "maker.pem").write_bytes(pem)
        other = Authority.root("other")
        (folder / "other.der").write_bytes(der(other.certificate))
        (folder / "README").write_text("no certificate, and not looked at")
        trust = load_trust(tmp_path)
        assert trust.piv == Authorities((maker.certificate, other.certificate), (below.certificate,))
        assert trust.tpm == Authorities()
        assert trust.about(BlobType.PIV) is trust.piv
        assert trust.about(BlobType.TPM) is trust.tpm

    def test_a_file_makes_it_required(self, tmp_path):
        (tmp_path / "attestation").mkdir()
        (tmp_path / "attestation" / "required").touch()
        assert load_trust(tmp_path).require_attested

    @pytest.mark.parametrize("octets", [b"", b"not a certificate", b"\x30" * ((1 << 20) + 1)])
    def test_what_is_no_root(self, tmp_path, octets):
        folder = tmp_path / "attestation" / "tpm"
        folder.mkdir(parents=True)
        (folder / "a.pem").write_bytes(octets)
        with pytest.raises(UsageError, match=r"a\.pem") as refused:
            load_trust(tmp_path)
        assert refused.value.code == "attestation-roots"

    def test_a_device_is_no_root(self, tmp_path):
        folder = tmp_path / "attestation" / "tpm"
        folder.mkdir(parents=True)
        (folder / "a.pem").write_bytes(der(Authority.root().issue("leaf", SoftCard().key.public_key())))
        with pytest.raises(UsageError, match="not an authority"):
            load_trust(tmp_path)

    def test_one_file_for_both_kinds(self, tmp_path):
        card = SoftCard()
        file = tmp_path / "makers.pem"
        maker, between = (each.certificate.public_bytes(Encoding.PEM) for each in (card.maker, card.between))
        file.write_bytes(maker + between)
        trust = load_trust_from(file)
        assert trust.piv == trust.tpm == Authorities((card.maker.certificate,), (card.between.certificate,))
        assert trust.anybody
        file.write_bytes(between)
        with pytest.raises(UsageError, match="holds no root") as refused:
            load_trust_from(file)
        assert refused.value.code == "attestation-roots"
        assert not NO_TRUST.anybody

    def test_a_file_that_cannot_be_read(self, tmp_path):
        (tmp_path / "attestation" / "tpm" / "a.pem").mkdir(parents=True)
        with pytest.raises(UsageError, match="cannot be read"):
            load_trust(tmp_path)


def test_what_is_shown_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PeerDevice("TPM, unproven").attested = True
