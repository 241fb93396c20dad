# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwkeys import EvidenceRefused
from hwkeys.evidence import PivEvidence, TpmEvidence
from hwkeys.evidence.der import OCTETS, SEQUENCE, wrap
from hwkeys.evidence.values import MAX_EVIDENCE

CHAIN = (wrap(SEQUENCE, b"one"), wrap(SEQUENCE, b"two"))
KIND = bytes.fromhex("06056781051401")


@pytest.mark.parametrize(
    "evidence",
    [
        PivEvidence(CHAIN),
        PivEvidence(()),
        TpmEvidence(b"attest", b"signature", b"public", CHAIN),
        TpmEvidence(b"", b"", b""),
    ],
)
def test_evidence_travels(evidence):
    assert type(evidence).decode(evidence.encode()) == evidence


def test_the_tcg_form():
    encoded = TpmEvidence(b"a", b"s", b"p", CHAIN[:1]).encode()
    assert encoded.hex(" ", 1) == ("30 19 06 05 67 81 05 14 01 30 09 04 01 61 04 01 73 04 01 70 30 05 30 03 6f 6e 65")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        wrap(SEQUENCE, bytes(MAX_EVIDENCE)),
        wrap(SEQUENCE, wrap(OCTETS, b"not a certificate")),
        wrap(SEQUENCE, *CHAIN * 4),
        PivEvidence(CHAIN).encode() + b"\0",
        PivEvidence(CHAIN).encode()[:-1],
    ],
    ids=["nothing", "huge", "kind", "many", "more", "less"],
)
def test_card_evidence_that_is_refused(octets):
    with pytest.raises(EvidenceRefused) as refused:
        PivEvidence.decode(octets)
    assert refused.value.code == "evidence-malformed"


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        wrap(SEQUENCE, bytes(MAX_EVIDENCE)),
        PivEvidence(CHAIN).encode(),
        wrap(SEQUENCE, KIND[:-1] + b"\x02", wrap(SEQUENCE, wrap(OCTETS, b"") * 3), wrap(SEQUENCE)),
        wrap(SEQUENCE, KIND, wrap(SEQUENCE, wrap(OCTETS, b"") * 2), wrap(SEQUENCE)),
        wrap(SEQUENCE, KIND, wrap(SEQUENCE, wrap(OCTETS, b"") * 3)),
        wrap(SEQUENCE, KIND, wrap(SEQUENCE, wrap(SEQUENCE) * 3), wrap(SEQUENCE)),
    ],
    ids=["nothing", "huge", "a card's", "another kind", "two parts", "no certificates", "not octets"],
)
def test_tpm_evidence_that_is_refused(octets):
    with pytest.raises(EvidenceRefused) as refused:
        TpmEvidence.decode(octets)
    assert refused.value.code == "evidence-malformed"


@given(st.binary(max_size=200))
def test_any_octets_are_evidence_in_one_form_or_refused(octets):
    for kind in (PivEvidence, TpmEvidence):
        try:
            assert kind.decode(octets).encode() == octets
        except EvidenceRefused:
            continue
