# SPDX-License-Identifier: Apache-2.0
"""Writes paths.json beside itself: ICE credentials of three paths of a line, and one record that tells of a path."""

import hashlib
import ipaddress
import json
from pathlib import Path

from hardwire.channel.paths import Paths, path_credentials
from hardwire.handshake import Role
from hardwire.net.candidate import Candidate, CandidateKind

EXPORTER = hashlib.sha256(b"exporter").digest()
ADDRESSES = (("192.0.2.7", 50_000), ("2001:db8::7", 50_001))


def credentials(role: Role, generation: int) -> dict[str, object]:
    """Before base64, as hex."""
    ufrag, password = path_credentials(EXPORTER, role, generation)
    return {"role": role.value, "generation": generation, "ufrag": ufrag.hex(), "password": password.hex()}


def main() -> None:
    """Both roles, three generations; and a record of the second."""
    told = b"".join(Candidate(CandidateKind.HOST, ipaddress.ip_address(a), port).encode() for a, port in ADDRESSES)
    sent: list[bytes] = []
    Paths(Role.RESPONDER, emit=lambda _: None, send=lambda _, payload: sent.append(payload)).tell(2, told)
    vector = {
        "exporter": EXPORTER.hex(),
        "credentials": [credentials(role, number) for role in Role for number in (1, 2, 0xFFFFFFFF)],
        "path": {"generation": 2, "candidates": told.hex(), "payload": sent[0].hex()},
    }
    Path(__file__).with_name("paths.json").write_text(json.dumps(vector, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
