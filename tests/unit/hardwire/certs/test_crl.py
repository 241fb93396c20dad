# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from hardwire.certs import CertificateRefused, SignedCrl, crl, open_gate, read_crl
from hardwire.errors import Misuse
from support import certchains as org
from support.certchains import CRL_POINTS, SKI, STRANGER_KEY, USAGE, middle, usage_bits
from support.certparts import CRITICAL, ECDSA_SHA256, NOW, RSA, extension, integer, long_tlv, oid, tlv
from support.revocations import (
    CRL_AKI,
    DELTA,
    ENTRY_ISSUER,
    HOLD,
    IDP,
    NEXT,
    NUMBER,
    REASON,
    SINCE,
    THIS,
    Crl,
    entry,
    idp,
    number,
    reason,
)

ISSUER = open_gate(middle().der())
NULL = tlv(0x05)
FRESHEST = "2.5.29.46"
TRUE = b"\xff"
POINT = tlv(0x86, b"http://crl.example/1.crl")
FULL = tlv(0xA0, tlv(0xA0, POINT))


def _e(*extensions: bytes) -> Crl:
    return Crl(entries=(entry(7, *extensions),))


def _x(**extensions: bytes) -> Crl:
    return Crl(extensions={{"idp": IDP, "number": NUMBER, "aki": CRL_AKI, "other": "1.2.3"}[key]: value for key, value in extensions.items()})  # fmt: skip


GOOD = {
    "empty": Crl(),
    "empty in other words": Crl(revoked=tlv(0x30)),
    "one": Crl(entries=(entry(7),)),
    "a serial of 20 octets": Crl(entries=(entry((1 << 159) - 1), entry(0x80))),
    "a time in the other form": Crl(entries=(entry(7, time=tlv(0x18, b"20500101000000Z")),)),
    "a reason": _e(reason(1)),
    "since when": _e(reason(1), extension(SINCE, tlv(0x18, b"20260501000000Z"))),
    "what to do when on hold": _e(reason(6), extension(HOLD, oid("1.2.840.10040.2.2"))),
    "no issuer's key": _x(aki=b""),
    "number nought": Crl(number=0),
    "a large number": Crl(number=(1 << 159) - 1),
    "next update in the far future": Crl(next=tlv(0x18, b"29990101000000Z")),
    "for devices": _x(idp=idp(tlv(0x81, TRUE))),
    "for authorities": _x(idp=idp(tlv(0x82, TRUE))),
    "for a point": _x(idp=idp(FULL, tlv(0x81, TRUE))),
    "a stranger that is not critical": _x(other=extension("1.2.3", NULL)),
    "of an RSA key": Crl(signer=RSA),
}

