# SPDX-License-Identifier: Apache-2.0
"""Writes attestations.json beside itself: sound evidence about one key, and each way to forge it. Run with tests/ in
PYTHONPATH; keys are fresh each time, so that every octet of the file changes."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.certs import Assurance, BlobType, device_id, encode_claim, make_self_signed
from hwkeys.evidence import PivEvidence, TpmEvidence
from hwkeys.evidence.chain import spki_of
from hwkeys.tpm.public import SIGNING, Attributes
from support.evidence import AT, DAY, Authority, SoftCard, SoftTpm, Statement, area_of, der, unknown

TOKEN, TPM = encode_claim(Assurance.TOKEN_CLAIMED), encode_claim(Assurance.TPM_CLAIMED)
SOFTWARE = encode_claim(Assurance.SOFTWARE_TOKEN)
CARD_FACTS = ["firmware 5.4.3", "serial 12345678", "PIN once a session", "touch once in 15 s"]
TPM_FACTS = ["made by IBM", "model model, version id:1"]

Case = dict[str, object]


def blob(kind: BlobType, body: bytes) -> bytes:
    return kind.to_bytes(2) + body


def case(
    name: str, *blobs: bytes, assurance: str, by: str = "", facts: list[str] | None = None, check: str = ""
) -> Case:
    """``check``: the code under which the evidence is not accepted, or ``malformed`` when the peer is refused."""
    attested = bool(by) and not assurance.startswith("SOFTWARE")
    return {
        "name": name,
        "attestations": [each.hex() for each in blobs],
        "assurance": assurance,
        "attested": attested,
        "by": by,
        "facts": facts or [],
        "check": check,
    }


def cards(card: SoftCard) -> Iterator[Case]:
    """Evidence of type 0x0002."""

    def piv(evidence: PivEvidence) -> bytes:
        return blob(BlobType.PIV, evidence.encode())

    def forged(name: str, check: str, evidence: PivEvidence) -> Case:
        return case(name, TOKEN, piv(evidence), assurance="token, unproven", check=check)

    sound = card.evidence()
    leaf, f9, between = sound.certificates
    shown = {"assurance": "YubiKey 5 (attested)", "by": "maker", "facts": CARD_FACTS}
    yield case("a card", TOKEN, piv(sound), **shown)
    yield case("a card, its evidence before the claim", piv(sound), TOKEN, **shown)
    yield case("a card that claims nothing", piv(sound), **shown)
    yield case(
        "a card whose chain brings the root along",
        TOKEN,
        piv(PivEvidence((*sound.certificates, der(card.maker.certificate)))),
        **shown,
    )
    yield case("a card that keeps its serial number to itself", TOKEN, piv(card.evidence(card.extensions(o7=None))),
               **{**shown, "facts": [CARD_FACTS[0], *CARD_FACTS[2:]]})  # fmt: skip
    yield case("a card that calls itself software", SOFTWARE, piv(sound),
               **{**shown, "assurance": "SOFTWARE TOKEN, YubiKey 5 (attested)"})  # fmt: skip
    other = ec.generate_private_key(ec.SECP256R1())
    yield forged("another key in the card", "key-mismatch", card.evidence(key=other.public_key()))
    turned = bytearray(leaf)
    turned[-1] ^= 1
    yield forged("a bit of the signature turned", "chain-signature", PivEvidence((bytes(turned), f9, between)))
    twin = SoftCard()
    twin.key = card.key
    yield forged("a maker of the same name", "chain-signature", twin.evidence())
    stranger = Authority.root("another maker")
    loose = stranger.authority("card", length=0).issue("a", card.key.public_key(), card.extensions())
    yield forged("a maker that is not trusted", "chain-root", PivEvidence((der(loose), der(stranger.certificate))))
    yield forged("the card's own certificate left out", "chain-root", PivEvidence((leaf,)))
    yield forged("certificates in another order", "chain-issuer", PivEvidence((leaf, between, f9, between)))
    ends = card.between.issue("card", card.f9.key.public_key())
    yield forged("a card that may not attest", "chain-authority", PivEvidence((leaf, der(ends), between)))
    yield forged("past its time", "chain-expired", card.evidence(before=AT - DAY / 2))
    odd = [*card.extensions(), unknown("1.2.3.4", b"x", critical=True)]
    yield forged("a critical extension that nobody knows", "chain-extension", card.evidence(odd))
    for name, check, changes in (
        ("no firmware", "piv-firmware", {"o3": None}),
        ("no policies", "piv-policy", {"o8": None}),
        ("an unknown policy", "piv-policy", {"o8": b"\x09\x01"}),
        ("a serial number that is none", "piv-serial", {"o7": b"\x02\x01\x00"}),
        ("a form factor of two octets", "piv-form-factor", {"o9": b"\x01\x01"}),
    ):
        yield forged(name, check, card.evidence(card.extensions(**changes)))
    body = sound.encode()
    for name, octets in (
        ("cut short", body[:-1]),
        ("an octet too many", body + b"\0"),
        ("a long length", b"\x30\x83\0" + body[2:]),
    ):
        yield case(f"card evidence, {name}", TOKEN, blob(BlobType.PIV, octets), assurance="", check="malformed")
    yield case("card evidence, twice", TOKEN, piv(sound), piv(sound), assurance="", check="malformed")


def tpms(tpm: SoftTpm, nonce: bytes, card: SoftCard) -> Iterator[Case]:
    """Evidence of type 0x0003."""

    def certify(evidence: TpmEvidence) -> bytes:
        return blob(BlobType.TPM, evidence.encode())

    def forged(name: str, check: str, evidence: TpmEvidence) -> Case:
        return case(name, TPM, certify(evidence), assurance="TPM, unproven", check=check)

    sound = tpm.evidence(nonce)
    shown = {"by": "enrolment", "facts": TPM_FACTS}
    yield case("a TPM", TPM, certify(sound), assurance="TPM (attested)", **shown)
    yield case(
        "a TPM that calls itself software",
        SOFTWARE,
        certify(sound),
        assurance="SOFTWARE TOKEN, TPM (attested)",
        **shown,
    )
    yield forged("not enrolled", "tpm-not-enrolled", dataclasses.replace(sound, certificates=()))
    other = SoftTpm()
    other.key = tpm.key
    yield forged(
        "another TPM's attestation key",
        "tpm-signature",
        dataclasses.replace(other.evidence(nonce), certificates=sound.certificates),
    )
    yield forged("an authority of the same name", "chain-signature", other.evidence(nonce))
    yield forged(
        "the nonce of another identity", "tpm-nonce", tpm.evidence(device_id(spki_of(other.attestation.public_key())))
    )
    yield forged("no nonce", "tpm-nonce", tpm.evidence(b""))
    yield forged("not made by the TPM itself", "tpm-magic", tpm.evidence(nonce, magic=0xFF544346))
    yield forged("a quote", "tpm-type", tpm.evidence(nonce, kind=0x8018))
    area = area_of(other.attestation.public_key())
    yield forged(
        "another public area", "tpm-name", tpm.signed(Statement(area.name(), nonce).encode(), tpm.area().encode())
    )
    yield forged("another key", "key-mismatch", tpm.evidence(nonce, area=area))
    yield forged(
        "a key that may leave",
        "tpm-attributes",
        tpm.evidence(nonce, area=tpm.area(attributes=SIGNING & ~Attributes.FIXED_TPM)),
    )
    yield forged(
        "a key that may be guessed at",
        "tpm-attributes",
        tpm.evidence(nonce, area=tpm.area(attributes=SIGNING | Attributes.NO_DA)),
    )
    yield forged("a statement that goes on", "evidence-malformed", tpm.evidence(nonce, end=b"\0"))
    tpm.certificate = tpm.certified([])
    yield forged("a certificate for something else", "tpm-attestation-key", tpm.evidence(nonce))
    tpm.certificate = tpm.certified(before=AT - DAY / 2)
    yield forged("a certificate past its time", "chain-expired", tpm.evidence(nonce))
    own, tpm.authority = tpm.authority, card.maker
    tpm.certificate, tpm.authority = tpm.certified(), own
    yield forged("a maker of cards enrols a TPM", "chain-root", tpm.evidence(nonce))
    body = sound.encode()
    for name, octets in (
        ("cut short", body[:-1]),
        ("an octet too many", body + b"\0"),
        ("of another kind", body.replace(bytes.fromhex("060567810514"), bytes.fromhex("060567810515"))),
        ("as a card's", card.evidence().encode()),
    ):
        yield case(f"TPM evidence, {name}", TPM, blob(BlobType.TPM, octets), assurance="", check="malformed")
    yield case(
        "two kinds of evidence",
        TPM,
        certify(sound),
        blob(BlobType.PIV, card.evidence().encode()),
        assurance="",
        check="malformed",
    )


def claims() -> Iterator[Case]:
    """Without evidence."""
    yield case("nothing", assurance="unproven")
    yield case("a token, it says", TOKEN, assurance="token, unproven")
    yield case("a TPM, it says", TPM, assurance="TPM, unproven")
    yield case("software, it says", SOFTWARE, assurance="SOFTWARE TOKEN")
    yield case("a type that nobody knows", bytes.fromhex("fffe00"), TOKEN, assurance="token, unproven")
    for octets in ("", "00", "0001", "000103", "00010000", "0002", "0003"):
        yield case(f"the octets {octets or 'of nothing'}", bytes.fromhex(octets), assurance="", check="malformed")
    yield case("two claims", TOKEN, TOKEN, assurance="", check="malformed")


def main() -> None:
    """One identity, one card, one TPM."""
    card, tpm = SoftCard(), SoftTpm()
    tpm.key = card.key
    certificate = make_self_signed(card.key, not_before=AT - DAY, not_after=AT + DAY, serial=7)
    nonce = device_id(spki_of(x509.load_der_x509_certificate(certificate)))
    vectors = {
        "at": AT.isoformat(),
        "certificate": certificate.hex(),
        "device_id": nonce.hex(),
        "piv_roots": [der(card.maker.certificate).hex()],
        "tpm_roots": [der(tpm.authority.certificate).hex()],
        "cases": [*claims(), *cards(card), *tpms(tpm, nonce, card)],
    }
    Path(__file__).with_name("attestations.json").write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
