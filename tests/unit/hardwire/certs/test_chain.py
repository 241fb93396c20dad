# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest

from hardwire.certs import (
    CHAIN_CHECKS,
    Checklist,
    KeyKind,
    NameKind,
    Trust,
    Verdict,
    open_gate,
    trust_anchor,
    verify_chain,
)
from hardwire.certs import chain as module
from hardwire.errors import CertificateRefused, Misuse
from support import certchains as org
from support.certparts import NOW, dates, tlv
from support.chainmutants import POLICIES, Case, accepted, refused

REFUSED = refused()


def _verify(case: Case, *, at: datetime = NOW, skew: timedelta = timedelta(0), checklist: Checklist | None = None):
    anchors = (trust_anchor(case.root),)
    return verify_chain(case.chain, Trust(anchors, skew), at=at, checklist=checklist)


def test_no_two_cases_are_alike() -> None:
    cases = [*accepted(), *REFUSED]
    assert len({case.name for case in cases}) == len(cases)
    assert len({(case.chain, case.root) for case in cases}) == len(cases)


@pytest.mark.parametrize("case", accepted(), ids=lambda case: case.name)
def test_accepts(case: Case) -> None:
    identity = _verify(case)
    assert identity.certificate == open_gate(case.chain[0])
    assert identity.endorsement is not None
    assert [one.der for one in identity.endorsement.authorities] == list(case.chain[1:])
    assert identity.organisation == "Example Works"


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_nothing_that_must_be_refused_is_accepted(case: Case) -> None:
    with pytest.raises(CertificateRefused) as caught:
        _verify(case)
    assert caught.value.code == case.code
    assert caught.value.hint
    assert not caught.value.message.endswith(".")


def test_every_code_of_the_chain_has_a_case() -> None:
    assert {case.code for case in REFUSED} >= {
        "cert-chain", "cert-untrusted", "cert-profile-key", "cert-profile-extension", "cert-profile-ca",
        "cert-profile-key-usage", "cert-profile-eku", "cert-profile-limits", "cert-profile-san", "cert-did-mismatch",
        "cert-expired", "cert-not-yet-valid", "cert-path", "cert-path-second",
    }  # fmt: skip


def _named(name: str) -> Case:
    return next(case for case in (*accepted(), *REFUSED) if case.name == name)


def test_the_names_beside_the_did_come_out() -> None:
    endorsement = _verify(_named("all names, critical, no subject")).endorsement
    assert endorsement is not None
    assert [name.kind for name in endorsement.names] == [NameKind.EMAIL, NameKind.DNS, NameKind.OTHER, NameKind.OTHER]
    assert [name.text() for name in endorsement.names][:2] == [
        "email:ann@devices.example",
        "dns:laptop.devices.example",
    ]


def test_policies_count_along_the_whole_chain_only() -> None:
    alone = _verify(_named("a policy")).endorsement
    together = _verify(_named("critical policies")).endorsement
    assert alone is not None
    assert together is not None
    assert alone.policies == frozenset()
    assert together.policies == {"1.2.3"}


def test_any_policy_of_the_authority_lets_the_devices_own_through() -> None:
    between = org.middle().with_(also={POLICIES: org.policies_of("2.5.29.32.0")})
    for mine, seen in (("1.2.3.4", "1.2.3.4"), ("2.5.29.32.0", "2.5.29.32.0")):
        leaf = org.device().with_(also={POLICIES: org.policies_of(mine)})
        found = _verify(Case("", (leaf.der(), between.der()), org.root().der())).endorsement
        assert found is not None
        assert found.policies == {seen}


def test_the_walk_is_shown_to_whoever_asks() -> None:
    steps = Checklist(CHAIN_CHECKS)
    _verify(_named("typical"), checklist=steps)
    assert {check.verdict for check in steps.checks} == {Verdict.PASSED}
    steps = Checklist(CHAIN_CHECKS)
    with pytest.raises(CertificateRefused) as caught:
        _verify(_named("authority expired"), checklist=steps)
    reached = [check.verdict for check in steps.checks]
    assert reached == [Verdict.PASSED] * 6 + [Verdict.REFUSED] + [Verdict.NOT_REACHED] * 3
    assert caught.value.evidence["check"] == "7 everything in its time"
    assert caught.value.message.startswith(
        "the certificate of the authority 'CN=Example Devices' expired at 2026-06-30"
    )
    assert caught.value.evidence["clock_offset"] == "+43201 s"
    assert "organisation" in caught.value.hint


def test_an_allowance_for_clocks_covers_a_clock_that_is_off() -> None:
    late = Case(
        "",
        (org.device().with_(validity=dates(end=tlv(0x17, b"260701115900Z"))).der(), org.middle().der()),
        org.root().der(),
    )
    assert _verify(late, skew=timedelta(minutes=1)).certificate.key_kind is KeyKind.P256
    with pytest.raises(CertificateRefused) as caught:
        _verify(late, skew=timedelta(seconds=59))
    assert caught.value.code == "cert-expired"
    assert (caught.value.evidence["clock_offset"], caught.value.evidence["clock_allowance"]) == ("+60 s", "59 s")


def test_two_certificates_that_were_never_valid_together_are_refused_in_spite_of_an_allowance() -> None:
    leaf = org.device().with_(validity=dates(tlv(0x17, b"260701120010Z")))
    between = org.middle().with_(validity=dates(end=tlv(0x17, b"260701115950Z")))
    with pytest.raises(CertificateRefused) as caught:
        _verify(Case("", (leaf.der(), between.der()), org.root().der()), skew=timedelta(minutes=5))
    assert caught.value.code == "cert-not-yet-valid"


def test_the_validity_that_comes_out_is_that_of_the_whole_chain() -> None:
    between = org.middle().with_(validity=dates(end=tlv(0x17, b"260801000000Z")))
    identity = _verify(Case("", (org.device().der(), between.der()), org.root().der()))
    assert identity.not_after == datetime(2026, 8, 1, tzinfo=UTC)


def test_one_of_several_anchors_is_found() -> None:
    case = _named("typical")
    other = trust_anchor(org.root(org.STRANGER_KEY, org.organisation("Other")).der())
    identity = verify_chain(case.chain, Trust((other, trust_anchor(case.root, "mine"))), at=NOW)
    assert identity.organisation == "mine"


def test_no_anchor_and_no_time_zone_are_misuse() -> None:
    case = _named("typical")
    with pytest.raises(Misuse, match="anchor"):
        verify_chain(case.chain, Trust(()), at=NOW)
    with pytest.raises(Misuse, match="time zone"):
        _verify(case, at=datetime(2026, 7, 1))  # noqa: DTZ001 - the point


def test_a_path_of_the_engine_that_is_not_the_chain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_path", lambda *_, **__: [])
    with pytest.raises(CertificateRefused, match="another way") as caught:
        _verify(_named("typical"))
    assert caught.value.code == "cert-path"


@pytest.mark.parametrize("engine, code", [("find_path", "cert-path-second"), ("validate_path", "cert-path")])
def test_each_engine_sees_for_itself(monkeypatch: pytest.MonkeyPatch, engine: str, code: str) -> None:
    """With one engine silenced, the other still refuses what both should."""
    case = _named("path length")
    whole = [open_gate(one).parsed for one in (*case.chain, case.root)]
    monkeypatch.setattr(module, engine, lambda *_, **__: whole if engine == "find_path" else frozenset())
    with pytest.raises(CertificateRefused) as caught:
        _verify(case)
    assert caught.value.code == code
