# SPDX-License-Identifier: Apache-2.0
"""The readers one by one; what a mutant of a whole certificate meets is in test_shape.py and test_chain.py."""

import pytest

from hardwire.certs import der
from hardwire.certs.extensions import AuthorityKey, CrlPoint, NameLimits, Values, read_values
from hardwire.errors import CertificateRefused
from support.certchains import (
    AKI,
    BASIC,
    CONSTRAINTS,
    CRL_POINTS,
    INFORMATION,
    INHIBIT,
    LIMITS,
    MAPPINGS,
    POLICIES,
    SKI,
    utf8_name,
)
from support.certparts import CRITICAL, integer, oid, tlv

URI = tlv(0x86, b"http://crl.example/1")
HOST = tlv(0x82, b"x.example")
NAME = utf8_name("x")
TREE = tlv(0x30, HOST)
FULL = tlv(0xA0, tlv(0xA0, URI))
POLICY = tlv(0x30, oid("1.2.3"))

GOOD = [
    (BASIC, tlv(0x30), {}),
    (BASIC, tlv(0x30, CRITICAL), {"authority": True}),
    (BASIC, tlv(0x30, CRITICAL, integer(3)), {"authority": True, "path_length": 3}),
    (SKI, tlv(0x04, b"k"), {"subject_key": b"k"}),
    (AKI, tlv(0x30, tlv(0x80, b"k")), {"authority_key": AuthorityKey(b"k", None, None)}),
    (AKI, tlv(0x30, tlv(0x80, b"k"), tlv(0xA1, tlv(0xA4, NAME)), tlv(0x82, b"\x07")), {"authority_key": AuthorityKey(b"k", NAME, 7)}),
    (LIMITS, tlv(0x30, tlv(0xA0, TREE)), {"limits": NameLimits(1, frozenset({0x82}))}),
    (LIMITS, tlv(0x30, tlv(0xA0, TREE), tlv(0xA1, tlv(0x30, tlv(0x81, b"a@x.example")))), {"limits": NameLimits(2, frozenset({0x82, 0x81}))}),
    (LIMITS, tlv(0x30, tlv(0xA1, tlv(0x30, tlv(0x81, b".x.example")))), {"limits": NameLimits(1, frozenset({0x81}))}),
    (LIMITS, tlv(0x30, tlv(0xA1, tlv(0x30, tlv(0x87, b"\x0a\0\0\0\xff\0\0\0")))), {"limits": NameLimits(1, frozenset({0x87}))}),
    (LIMITS, tlv(0x30, tlv(0xA1, tlv(0x30, tlv(0x87, bytes(32))))), {"limits": NameLimits(1, frozenset({0x87}))}),
    (POLICIES, tlv(0x30, POLICY, tlv(0x30, oid("1.2.4"), tlv(0x30))), {"policies": ("1.2.3", "1.2.4")}),
    (MAPPINGS, tlv(0x30, tlv(0x30, oid("1.2.3"), oid("1.2.4"))), {}),
    (CONSTRAINTS, tlv(0x30, tlv(0x80, b"\0")), {}),
    (CONSTRAINTS, tlv(0x30, tlv(0x81, b"\0")), {}),
    (CONSTRAINTS, tlv(0x30, tlv(0x80, b"\0"), tlv(0x81, b"\x7f")), {}),
    (INHIBIT, integer(0), {}),
    (INFORMATION, tlv(0x30, tlv(0x30, oid("1.2.3"), URI)), {}),
    (CRL_POINTS, tlv(0x30, tlv(0x30, FULL)), {"crl_points": (CrlPoint(frozenset({URI}), unusual=False),)}),
    (CRL_POINTS, tlv(0x30, tlv(0x30, FULL, tlv(0x81, b"\x06\x40"))), {"crl_points": (CrlPoint(frozenset({URI}), unusual=True),)}),
    (CRL_POINTS, tlv(0x30, tlv(0x30, tlv(0xA2, tlv(0xA4, NAME)))), {"crl_points": (CrlPoint(frozenset(), unusual=True),)}),
    (CRL_POINTS, tlv(0x30, tlv(0x30, tlv(0xA0, tlv(0xA1, tlv(0x30))))), {"crl_points": (CrlPoint(frozenset(), unusual=True),)}),
]  # fmt: skip

