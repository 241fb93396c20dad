# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.certs import Assurance, assurance_of, encode_claim
from hardwire.errors import Misuse, WireError

CLAIMS = [
    (Assurance.SOFTWARE_TOKEN, "000100", "SOFTWARE TOKEN"),
    (Assurance.TOKEN_CLAIMED, "000101", "token, unproven"),
    (Assurance.TPM_CLAIMED, "000102", "TPM, unproven"),
]


@pytest.mark.parametrize("assurance, blob, words", CLAIMS)
def test_a_claim_travels(assurance: Assurance, blob: str, words: str) -> None:
    assert encode_claim(assurance).hex() == blob
    assert assurance_of((bytes.fromhex(blob),)) is assurance
    assert assurance.value == words


def test_no_claim_is_unproven_and_has_no_blob() -> None:
    assert assurance_of(()) is Assurance.UNPROVEN
    with pytest.raises(Misuse):
        encode_claim(Assurance.UNPROVEN)


def test_evidence_of_other_types_is_for_other_readers() -> None:
    other = bytes.fromhex("0002") + b"anything"
    assert assurance_of((other,)) is Assurance.UNPROVEN
    assert assurance_of((other, bytes.fromhex("000102"), b"\xff\xff")) is Assurance.TPM_CLAIMED


@pytest.mark.parametrize("blob", ["", "00", "0001", "000103", "0001ff", "00010000"])
def test_a_malformed_claim_is_refused(blob: str) -> None:
    with pytest.raises(WireError):
        assurance_of((bytes.fromhex(blob),))


def test_two_claims_are_refused_even_when_they_agree() -> None:
    with pytest.raises(WireError, match="two claims"):
        assurance_of((encode_claim(Assurance.TOKEN_CLAIMED),) * 2)