BAD = {
    "nothing": (b"", "crl-shape"),
    "one octet": (b"\x30", "crl-der"),
    "empty sequence": (b"\x30\x00", "crl-shape"),
    "another type": (tlv(0x31), "crl-shape"),
    "octets behind": (Crl(behind=b"\0").der(), "crl-der"),
    "a value behind": (Crl(behind=NULL).der(), "crl-shape"),
    "too large": (bytes(crl.MAX_CRL + 1), "crl-size"),
    "length in one octet too many": (long_tlv(0x30, Crl().der()[3:]), "crl-der"),
    "version 1": (Crl(version=integer(0)).der(), "crl-shape"),
    "no version": (Crl(version=b"").der(), "crl-shape"),
    "no next update": (Crl(next=b"").der(), "crl-shape"),
    "replaced before it is made": (Crl(this=NEXT, next=THIS).der(), "crl-shape"),
    "replaced when it is made": (Crl(this=THIS, next=THIS).der(), "crl-shape"),
    "no time": (Crl(this=NULL).der(), "crl-shape"),
    "no extensions": (Crl(wrap=0xA1).der(), "crl-shape"),
    "two lists of extensions": (Crl(second_list=tlv(0x30)).der(), "crl-shape"),
    "something behind the extensions": (Crl(extra=NULL).der(), "crl-shape"),
    "something for entries": (Crl(revoked=NULL).der(), "crl-shape"),
    "two algorithms": (Crl(outer=bytes.fromhex("300a06082a8648ce3d040303")).der(), "crl-shape"),
    "sha1": (Crl(algorithm=bytes.fromhex("300906072a8648ce3d0401")).der(), "crl-shape"),
    "a name that is empty": (Crl(issuer=tlv(0x30)).der(), "crl-der"),
    "a name that is needlessly large": (Crl(issuer=org.utf8_name("x" * 5000)).der(), "crl-size"),
    "an entry that is none": (Crl(revoked=tlv(0x30, NULL)).der(), "crl-shape"),
    "an entry of nothing": (Crl(revoked=tlv(0x30, tlv(0x30))).der(), "crl-shape"),
    "an entry of another type": (Crl(revoked=tlv(0x30, tlv(0x31, entry(7)[2:]))).der(), "crl-shape"),
    "an entry without a time": (Crl(revoked=tlv(0x30, tlv(0x30, integer(7)))).der(), "crl-shape"),
    "an entry with half a time": (Crl(entries=(entry(7, time=tlv(0x17, b"2606010000Z")),)).der(), "crl-shape"),
    "an entry that ends early": (Crl(revoked=tlv(0x30, tlv(0x30, b"\x02\x7f\x01", THIS))).der(), "crl-shape"),
    "serial nought": (Crl(entries=(entry(0),)).der(), "crl-shape"),
    "serial negative": (Crl(entries=(entry(-5),)).der(), "crl-shape"),
    "serial padded": (Crl(revoked=tlv(0x30, tlv(0x30, b"\x02\x02\x00\x07", THIS))).der(), "crl-shape"),
    "serial empty": (Crl(revoked=tlv(0x30, tlv(0x30, b"\x02\x00", THIS))).der(), "crl-shape"),
    "serial of 21 octets": (Crl(entries=(entry(1 << 160),)).der(), "crl-shape"),
    "serial of another type": (Crl(revoked=tlv(0x30, tlv(0x30, b"\x04\x01\x07", THIS))).der(), "crl-shape"),
    "a serial twice": (Crl(entries=(entry(7), entry(8), entry(7))).der(), "crl-shape"),
    "a time that is none": (Crl(entries=(entry(7, time=tlv(0x17, b"269999000000Z")),)).der(), "crl-der"),
    "an entry with rubbish behind": (Crl(revoked=tlv(0x30, tlv(0x30, integer(7), THIS, NULL))).der(), "crl-extension"),
    "an entry with no extensions": (Crl(revoked=tlv(0x30, tlv(0x30, integer(7), THIS, tlv(0x30)))).der(), "crl-extension"),
    "of another issuer": (_e(extension(ENTRY_ISSUER, tlv(0x30, tlv(0xA4, org.ROOT_NAME)), critical=CRITICAL)).der(), "crl-extension"),
    "of another issuer, not critical": (_e(extension(ENTRY_ISSUER, tlv(0x30, tlv(0xA4, org.ROOT_NAME)))).der(), "crl-extension"),
    "a critical stranger in an entry": (_e(extension("1.2.3", NULL, critical=CRITICAL)).der(), "crl-extension"),
    "a critical reason": (_e(reason(1, critical=CRITICAL)).der(), "crl-extension"),
    "a reason twice": (_e(reason(1), reason(2)).der(), "crl-extension"),
    "a revocation taken back": (_e(reason(8)).der(), "crl-extension"),
    "an unknown reason": (_e(reason(7)).der(), "crl-extension"),
    "a reason that is a number": (_e(extension(REASON, integer(1))).der(), "crl-extension"),
    "invalid since nothing": (_e(extension(SINCE, NULL)).der(), "crl-extension"),
    "a flag spelt out": (_e(extension(REASON, tlv(0x0A, b"\1"), critical=tlv(0x01, b"\0"))).der(), "crl-extension"),
    "an extension that is none": (_e(NULL).der(), "crl-extension"),
    "a delta": (Crl(extensions={DELTA: extension(DELTA, integer(1), critical=CRITICAL)}).der(), "crl-delta"),
    "a delta, not critical": (Crl(extensions={DELTA: extension(DELTA, integer(1))}).der(), "crl-delta"),
    "with delta lists beside it": (Crl(extensions={FRESHEST: extension(FRESHEST, tlv(0x30, tlv(0x30, FULL)))}).der(), "crl-delta"),
    "no number": (_x(number=b"").der(), "crl-number"),
    "a critical number": (_x(number=extension(NUMBER, integer(5), critical=CRITICAL)).der(), "crl-number"),
    "a negative number": (Crl(number=-1).der(), "crl-number"),
    "a number of 21 octets": (Crl(number=1 << 160).der(), "crl-number"),
    "a number that is none": (_x(number=extension(NUMBER, NULL)).der(), "crl-number"),
    "a number twice": (_x(other=number(5)).der(), "crl-extension"),
    "a critical stranger": (_x(other=extension("1.2.3", NULL, critical=CRITICAL)).der(), "crl-extension"),
    "issuer's key critical": (_x(aki=extension(CRL_AKI, tlv(0x30, tlv(0x80, b"k")), critical=CRITICAL)).der(), "crl-extension"),
    "issuer's key by name": (_x(aki=extension(CRL_AKI, tlv(0x30, tlv(0x82, b"\1")))).der(), "crl-extension"),
    "issuer's key of another type": (_x(aki=extension(CRL_AKI, NULL)).der(), "crl-extension"),
    "indirect": (_x(idp=idp(tlv(0x84, TRUE))).der(), "crl-extension"),
    "for attributes": (_x(idp=idp(tlv(0x85, TRUE))).der(), "crl-extension"),
    "for some reasons": (_x(idp=idp(tlv(0x83, b"\x06\x40"))).der(), "crl-extension"),
    "for devices and authorities": (_x(idp=idp(tlv(0x81, TRUE), tlv(0x82, TRUE))).der(), "crl-extension"),
    "for devices spelt out": (_x(idp=idp(tlv(0x81, b"\0"))).der(), "crl-extension"),
    "for nothing": (_x(idp=idp()).der(), "crl-extension"),
    "for devices twice": (_x(idp=idp(tlv(0x81, TRUE), tlv(0x81, TRUE))).der(), "crl-extension"),
    "for devices, not critical": (_x(idp=idp(tlv(0x81, TRUE), critical=b"")).der(), "crl-extension"),
    "for something that is none": (_x(idp=extension(IDP, NULL, critical=CRITICAL)).der(), "crl-extension"),
    "for a relative point": (_x(idp=idp(tlv(0xA0, tlv(0xA1, tlv(0x30, oid("2.5.4.3"), tlv(0x0C, b"x")))))).der(), "crl-extension"),
    "for a point without a name": (_x(idp=idp(tlv(0xA0, tlv(0xA0)))).der(), "crl-der"),
}  # fmt: skip


