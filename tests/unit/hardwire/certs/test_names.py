# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.certs import GeneralName, NameKind, der
from hardwire.certs.names import is_host, read_general_name, read_general_names, read_name
from hardwire.errors import CertificateRefused
from support.certchains import utf8_name
from support.certparts import oid, tlv

PERMANENT = tlv(0xA0, oid("1.3.6.1.5.5.7.8.3"), tlv(0xA0, tlv(0x30)))
GOOD = [
    (PERMANENT, GeneralName(NameKind.OTHER, b"\x30\x00", "1.3.6.1.5.5.7.8.3"), "permanent-identifier:3000"),
    (tlv(0xA0, oid("1.2.3"), tlv(0xA0, tlv(0x05))), GeneralName(NameKind.OTHER, b"\x05\x00", "1.2.3"), "1.2.3:0500"),
    (tlv(0x81, b"a.b+c@x.example"), GeneralName(NameKind.EMAIL, b"a.b+c@x.example"), "email:a.b+c@x.example"),
    (tlv(0x82, b"x-1.example"), GeneralName(NameKind.DNS, b"x-1.example"), "dns:x-1.example"),
    (tlv(0x82, b"*.example"), GeneralName(NameKind.DNS, b"*.example"), "dns:*.example"),
    (tlv(0xA4, utf8_name("x")), GeneralName(NameKind.DIRECTORY, utf8_name("x")), "directory:" + utf8_name("x").hex()),
    (tlv(0x86, b"did:key:z"), GeneralName(NameKind.URI, b"did:key:z"), "uri:did:key:z"),
    (tlv(0x87, bytes(4)), GeneralName(NameKind.IP, bytes(4)), "ip:00000000"),
    (tlv(0x87, bytes(16)), GeneralName(NameKind.IP, bytes(16)), "ip:" + "00" * 16),
    (tlv(0x88, b"\x2a\x03"), GeneralName(NameKind.REGISTERED, b"\x2a\x03"), "registered:2a03"),
]
BAD = [
    tlv(0xA3, tlv(0x30)),
    tlv(0xA5, tlv(0xA1)),
    tlv(0xA0, oid("1.2.3")),
    tlv(0xA0, oid("1.2.3"), tlv(0xA0)),
    tlv(0xA0, oid("1.2.3"), tlv(0xA0, tlv(0x05), tlv(0x05))),
    tlv(0xA0, tlv(0x05), tlv(0xA0, tlv(0x05))),
    tlv(0x81, b"a"),
    tlv(0x81, b"@x.example"),
    tlv(0x81, b"a@b@x.example"),
    tlv(0x81, b"a@-x.example"),
    tlv(0x81, b"a b@x.example"),
    tlv(0x82, b""),
    tlv(0x82, b"x..example"),
    tlv(0x82, b".example"),
    tlv(0x82, b"example."),
    tlv(0x82, b"a_b.example"),
    tlv(0x82, b"a\x00.example"),
    tlv(0x82, b"x*.example"),
    tlv(0x82, b"*.*.example"),
    tlv(0x82, b"-x.example"),
    tlv(0x82, "h\u00fc.example".encode()),
    tlv(0xA4, tlv(0x30)),
    tlv(0xA4, utf8_name("x"), utf8_name("x")),
    tlv(0xA4, tlv(0x04)),
    tlv(0x86, b"no colon"),
    tlv(0x86, b"x:"),
    tlv(0x86, b"x:a b"),
    tlv(0x87, bytes(5)),
    tlv(0x87, bytes(8)),
    tlv(0x88, b"\x80"),
]


@pytest.mark.parametrize("octets, name, text", GOOD)
def test_reads(octets: bytes, name: GeneralName, text: str) -> None:
    found = read_general_name(der.parse(octets))
    assert found == name
    assert found.text() == text


@pytest.mark.parametrize("octets", BAD, ids=lambda octets: octets.hex())
def test_refuses(octets: bytes) -> None:
    with pytest.raises(CertificateRefused) as caught:
        read_general_name(der.parse(octets))
    assert caught.value.code in {"cert-extension", "cert-name", "cert-der"}


def test_lists() -> None:
    host, other, third = (tlv(0x82, name) for name in (b"x.example", b"y.example", b"z.example"))
    assert len(read_general_names(der.parse(tlv(0x30, host, other)), most=2)) == 2
    for octets in (tlv(0x30), tlv(0x31), tlv(0x30, host, host), tlv(0x30, host, other, third)):
        with pytest.raises(CertificateRefused):
            read_general_names(der.parse(octets), most=2)


def test_hosts_end_somewhere() -> None:
    label = b"a" * 63
    assert is_host(label)
    assert not is_host(label + b"a")
    assert is_host(b".".join([label, label, label, b"a" * 61]))
    assert not is_host(b".".join([label, label, label, b"a" * 62]))


@pytest.mark.parametrize(
    "octets",
    [
        tlv(0x30),
        tlv(0x04, b"x"),
        tlv(0x30, tlv(0x30)),
        tlv(0x30, tlv(0x31)),
        tlv(0x30, tlv(0x31, tlv(0x04))),
        tlv(0x30, tlv(0x31, tlv(0x30, oid("2.5.4.3")))),
        tlv(0x30, tlv(0x31, tlv(0x30, tlv(0x05), tlv(0x0C, b"x")))),
        tlv(0x30, tlv(0x31, tlv(0x30, oid("2.5.4.3"), tlv(0x04, b"x")))),
    ],
)
def test_refuses_names(octets: bytes) -> None:
    with pytest.raises(CertificateRefused) as caught:
        read_name(der.parse(octets), may_be_empty=False)
    assert caught.value.code == "cert-name"


def test_a_subject_may_be_empty() -> None:
    assert read_name(der.parse(tlv(0x30)), may_be_empty=True) == b"\x30\x00"
