# SPDX-License-Identifier: Apache-2.0
"""The judge, through the verifier of chains: what is at hand, what is asked for, what comes of it."""

from datetime import timedelta

import pytest

from hardwire.certs import (
    CHAIN_CHECKS,
    Checklist,
    CrlMemory,
    RevocationMaterial,
    RevocationMode,
    RevocationRules,
    Source,
    Trust,
    Verdict,
    read_crl,
    revocation,
    trust_anchor,
    verify_chain,
)
from hardwire.certs import chain as chain_module
from hardwire.errors import CertificateRefused
from support import certchains as org
from support.certchains import CRL_POINTS, device, middle, root
from support.certparts import CRITICAL, NOW, extension, integer, tlv
from support.revocations import DELTA, IDP, Crl, Ocsp, delegated, entry, idp, reason, root_crl

REQUIRE, PREFER, OFF = RevocationMode.REQUIRE, RevocationMode.PREFER, RevocationMode.OFF
ANCHOR = trust_anchor(root().der())
LEAF, MIDDLE, ROOT_LIST = device().der(), middle().der(), root_crl().der()
POINT = tlv(0x86, b"http://crl.example/1.crl")
FULL = tlv(0xA0, tlv(0xA0, POINT))
OLD = Crl(this=tlv(0x17, b"260601120000Z"), next=tlv(0x17, b"260630120000Z"))


def _verify(
    *crls: bytes | object,
    mode: RevocationMode = REQUIRE,
    ocsp: tuple[bytes, ...] = (),
    leaf: bytes = LEAF,
    max_age: timedelta | None = None,
    memory: CrlMemory | None = None,
    skew: timedelta = timedelta(0),
    checklist: Checklist | None = None,
    between: bytes = MIDDLE,
):
    octets = tuple(one.der() if isinstance(one, Crl) else one for one in crls)
    material = RevocationMaterial(octets, ocsp, memory or CrlMemory())
    trust = Trust((ANCHOR,), skew, RevocationRules(mode, max_age))
    identity = verify_chain([leaf, between], trust, at=NOW, material=material, checklist=checklist)
    assert identity.endorsement is not None
    return identity.endorsement.revocation


def _refused(*crls: object, **named: object) -> CertificateRefused:
    with pytest.raises(CertificateRefused) as caught:
        _verify(*crls, **named)  # type: ignore[arg-type]
    return caught.value


def test_lists_for_everybody() -> None:
    device_fact, authority_fact = _verify(Crl(), ROOT_LIST)
    assert device_fact.source is authority_fact.source is Source.CRL
    assert (device_fact.age, device_fact.number) == (timedelta(days=1), 5)
    assert device_fact.text() == "the device's certificate: not revoked, says CRL, 1 d 0 h old"
    assert authority_fact.who == "the certificate of the authority 'CN=Example Devices'"


def test_an_answer_for_the_device_and_a_list_for_the_authority() -> None:
    for answer in (Ocsp(), delegated()):
        fact, _ = _verify(ROOT_LIST, ocsp=(answer.der(),))
        assert (fact.source, fact.age, fact.number) == (Source.OCSP, timedelta(hours=2), None)


def test_the_youngest_statement_is_the_one_shown() -> None:
    fact, _ = _verify(Crl(), Crl(this=tlv(0x17, b"260701110000Z"), number=6), ROOT_LIST)
    assert (fact.age, fact.number) == (timedelta(hours=1), 6)


def test_off_does_not_look() -> None:
    steps = Checklist(CHAIN_CHECKS)
    assert _verify(Crl(entries=(entry(0x30),)), mode=OFF, checklist=steps) == ()
    assert steps.checks[8].verdict is Verdict.NOT_ASKED


@pytest.mark.parametrize("mode", [REQUIRE, PREFER])
@pytest.mark.parametrize(
    "crls, ocsp",
    [
        ((Crl(entries=(entry(0x30),)),), ()),
        ((Crl(entries=(entry(0x30, reason(6)),)),), ()),
        ((Crl(entries=(entry(0x30),)), Crl(number=9)), ()),
        ((Crl(number=9), OLD.with_(entries=(entry(0x30),))), ()),
        ((Crl(entries=(entry(0x30),), extensions={IDP: idp(tlv(0x82, b"\xff"))}),), ()),
        ((root_crl(entries=(entry(0x20),)),), ()),
        ((Crl(),), (Ocsp(status=tlv(0xA1, tlv(0x18, b"20260601000000Z"))).der(),)),
    ],
)
def test_whoever_is_listed_is_refused(mode: RevocationMode, crls: tuple[Crl, ...], ocsp: tuple[bytes, ...]) -> None:
    error = _refused(*crls, ROOT_LIST, mode=mode, ocsp=ocsp)
    assert (error.code, error.exit_code) == ("cert-revoked", 50)
    assert "was revoked at 2026-06-01 00:00:00 UTC" in error.message
    assert error.evidence["check"] == "9 nothing revoked"
    assert error.evidence["source"]


