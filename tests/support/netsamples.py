# SPDX-License-Identifier: Apache-2.0
"""Codes and candidates that several net tests share."""

import ipaddress
from collections.abc import Callable
from pathlib import Path

from hardwire.errors import InviteRefused
from hardwire.net.candidate import Candidate, CandidateKind
from hardwire.net.invite import Answer, Offer, offer_ref

NOW = 1_800_000_000


def candidate(address: str, port: int = 50_000, kind: CandidateKind = CandidateKind.HOST) -> Candidate:
    return Candidate(kind, ipaddress.ip_address(address), port)


def sample_offer(*addresses: str, expiry: int = NOW + 600) -> Offer:
    found = addresses or ("192.168.7.20", "2001:db8:5::20")
    return Offer(bytes(range(16)), expiry, bytes(range(32, 64)), tuple(candidate(address) for address in found))


def sample_answer(offer: bytes) -> Answer:
    return Answer(offer_ref(offer), bytes(range(64, 96)), (candidate("192.168.7.21"), candidate("2001:db8:5::21")))


def value_or_code(call: Callable[..., object], *args: object, **kwargs: object) -> object:
    """What a parser makes of its input: the value, or the code of its refusal; anything else escapes."""
    try:
        return call(*args, **kwargs)
    except InviteRefused as error:
        return error.code


def open_sockets() -> int:
    """How many sockets this process has open."""
    count = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            count += str(entry.readlink()).startswith("socket:")
        except OSError:
            continue
    return count
