# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.certs import CertificateRefused, TrustAnchor, open_gate, trust_anchor
from hardwire.errors import Misuse
from support import certchains as org
from support.certparts import tlv

ROOT = org.root()


def test_an_organisation_is_called_what_it_calls_itself_or_what_people_here_say() -> None:
    assert trust_anchor(ROOT.der()).name == "Example Works"
    assert trust_anchor(org.root(name=org.utf8_name("Devices")).der()).name == "Devices"
    other = tlv(0x30, tlv(0x31, tlv(0x30, org.oid("2.5.4.11"), tlv(0x0C, b"unit"))))
    assert trust_anchor(org.root(name=other).der()).name == "OU=unit"
    assert trust_anchor(org.root(name=org.organisation("x" * 80)).der()).name == "x" * 64
    assert trust_anchor(ROOT.der(), "us").name == "us"


def test_a_devices_certificate_is_no_anchor() -> None:
    with pytest.raises(CertificateRefused, match="trust anchor") as caught:
        trust_anchor(org.device().der())
    assert caught.value.code == "cert-profile-extension"


def test_an_authority_below_a_root_can_be_one() -> None:
    assert trust_anchor(org.middle().der()).name == "Example Devices"


def test_nobody_else_makes_an_anchor() -> None:
    with pytest.raises(Misuse):
        TrustAnchor(open_gate(ROOT.der()), "x")
    with pytest.raises(Misuse):
        TrustAnchor(open_gate(ROOT.der()), "x", object())
