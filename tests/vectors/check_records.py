# SPDX-License-Identifier: Apache-2.0
"""Checks records.json from the text of docs/protocol.md §14 alone: straight on, with none of the package's code."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

VECTORS = Path(__file__).with_name("records.json")


def xl(secret: bytes, label: str, context: bytes, size: int) -> bytes:
    """HKDF-Expand-Label with the prefix of HBI/1, written out."""
    full = b"hbi1 " + label.encode()
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context
    block, out, counter = b"", b"", 1
    while len(out) < size:
        block = hmac.digest(secret, block + info + bytes([counter]), "sha256")
        out += block
        counter += 1
    return out[:size]


def verify(vector: dict[str, Any]) -> int:
    """How many frames were compared; AssertionError at the first that differs."""
    secrets = [bytes.fromhex(vector["epoch_secret"])]
    public, ciphertext = b"\x11" * 1216, b"\x22" * 1120
    root = xl(secrets[0], "root", b"", 32)
    mixed = hmac.digest(root, bytes.fromhex(vector["rekey"]["shared"]), "sha256")
    context = hashlib.sha256(b"\x00\x00\x00\x01" + public + ciphertext).digest()
    secrets.append(xl(mixed, "epoch", context, 32))
    chains: dict[tuple[int, str, int], bytes] = {}
    counts: dict[tuple[int, str, int], int] = {}
    for entry in vector["frames"]:
        place = (entry["epoch"], entry["role"], entry["channel"])
        if place not in chains:
            direction = xl(secrets[place[0]], "i chain" if place[1] == "initiator" else "r chain", b"", 32)
            chains[place] = xl(direction, "chan", place[2].to_bytes(2, "big"), 32)
            counts[place] = 0
        message_key = hmac.digest(chains[place], b"\x01", "sha256")
        chains[place] = hmac.digest(chains[place], b"\x02", "sha256")
        material = xl(message_key, "frame", b"", 44)
        header = (
            b"\x01\x10" + place[2].to_bytes(2, "big") + place[0].to_bytes(4, "big") + counts[place].to_bytes(8, "big")
        )
        counts[place] += 1
        payload = bytes(index % 256 for index in range(entry["size"]))
        plain = bytes([entry["kind"]]) + len(payload).to_bytes(4, "big") + payload
        bucket = min(size for size in (256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65504) if size >= len(plain))
        encryptor = Cipher(algorithms.AES(material[:32]), modes.GCM(material[32:])).encryptor()
        encryptor.authenticate_additional_data(header)
        body = encryptor.update(plain + b"\x00" * (bucket - len(plain))) + encryptor.finalize()
        frame = header + body + encryptor.tag
        if "frame" in entry:
            assert frame.hex() == entry["frame"]
        else:
            assert hashlib.sha256(frame).hexdigest() == entry["frame_sha256"]
    return len(vector["frames"])


def load() -> dict[str, Any]:
    """The vectors on disk."""
    return json.loads(VECTORS.read_text(encoding="utf-8"))
