# SPDX-License-Identifier: Apache-2.0
"""Frames of a direct lane, on an ordered stream of octets that tells nothing by itself (protocol.md §14.8).

::

    frame = head[17] ‖ body
    head  = AES-256-GCM(key, iv,       u8 bucket)                                       17 octets with its tag
    body  = AES-256-GCM(key, iv xor 1, u8 kind ‖ u32 length ‖ payload ‖ zeros)          one of seven sizes

There is no length, number or magic in clear: the size of a body is itself sealed, and authenticated before a single
octet of the body is waited for. Each frame has a key of its own, the next of the connection's chain, so that a frame
which is missing, repeated or out of place is a frame under the wrong key. After a refused frame nothing opens any more.

Both machines work on blocks whose size they name, and hold one frame: memory does not grow with what is carried.
"""

import struct
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hardwire.channel.bulk import PATH_CHUNK_MAX
from hardwire.channel.ratchet import Chain
from hardwire.errors import Misuse, RecordRefused
from hardwire.handshake.schedule import AEAD_TAG_SIZE, IV_SIZE

PREFIX: Final = struct.Struct(">BI")
CHUNK_HEAD: Final = struct.Struct(">IQ")
BUCKETS: Final = (256, 1024, 4096, 16_384, 65_536, 262_144, PATH_CHUNK_MAX + 64)
"""Sizes of the padded plaintext of a body, in octets; the last holds a chunk of 1 MiB."""
HEAD_SIZE: Final = 1 + AEAD_TAG_SIZE
PAYLOAD_MAX: Final = CHUNK_HEAD.size + PATH_CHUNK_MAX
"""Octets of the largest payload."""
FRAMES_MAX: Final = 1 << 16
"""Frames in one direction of one connection: 64 GiB. A lane that has carried them is followed by another."""


class LaneKind(IntEnum):
    """Kinds of frames on a lane; any other is refused."""

    CHUNK = 0x03
    """u32 transfer ‖ u64 offset ‖ data."""
    TAKEN = 0x05
    """Empty. The initiator's first frame on the connection that it chose, and nowhere else."""
    END = 0x0F
    """Empty. Nothing more comes in this direction; a stream that ends without it was cut."""


@dataclass(frozen=True, slots=True)
class LaneRecord:
    """One opened frame.

    Attributes:
        kind: Of the list.
        payload: Its octets, the padding removed: a view into memory of its own.
    """

    kind: LaneKind
    payload: memoryview = field(repr=False)

    def chunk(self) -> tuple[int, int, memoryview]:
        """(transfer, offset, data) of a chunk.

        Raises:
            RecordRefused: ``lane-frame``: too short to be one.
        """
        if self.kind is not LaneKind.CHUNK or len(self.payload) < CHUNK_HEAD.size:
            raise RecordRefused(f"a chunk of {len(self.payload)} octets", code="lane-frame")
        transfer, offset = CHUNK_HEAD.unpack_from(self.payload)
        return transfer, offset, self.payload[CHUNK_HEAD.size :]


class LaneSealer:
    """Makes the frames of one direction. Not for two threads at a time.

    Args:
        chain: Of this direction, at its beginning.
    """

    __slots__ = ("_chain", "_frame", "_plain", "_sealed")

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._sealed = 0
        self._plain = bytearray(BUCKETS[-1])
        self._frame = bytearray(HEAD_SIZE + BUCKETS[-1] + AEAD_TAG_SIZE)

    def seal(self, kind: LaneKind, *parts: bytes | memoryview) -> memoryview:
        """One frame: a view of memory that the next call writes over.

        Args:
            kind: Of the list.
            parts: The payload in pieces, together at most :data:`PAYLOAD_MAX` octets.

        Raises:
            Misuse: for a larger payload, after :data:`FRAMES_MAX` frames, or after :meth:`erase`.
        """
        size = sum(map(len, parts))
        number = bucket_number(size)
        if self._sealed >= FRAMES_MAX:
            raise Misuse(f"a lane carries {FRAMES_MAX} frames each way, and no more")
        bucket = BUCKETS[number]
        key, iv = self._chain.step()
        self._sealed += 1
        cipher = AESGCM(key)
        end = HEAD_SIZE + bucket + AEAD_TAG_SIZE
        with memoryview(self._plain) as plain, memoryview(self._frame) as frame:
            PREFIX.pack_into(plain, 0, kind, size)
            position = PREFIX.size
            for part in parts:
                plain[position : position + len(part)] = part
                position += len(part)
            plain[position:bucket] = bytes(bucket - position)
            frame[:HEAD_SIZE] = cipher.encrypt(iv, bytes((number,)), None)
            cipher.encrypt_into(_second(iv), plain[:bucket], None, frame[HEAD_SIZE:end])
        return memoryview(self._frame)[:end]

    @property
    def sealed(self) -> int:
        """Frames made so far."""
        return self._sealed

    def erase(self) -> None:
        """Forget the keys."""
        self._chain.erase()


