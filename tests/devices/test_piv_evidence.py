# SPDX-License-Identifier: Apache-2.0
"""The virtual card's attestation, asked from the card itself, and judged."""

import datetime as dt

import pytest
from cryptography import x509

from hwkeys import EvidenceRefused, open_key
from hwkeys.evidence import PivEvidence, verify_piv_attestation
from support.evidence import Authority, der
from support.hwbench import right

pytestmark = pytest.mark.device("piv-opensc")


def test_the_cards_attestation_is_about_the_key_that_signs(piv_opensc):
    bench = piv_opensc
    attestation, f9, root = (x509.load_pem_x509_certificate(pem.encode()) for pem in bench.card.attest("9a"))
    key = bench.make("alice", right(bench))
    now = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    evidence = PivEvidence.decode(PivEvidence((der(attestation), der(f9))).encode())
    proved = verify_piv_attestation(evidence, public_key=key.public_key(), roots=[root], at=now)
    assert proved.serial == int(bench.card.serial)
    assert proved.model == "YubiKey 5"
    for roots, public in (([Authority.root().certificate], key.public_key()), ([root], f9.public_key())):
        with pytest.raises(EvidenceRefused):
            verify_piv_attestation(evidence, public_key=public, roots=roots, at=now)
    key.close()
    assert open_key(key.uri).public_key() == attestation.public_key()
