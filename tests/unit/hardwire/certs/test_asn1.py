# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

import pytest

from hardwire.certs import asn1
from support.certparts import KEY, Parts, build, common_name, spki


def test_reads_the_same_facts() -> None:
    facts, _ = asn1.read(build(Parts()))
    assert facts.serial == 0x1234
    assert facts.issuer == facts.subject == common_name()
    assert facts.not_before == datetime(2026, 1, 1, tzinfo=UTC)
    assert facts.not_after == datetime(2036, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert facts.spki == spki(KEY)
    assert [(number, critical) for number, critical, _ in facts.extensions] == [
        ("2.5.29.19", True),
        ("2.5.29.15", True),
        ("2.5.29.37", False),
        ("2.5.29.17", False),
    ]
    assert facts.extensions[1][2] == bytes.fromhex("03020780")


def test_trailing_octets_raise() -> None:
    with pytest.raises(ValueError, match="trailing"):
        asn1.read(build(Parts()) + b"\x00")
