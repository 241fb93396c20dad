# SPDX-License-Identifier: Apache-2.0
"""Checks oneway.json from the text of docs/protocol.md §6 alone: straight on, with none of the package's code."""

import base64
import datetime as dt
import hashlib
import hmac
import ipaddress
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VECTORS = Path(__file__).with_name("oneway.json")
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def hkdf(secret: bytes, label: str, size: int) -> bytes:
    """RFC 5869 with SHA-256 and no salt."""
    key = hmac.digest(bytes(32), secret, "sha256")
    out = block = b""
    while len(out) < size:
        block = hmac.digest(key, block + label.encode() + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:size]


def tlv(tag: int, *parts: bytes) -> bytes:
    """DER; nothing here is longer than 64 KiB."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + body


def when(seconds: int) -> bytes:
    """UTCTime until 2049, GeneralizedTime from then on."""
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    if moment.year < 2050:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def certificate(secret: bytes, expiry: int, side: str) -> tuple[int, bytes]:
    """Private key and DER certificate of a side."""
    number = int.from_bytes(hkdf(secret, f"HBI1 one-way {side} key", 48)) % (ORDER - 1) + 1
    key = ec.derive_private_key(number, ec.SECP256R1())
    subject = hkdf(secret, f"HBI1 one-way {side} subject", 16).hex().encode()
    serial = int.from_bytes(hkdf(secret, f"HBI1 one-way {side} serial", 20)) >> 1
    name = tlv(0x30, tlv(0x31, tlv(0x30, bytes.fromhex("0603550403"), tlv(0x0C, subject))))
    algorithm = tlv(0x30, bytes.fromhex("06082a8648ce3d040302"))
    body = tlv(
        0x30,
        bytes.fromhex("a003020102"),
        tlv(0x02, serial.to_bytes(serial.bit_length() // 8 + 1)),
        algorithm,
        name,
        tlv(0x30, when(expiry - 2 * 86_400), when(expiry + 28 * 86_400)),
        name,
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    )
    signature = key.sign(body, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
    return number, tlv(0x30, body, algorithm, tlv(0x03, b"\0" + signature))


def verify(vector: dict[str, Any]) -> None:
    """AssertionError at the first value that differs."""
    secret, expiry = bytes.fromhex(vector["secret"]), vector["expiry"]
    code = b"\x12" + secret + ((expiry - 1_735_689_600) // 60).to_bytes(3)
    for text, kind in vector["candidates"]:
        host, _, port = text.rpartition(":")
        address = ipaddress.ip_address(host.strip("[]"))
        code += bytes([kind << 4 | address.version]) + address.packed + int(port).to_bytes(2)
    code += hashlib.sha256(b"HBI1 invite checksum" + code).digest()[:2]
    assert code.hex() == vector["code"]
    assert vector["text"] == "hw:" + base64.urlsafe_b64encode(code).decode().rstrip("=")
    assert hkdf(secret, "HBI1 one-way secret", 32).hex() == vector["inv_secret"]
    for side in ("offer", "answer"):
        told = vector[side]
        assert base64.b64encode(hkdf(secret, f"HBI1 one-way {side} ufrag", 6)).decode() == told["ufrag"]
        assert base64.b64encode(hkdf(secret, f"HBI1 one-way {side} password", 18)).decode() == told["password"]
        number, der = certificate(secret, expiry, side)
        assert f"{number:064x}" == told["private_key"]
        assert der.hex() == told["certificate"]


def load() -> list[dict[str, Any]]:
    """The vectors on disk."""
    return json.loads(VECTORS.read_text(encoding="utf-8"))
