# SPDX-License-Identifier: Apache-2.0
"""Writes announcements.json beside itself: keys of both roles, and announcements of one line one after the other."""

import hashlib
import ipaddress
import json
from pathlib import Path

from hardwire.channel.announcement import Announcer, Sought, announcement_key
from hardwire.handshake import Role
from hardwire.net.candidate import Candidate, CandidateKind

EXPORTER = hashlib.sha256(b"exporter").digest()
ADDRESSES = (("192.0.2.7", 50_000), ("2001:db8::7", 50_001))


def announced(role: Role, sought: Sought) -> list[dict[str, object]]:
    """Two of one side: with both addresses, and with none."""
    told = b"".join(Candidate(CandidateKind.HOST, ipaddress.ip_address(a), port).encode() for a, port in ADDRESSES)
    announcer = Announcer(EXPORTER, role, sought)
    generation = 3 if sought is Sought.PATH else 0
    made = []
    for number, candidates in enumerate((told, b""), 1):
        nonce = hashlib.sha256(f"{role.value} {sought.value} {number}".encode()).digest()[:12]
        made.append(
            {
                "role": role.value,
                "sought": sought.value,
                "key": announcement_key(EXPORTER, role, sought).hex(),
                "number": number,
                "generation": generation,
                "candidates": candidates.hex(),
                "announcement": announcer.announce(generation, candidates, nonce).hex(),
            }
        )
    return made


def main() -> None:
    """Both roles, both things that are sought."""
    vector = {
        "exporter": EXPORTER.hex(),
        "announcements": [one for role in Role for sought in Sought for one in announced(role, sought)],
    }
    Path(__file__).with_name("announcements.json").write_text(json.dumps(vector, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
