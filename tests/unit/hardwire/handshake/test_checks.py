# SPDX-License-Identifier: Apache-2.0
"""The order of the checks; what each of them stops is in test_mutants.py."""

from dataclasses import replace

import pytest

from hardwire.errors import CertificateRefused
from hardwire.handshake import Credential
from hardwire.handshake.checks import usable_leaf
from support.hbi1 import Twist, attack_initiator, attack_responder, flip, identity

# Faults in the order in which §11 looks for them; a proof with several must be refused for the first.
FAULTS = [
    ("aead", {"sealed": flip}),
    ("malformed", {"plaintext": flip}),
    ("commitment", {"nonce": flip}),
    ("scheme-mismatch", {"scheme": 0x0503}),
    ("signature", {"tbs": flip}),
    ("finished", {"finished": flip}),
    ("reflection", {}),
]


@pytest.mark.parametrize("first", range(len(FAULTS)))
def test_a_responder_finds_the_first_of_several_faults(first):
    code, _ = FAULTS[first]
    twist = Twist()
    for name, fault in FAULTS[first:]:
        twist = replace(twist, **({} if name == "scheme-mismatch" and code == "signature" else fault))
    who = identity("bob") if first < len(FAULTS) else None
    assert attack_responder(twist, who=who).outcome == f"refused:{code}"


@pytest.mark.parametrize("first", [n for n, (code, _) in enumerate(FAULTS) if code != "commitment"])
def test_an_initiator_finds_the_first_of_several_faults(first):
    code, _ = FAULTS[first]
    twist = Twist()
    for _, fault in FAULTS[first:]:
        twist = replace(twist, **{name: value for name, value in fault.items() if name != "nonce"})
    assert attack_initiator(twist, who=identity("alice")).outcome == f"refused:{code}"


def test_a_leaf_that_is_no_certificate_is_refused_by_the_gate():
    with pytest.raises(CertificateRefused):
        usable_leaf(Credential((b"no certificate",)))
    twist = Twist(credential=Credential((b"no certificate",)).encode())
    assert attack_initiator(twist).outcome.startswith("refused:cert-")
    assert attack_responder(twist).outcome.startswith("refused:cert-")


def test_only_the_first_certificate_is_looked_at_here():
    credential = replace(
        identity("mallory").credential, certificates=(*identity("mallory").credential.certificates, b"x")
    )
    assert attack_initiator(Twist(credential=credential.encode())).outcome == "accepted"
