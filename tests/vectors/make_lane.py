# SPDX-License-Identifier: Apache-2.0
"""Writes lane.json beside itself: the keys of two lanes, a greeting each way, and the first frames of either side."""

import hashlib
import json
from pathlib import Path

from hardwire.channel.lane.frames import BUCKETS, PREFIX, LaneKind, LaneSealer
from hardwire.channel.lane.keys import LaneKeys, lane_root, lane_secret
from hardwire.handshake import Role

EPOCH_SECRET, SHARED = hashlib.sha256(b"epoch 0").digest(), hashlib.sha256(b"kem shared secret").digest()
PUBLIC, CIPHERTEXT = b"\x11" * 1216, b"\x22" * 1120


def frames(sealer: LaneSealer, *, first: bool) -> list[dict[str, object]]:
    """A chunk that just fills each bucket (the largest as large as it may be), and an end; large ones by their hash."""
    sizes = [bucket - PREFIX.size for bucket in BUCKETS[:-1]] + [12 + (1 << 20)]
    plan = [(LaneKind.TAKEN, 0)] * first + [(LaneKind.CHUNK, size) for size in sizes] + [(LaneKind.END, 0)]
    found: list[dict[str, object]] = []
    for kind, size in plan:
        frame = bytes(sealer.seal(kind, bytes(index & 0xFF for index in range(size))))
        shown = {"frame": frame.hex()} if len(frame) < 2048 else {"frame_sha256": hashlib.sha256(frame).hexdigest()}
        found.append({"kind": int(kind), "size": size} | shown)
    return found


def connection(number: int, dialler: Role) -> dict[str, object]:
    """One lane, dialled by this side."""
    nonce_d, nonce_l = (hashlib.sha256(f"{name} {number}".encode()).digest() for name in ("dial", "listen"))
    secret = lane_secret(lane_root(EPOCH_SECRET), SHARED, number, PUBLIC, CIPHERTEXT)
    ends = {role: LaneKeys(role, secret) for role in Role}
    listener = next(role for role in Role if role is not dialler)
    hello = ends[dialler].hello(nonce_d)
    reply, there = ends[listener].answer(hello, nonce_l)
    here = ends[dialler].complete(nonce_d, reply)
    chains = {dialler: here.outgoing, listener: there.outgoing}
    return {
        "lane": number,
        "dialler": dialler.value,
        "secret": secret.hex(),
        "hello": hello.hex(),
        "reply": reply.hex(),
        "frames": {
            role.value: frames(LaneSealer(chain), first=role is Role.INITIATOR) for role, chain in chains.items()
        },
    }


def main() -> None:
    """Lane 1 dialled by the initiator, lane 2 by the responder."""
    vector = {
        "epoch_secret": EPOCH_SECRET.hex(),
        "lane_root": lane_root(EPOCH_SECRET).hex(),
        "shared": SHARED.hex(),
        "kem_pk": "1216 x 11",
        "kem_ct": "1120 x 22",
        "connections": [connection(1, Role.INITIATOR), connection(2, Role.RESPONDER)],
    }
    Path(__file__).with_name("lane.json").write_text(json.dumps(vector, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