SCOPED = {
    "of a stranger": Crl(signer=org.STRANGER_KEY),
    "of another issuer": root_crl(number=3),
    "for authorities": Crl(extensions={IDP: idp(tlv(0x82, b"\xff"))}),
    "for a point": Crl(extensions={IDP: idp(FULL)}),
    "not well formed": b"\x30\x00",
}


@pytest.mark.parametrize("made", SCOPED.values(), ids=SCOPED)
def test_a_list_that_does_not_cover_it_says_nothing(made: object) -> None:
    error = _refused(made, ROOT_LIST)
    assert error.code in {"crl-issuer", "crl-signature", "crl-scope", "crl-shape", "cert-revocation-unknown"}
    assert error.message.startswith("the device's certificate may have been revoked: ")
    fact, _ = _verify(made, ROOT_LIST, mode=PREFER)
    assert fact.source is Source.NOTHING
    assert fact.problem
    assert fact.text() == f"the device's certificate: {fact.problem}"


def test_nothing_at_hand() -> None:
    assert _refused(ROOT_LIST).code == "cert-revocation-unknown"
    assert _refused(Crl()).message.startswith("the certificate of the authority")
    assert [fact.source for fact in _verify(mode=PREFER)] == [Source.NOTHING, Source.NOTHING]


def _point(*points: bytes) -> bytes:
    return device().with_(also={CRL_POINTS: extension(CRL_POINTS, tlv(0x30, *points))}).der()


def test_the_certificates_own_point() -> None:
    scoped = Crl(extensions={IDP: idp(FULL)})
    assert _verify(scoped, ROOT_LIST, leaf=_point(tlv(0x30, FULL)))[0].source is Source.CRL
    assert _verify(Crl(), ROOT_LIST, leaf=_point(tlv(0x30, FULL)))[0].source is Source.CRL
    other = _point(tlv(0x30, tlv(0xA0, tlv(0xA0, tlv(0x86, b"http://crl.example/2.crl")))))
    assert _refused(scoped, ROOT_LIST, leaf=other).code == "crl-scope"
    indirect = _point(tlv(0x30, tlv(0xA2, tlv(0xA4, org.ROOT_NAME))))
    assert _refused(Crl(), ROOT_LIST, leaf=indirect).code == "crl-scope"


@pytest.mark.parametrize(
    "made, code, words",
    [
        (OLD, "crl-expired", "30 d 0 h old, and a newer one was due at 2026-06-30"),
        (Crl(this=tlv(0x17, b"260701120001Z")), "crl-not-yet", "from the future"),
    ],
)
def test_dates_of_lists(made: Crl, code: str, words: str) -> None:
    error = _refused(made, ROOT_LIST)
    assert error.code == code
    assert words in error.message
    fact, _ = _verify(made, ROOT_LIST, mode=PREFER)
    assert fact.source is Source.NOTHING
    assert words in fact.problem
    assert fact.this_update is not None


def test_a_maximum_age() -> None:
    assert _verify(Crl(), ROOT_LIST, max_age=timedelta(days=1))
    error = _refused(Crl(), ROOT_LIST, max_age=timedelta(hours=23))
    assert (error.code, error.exit_code) == ("crl-too-old", 50)
    assert "is 1 d 0 h old, and 23 h 0 min is the most" in error.message
    assert _verify(Crl(), ROOT_LIST, max_age=timedelta(hours=23), skew=timedelta(hours=1))


@pytest.mark.parametrize(
    "made, code",
    [
        (Ocsp(this=tlv(0x18, b"20260701120001Z")), "ocsp-not-yet"),
        (Ocsp(next=tlv(0xA0, tlv(0x18, b"20260701110000Z"))), "ocsp-expired"),
        (Ocsp(signer=org.STRANGER_KEY), "ocsp-signature"),
        (Ocsp(status=tlv(0x82)), "ocsp-unknown"),
        (Ocsp(serial=9), "cert-revocation-unknown"),
        (Ocsp(twice=True), "ocsp-shape"),
    ],
)
def test_answers_that_do_not_count(made: Ocsp, code: str) -> None:
    assert _refused(ROOT_LIST, ocsp=(made.der(),)).code == code
    assert _verify(Crl(), ROOT_LIST, ocsp=(made.der(),))[0].source is Source.CRL


