# SPDX-License-Identifier: Apache-2.0
"""The hash list of a transfer, and the root that binds it (protocol.md §14.11, docs/adr/0015-hash-list.md).

The content of a transfer is cut into leaves of one size; the root is a hash over the manifest, all leaf hashes and the
size. Who knows the root can judge the list, and who has the list can judge any leaf by itself: the one that came last,
over whichever way, and the one that lies on a disk since yesterday.

A transfer has at most 131 072 leaves, so that its list (4 MiB) fits in memory whatever the size of the content: leaves
have a mebibyte up to 128 GiB, and twice as much for each doubling beyond.
"""

import hashlib
from typing import Final

from hardwire.channel.fields import require
from hardwire.errors import TransferIncomplete

HASH_SIZE: Final = 32
LEAF_MIN: Final = 1 << 20
"""Octets in a leaf, at least (but for the last one)."""
LEAVES_MAX: Final = 1 << 17
"""Leaves of a transfer whose size is known."""


def leaf_size(size: int) -> int:
    """Octets in each leaf but the last, for content of ``size`` octets."""
    leaf = LEAF_MIN
    while leaf * LEAVES_MAX < size:
        leaf *= 2
    return leaf


def leaf_count(size: int) -> int:
    """Leaves of content of ``size`` octets."""
    return -(-size // leaf_size(size))


def new_leaf() -> "hashlib._Hash":
    """A hash that takes the octets of one leaf."""
    return hashlib.sha256(b"HBI1 leaf")


class RootHash:
    """The root, as its parts become known: kind and manifest first, then each leaf, and the size at the end.

    Args:
        kind: The transfer's kind, one octet.
        manifest: Encoded; empty for a stream.
    """

    def __init__(self, kind: int, manifest: bytes) -> None:
        self._hash = hashlib.sha256(b"HBI1 root" + bytes([kind]) + hashlib.sha256(b"HBI1 manifest" + manifest).digest())

    def add(self, leaves: bytes) -> None:
        """The next leaf hashes, 32 octets each."""
        self._hash.update(leaves)

    def digest(self, size: int) -> bytes:
        """The root of content of ``size`` octets."""
        whole = self._hash.copy()
        whole.update(size.to_bytes(8))
        return whole.digest()


def root_of(kind: int, manifest: bytes, leaves: bytes, size: int) -> bytes:
    """The root when everything is known."""
    root = RootHash(kind, manifest)
    root.add(leaves)
    return root.digest(size)


class LeafWalk:
    """Judges content against its hash list while it comes in, in order.

    Args:
        size: Octets of the content.
        leaves: The hash list, judged by its root before.
        first: The leaf to begin with.

    Attributes:
        leaf_size: Octets in each leaf but the last.
        proved: Leaves from the beginning of the content that are right, ``first`` included as known.
    """

    def __init__(self, size: int, leaves: bytes, first: int = 0) -> None:
        require(len(leaves) == HASH_SIZE * leaf_count(size), "a hash list has 32 octets for each leaf")
        self.leaf_size = leaf_size(size)
        self.proved = first
        self._size = size
        self._leaves = leaves
        self._hash = new_leaf()
        self._filled = 0

    @property
    def octets(self) -> int:
        """Octets from the beginning of the content that are proved."""
        return min(self.proved * self.leaf_size, self._size)

    @property
    def missing(self) -> int:
        """Octets that the current leaf still wants; 0 at the end."""
        return min(self.leaf_size, self._size - self.octets) - self._filled

    def update(self, data: memoryview) -> None:
        """The next octets, at most :attr:`missing`.

        Raises:
            TransferIncomplete: ``hash-mismatch``: the leaf that they complete is another one. It may come again.
        """
        require(len(data) <= self.missing, "octets beyond the leaf")
        self._hash.update(data)
        self._filled += len(data)
        if self.missing:
            return
        start = HASH_SIZE * self.proved
        right = self._hash.digest() == self._leaves[start : start + HASH_SIZE]
        self._hash, self._filled = new_leaf(), 0
        if not right:
            raise mismatch()
        self.proved += 1


def mismatch() -> TransferIncomplete:
    """What is said of octets that are not the offered ones."""
    return TransferIncomplete("the octets are not the ones that were offered", code="hash-mismatch")
