# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from hardwire.certs import open_gate, verify_self_signed
from hardwire.errors import CertificateRefused, Misuse
from support import certchains
from support.certmutants import Mutant, accepted, mutants
from support.certparts import KEY, NOW, RSA_SHA256, Parts, build, did_of, spki

UTC_HOURS_WEST = timezone(timedelta(hours=-5))
ALL = mutants()
CODES = {
    "cert-not-self-issued", "cert-profile-key", "cert-profile-algorithm", "cert-profile-extension",
    "cert-profile-ca", "cert-profile-key-usage", "cert-profile-eku", "cert-profile-san", "cert-did-mismatch",
    "cert-self-signature", "cert-not-yet-valid", "cert-expired",
}  # fmt: skip
PROFILE = [mutant for mutant in ALL if mutant.code in CODES]


def test_there_are_many_mutants_and_no_two_alike() -> None:
    assert len(ALL) >= 150
    assert len({mutant.name for mutant in ALL}) == len(ALL)
    assert len({mutant.der for mutant in ALL}) == len(ALL)


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_nothing_that_must_be_refused_is_accepted(mutant: Mutant) -> None:
    with pytest.raises(CertificateRefused) as caught:
        verify_self_signed(open_gate(mutant.der), at=NOW)
    assert caught.value.code == mutant.code


@pytest.mark.parametrize("mutant", PROFILE, ids=lambda mutant: mutant.name)
def test_the_gate_leaves_the_profile_to_the_verifier(mutant: Mutant) -> None:
    gated = open_gate(mutant.der)
    with pytest.raises(CertificateRefused) as caught:
        verify_self_signed(gated, at=NOW)
    error = caught.value
    assert error.evidence["serial"] == f"{gated.serial:x}"
    assert error.evidence["subject"] == gated.parsed.subject.rfc4514_string()
    assert error.evidence["not_after"].endswith(" UTC")
    assert error.message.startswith("the certificate ")
    assert not error.message.endswith(".")
    assert error.hint
    assert error.exit_code == (50 if error.code == "cert-expired" else 20)


def test_any_purpose_is_named_as_the_fault() -> None:
    der = next(mutant.der for mutant in ALL if mutant.name == "device and any purpose")
    with pytest.raises(CertificateRefused, match="claims to be good for any purpose"):
        verify_self_signed(open_gate(der), at=NOW)


def test_every_check_but_the_size_of_an_rsa_key_has_a_mutant() -> None:
    assert {mutant.code for mutant in PROFILE} == CODES - {"cert-profile-key"}


@pytest.mark.parametrize("der", [pytest.param(der, id=name) for name, der in accepted()])
def test_accepts(der: bytes) -> None:
    gated = open_gate(der)
    identity = verify_self_signed(gated, at=NOW)
    assert identity.certificate is gated
    assert identity.not_after == gated.not_after


def test_the_identity_is_the_key() -> None:
    identity = verify_self_signed(open_gate(build(Parts())), at=NOW)
    assert identity.spki == spki(KEY)
    assert identity.did.encode() == did_of(KEY)


def test_an_rsa_key_beyond_the_signature_schemes_is_refused() -> None:
    # A modulus of this size is slow to generate; the check comes before the signature's, so any odd number does.
    key = rsa.RSAPublicNumbers(65537, (1 << 4103) + 1).public_key()
    large = _RsaWith(key)
    with pytest.raises(CertificateRefused, match="4104 bits") as caught:
        verify_self_signed(open_gate(build(Parts(inner=RSA_SHA256, spki=large.spki))), at=NOW)
    assert caught.value.code == "cert-profile-key"


class _RsaWith:
    def __init__(self, key: rsa.RSAPublicKey) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        self.spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _refusal(at: datetime) -> CertificateRefused:
    with pytest.raises(CertificateRefused) as caught:
        verify_self_signed(open_gate(build(Parts())), at=at)
    return caught.value


def test_a_clock_two_hours_behind_gets_one_clear_line() -> None:
    error = _refusal(datetime(2025, 12, 31, 22, 0, tzinfo=UTC))
    assert error.code == "cert-not-yet-valid"
    assert error.message == (
        "the certificate becomes valid at 2026-01-01 00:00:00 UTC, "
        "but the clock here says 2025-12-31 22:00:00 UTC, 2 h 0 min earlier"
    )
    assert "clocks" in error.hint
    assert error.evidence["clock"] == "2025-12-31 22:00:00 UTC"
    assert error.evidence["clock_offset"] == "-7200 s"


def test_an_expired_certificate_says_when_and_by_how_much() -> None:
    error = _refusal(datetime(2037, 1, 3, 4, 59, 59, tzinfo=UTC))
    assert error.exit_code == 50
    assert error.message == (
        "the certificate expired at 2036-12-31 23:59:59 UTC, "
        "and the clock here says 2037-01-03 04:59:59 UTC, 2 d 5 h later"
    )
    assert "hardwire init" in error.hint
    assert error.evidence["clock_offset"] == "+190800 s"


def test_tolerance_is_zero() -> None:
    second, tick = timedelta(seconds=1), timedelta(microseconds=1)
    begin, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 12, 31, 23, 59, 59, tzinfo=UTC)
    gated = open_gate(build(Parts()))
    verify_self_signed(gated, at=begin)
    verify_self_signed(gated, at=end)
    assert "0 min 1 s earlier" in _refusal(begin - second).message
    assert _refusal(begin - tick).code == "cert-not-yet-valid"
    assert _refusal(end + tick).code == "cert-expired"


def test_another_time_zone_is_the_same_moment() -> None:
    gated = open_gate(build(Parts()))
    verify_self_signed(gated, at=datetime(2025, 12, 31, 19, 0, tzinfo=UTC_HOURS_WEST))
    with pytest.raises(CertificateRefused, match="says 2025-12-31 23:00:00 UTC"):
        verify_self_signed(gated, at=datetime(2025, 12, 31, 18, 0, tzinfo=UTC_HOURS_WEST))


def test_a_time_without_a_zone_is_misuse() -> None:
    with pytest.raises(Misuse, match="time zone"):
        verify_self_signed(open_gate(build(Parts())), at=datetime(2026, 7, 1))  # noqa: DTZ001 - the point


def _on_ed25519() -> certchains.Certificate:
    made = certchains.device(certchains.ED_KEY, certchains.ED_KEY, issuer=certchains.DEVICE_NAME)
    return made.with_(also={certchains.AKI: b""})


def test_a_device_on_ed25519_vouches_for_itself() -> None:
    assert verify_self_signed(open_gate(_on_ed25519().der()), at=NOW).did.startswith("did:key:z6Mk")


def test_an_ed25519_key_makes_its_own_kind_of_signature_only() -> None:
    crossed = _on_ed25519().with_(signer=KEY)
    with pytest.raises(CertificateRefused) as caught:
        verify_self_signed(open_gate(crossed.der()), at=NOW)
    assert caught.value.code == "cert-profile-algorithm"


def test_an_allowance_for_clocks() -> None:
    gated = open_gate(build(Parts()))
    early = gated.not_before - timedelta(seconds=30)
    verify_self_signed(gated, at=early, skew=timedelta(seconds=30))
    with pytest.raises(CertificateRefused) as caught:
        verify_self_signed(gated, at=early, skew=timedelta(seconds=29))
    assert caught.value.evidence["clock_allowance"] == "29 s"
    assert caught.value.evidence["check"] == "10 valid already"
