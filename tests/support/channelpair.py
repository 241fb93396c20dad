# SPDX-License-Identifier: Apache-2.0
"""Two ends of an open line without a network, and a finished handshake without a handshake."""

import hashlib
from dataclasses import replace
from typing import Any, cast

from hardwire.channel import CHANNELS, DEFAULT_LIMITS, Event, Limits, SecureChannel
from hardwire.handshake import HandshakeDone, Role

EPOCH_SECRET = bytes(range(32))


class CountedEntropy:
    """Randomness that is the same in every run: SHA-256 over a name and a counter."""

    def __init__(self, name: str = "entropy") -> None:
        self._name = name.encode()
        self._count = 0

    def octets(self, size: int) -> bytes:
        out = b""
        while len(out) < size:
            out += hashlib.sha256(self._name + self._count.to_bytes(8)).digest()
            self._count += 1
        return out[:size]


def finished(role: Role, secret: bytes = EPOCH_SECRET) -> HandshakeDone:
    """The proof value as the machine makes it; made past its guard, which is the handshake's to test."""
    done = object.__new__(HandshakeDone)
    for name, value in {"role": role, "epoch_secret": secret, "sid": bytes(16)}.items():
        object.__setattr__(done, name, value)
    return done


class Wire:
    """Frames on their way, one ordered queue for each direction and channel. Acknowledgements do not wait."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, *, now: float = 0.0, kem: Any = None) -> None:
        self.now = now
        limits = replace(limits, ack_delay=0.0)
        self.ends = {
            role: SecureChannel(finished(role), entropy=CountedEntropy(role.value), now=now, limits=limits, kem=kem)
            for role in Role
        }
        self.flying: dict[tuple[Role, int], list[bytes]] = {
            (role, channel): [] for role in Role for channel in CHANNELS
        }
        self.events: dict[Role, list[Event]] = {role: [] for role in Role}
        self.initiator = self.ends[Role.INITIATOR]
        self.responder = self.ends[Role.RESPONDER]

    def collect(self) -> None:
        """Move what the ends want to send onto the wire, and what they say into the logs."""
        for role, end in self.ends.items():
            while (item := end.data_to_send()) is not None:
                self.flying[role, item[0]].append(item[1])
            while (event := end.next_event()) is not None:
                self.events[role].append(event)

    def deliver(self, sender: Role, channel: int) -> bool:
        """Deliver the oldest frame of one direction of one channel; false when there is none."""
        self.collect()
        queue = self.flying[sender, channel]
        if not queue:
            return False
        self.ends[other(sender)].receive_data(channel, queue.pop(0), self.now)
        self.collect()
        return True

    def settle(self) -> None:
        """Deliver everything, and what it causes."""
        while sum(self.deliver(role, channel) for role in Role for channel in CHANNELS):
            pass

    def take(self, role: Role, kind: type | None = None) -> list[Any]:
        """The events of one end since the last call, or those of one kind (the others are dropped)."""
        self.collect()
        found = [event for event in self.events[role] if kind is None or isinstance(event, kind)]
        self.events[role].clear()
        return cast("list[Any]", found)


def other(role: Role) -> Role:
    return Role.RESPONDER if role is Role.INITIATOR else Role.INITIATOR
