# SPDX-License-Identifier: Apache-2.0
"""Paths of any kind. The public suites say more: tests/interop/test_suites.py."""

import pytest

from hardwire.certs import (
    PATH_CHECKS,
    CertificateRefused,
    Checklist,
    PathInput,
    PathReport,
    RevocationMaterial,
    RevocationMode,
    RevocationRules,
    Source,
    Verdict,
    VerifiedIdentity,
    check_path,
    path,
)
from support import certchains as org
from support.certchains import (
    AKI,
    BASIC,
    EKU,
    LIMITS,
    SAN,
    SKI,
    USAGE,
    basic,
    device,
    eku_of,
    limits_of,
    middle,
    root,
    san_of,
)
from support.certparts import CRITICAL, NOW, dates, extension, tlv
from support.revocations import Crl, entry, root_crl

OFF, REQUIRE = RevocationRules(RevocationMode.OFF), RevocationRules(RevocationMode.REQUIRE)
HOST = san_of(tlv(0x82, b"h.example"))
SERVER = eku_of("1.3.6.1.5.5.7.3.1")
LEAF = device().with_(also={SAN: HOST, EKU: SERVER})
STRANGE = middle(org.STRANGER_KEY, name=org.utf8_name("Stranger"))


def _check(
    leaf: org.Certificate = LEAF,
    pool: tuple[org.Certificate, ...] = (middle(),),
    roots: tuple[org.Certificate, ...] = (root(),),
    *,
    hostname: str | None = "h.example",
    rules: RevocationRules = OFF,
    crls: tuple[bytes, ...] = (),
    checklist: Checklist | None = None,
    longest: int = 10,
):
    given = PathInput(leaf.der(), [one.der() for one in pool], [one.der() for one in roots], hostname, longest)
    return check_path(given, at=NOW, revocation=rules, material=RevocationMaterial(crls), checklist=checklist)


def _code(*arguments: object, **named: object) -> str:
    with pytest.raises(CertificateRefused) as caught:
        _check(*arguments, **named)  # type: ignore[arg-type]
    return caught.value.code


def test_a_path_is_a_report_and_no_identity() -> None:
    report = _check()
    assert isinstance(report, PathReport)
    assert not isinstance(report, VerifiedIdentity)
    assert [one.der for one in report.path] == [LEAF.der(), middle().der(), root().der()]


def test_what_is_of_no_use_is_put_aside() -> None:
    bad = middle().with_(also={USAGE: b""})
    older = middle().with_(validity=dates(end=tlv(0x17, b"260601000000Z")))
    for pool in ((STRANGE, middle()), (bad, older, middle()), (middle(), bad)):
        assert len(_check(pool=pool).path) == 3
    other = root(org.STRANGER_KEY).with_(also={BASIC: b""})
    assert len(_check(roots=(other, root())).path) == 3


def test_rubbish_is_put_aside() -> None:
    given = PathInput(LEAF.der(), [b"\x30\x00", bytes(9000), middle().der()], [b"x", root().der()])
    assert len(check_path(given, at=NOW, revocation=OFF).path) == 3


def test_a_leaf_needs_no_purpose_and_no_names_without_a_host() -> None:
    assert _check(device().with_(also={EKU: b"", SAN: b""}), hostname=None)
    assert _check(device().with_(also={EKU: b"", SAN: HOST}))
    assert _check(device().with_(also={EKU: eku_of("2.5.29.37.0"), SAN: HOST}))
    assert _check(device().with_(also={EKU: eku_of("1.3.6.1.5.5.7.3.2"), SAN: HOST}), hostname=None)
    assert _check(
        device().with_(subject=tlv(0x30), also={SAN: san_of(tlv(0x82, b"h.example"), critical=CRITICAL)}), hostname=None
    )


@pytest.mark.parametrize(
    "also, code",
    [
        ({EKU: eku_of("1.3.6.1.5.5.7.3.2")}, "cert-path"),
        ({SAN: b""}, "cert-path"),
        ({SAN: san_of(tlv(0x82, b"g.example"))}, "cert-path"),
        ({SAN: san_of(tlv(0x82, b"h.example"), critical=CRITICAL)}, "cert-profile-extension"),
        ({SAN: san_of(tlv(0x82, b"*.example"), tlv(0x82, b"*.com")), LIMITS: b""}, "cert-path"),
        ({SAN: san_of(tlv(0x82, b"h.example"), tlv(0x82, b"*.com"))}, "cert-profile-san"),
        ({BASIC: basic(CRITICAL)}, "cert-profile-ca"),
        ({USAGE: org.usage_bits("03020284")}, "cert-profile-key-usage"),
        ({AKI: b""}, "cert-profile-extension"),
        ({LIMITS: limits_of(permitted=(tlv(0x82, b"h.example"),), critical=b"")}, "cert-profile-extension"),
        ({"1.2.3": extension("1.2.3", tlv(0x05), critical=CRITICAL)}, "cert-profile-extension"),
    ],
)
def test_leaves_that_are_refused(also: dict[str, bytes], code: str) -> None:
    if code == "cert-path" and SAN in also and LIMITS in also:
        code = "cert-profile-san"
    assert _code(LEAF.with_(also=also)) == code


