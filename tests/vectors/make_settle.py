# SPDX-License-Identifier: Apache-2.0
"""Writes settle.json beside itself: what each side sends before the line opens (docs/protocol.md §14.9).

Written from the document and not from the code that it tests: keys, header and padding are made by hand here.
"""

import hashlib
import hmac
import json
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

EXPORTER = hashlib.sha256(b"an exporter").digest()
LISTS = (b"a list of revoked certificates", b"another one")


def expand_label(secret: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """XL of §2."""
    full = b"hbi1 " + label
    info = size.to_bytes(2) + bytes([len(full)]) + full + bytes([len(context)]) + context
    out, block, count = b"", b"", 1
    while len(out) < size:
        block = hmac.digest(secret, block + info + bytes([count]), "sha256")
        out, count = out + block, count + 1
    return out[:size]


def frames(label: bytes, records: list[tuple[int, bytes]]) -> list[str]:
    """§14.2 and §14.3 with S in the place of E_0, on channel 0; every record here fits 256 octets."""
    secret = expand_label(EXPORTER, b"settle", b"", 32)
    chain = expand_label(expand_label(secret, label, b"", 32), b"chan", bytes(2), 32)
    found = []
    for seq, (kind, payload) in enumerate(records):
        message, chain = hmac.digest(chain, b"\1", "sha256"), hmac.digest(chain, b"\2", "sha256")
        material = expand_label(message, b"frame", b"", 44)
        header = bytes([0x01, 0x10]) + bytes(2) + bytes(4) + seq.to_bytes(8)
        plain = (bytes([kind]) + len(payload).to_bytes(4) + payload).ljust(256, b"\0")
        found.append((header + AESGCM(material[:32]).encrypt(material[32:], plain, header)).hex())
    return found


def main() -> None:
    """One side with two lists, one with none."""
    sizes = bytes([len(LISTS)]) + b"".join(len(one).to_bytes(4) for one in LISTS)
    with_lists = [(0x81, sizes), (0x82, b"".join(LISTS)), (0x83, b"")]
    without = [(0x81, b"\0"), (0x83, b"")]
    vectors = [
        {"name": name, "exporter": EXPORTER.hex(), "role": role, "lists": [one.hex() for one in lists], "frames": made}
        for name, role, lists, made in (
            ("the initiator shows two lists", "initiator", LISTS, frames(b"i chain", with_lists)),
            ("the responder shows none", "responder", (), frames(b"r chain", without)),
        )
    ]
    Path(__file__).with_name("settle.json").write_text(json.dumps(vectors, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
