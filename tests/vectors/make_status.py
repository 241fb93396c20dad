# SPDX-License-Identifier: Apache-2.0
"""Writes status.json beside itself, with new keys: OCSP responses in a credential (docs/protocol.md §8, type 0x0010)."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from hardwire.certs import Grant, Period, issue_device, make_authority, make_request, open_gate, read_request
from hardwire.handshake import Credential

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def main() -> None:
    """One authority, two devices, five credentials."""
    key = ec.generate_private_key(ec.SECP256R1())
    period = Period(BEGIN, BEGIN + 365 * DAY)
    authority = open_gate(make_authority(key, organisation="ACME", serial=1, period=Period(BEGIN, BEGIN + 3650 * DAY)))
    device, neighbour = (
        open_gate(
            issue_device(
                read_request(make_request(ec.generate_private_key(ec.SECP256R1()))),
                Grant(serial, period),
                authority=authority,
                key=key,
            )
        )
        for serial in (0x1001, 0x1002)
    )

    def response(about: object = device, *, status: object = ocsp.OCSPCertStatus.GOOD) -> bytes:
        revoked = status is ocsp.OCSPCertStatus.REVOKED
        built = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                about.parsed, authority.parsed, hashes.SHA256(), status, BEGIN + 9 * DAY, BEGIN + 16 * DAY,
                BEGIN + 8 * DAY if revoked else None, None,
            )
            .responder_id(ocsp.OCSPResponderEncoding.HASH, authority.parsed)
        )  # fmt: skip
        return built.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)

    def case(name: str, day: int, known: str, refused: str, *responses: bytes) -> dict[str, object]:
        blobs = (bytes.fromhex("000101"), *(bytes.fromhex("0010") + one for one in responses))
        credential = Credential((device.der,), blobs).encode().hex()
        return {
            "name": name,
            "at": (BEGIN + day * DAY).isoformat(),
            "credential": credential,
            "known": known,
            "refused": refused,
        }

    sound = response()
    altered = sound[:-1] + bytes([sound[-1] ^ 1])
    revoked = response(status=ocsp.OCSPCertStatus.REVOKED)
    cases = [
        case("good", 10, "OCSP", "", response()),
        case("good, and one about a neighbour", 10, "OCSP", "", response(neighbour), response()),
        case("about a neighbour only", 10, "nothing fresh", "", response(neighbour)),
        case("too old", 20, "nothing fresh", "", response()),
        case("altered", 10, "nothing fresh", "", altered),
        case("revoked", 10, "", "cert-revoked", revoked),
        case("revoked, and good", 10, "", "cert-revoked", response(), revoked),
        case("without a body", 10, "", "assurance", b""),
    ]
    vector = {"authority": authority.der.hex(), "cases": cases}
    Path(__file__).with_name("status.json").write_text(json.dumps(vector, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
