# SPDX-License-Identifier: Apache-2.0
"""Chains, lists and answers: a verdict or a refusal, whatever comes; and no fault in the encoding is accepted."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardwire.certs import (
    CertificateRefused,
    PathInput,
    RevocationMaterial,
    RevocationMode,
    RevocationRules,
    Trust,
    check_path,
    load_spki,
    read_crl,
    read_ocsp,
    trust_anchor,
    verify_chain,
)
from support import certchains as org
from support.certparts import NOW, tlv
from support.dermutants import mutants
from support.revocations import Crl, Ocsp, delegated, entry, reason, root_crl

CHAIN, ROOT = org.chain()
ANCHOR = trust_anchor(ROOT)
REQUIRE = RevocationRules(RevocationMode.REQUIRE)
LISTS = (Crl(entries=(entry(7, reason(1)), entry(8))).der(), root_crl().der())
CAMPAIGN = settings(max_examples=150, deadline=None)


MATERIAL = RevocationMaterial(LISTS)


def _accepted(chain: list[bytes], material: RevocationMaterial = MATERIAL) -> bool:
    try:
        verify_chain(chain, Trust((ANCHOR,), revocation=REQUIRE), at=NOW, material=material)
    except CertificateRefused:
        return False
    return True


def _signed(tbs: bytes, key: org.Key) -> bytes:
    return tlv(0x30, tbs, org.algorithm_of(key), tlv(0x03, b"\0", org.sign_with(key, tbs)))


def _tbs(octets: bytes) -> bytes:
    from hardwire.certs import der

    return der.parse(octets).children[0].raw


def test_what_is_right_is_accepted() -> None:
    assert _accepted(CHAIN)
    assert _signed(_tbs(CHAIN[0]), org.MIDDLE_KEY) == CHAIN[0]


@pytest.mark.parametrize("place", [0, 1], ids=["device", "authority"])
def test_no_fault_in_a_certificate_is_accepted_though_its_issuer_signed_it(place: int) -> None:
    key = (org.MIDDLE_KEY, org.ROOT_KEY)[place]
    made = list(mutants(_tbs(CHAIN[place])))
    assert len(made) > 150
    for name, tbs in made:
        chain = list(CHAIN)
        chain[place] = _signed(tbs, key)
        assert not _accepted(chain), name


def test_no_fault_around_the_signature_is_accepted() -> None:
    for place in (0, 1):
        for name, octets in mutants(CHAIN[place]):
            chain = list(CHAIN)
            chain[place] = octets
            assert not _accepted(chain), name


def test_no_fault_in_a_root_is_trusted() -> None:
    for name, tbs in mutants(_tbs(ROOT)):
        try:
            verify_chain(CHAIN, Trust((trust_anchor(_signed(tbs, org.ROOT_KEY)),)), at=NOW)
        except CertificateRefused:
            continue
        pytest.fail(name)


def test_no_fault_in_a_list_counts_though_its_issuer_signed_it() -> None:
    for name, tbs in mutants(_tbs(LISTS[0])):
        material = RevocationMaterial((_signed(tbs, org.MIDDLE_KEY), LISTS[1]))
        assert not _accepted(CHAIN, material), name


def test_no_fault_in_an_answer_counts() -> None:
    whole = Ocsp().der()
    assert _accepted(CHAIN, RevocationMaterial((LISTS[1],), (whole,)))
    for name, octets in mutants(whole):
        assert not _accepted(CHAIN, RevocationMaterial((LISTS[1],), (octets,))), name


PARTS = {"device": CHAIN[0], "authority": CHAIN[1], "list": LISTS[0], "answer": delegated().der()}


@CAMPAIGN
@given(st.sampled_from(sorted(PARTS)), st.integers(0, 10_000), st.integers(1, 255))
def test_each_changed_octet_is_refused(part: str, place: int, change: int) -> None:
    octets = bytearray(PARTS[part])
    octets[place % len(octets)] ^= change
    parts = {**PARTS, part: bytes(octets)}
    crls = (parts["list"], LISTS[1]) if part == "list" else (LISTS[1],)
    ocsp = () if part == "list" else (parts["answer"],)
    assert not _accepted([parts["device"], parts["authority"]], RevocationMaterial(crls, ocsp))


@CAMPAIGN
@given(st.lists(st.binary(max_size=80), max_size=6), st.lists(st.binary(max_size=80), max_size=3), st.lists(st.binary(max_size=80), max_size=3))  # fmt: skip
def test_any_octets(chain: list[bytes], crls: list[bytes], ocsp: list[bytes]) -> None:
    assert not _accepted(chain, RevocationMaterial(tuple(crls), tuple(ocsp)))
    assert _accepted(CHAIN, RevocationMaterial((*LISTS, *crls), tuple(ocsp)))
    for reader in (read_crl, read_ocsp, load_spki):
        for octets in (*chain, *crls):
            with pytest.raises(CertificateRefused):
                reader(octets)
    with pytest.raises(CertificateRefused):
        check_path(PathInput(CHAIN[0], chain, chain), at=NOW, revocation=REQUIRE)


@CAMPAIGN
@given(st.integers(-(10**9), 10**9), st.integers(0, 86400))
def test_any_time(offset: int, skew: int) -> None:
    trust = Trust((ANCHOR,), timedelta(seconds=skew))
    try:
        identity = verify_chain(CHAIN, trust, at=NOW + timedelta(seconds=offset))
    except CertificateRefused as refusal:
        assert refusal.code in {"cert-expired", "cert-not-yet-valid"}  # noqa: PT017 - either outcome is right
    else:
        assert identity.certificate.not_before <= NOW + timedelta(seconds=offset + skew)