def test_an_allowance_covers_the_dates_of_statements() -> None:
    made = Crl(this=tlv(0x17, b"260701120030Z"))
    fact, _ = _verify(made, ROOT_LIST, skew=timedelta(seconds=30))
    assert fact.text().endswith("says CRL, 0 min 0 s old")
    assert _verify(OLD.with_(next=tlv(0x17, b"260701115930Z")), ROOT_LIST, skew=timedelta(seconds=30))


def test_a_list_that_goes_backwards_is_refused() -> None:
    memory = CrlMemory().after(_verify(Crl(number=7), ROOT_LIST))
    assert sorted(memory.highest.values()) == [5, 7]
    assert _verify(Crl(number=7), ROOT_LIST, memory=memory)
    for mode in (REQUIRE, PREFER):
        error = _refused(Crl(number=6), ROOT_LIST, memory=memory, mode=mode)
        assert error.code == "crl-rolled-back"
        assert "number 6, and number 7 was seen before" in error.message
    assert _verify(Crl(number=6), Crl(number=7), ROOT_LIST, memory=memory)[0].number == 7
    assert memory.after(_verify(Crl(number=8), ROOT_LIST)).highest != memory.highest


def test_lists_can_be_read_once_and_used_often() -> None:
    assert _verify(read_crl(Crl().der()), ROOT_LIST)[0].number == 5


def test_too_much_material() -> None:
    for crls, ocsp in (((Crl(),) * 17, ()), ((bytes(revocation.MAX_OCTETS + 1),), ()), ((), (b"",) * 9)):
        assert _refused(*crls, ocsp=ocsp).code == "crl-size"


def test_the_second_engine_reads_the_short_list_of_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = chain_module.validate_path

    def spy(*arguments: object, **named: object) -> object:
        asked.append(named["crl"])
        return real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(chain_module, "validate_path", spy)
    long = Crl(entries=tuple(entry(0x1000 + one) for one in range(257)))
    _verify(Crl(), ROOT_LIST)
    _verify(ROOT_LIST, ocsp=(Ocsp().der(),))
    _verify(long, ROOT_LIST)
    _verify(long.with_(entries=long.entries[1:]), ROOT_LIST)
    assert asked == [Crl().der(), None, None, long.with_(entries=long.entries[1:]).der()]


def test_the_second_engine_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = read_crl(Crl(entries=(entry(0x30),)).der())
    monkeypatch.setattr(type(listed), "find", lambda *_: None)
    error = _refused(listed, ROOT_LIST)
    assert error.code == "cert-path-second"
    assert "revoked" in error.message


DELTA_LIST = Crl(number=6, extensions={DELTA: extension(DELTA, integer(5), critical=CRITICAL)})


@pytest.mark.parametrize(
    "other",
    [
        DELTA_LIST,
        DELTA_LIST.with_(entries=(entry(0x30),)),
        DELTA_LIST.with_(entries=(entry(0x31, reason(8)),)),
        Crl(extensions={IDP: idp(tlv(0x83, b"\x06\x40"))}, entries=(entry(0x30),)),
        Crl(extensions={IDP: idp(tlv(0x84, b"\xff"))}, entries=(entry(0x30),)),
    ],
)
def test_a_complete_list_says_nothing_beside_one_that_cannot_be_used(other: Crl) -> None:
    """What is new may stand in the other one."""
    assert _verify(Crl(), ROOT_LIST)
    assert _refused(Crl(), other, ROOT_LIST).code in {"crl-delta", "crl-extension"}
    assert _verify(Crl(), other, ROOT_LIST, mode=PREFER)[0].source is Source.NOTHING
    assert _verify(Crl(), other, ROOT_LIST, ocsp=(Ocsp().der(),))[0].source is Source.OCSP
    assert _refused(Crl(entries=(entry(0x30),)), other, ROOT_LIST).code == "cert-revoked"


def test_a_certificate_whose_issuer_makes_delta_lists() -> None:
    freshest = extension("2.5.29.46", tlv(0x30, tlv(0x30, FULL)))
    assert _refused(Crl(), ROOT_LIST, leaf=device().with_(also={"2.5.29.46": freshest}).der()).code == "crl-delta"


def test_a_critical_stranger_in_the_list_of_the_authority() -> None:
    made = root_crl(extensions={"1.2.3": extension("1.2.3", tlv(0x05), critical=CRITICAL)})
    assert _refused(Crl(), made).code == "crl-extension"
