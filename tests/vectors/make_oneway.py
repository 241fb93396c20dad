# SPDX-License-Identifier: Apache-2.0
"""Writes oneway.json beside itself: one-way invites with everything that follows from them."""

import ipaddress
import json
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from hardwire.net import carriers
from hardwire.net.candidate import Candidate, CandidateKind
from hardwire.net.oneway import EPOCH, KeyAndCertificate, OneWay, derive

CASES = (
    ("one IPv4 address", bytes(range(16)), 528_480, (("192.0.2.7", 4000, 0),)),
    ("one IPv6 address", bytes(range(16, 32)), 528_481, (("2001:db8::7", 50_001, 0),)),
    ("a forwarded port", b"\xff" * 16, (1 << 24) - 1, (("192.0.2.7", 1, 0), ("198.51.100.9", 65_535, 1))),
)


def side(ice, shown: KeyAndCertificate) -> dict[str, str]:
    """What one side shows."""
    return {
        "ufrag": ice.ufrag,
        "password": ice.password,
        "private_key": f"{shown.key.private_numbers().private_value:064x}",
        "certificate": shown.certificate.public_bytes(Encoding.DER).hex(),
    }


def vector(name: str, secret: bytes, minutes: int, addresses) -> dict[str, object]:
    """One invite."""
    candidates = tuple(Candidate(CandidateKind(kind), ipaddress.ip_address(a), port) for a, port, kind in addresses)
    invite = OneWay(secret, EPOCH + 60 * minutes, candidates)
    derived = derive(secret, invite.expiry)
    return {
        "name": name,
        "secret": secret.hex(),
        "expiry": invite.expiry,
        "candidates": [[str(one), int(one.kind)] for one in candidates],
        "code": invite.encode().hex(),
        "text": carriers.to_text(invite.encode()),
        "inv_secret": derived.ice.inv_secret.hex(),
        "offer": side(derived.ice.offer, derived.offer),
        "answer": side(derived.ice.answer, derived.answer),
    }


if __name__ == "__main__":
    document = json.dumps([vector(*case) for case in CASES], indent=1) + "\n"
    Path(__file__).with_name("oneway.json").write_text(document, encoding="utf-8")