class LaneOpener:
    """Opens the frames of one direction, block by block: read :attr:`wants` octets, give them to :meth:`receive`.

    Args:
        chain: Of this direction, at its beginning.
    """

    __slots__ = ("_body", "_chain", "_opened")

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._opened = 0
        self._body: tuple[AESGCM, bytes, int] | None = None

    @property
    def wants(self) -> int:
        """Octets of the next block: of a head, or of the body that the last head announced."""
        return HEAD_SIZE if self._body is None else self._body[2] + AEAD_TAG_SIZE

    def receive(self, block: bytes | bytearray | memoryview) -> LaneRecord | None:
        """Take exactly :attr:`wants` octets; a record when they complete one.

        Raises:
            RecordRefused: ``lane-forged``, ``lane-padding``, ``lane-frame``, ``lane-frames``. Nothing opens then.
            Misuse: for another number of octets, or after :meth:`erase`.
        """
        if len(block) != self.wants:
            raise Misuse(f"{self.wants} octets are wanted, not {len(block)}")
        try:
            if self._body is None:
                self._body = self._open_head(block)
                return None
            (cipher, iv, bucket), self._body = self._body, None
            return _unpad(memoryview(cipher.decrypt(iv, block, None)), bucket)
        except InvalidTag as error:
            self.erase()
            raise RecordRefused(
                "a frame of the lane was changed on its way, or is not the peer's", code="lane-forged"
            ) from error
        except RecordRefused:
            self.erase()
            raise

    def erase(self) -> None:
        """Forget the keys."""
        self._chain.erase()

    @property
    def between_frames(self) -> bool:
        """Whether the stream stands at the beginning of a frame."""
        return self._body is None

    def _open_head(self, block: bytes | bytearray | memoryview) -> tuple[AESGCM, bytes, int]:
        if self._opened >= FRAMES_MAX:
            raise RecordRefused(f"more than {FRAMES_MAX} frames on one lane", code="lane-frames")
        key, iv = self._chain.step()
        self._opened += 1
        cipher = AESGCM(key)
        number = cipher.decrypt(iv, block, None)[0]
        if number >= len(BUCKETS):
            raise RecordRefused(f"a frame in bucket {number}, of which there is none", code="lane-frame")
        return cipher, _second(iv), BUCKETS[number]


def bucket_number(size: int) -> int:
    """Which of :data:`BUCKETS` a payload of ``size`` octets is padded to.

    Raises:
        Misuse: for more than :data:`PAYLOAD_MAX` octets.
    """
    if size > PAYLOAD_MAX:
        raise Misuse(f"a payload has at most {PAYLOAD_MAX} octets, not {size}")
    return next(number for number, bucket in enumerate(BUCKETS) if size + PREFIX.size <= bucket)


def _second(iv: bytes) -> bytes:
    return iv[: IV_SIZE - 1] + bytes((iv[-1] ^ 1,))


def _unpad(plain: memoryview, bucket: int) -> LaneRecord:
    kind, size = PREFIX.unpack_from(plain)
    end = PREFIX.size + size
    if size > PAYLOAD_MAX or BUCKETS[bucket_number(size)] != bucket:
        raise RecordRefused(f"a payload of {size} octets in a bucket of {bucket}", code="lane-padding")
    if plain[end:] != bytes(bucket - end):
        raise RecordRefused("a lane frame's padding is not zero", code="lane-padding")
    try:
        return LaneRecord(LaneKind(kind), plain[PREFIX.size : end])
    except ValueError as error:
        raise RecordRefused(f"a lane frame of unknown kind 0x{kind:02x}", code="lane-frame") from error