@pytest.mark.parametrize("made", GOOD.values(), ids=GOOD)
def test_reads(made: Crl) -> None:
    found = read_crl(made.der())
    assert found.der == made.der()
    assert (found.number, found.issuer) == (made.number, made.issuer)
    assert len(found.serials) == len(made.entries)
    assert len(found.series(ISSUER)) == 64


@pytest.mark.parametrize("octets, code", BAD.values(), ids=BAD)
def test_refuses(octets: bytes, code: str) -> None:
    with pytest.raises(CertificateRefused) as caught:
        read_crl(octets)
    assert caught.value.code == code
    assert caught.value.message.startswith("the CRL ")


def test_the_members() -> None:
    found = read_crl(GOOD["for a point"].der())
    assert (found.this_update, found.next_update) == (
        datetime(2026, 6, 30, 12, tzinfo=UTC),
        datetime(2026, 7, 8, 12, tzinfo=UTC),
    )
    assert (found.users, found.authorities, found.points) == (True, False, frozenset({POINT}))
    assert found.authority_key == org.key_id(org.MIDDLE_KEY)
    found = read_crl(GOOD["for authorities"].der())
    assert (found.users, found.authorities) == (False, True)


def test_series_are_told_apart_by_issuer_and_scope() -> None:
    names = {
        read_crl(GOOD[name].der()).series(ISSUER) for name in ("empty", "for devices", "for authorities", "for a point")
    }
    assert len(names) == 4
    assert read_crl(Crl(number=9).der()).series(ISSUER) == read_crl(Crl().der()).series(ISSUER)
    assert read_crl(Crl().der()).series(open_gate(org.root().der())) != read_crl(Crl().der()).series(ISSUER)


def test_finds() -> None:
    found = read_crl(Crl(entries=(entry(7, reason(1)), entry(8))).der())
    assert found.find(7) == (datetime(2026, 6, 1, tzinfo=UTC), "key compromise")
    assert found.find(8) == (datetime(2026, 6, 1, tzinfo=UTC), "unspecified")
    assert found.find(9) is None


def test_two_readers_that_disagree_on_an_entry_are_an_error() -> None:
    found = read_crl(Crl(entries=(entry(7),)).der())
    object.__setattr__(found, "serials", frozenset())
    with pytest.raises(CertificateRefused) as caught:
        found.find(7)
    assert caught.value.code == "cert-ambiguous"


def test_two_readers_that_disagree_on_the_list_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    other = x509.load_der_x509_crl(Crl(number=6).der())
    monkeypatch.setattr(crl.x509, "load_der_x509_crl", lambda _: other)
    with pytest.raises(CertificateRefused) as caught:
        read_crl(Crl().der())
    assert caught.value.code == "cert-ambiguous"


def test_whatever_the_library_throws_means_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> None:
        raise RuntimeError

    monkeypatch.setattr(crl.x509, "load_der_x509_crl", fail)
    with pytest.raises(CertificateRefused) as caught:
        read_crl(Crl().der())
    assert caught.value.code == "crl-der"


