# SPDX-License-Identifier: Apache-2.0
"""The ways that chunks of a transfer may take, and what every such way has to keep (protocol.md §14.7).

A transfer is one numbered stream of octets; a chunk is ``(transfer, offset, data)``. Which connection carries it is no
concern of the transfer: channel 1 of the line is one way, a direct connection beside it another. Whoever builds a way
gives the sending side a :class:`BulkPath`, and hands what arrives at the other side to the line::

    sender    transfers.open_path(path)              chunks of every transfer go over it from now on
              transfers.path_writable()              there is room again after ``may_send`` was false
              transfers.close_path(path)             it broke: chunks take the line again
    receiver  line.receive_chunk(transfer, offset, data, chunk_size)      authenticated octets of the peer, in order

Rules:

* **A way is ordered** and says of each chunk whose it is; octets it hands over are the peer's (sealed under keys of the
  line). It may lose everything that is in flight when it breaks, and nothing before.
* **Whoever takes another way goes back to the last acknowledged octet** (``WRITTEN``), whether the old way broke or a
  better one came up. The receiver has at least that much, so it sees octets in order, or octets again that it has, and
  never a gap; there is nothing to wait for and nothing to agree on.
* **Chunks of a way have one size**, the way's ``chunk_size`` (or the window, if that is smaller), but for the last of a
  transfer: a window bounds the number of chunks that wait in memory, and not only their octets. Leaves of the hash list
  (``tree.py``) know nothing of chunks: a chunk may hold several, or a part of one.
* **Credit is the transfer's**, not the way's: a chunk never ends beyond ``written + window``, whatever carries it.
* Control (offers, acknowledgements, pauses, verdicts) stays on channel 0, always.
"""

from typing import Final, Protocol

PATH_CHUNK_MAX: Final = 1 << 20
"""Octets of data in one chunk, on any way."""


class BulkPath(Protocol):
    """One ordered way to the peer for chunks.

    Attributes:
        name: How the security report calls it: ``data channel``, ``direct``.
        chunk_size: Octets of data in each of its chunks but a transfer's last; 1 to ``PATH_CHUNK_MAX``.
    """

    @property
    def name(self) -> str:
        """See the class."""
        ...

    @property
    def chunk_size(self) -> int:
        """See the class."""
        ...

    @property
    def may_send(self) -> bool:
        """Whether one more chunk may be given to it now; bounded queues say no, and ``path_writable`` says when."""
        ...

    def send(self, transfer: int, offset: int, data: bytes | memoryview) -> None:
        """Send one chunk; called on the event loop, returns at once. ``data`` must not change any more.

        Raises:
            ConnectionLost: The way is gone; ``close_path`` follows.
        """
        ...


def due(offset: int, end: int, chunk_size: int) -> int:
    """Octets of the one chunk that may come at ``offset`` of a stream that ends at ``end``; 0 at the end."""
    return min(chunk_size, end - offset)
