# SPDX-License-Identifier: Apache-2.0
"""Each rule by itself; what a whole chain makes of them is in test_chain.py."""

import pytest

from hardwire.certs import open_gate, rules
from hardwire.certs.profile import ANCHOR, AUTHORITY, DEVICE, ISSUED, CertificateProfile
from hardwire.certs.seat import Seat
from hardwire.errors import CertificateRefused
from support import certchains as org
from support.certchains import EKU, LIMITS, SAN, USAGE, device, eku_of, limits_of, middle, root, san_of
from support.certparts import tlv

CLIENT = "1.3.6.1.5.5.7.3.2"


def _seat(certificate: org.Certificate, profile: CertificateProfile) -> Seat:
    return Seat(open_gate(certificate.der()), profile)


def _code(rule, *arguments: object, **named: object) -> str:
    with pytest.raises(CertificateRefused) as caught:
        rule(*arguments, **named)
    return caught.value.code


def test_what_is_right_passes() -> None:
    mine, above = _seat(device(), ISSUED), _seat(middle(), AUTHORITY)
    for rule in (rules.check_key, rules.check_extensions, rules.check_key_usage):
        rule(mine)
        rule(above)
    rules.check_not_an_authority(mine)
    rules.check_purpose(mine, alone=True)
    rules.check_an_authority(above)
    rules.check_may_issue(above)
    rules.check_limits(above)
    rules.check_extensions(_seat(root(), ANCHOR))


def test_each_rule_refuses_the_other_kind() -> None:
    mine, above = _seat(device(), ISSUED), _seat(middle(), AUTHORITY)
    assert _code(rules.check_an_authority, mine) == "cert-profile-ca"
    assert _code(rules.check_not_an_authority, above) == "cert-profile-ca"
    assert _code(rules.check_purpose, above, alone=False) == "cert-profile-eku"
    assert _code(rules.check_extensions, _seat(root(), AUTHORITY)) == "cert-profile-extension"
    assert _code(rules.check_extensions, _seat(device(), DEVICE)) == "cert-profile-extension"
    assert _code(rules.check_key_usage, _seat(device(), AUTHORITY)) == "cert-profile-key-usage"
    assert _code(rules.check_key, _seat(device(org.ED_KEY), AUTHORITY)) == "cert-profile-key"


def test_a_key_usage_that_is_absent_allows_nothing() -> None:
    assert _code(rules.check_key_usage, _seat(device().with_(also={USAGE: b""}), ISSUED)) == "cert-profile-key-usage"


def test_purposes() -> None:
    both = _seat(device().with_(also={EKU: eku_of(org.DEVICE_PURPOSE, CLIENT)}), ISSUED)
    rules.check_purpose(both, alone=False)
    assert _code(rules.check_purpose, both, alone=True) == "cert-profile-eku"
    none = _seat(device().with_(also={EKU: b""}), ISSUED)
    assert _code(rules.check_purpose, none, alone=False) == "cert-profile-eku"
    other = _seat(middle().with_(also={EKU: eku_of(CLIENT)}), AUTHORITY)
    assert _code(rules.check_may_issue, other) == "cert-profile-eku"


def test_limits() -> None:
    addresses = middle().with_(also={LIMITS: limits_of(excluded=(tlv(0x87, bytes(8)),))})
    assert _code(rules.check_limits, _seat(addresses, AUTHORITY)) == "cert-profile-limits"


def test_names() -> None:
    did = org.did_key(org.DEVICE_KEY.public_key())
    host = tlv(0x82, b"h.example")
    issued = device().with_(also={SAN: san_of(org.did_name(org.DEVICE_KEY), host)})
    assert [name.value for name in rules.check_names(_seat(issued, ISSUED), did)] == [b"h.example"]
    for profile in (DEVICE, AUTHORITY):
        assert _code(rules.check_names, _seat(issued, profile), did) == "cert-profile-san"
    assert _code(rules.check_names, _seat(device().with_(also={SAN: b""}), ISSUED), did) == "cert-profile-san"
    assert _code(rules.check_names, _seat(device(), ISSUED), did + "x") == "cert-did-mismatch"
