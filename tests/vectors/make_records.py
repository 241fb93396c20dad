# SPDX-License-Identifier: Apache-2.0
"""Writes records.json beside itself: one frame of every bucket, both directions and channels, before and after a rekey."""

import hashlib
import json
from pathlib import Path

from hardwire.channel.ratchet import Epoch
from hardwire.channel.records import BUCKETS, RecordLayer
from hardwire.handshake import Role

SECRET, SHARED = hashlib.sha256(b"epoch 0").digest(), hashlib.sha256(b"kem shared secret").digest()
PUBLIC, CIPHERTEXT = b"\x11" * 1216, b"\x22" * 1120


def frames(layer: RecordLayer, role: Role, epoch: int) -> list[dict[str, object]]:
    """A frame that just fills each bucket and, on channel 1, an empty one; large ones by their hash."""
    found: list[dict[str, object]] = []
    for channel, kind, size in [(0, 0x01, bucket - 5) for bucket in BUCKETS] + [(0, 0x05, 0), (1, 0x03, 252)]:
        frame = layer.seal(channel, kind, bytes(index & 0xFF for index in range(size)))
        shown = {"frame": frame.hex()} if len(frame) < 2048 else {"frame_sha256": hashlib.sha256(frame).hexdigest()}
        found.append({"role": role.value, "channel": channel, "epoch": epoch, "kind": kind, "size": size} | shown)
    return found


def main() -> None:
    """Two epochs, two roles."""
    epochs = [Epoch(0, SECRET)]
    epochs.append(epochs[0].following(SHARED, PUBLIC, CIPHERTEXT))
    vector = {
        "epoch_secret": SECRET.hex(),
        "rekey": {"shared": SHARED.hex(), "kem_pk": "1216 x 11", "kem_ct": "1120 x 22"},
        "frames": [
            f for epoch in epochs for role in Role for f in frames(RecordLayer(role, epoch), role, epoch.number)
        ],
    }
    Path(__file__).with_name("records.json").write_text(json.dumps(vector, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
