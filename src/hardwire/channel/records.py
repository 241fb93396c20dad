# SPDX-License-Identifier: Apache-2.0
"""Frames: one message sealed under a key of its own, at a size that says little (protocol.md §14).

::

    frame  = header[16] ‖ AES-256-GCM ciphertext with its tag
    header = u8 version ‖ u8 type ‖ u16 channel ‖ u32 epoch ‖ u64 seq            (the associated data)
    plain  = u8 kind ‖ u32 length ‖ payload ‖ zeros up to the smallest bucket that fits

Order is part of the proof: on each channel the next frame is exactly one possible frame, or two while a channel is
between two epochs. A gap, a repeat, another channel, another bucket or a padding octet that is not zero ends the line.
Nothing is decrypted before the header has been found to be the expected one.
"""

import struct
from bisect import bisect_left
from dataclasses import dataclass
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hardwire.channel.ratchet import CHANNELS, PEER_OF, Chain, Epoch
from hardwire.errors import Misuse, RecordRefused
from hardwire.handshake.events import Role
from hardwire.handshake.schedule import AEAD_TAG_SIZE

VERSION: Final = 0x01
TYPE: Final = 0x10
HEADER: Final = struct.Struct(">BBHIQ")
PREFIX: Final = struct.Struct(">BI")
BUCKETS: Final = (256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_504)
"""Sizes of the padded plaintext, in octets."""
FRAME_MAX: Final = HEADER.size + BUCKETS[-1] + AEAD_TAG_SIZE
"""Octets of the largest frame: 65 536."""
PAYLOAD_MAX: Final = BUCKETS[-1] - PREFIX.size
"""Octets of the largest payload: 65 499."""

_NO_EPOCH: Final = -1
"""No header holds it."""
_BUCKET_OF_FRAME: Final = {HEADER.size + bucket + AEAD_TAG_SIZE: bucket for bucket in BUCKETS}


class Record(NamedTuple):
    """One opened frame.

    Attributes:
        kind: The kind octet, known or not.
        payload: 0 to 65 499 octets, the padding removed.
        moved: It is the first frame of a new epoch on its channel.
    """

    kind: int
    payload: bytes
    moved: bool


@dataclass(slots=True)
class _Position:
    """Where one direction of one channel is."""

    epoch: int
    chain: Chain
    seq: int = 0
    following: Epoch | None = None
    prepared: tuple[AESGCM, bytes] | None = None

    def step(self) -> tuple[AESGCM, bytes]:
        """Cipher and IV of the next frame, once."""
        found, self.prepared = self.prepared or self._derive(), None
        self.seq += 1
        return found

    def prepare(self) -> None:
        """Step the chain now for the frame that will come.

        Whoever copies the state reads the same frames as without it: the next one and those behind.
        """
        if self.prepared is None and not self.chain.is_erased:
            self.prepared = self._derive()

    def erase(self) -> None:
        """Forget the keys of this epoch."""
        self.chain.erase()
        self.prepared = None

    def _derive(self) -> tuple[AESGCM, bytes]:
        key, iv = self.chain.step()
        return AESGCM(key), iv


