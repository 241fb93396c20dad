# SPDX-License-Identifier: Apache-2.0
"""The verbs of an open line that are about files; the rest of the line is in ``channel.py``.

See ``transfer.py`` for the states, ``filecontrol.py`` for what may be offered, ``bulk.py`` for ways beside the line.
"""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from hardwire.channel import messages
from hardwire.channel.filecontrol import Offer, StopReason
from hardwire.channel.linetime import LineTime
from hardwire.channel.messages import Chunk, Kind
from hardwire.channel.ratchet import BULK
from hardwire.channel.transfer import Transfers
from hardwire.errors import HardwireError, PeerError


class FileVerbs(ABC):
    """What a line can do with files; made whole by :class:`~hardwire.channel.channel.SecureChannel`."""

    _transfers: Transfers
    _over: bool
    _now: float
    time: LineTime

    @property
    @abstractmethod
    def _queue_full(self) -> bool: ...

    @abstractmethod
    def _verb(self, now: float) -> AbstractContextManager[None]: ...

    @abstractmethod
    def _send(self, channel: int, kind: int, *parts: bytes) -> None: ...

    @abstractmethod
    def _fail(self, error: HardwireError) -> None: ...

    def offer_file(self, offer: Offer, now: float) -> int:
        """Offer a transfer; its number. Raises LocalError ``too-many-transfers``."""
        with self._verb(now):
            return self._transfers.offer(offer)

    def accept_file(self, transfer: int, start: int, now: float) -> None:
        """Take an offered transfer, of whose stream ``start`` octets are here already.

        Raises:
            TransferIncomplete: ``transfer-over``, when the peer withdrew it meanwhile.
        """
        with self._verb(now):
            self._transfers.accept(transfer, start)

    def decline_file(self, transfer: int, reason: StopReason, now: float) -> None:
        """Refuse an offered file."""
        with self._verb(now):
            self._transfers.decline(transfer, reason)

    def cancel_file(self, transfer: int, reason: StopReason, now: float) -> None:
        """Give a transfer up, as sender or receiver."""
        with self._verb(now):
            self._transfers.cancel(transfer, reason)

    def pause_file(self, transfer: int, *, on: bool, now: float) -> None:
        """Hold a transfer, or let it go on, as sender or receiver."""
        with self._verb(now):
            self._transfers.pause(transfer, on=on)

    def chunk_room(self, transfer: int, chunk_size: int | None = None) -> int:
        """Octets of the next chunk that may be sent now: exactly that many. 0: wait for FileWindow, or it is all.

        Args:
            transfer: Its number.
            chunk_size: Of another way than channel 1, whose queue does not count then.
        """
        if self._over:
            return 0
        if chunk_size is None:
            return self._transfers.room(transfer, queue_full=self._queue_full)
        return self._transfers.room(transfer, chunk_size)

    def chunk_position(self, transfer: int) -> int:
        """Where in the stream the next chunk begins."""
        return self._transfers.position(transfer)

    def send_chunk(self, transfer: int, data: bytes, now: float) -> None:
        """Send the next ``chunk_room`` octets. Raises TransferIncomplete ``transfer-over`` or Misuse."""
        with self._verb(now):
            offset = self._transfers.sending(transfer, data, queue_full=self._queue_full)
            self._send(BULK, Kind.CHUNK, messages.chunk_head(transfer, offset), data)

    def count_chunk(self, transfer: int, data: bytes | memoryview, chunk_size: int, now: float) -> int:
        """The same for a chunk that another way carries (``bulk.py``); the offset it has."""
        with self._verb(now):
            return self._transfers.sending(transfer, data, chunk_size)

    def rewind_file(self, transfer: int, now: float) -> None:
        """Another way is taken: the next chunk is the first one that the peer has not acknowledged."""
        with self._verb(now):
            self._transfers.rewind(transfer)

    def receive_chunk(self, transfer: int, offset: int, data: bytes | memoryview, chunk_size: int, now: float) -> None:
        """A chunk of the peer that came another way (``bulk.py``). Never raises for what the peer does."""
        if self._over:
            return
        self._now = self.time.at(now)
        try:
            self._transfers.on_chunk(Chunk(transfer, offset, data), chunk_size)
        except PeerError as error:
            self._fail(error)

    def finish_stream(self, transfer: int, root: bytes, now: float) -> None:
        """A stream of unknown length is at its end. Raises TransferIncomplete ``transfer-over`` or Misuse."""
        with self._verb(now):
            self._transfers.finish(transfer, root)

    def acknowledge_written(self, transfer: int, offset: int, now: float) -> None:
        """The first ``offset`` octets are on disk: the peer may send more."""
        with self._verb(now):
            self._transfers.written(transfer, offset)

    def confirm_file(self, transfer: int, *, ok: bool, now: float) -> None:
        """After FileDone: whether the hash was right. Raises TransferIncomplete ``transfer-over`` or Misuse."""
        with self._verb(now):
            self._transfers.confirm(transfer, ok=ok)
