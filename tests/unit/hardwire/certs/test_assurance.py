# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.certs import (
    Assurance,
    Attestations,
    BlobType,
    Evidence,
    encode_claim,
    encode_status,
    read_attestations,
    read_statuses,
)
from hardwire.errors import Misuse, WireError

CLAIMS = [
    (Assurance.SOFTWARE_TOKEN, "000100", "SOFTWARE TOKEN"),
    (Assurance.TOKEN_CLAIMED, "000101", "token, unproven"),
    (Assurance.TPM_CLAIMED, "000102", "TPM, unproven"),
]


@pytest.mark.parametrize("assurance, blob, words", CLAIMS)
def test_a_claim_travels(assurance: Assurance, blob: str, words: str) -> None:
    assert encode_claim(assurance).hex() == blob
    assert read_attestations((bytes.fromhex(blob),)) == Attestations(assurance, None)
    assert assurance.value == words


def test_no_claim_is_unproven_and_has_no_blob() -> None:
    assert read_attestations(()) == Attestations(Assurance.UNPROVEN, None)
    with pytest.raises(Misuse):
        encode_claim(Assurance.UNPROVEN)


@pytest.mark.parametrize("kind, blob", [(BlobType.PIV, "00023000"), (BlobType.TPM, "00033000")])
def test_evidence_travels_beside_the_claim_in_any_order(kind: BlobType, blob: str) -> None:
    evidence = Evidence(kind, b"\x30\x00")
    assert evidence.encode().hex() == blob
    claim = encode_claim(Assurance.TOKEN_CLAIMED)
    for blobs in ((claim, evidence.encode()), (evidence.encode(), claim)):
        assert read_attestations(blobs) == Attestations(Assurance.TOKEN_CLAIMED, evidence)
    assert "00" not in repr(evidence)


@pytest.mark.parametrize("kind, body", [(BlobType.CLAIM, b"\0"), (BlobType.PIV, b""), (BlobType.TPM, b"")])
def test_what_is_no_evidence_cannot_be_made(kind: BlobType, body: bytes) -> None:
    with pytest.raises(Misuse):
        Evidence(kind, body)


def test_other_types_are_for_other_readers() -> None:
    other = bytes.fromhex("0004") + b"anything"
    assert read_attestations((other, other)) == Attestations()
    assert read_attestations((other, bytes.fromhex("000102"), b"\xff\xff")).claim is Assurance.TPM_CLAIMED


@pytest.mark.parametrize("blob", ["", "00", "0001", "000103", "0001ff", "00010000", "0002", "0003"])
def test_a_malformed_blob_is_refused(blob: str) -> None:
    with pytest.raises(WireError):
        read_attestations((bytes.fromhex(blob),))


@pytest.mark.parametrize(
    "blobs, words",
    [
        (("000100", "000100"), "two claims"),
        (("000100", "000102"), "two claims"),
        (("00023000", "00023000"), "two pieces"),
        (("00023000", "00033000"), "two pieces"),
    ],
)
def test_nothing_is_said_twice_even_when_it_agrees(blobs: tuple[str, ...], words: str) -> None:
    with pytest.raises(WireError, match=words) as refused:
        read_attestations(tuple(bytes.fromhex(blob) for blob in blobs))
    assert refused.value.code == "assurance"


def test_statuses_of_a_credential() -> None:
    blobs = (bytes.fromhex("000102"), encode_status(b"one"), bytes.fromhex("0004ff"), encode_status(b"two"))
    assert read_statuses(blobs) == (b"one", b"two")
    assert read_statuses(()) == ()
    assert encode_status(b"one") == bytes.fromhex("0010") + b"one"
    assert read_attestations(blobs).claim is Assurance.TPM_CLAIMED, "they are no business of its readers"


@pytest.mark.parametrize("blob", ["0010", "00", ""])
def test_a_status_without_a_body(blob: str) -> None:
    with pytest.raises(WireError):
        read_statuses((bytes.fromhex(blob),))