class RecordLayer:
    """Seals what this side sends and opens what the peer sends, on every channel.

    Args:
        role: This side's role in the handshake.
        epoch: The first epoch.
    """

    __slots__ = ("_incoming", "_outgoing", "_role")

    def __init__(self, role: Role, epoch: Epoch) -> None:
        self._role = role
        self._outgoing = {channel: _Position(epoch.number, epoch.chain(role, channel)) for channel in CHANNELS}
        self._incoming = {channel: _Position(epoch.number, epoch.chain(PEER_OF[role], channel)) for channel in CHANNELS}

    def seal(self, channel: int, kind: int, *parts: bytes) -> bytes:
        """One frame.

        Args:
            channel: The channel it will travel on.
            kind: The kind octet.
            parts: The payload in pieces, together at most 65 499 octets.

        Raises:
            Misuse: for a larger payload, or after :meth:`erase`.
        """
        size = sum(map(len, parts))
        bucket = bucket_of(size)
        position = self._outgoing[channel]
        header = HEADER.pack(VERSION, TYPE, channel, position.epoch, position.seq)
        plain = b"".join((PREFIX.pack(kind, size), *parts, bytes(bucket - PREFIX.size - size)))
        cipher, iv = position.step()
        return header + cipher.encrypt(iv, plain, header)

    def open(self, channel: int, data: bytes) -> Record:
        """The record in a frame that came in on ``channel``.

        Raises:
            RecordRefused: ``frame-size``, ``frame-header``, ``frame-channel``, ``frame-epoch``, ``frame-sequence``,
                ``frame-forged``, ``frame-padding``. Nothing may be opened on this line any more after one.
        """
        bucket = _BUCKET_OF_FRAME.get(len(data))
        if bucket is None:
            raise RecordRefused(f"a frame of {len(data)} octets, which is no bucket", code="frame-size")
        position = self._incoming.get(channel)
        if position is None:
            raise RecordRefused(f"a frame on channel {channel}, which is not in use", code="frame-channel")
        header = data[: HEADER.size]
        moved = self._place(position, channel, header)
        if moved:
            self._enter(position, channel)
        cipher, iv = position.step()
        try:
            plain = cipher.decrypt(iv, memoryview(data)[HEADER.size :], header)
        except InvalidTag as error:
            raise RecordRefused("a frame was changed on its way, or is not the peer's", code="frame-forged") from error
        return _unpad(plain, bucket, moved=moved)

    def prepare(self, channel: int) -> None:
        """Derive the keys of the next frame in each direction, so that it need not wait for them."""
        self._outgoing[channel].prepare()
        self._incoming[channel].prepare()

    def expect(self, epoch: Epoch) -> None:
        """From now on, each incoming channel may move to ``epoch``, once.

        Raises:
            Misuse: while a channel is still behind (see :attr:`behind`).
        """
        if self.behind:
            raise Misuse("an incoming channel has not reached the current epoch yet")
        for position in self._incoming.values():
            position.following = epoch

    def enter(self, channel: int) -> None:
        """Accept only the expected epoch on this incoming channel; the old keys are erased."""
        self._enter(self._incoming[channel], channel)

    def drop_old(self, channel: int) -> None:
        """Erase the old keys of an incoming channel that is behind: the next frame there opens the new epoch."""
        position = self._incoming[channel]
        position.erase()
        position.epoch = _NO_EPOCH

    def advance(self, channel: int, epoch: Epoch) -> None:
        """Send everything more on ``channel`` in ``epoch``; the old keys are erased."""
        position = self._outgoing[channel]
        position.erase()
        self._outgoing[channel] = _Position(epoch.number, epoch.chain(self._role, channel))

    @property
    def behind(self) -> tuple[int, ...]:
        """The incoming channels on which the peer has not moved to the expected epoch yet."""
        return tuple([channel for channel, position in self._incoming.items() if position.following is not None])

    def erase(self) -> None:
        """Forget every key; nothing can be sealed or opened any more."""
        for position in (*self._outgoing.values(), *self._incoming.values()):
            position.erase()
            if position.following is not None:
                position.following.erase()

    def _place(self, position: _Position, channel: int, header: bytes) -> bool:
        """Check a header against the one or two frames that may come next; true when it opens a new epoch."""
        version, frame_type, of_channel, epoch, seq = HEADER.unpack(header)
        if (version, frame_type) != (VERSION, TYPE):
            raise RecordRefused("a frame of another version or type", code="frame-header")
        if of_channel != channel:
            raise RecordRefused(f"a frame of channel {of_channel} came in on channel {channel}", code="frame-channel")
        moved = position.following is not None and epoch == position.following.number
        if not moved and epoch != position.epoch:
            raise RecordRefused(f"a frame of epoch {epoch}, whose keys are not in use here", code="frame-epoch")
        wanted = 0 if moved else position.seq
        if seq != wanted:
            raise RecordRefused(f"frame {seq} came where frame {wanted} was due", code="frame-sequence")
        return moved

    def _enter(self, position: _Position, channel: int) -> None:
        epoch = position.following
        if epoch is None:
            raise Misuse("no epoch is expected on this channel")
        position.erase()
        position.epoch, position.chain = epoch.number, epoch.chain(PEER_OF[self._role], channel)
        position.seq, position.following = 0, None


def bucket_of(size: int) -> int:
    """The size of the padded plaintext of a payload of ``size`` octets.

    Raises:
        Misuse: for more than 65 499 octets.
    """
    if size > PAYLOAD_MAX:
        raise Misuse(f"a payload has at most {PAYLOAD_MAX} octets, not {size}")
    return BUCKETS[bisect_left(BUCKETS, PREFIX.size + size)]


def _unpad(plain: bytes, bucket: int, *, moved: bool) -> Record:
    kind, size = PREFIX.unpack_from(plain)
    end = PREFIX.size + size
    if size > PAYLOAD_MAX or bucket_of(size) != bucket:
        raise RecordRefused(f"a payload of {size} octets in a bucket of {bucket}", code="frame-padding")
    if plain[end:] != bytes(bucket - end):
        raise RecordRefused("a frame's padding is not zero", code="frame-padding")
    return Record(kind, plain[PREFIX.size : end], moved)