@pytest.mark.parametrize(
    "made, issuer, code",
    [
        (Crl(), org.root(), "crl-issuer"),
        (Crl(), middle().with_(also={USAGE: usage_bits("03020204")}), "crl-issuer"),
        (Crl(), middle().with_(also={USAGE: b""}), "crl-issuer"),
        (Crl(), middle().with_(also={SKI: extension(SKI, tlv(0x04, b"k"))}), "crl-issuer"),
        (_x(aki=b"").with_(signer=STRANGER_KEY, algorithm=ECDSA_SHA256), middle(), "crl-signature"),
        (_x(aki=b"").with_(signer=RSA), middle(), "crl-signature"),
    ],
)
def test_a_list_of_somebody_else(made: Crl, issuer: org.Certificate, code: str) -> None:
    with pytest.raises(CertificateRefused) as caught:
        read_crl(made.der()).check_signature(open_gate(issuer.der()))
    assert caught.value.code == code


def test_a_list_of_its_issuer() -> None:
    read_crl(Crl().der()).check_signature(ISSUER)
    read_crl(Crl().der()).check_signature(open_gate(middle().with_(also={SKI: b""}).der()))


def test_a_signature_that_the_library_cannot_check_is_refused() -> None:
    found = read_crl(Crl().der())
    object.__setattr__(found, "parsed", None)
    with pytest.raises(CertificateRefused) as caught:
        found.check_signature(ISSUER)
    assert caught.value.code == "crl-signature"


def test_a_long_list_and_one_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(count: int) -> bytes:
        return Crl(entries=tuple(entry((1 << 158) + one, reason(1)) for one in range(count))).der()

    assert len(read_crl(made(3000)).serials) == 3000
    assert len(made(3000)) / 3000 * crl.MAX_ENTRIES < crl.MAX_CRL
    monkeypatch.setattr(crl, "MAX_ENTRIES", 3000)
    with pytest.raises(CertificateRefused, match="more than 3000") as caught:
        read_crl(made(3001))
    assert caught.value.code == "crl-size"


def test_a_list_of_another_writer() -> None:
    builder = x509.CertificateRevocationListBuilder().issuer_name(ISSUER.parsed.subject).last_update(NOW)
    builder = builder.next_update(NOW.replace(year=2027)).add_extension(x509.CRLNumber(1), critical=False)
    read_crl(builder.sign(org.MIDDLE_KEY, hashes.SHA256()).public_bytes(Encoding.DER)).check_signature(ISSUER)


def test_nobody_else_makes_a_list() -> None:
    import dataclasses

    with pytest.raises(Misuse):
        SignedCrl(*[None] * 12)  # type: ignore[arg-type]
    with pytest.raises((Misuse, ValueError, TypeError)):
        dataclasses.replace(read_crl(Crl().der()), number=9)


def test_names_of_points_are_those_of_certificates() -> None:
    leaf = org.device().with_(also={CRL_POINTS: extension(CRL_POINTS, tlv(0x30, tlv(0x30, FULL)))})
    (point,) = open_gate(leaf.der()).values.crl_points
    assert point.names == read_crl(GOOD["for a point"].der()).points


def test_the_issuer_of_a_list_that_was_refused() -> None:
    delta = Crl(extensions={DELTA: extension(DELTA, integer(1), critical=CRITICAL)})
    assert crl.issuer_of(delta.der()) == {org.MIDDLE_NAME}
    assert crl.issuer_of(b"\x30\x00") == frozenset()


def test_dates_in_entries_cost_one_look_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crl, "MAX_FORMS", 1)
    dates = [b"2026%02d01000000Z" % month for month in range(1, 13)]
    made = Crl(
        entries=tuple(entry(7 + at, reason(1), extension(SINCE, tlv(0x18, date))) for at, date in enumerate(dates))
    )
    assert len(read_crl(made.der()).serials) == 12
    looks = []
    real = crl._check_entry_extensions
    monkeypatch.setattr(crl, "_check_entry_extensions", lambda octets: looks.append(octets) or real(octets))
    read_crl(made.der())
    assert len(looks) == 1


def test_a_date_in_an_entry_that_names_no_moment() -> None:
    for date in (b"20260230000000Z", b"20260101240000Z", b"00000101000000Z"):
        with pytest.raises(CertificateRefused) as caught:
            read_crl(_e(extension(SINCE, tlv(0x18, date))).der())
        assert caught.value.code == "crl-der"


def test_too_many_different_extensions_of_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crl, "MAX_FORMS", 2)
    different = [entry(7 + at, extension("1.2.3", integer(at))) for at in range(3)]
    assert len(read_crl(Crl(entries=(*different[:2], entry(90, extension("1.2.3", integer(0))))).der()).serials) == 3
    with pytest.raises(CertificateRefused) as caught:
        read_crl(Crl(entries=tuple(different)).der())
    assert caught.value.code == "crl-size"
