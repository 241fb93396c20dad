# SPDX-License-Identifier: Apache-2.0
"""Checks lane.json from the text of docs/protocol.md §14.8 alone: straight on, with none of the package's code."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

VECTORS = Path(__file__).with_name("lane.json")
SIZES = (256, 1024, 4096, 16384, 65536, 262144, 1048640)


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


def gcm(key: bytes, iv: bytes, plain: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.GCM(iv)).encryptor()
    return encryptor.update(plain) + encryptor.finalize() + encryptor.tag


def frame(chain: bytes, kind: int, payload: bytes) -> bytes:
    material = xl(hmac.digest(chain, b"\x01", "sha256"), "frame", b"", 44)
    key, iv = material[:32], material[32:]
    plain = bytes([kind]) + len(payload).to_bytes(4, "big") + payload
    bucket = next(number for number, size in enumerate(SIZES) if size >= len(plain))
    plain += b"\x00" * (SIZES[bucket] - len(plain))
    return gcm(key, iv, bytes([bucket])) + gcm(key, iv[:11] + bytes([iv[11] ^ 1]), plain)


def verify_connection(root: bytes, shared: bytes, entry: dict[str, Any]) -> int:
    context = hashlib.sha256(entry["lane"].to_bytes(4, "big") + b"\x11" * 1216 + b"\x22" * 1120).digest()
    secret = xl(hmac.digest(root, shared, "sha256"), "lane", context, 32)
    assert secret.hex() == entry["secret"]
    hello, reply = bytes.fromhex(entry["hello"]), bytes.fromhex(entry["reply"])
    dialler, listener = ("i", "r") if entry["dialler"] == "initiator" else ("r", "i")
    n_d, n_l = hello[:32], reply[:32]
    assert hello[32:] == hmac.digest(xl(secret, f"{dialler} dial", b"", 32), n_d, "sha256")
    assert reply[32:] == hmac.digest(xl(secret, f"{listener} listen", b"", 32), n_d + n_l, "sha256")
    conn = xl(secret, "connection", hashlib.sha256(f"{dialler} dial".encode() + n_d + n_l).digest(), 32)
    count = 0
    for role, entries in entry["frames"].items():
        chain = xl(conn, f"{role[0]} chain", b"", 32)
        for one in entries:
            made = frame(chain, one["kind"], bytes(index % 256 for index in range(one["size"])))
            chain = hmac.digest(chain, b"\x02", "sha256")
            if "frame" in one:
                assert made.hex() == one["frame"]
            else:
                assert hashlib.sha256(made).hexdigest() == one["frame_sha256"]
            count += 1
    return count


def verify(vector: dict[str, Any]) -> int:
    """How many frames were compared; AssertionError at the first that differs."""
    root = xl(bytes.fromhex(vector["epoch_secret"]), "lane root", b"", 32)
    assert root.hex() == vector["lane_root"]
    shared = bytes.fromhex(vector["shared"])
    return sum(verify_connection(root, shared, entry) for entry in vector["connections"])


def load() -> dict[str, Any]:
    """The vectors on disk."""
    return json.loads(VECTORS.read_text(encoding="utf-8"))
