# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography import x509

from hardwire.certs.devicename import HARDWARE_MODULE, PERMANENT_IDENTIFIER, NameKind, name_of, parse_name
from hardwire.certs.encode import oid, sequence, tlv
from hardwire.errors import UsageError

MODULE = "module:1.3.6.1.4.1.41482.1:0a1b2c"


@pytest.mark.parametrize(
    "text,kind",
    [
        ("alice@example.org", NameKind.MAIL),
        ("Alice.B+line@sub.example.org", NameKind.MAIL),
        ("pump7.example.org", NameKind.HOST),
        ("id:4711", NameKind.PERMANENT),
        (MODULE, NameKind.MODULE),
    ],
)
def test_a_name_survives_the_certificate(text, kind):
    name = parse_name(text)
    assert (name.kind, name.text) == (kind, text)
    assert name_of(name.general) == name


@pytest.mark.parametrize(
    "text",
    [
        "", "alice", "*.example.org", "Pump.example.org", "pump..example.org", "-a.example.org", "a b@example.org",
        "alice@", "alice@localhost", "id:", "id:a b", "module:1.3:0g", "module:1:00", "module:3.1.1:00", "x" * 129,
        "did:key:zabc", "a@b.c\n", "pümp.example.org",
    ],
)  # fmt: skip
def test_what_is_no_name(text):
    with pytest.raises(UsageError) as caught:
        parse_name(text)
    assert caught.value.code == "name"
    assert "alice@example.org" in caught.value.hint


def other(number: str, value: bytes) -> x509.OtherName:
    return x509.OtherName(x509.ObjectIdentifier(number), value)


@pytest.mark.parametrize(
    "general",
    [
        x509.UniformResourceIdentifier("https://example.org"),
        x509.DNSName("*.example.org"),
        other("1.2.3", sequence(tlv(0x0C, b"4711"))),
        other(PERMANENT_IDENTIFIER, sequence(tlv(0x0C, b"4711"), oid("1.2.3"))),
        other(PERMANENT_IDENTIFIER, sequence(tlv(0x0C, "ü".encode()))),
        other(PERMANENT_IDENTIFIER, sequence(tlv(0x13, b"4711"))),
        other(PERMANENT_IDENTIFIER, b"\x05\x00"),
        other(HARDWARE_MODULE, sequence(tlv(0x04), tlv(0x04, b"1"))),
        other(HARDWARE_MODULE, sequence(oid("1.2.3"))),
    ],
)
def test_names_of_other_kinds_and_forms(general):
    assert name_of(general) is None
