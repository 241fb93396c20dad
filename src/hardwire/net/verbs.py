# SPDX-License-Identifier: Apache-2.0
"""What can be said on an open line: the verbs of the channel, by the same names and without the clock.

Each one hands its words to the channel at the time of the line, and has what comes of them driven before it returns.
Any of them may raise what the channel's raises (:class:`~hardwire.channel.SecureChannel`).
"""

from abc import ABC, abstractmethod

from hardwire.channel import Offer, SecureChannel, StopReason
from hardwire.net.lane.beside import Beside


class Verbs(ABC):
    """That side of a :class:`~hardwire.net.line.Line` that speaks.

    Attributes:
        beside: Direct lanes, and which way the octets of each transfer took.
    """

    beside: Beside
    _channel: SecureChannel

    @abstractmethod
    def _now(self) -> float:
        """The time of the line."""

    @abstractmethod
    def _pump(self) -> None:
        """Drive the channel: events out, frames out, timer set."""

    def send_chat(self, text: str, message_id: bytes | None = None) -> bytes:
        """Send a message; its 16-octet id comes back in ``ChatDelivered``. One of an earlier line keeps its id."""
        identifier = self._channel.send_chat(text, self._now(), message_id=message_id)
        self._pump()
        return identifier

    def tell_next(self, code: bytes) -> None:
        """Tell the peer the offer, or the answer, of the line after this one (:mod:`hardwire.net.reline`)."""
        with self._channel.paths(self._now()) as paths:
            paths.tell_next(code)
        self._pump()

    def send_verification(self, *, matched: bool) -> None:
        """Tell the peer what this side's person found when comparing the strings."""
        self._channel.send_verification(matched=matched, now=self._now())
        self._pump()

    def offer_file(self, offer: Offer) -> int:
        """Offer a file, a directory or a stream; the number of the transfer."""
        transfer = self._channel.offer_file(offer, self._now())
        self._pump()
        return transfer

    def accept_file(self, transfer: int, start: int = 0) -> None:
        """Let it come, from that octet of its stream on."""
        self._channel.accept_file(transfer, start, self._now())
        self._pump()

    def decline_file(self, transfer: int, reason: StopReason) -> None:
        """Refuse an offered file."""
        self._channel.decline_file(transfer, reason, self._now())
        self._pump()

    def cancel_file(self, transfer: int, reason: StopReason) -> None:
        """Give a transfer up, in either direction."""
        self._channel.cancel_file(transfer, reason, self._now())
        self._pump()

    def pause_file(self, transfer: int, *, on: bool) -> None:
        """Hold a transfer or let it go on, in either direction."""
        self._channel.pause_file(transfer, on=on, now=self._now())
        self._pump()

    def chunk_room(self, transfer: int, chunk_size: int | None = None) -> int:
        """Octets of the next chunk, exactly that many; when 0, wait for ``FileWindow``, or it was all.

        Args:
            transfer: Its number.
            chunk_size: Of another way than the line's own.
        """
        return self._channel.chunk_room(transfer, chunk_size)

    def chunk_position(self, transfer: int) -> int:
        """Where in the stream the next chunk begins."""
        return self._channel.chunk_position(transfer)

    def send_chunk(self, transfer: int, data: bytes) -> None:
        """Send the next octets of an accepted transfer, as many as :meth:`chunk_room` said."""
        self._channel.send_chunk(transfer, data, self._now())
        self.beside.sent(transfer, len(data))
        self._pump()

    def count_chunk(self, transfer: int, data: bytes | memoryview, chunk_size: int) -> int:
        """Count a chunk that another way carries (``channel/bulk.py``); the offset it has."""
        offset = self._channel.count_chunk(transfer, data, chunk_size, self._now())
        self.beside.sent(transfer, len(data), direct=True)
        self._pump()
        return offset

    def rewind_file(self, transfer: int) -> None:
        """Another way is taken: send again what the peer has not acknowledged."""
        self._channel.rewind_file(transfer, self._now())
        self._pump()

    def receive_chunk(self, transfer: int, offset: int, data: bytes | memoryview, chunk_size: int) -> None:
        """A chunk of the peer that came another way, authenticated; wrong ones end the line."""
        self._channel.receive_chunk(transfer, offset, data, chunk_size, self._now())
        self._pump()

    def finish_stream(self, transfer: int, root: bytes) -> None:
        """A stream of unknown length is at its end."""
        self._channel.finish_stream(transfer, root, self._now())
        self._pump()

    def acknowledge_written(self, transfer: int, offset: int) -> None:
        """Everything before ``offset`` is on the disk: the peer may send more."""
        self._channel.acknowledge_written(transfer, offset, self._now())
        self._pump()

    def confirm_file(self, transfer: int, *, ok: bool) -> None:
        """Say whether the hash of the whole file is the offered one."""
        self._channel.confirm_file(transfer, ok=ok, now=self._now())
        self._pump()

    @property
    def peer_confirmed(self) -> bool:
        """Whether a frame of the peer has arrived: it finished the same handshake."""
        return self._channel.peer_confirmed

    @property
    def unacknowledged(self) -> tuple[tuple[bytes, str], ...]:
        """Identifier and text of the messages that the peer's device has not confirmed, also after the end."""
        return self._channel.unacknowledged
