# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys.evidence.maker import Maker, general_name, maker_of
from support.evidence import Authority

MANUFACTURER, MODEL, VERSION = (x509.ObjectIdentifier(f"2.23.133.2.{last}") for last in (1, 2, 3))


def with_names(*names: x509.GeneralName) -> x509.Certificate:
    extensions = [(x509.SubjectAlternativeName(names), True)] if names else []
    return Authority.root().issue("x", ec.generate_private_key(ec.SECP256R1()).public_key(), extensions)


@pytest.mark.parametrize(
    "written, read",
    [
        ("id:494E5443", "INTC"),
        ("id:49465800", "IFX"),
        ("id:4E544320", "NTC"),
        ("id:00000000", ""),
        ("id:FF000001", "id:FF000001"),
        ("id:4E54", "id:4E54"),
        ("id:4E54zz00", "id:4E54zz00"),
        ("494E5443", "494E5443"),
        ("Intel", "Intel"),
    ],
)
def test_the_registrys_letters(written, read):
    assert maker_of(with_names(general_name(Maker(written, "model", "id:2")))) == Maker(read, "model", "id:2")


def test_the_three_may_stand_in_one_set():
    # As swtpm_cert writes them.
    items = [x509.NameAttribute(oid, value) for oid, value in ((MANUFACTURER, "A"), (MODEL, "B"), (VERSION, "C"))]
    name = x509.DirectoryName(x509.Name([x509.RelativeDistinguishedName(items)]))
    assert maker_of(with_names(x509.DNSName("other"), name)) == Maker("A", "B", "C")


def test_what_does_not_name_a_maker():
    two = [x509.NameAttribute(MANUFACTURER, "A"), x509.NameAttribute(MODEL, "B")]
    whole = general_name(Maker("A", "B", "C"))
    assert maker_of(with_names()) is None
    assert maker_of(with_names(x509.DNSName("x"))) is None
    assert maker_of(with_names(x509.DirectoryName(x509.Name(two)))) is None
    assert maker_of(with_names(whole, whole)) is None
    assert maker_of(with_names(general_name(Maker("A", "B\x1b[2J", "C")))) is None