BAD = [
    (BASIC, tlv(0x31)),
    (BASIC, tlv(0x30, tlv(0x01, b"\0"))),
    (BASIC, tlv(0x30, integer(0))),
    (BASIC, tlv(0x30, CRITICAL, integer(-1))),
    (SKI, tlv(0x04)),
    (SKI, tlv(0x04, bytes(65))),
    (SKI, tlv(0x30)),
    (AKI, tlv(0x31, tlv(0x80, b"k"))),
    (AKI, tlv(0x30)),
    (AKI, tlv(0x30, tlv(0xA1, tlv(0xA4, NAME)), tlv(0x82, b"\x07"))),
    (AKI, tlv(0x30, tlv(0x80, b"k"), tlv(0x82, b"\x07"))),
    (AKI, tlv(0x30, tlv(0x80))),
    (AKI, tlv(0x30, tlv(0x80, bytes(65)))),
    (AKI, tlv(0x30, tlv(0x80, b"k"), tlv(0xA1), tlv(0x82, b"\x07"))),
    (AKI, tlv(0x30, tlv(0x80, b"k"), tlv(0xA1, URI), tlv(0x82, b"\x07"))),
    (AKI, tlv(0x30, tlv(0x80, b"k"), tlv(0xA1, tlv(0xA4)), tlv(0x82, b"\x07"))),
    (AKI, tlv(0x30, tlv(0x80, b"k"), tlv(0xA1, tlv(0xA4, NAME)), tlv(0x82, b"\0\x07"))),
    (LIMITS, tlv(0x30)),
    (LIMITS, tlv(0x31, tlv(0xA0, TREE))),
    (LIMITS, tlv(0x30, tlv(0xA1, TREE), tlv(0xA0, TREE))),
    (LIMITS, tlv(0x30, tlv(0xA0))),
    (LIMITS, tlv(0x30, tlv(0xA0, *[TREE] * 33))),
    (LIMITS, tlv(0x30, tlv(0xA0, tlv(0x31, HOST)))),
    (LIMITS, tlv(0x30, tlv(0xA0, tlv(0x30, HOST, tlv(0x80, b"\0"))))),
    *((LIMITS, tlv(0x30, tlv(0xA0, tlv(0x30, base)))) for base in (
        tlv(0x82), tlv(0x82, b".x.example"), tlv(0x82, b"*.x.example"), tlv(0x82, b"a_b"),
        tlv(0x81), tlv(0x81, b"@x.example"), tlv(0x81, b"a@.x.example"), tlv(0x81, b"*.x.example"), tlv(0x81, b"a@*.x"),
        tlv(0x87, bytes(4)), tlv(0x87, b"\x0a\0\0\0\xff\0\xff\0"), tlv(0x87, b"\x0a\0\0\x01\xff\0\0\0"),
        tlv(0xA4, NAME), tlv(0x86, b"x:y"),
    )),
    (POLICIES, tlv(0x30)),
    (POLICIES, tlv(0x31, POLICY)),
    (POLICIES, tlv(0x30, POLICY, POLICY)),
    (POLICIES, tlv(0x30, oid("1.2.3"))),
    (POLICIES, tlv(0x30, tlv(0x30, oid("1.2.3"), oid("1.2.3")))),
    (POLICIES, tlv(0x30, *(tlv(0x30, oid(f"1.2.{one}")) for one in range(17)))),
    (MAPPINGS, tlv(0x30)),
    (MAPPINGS, tlv(0x30, tlv(0x30, oid("1.2.3")))),
    (MAPPINGS, tlv(0x30, tlv(0x30, oid("1.2.3"), oid("2.5.29.32.0")))),
    (CONSTRAINTS, tlv(0x30)),
    (CONSTRAINTS, tlv(0x31, tlv(0x80, b"\0"))),
    (CONSTRAINTS, tlv(0x30, tlv(0x80, b"\x80"))),
    (CONSTRAINTS, tlv(0x30, tlv(0x80))),
    (CONSTRAINTS, tlv(0x30, tlv(0x81, b"\x01\x00"))),
    (INHIBIT, integer(-1)),
    (INHIBIT, integer(300)),
    (INHIBIT, tlv(0x04, b"\0")),
    (INFORMATION, tlv(0x30)),
    (INFORMATION, tlv(0x30, tlv(0x30, URI, URI))),
    (INFORMATION, tlv(0x30, tlv(0x30, oid("1.2.3")))),
    (INFORMATION, tlv(0x30, tlv(0x30, oid("1.2.3"), tlv(0x82, b"a_b")))),
    (CRL_POINTS, tlv(0x30)),
    (CRL_POINTS, tlv(0x30, tlv(0x31, FULL))),
    (CRL_POINTS, tlv(0x30, tlv(0x30))),
    (CRL_POINTS, tlv(0x30, tlv(0x30, tlv(0x83, b"x")))),
    (CRL_POINTS, tlv(0x30, tlv(0x30, tlv(0x81, b"\x06\x40"), FULL))),
    (CRL_POINTS, tlv(0x30, tlv(0x30, FULL, FULL))),
    (CRL_POINTS, tlv(0x30, tlv(0x30, tlv(0xA0)))),
    (CRL_POINTS, tlv(0x30, tlv(0x30, tlv(0xA0, tlv(0xA0))))),
    (CRL_POINTS, tlv(0x30, tlv(0x30, tlv(0xA0, tlv(0xA0, *[URI] * 9))))),
]  # fmt: skip


def test_nothing_says_nothing() -> None:
    assert read_values({}) == Values()


@pytest.mark.parametrize("number, value, facts", GOOD)
def test_reads(number: str, value: bytes, facts: dict[str, object]) -> None:
    assert read_values({number: der.parse(value)}) == Values(**facts)  # type: ignore[arg-type]


@pytest.mark.parametrize("number, value", BAD, ids=lambda one: one if isinstance(one, str) else one.hex()[:40])
def test_refuses(number: str, value: bytes) -> None:
    with pytest.raises(CertificateRefused) as caught:
        read_values({number: der.parse(value)})
    assert caught.value.code in {"cert-extension", "cert-der", "cert-name"}