def test_a_leaf_with_a_name_nowhere() -> None:
    assert _code(device().with_(subject=tlv(0x30), also={SAN: b""}), hostname=None) == "cert-profile-san"
    assert _code(LEAF.with_(subject=tlv(0x30))) == "cert-profile-extension"


@pytest.mark.parametrize(
    "pool, roots",
    [
        ((), (root(),)),
        ((middle().with_(also={USAGE: b""}),), (root(),)),
        ((middle().with_(also={EKU: eku_of("1.3.6.1.5.5.7.3.2")}),), (root(),)),
        ((middle().with_(also={SKI: b""}),), (root(),)),
        ((middle(),), ()),
        ((middle(),), (root(org.STRANGER_KEY),)),
        ((middle(),), (root().with_(also={USAGE: b""}),)),
        ((middle(),), (root().with_(also={AKI: org.aki_of(org.STRANGER_KEY)}),)),
        ((middle(),), (root().with_(also={EKU: eku_of("1.3.6.1.5.5.7.3.2")}),)),
        ((middle(),), (root().with_(validity=dates(end=tlv(0x17, b"260601000000Z"))),)),
        ((middle(name=tlv(0x30)),), (root(),)),
    ],
)
def test_authorities_that_are_refused(pool: tuple[org.Certificate, ...], roots: tuple[org.Certificate, ...]) -> None:
    assert _code(pool=pool, roots=roots) == "cert-path"


def test_a_root_may_name_itself() -> None:
    assert _check(roots=(root().with_(also={AKI: org.aki_of(org.ROOT_KEY)}),))


def test_a_leaf_that_is_a_root_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path, "find_path", lambda leaf, *_, **__: [leaf])
    assert _code() == "cert-path"


def test_it_is_given_up_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    real = path.find_path
    monkeypatch.setattr(path, "find_path", lambda *one, **named: looked.append(1) or real(*one, **named))
    bad = tuple(
        middle().with_(serial=100 + one, also={USAGE: org.usage_bits("03020284")}).with_(also={SKI: b""})
        for one in range(12)
    )
    assert _code(pool=bad) == "cert-path"
    assert len(looked) == path.MAX_TRIES


def test_bounds() -> None:
    assert _code(pool=(middle(),) * 65) == "cert-chain"
    assert _code(roots=(root(),) * 17) == "cert-chain"
    assert _code(longest=0) == "cert-path"


def test_dates_of_the_root_are_looked_at_here_too(monkeypatch: pytest.MonkeyPatch) -> None:
    late = root().with_(validity=dates(end=tlv(0x17, b"260601000000Z")))
    from cryptography import x509

    whole = [x509.load_der_x509_certificate(one.der()) for one in (LEAF, middle(), late)]
    monkeypatch.setattr(path, "find_path", lambda *_, **__: whole)
    assert _code(roots=(late,)) == "cert-expired"


def test_revocation() -> None:
    report = _check(rules=REQUIRE, crls=(Crl().der(), root_crl().der()))
    assert [fact.source for fact in report.revocation] == [Source.CRL, Source.CRL]
    assert _code(rules=REQUIRE, crls=(Crl(entries=(entry(0x30),)).der(), root_crl().der())) == "cert-revoked"
    assert _code(rules=REQUIRE) == "cert-revocation-unknown"


def test_an_issuer_that_lists_it_under_another_of_its_keys() -> None:
    """A self-issued certificate hands over from one key to the next; both keys sign lists."""
    again = middle(org.STRANGER_KEY, org.MIDDLE_KEY, issuer=org.MIDDLE_NAME).with_(serial=0x21)
    leaf = device(signer=org.STRANGER_KEY).with_(also={SAN: HOST, EKU: SERVER})
    newer = Crl(signer=org.STRANGER_KEY)
    good = (Crl().der(), newer.der(), root_crl().der())
    assert len(_check(leaf, (middle(), again), rules=REQUIRE, crls=good).path) == 4
    for older in (Crl(entries=(entry(0x30),)), Crl(entries=(entry(0x30),), number=1)):
        lists = (older.der(), newer.der(), root_crl().der())
        assert _code(leaf, (middle(), again), rules=REQUIRE, crls=lists) == "cert-revoked"


def test_the_walk() -> None:
    steps = Checklist(PATH_CHECKS)
    _check(checklist=steps)
    assert [one.verdict for one in steps.checks] == [Verdict.PASSED] * 5 + [Verdict.NOT_ASKED, Verdict.PASSED]


def test_a_certificate_that_names_another_key_as_its_issuers() -> None:
    """The issuer under that name is put aside, and another one with the same key and name may fit."""
    other = middle().with_(also={SKI: extension(SKI, tlv(0x04, b"x" * 20))})
    assert _code(pool=(other,)) == "cert-path"
    assert len(_check(pool=(other, middle())).path) == 3
    renamed = root().with_(also={SKI: extension(SKI, tlv(0x04, b"x" * 20)), AKI: b""})
    assert _code(roots=(renamed,)) == "cert-path"
