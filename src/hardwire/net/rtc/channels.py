# SPDX-License-Identifier: Apache-2.0
"""Data channels over one SCTP association, as browsers use them (RFC 8831, RFC 8832).

Channels are opened in-band by either side, or agreed beforehand (``negotiated: true`` in a browser). The protocol is
aiortc's ``RTCDataChannel``, which works on our transport and on aiortc's own; here it is narrowed to numbers, octets
and text, with bounds. A line does not use it: its two channels are plain streams (:mod:`hardwire.net.rtc.sctp`).
"""

from collections.abc import Callable
from typing import Final, Protocol

from aiortc import RTCDataChannel, RTCDataChannelParameters, RTCSctpTransport

from hardwire.errors import ConnectionLost, HardwireError, Misuse, WireError
from hardwire.net.rtc.fastsctp import MOST_MESSAGE
from hardwire.net.rtc.sctp import HIGH_WATER, LOW_WATER

MOST_CHANNELS: Final = 64
"""Channels at a time, whoever opened them."""
MOST_LABEL: Final = 256
WITNESS: Final = 65_534
"""Number of a channel that carries nothing: aiortc opens and closes it with the association."""


class ChannelEvents(Protocol):
    """Who is told; called synchronously, from the event loop, never after the end."""

    def opened(self, channel: int, label: str) -> None:
        """A channel can be used. The label is the peer's word if the peer opened it."""

    def message(self, channel: int, data: bytes | str) -> None:
        """One whole message, at most 262 144 octets, in order for its channel unless it was opened otherwise."""

    def writable(self, channel: int) -> None:
        """The channel's queue is short again."""

    def ended(self, channel: int) -> None:
        """The channel was closed, and the others go on."""

    def closed(self, error: HardwireError) -> None:
        """The whole association ended without being asked to; told once."""


class Channels:
    """The channels of one association.

    Args:
        sctp: The association, not started.
        events: Who is told of them.
        most: Octets of a message that the peer takes; 0: of any size.
        on_open: Called when the association is open.
        on_end: Called with the reason when it ended, or has to because of what the peer does; maybe more than once.
    """

    def __init__(
        self,
        sctp: RTCSctpTransport,
        events: ChannelEvents,
        *,
        most: int,
        on_open: Callable[[], None],
        on_end: Callable[[HardwireError], None],
    ) -> None:
        self.most_message = min(most or MOST_MESSAGE, MOST_MESSAGE)
        """Octets of a message that can be sent, at most 262 144."""
        self._sctp = sctp
        self._events = events
        self._on_end = on_end
        self._used: dict[int, RTCDataChannel] = {}
        self._is_open = False
        self._told = False
        # The first to be told, so that the end of all is known before the end of each.
        witness = self._agreed(WITNESS)
        witness.on("open", lambda: self._opened(on_open))
        witness.on("close", lambda: self.stop(ConnectionLost("the peer ended the association")))
        sctp.on("datachannel", self._peer_opened)

    def agree(self, number: int) -> None:
        """A channel that needs no opening; before the association begins, or what comes on it early is lost."""
        self._use(self._agreed(number))

    def create(self, label: str) -> int:
        """Open a channel in-band; ``events.opened`` tells when the peer knows of it.

        Args:
            label: Printable ASCII, at most 256 characters.

        Returns:
            Its number: even for the DTLS client, odd for the server (RFC 8832 §6).

        Raises:
            ConnectionLost: The association is not open, or has too many.
        """
        if len(label) > MOST_LABEL or not (label.isascii() and label.isprintable()):
            raise Misuse(f"the label of a channel is printable ASCII, at most {MOST_LABEL} characters")
        if not self._is_open or len(self._used) >= MOST_CHANNELS:
            raise ConnectionLost("no channel can be opened (any more)")
        numbers = range(1 if self._sctp.is_server else 0, WITNESS, 2)
        number = next(number for number in numbers if number not in self._used)
        self._use(RTCDataChannel(self._sctp, RTCDataChannelParameters(label=label, id=number)))
        return number

    def send(self, channel: int, data: bytes | str) -> None:
        """Queue one message of at most :attr:`most_message` octets.

        Raises:
            ConnectionLost: The channel is not open (any more).
        """
        size = len(data if isinstance(data, bytes) else data.encode())
        if size > self.most_message:
            raise Misuse(f"a message of {size} octets, and the peer takes {self.most_message}")
        used = self._open(channel)
        if used is None:
            raise ConnectionLost("the channel is not open")
        used.send(data)

    def buffered(self, channel: int) -> int:
        """Octets handed in and not yet cut into packets."""
        return self._used[channel].bufferedAmount if channel in self._used else 0

    def may_send(self, channel: int) -> bool:
        """The channel is open and its queue below its high-water mark; otherwise wait for ``events.writable``."""
        used = self._open(channel)
        return used is not None and used.bufferedAmount < HIGH_WATER

    def end(self, channel: int) -> None:
        """Close one channel, behind what was sent on it."""
        if channel in self._used:
            self._used[channel].close()

    def stop(self, reason: HardwireError | None = None) -> None:
        """Nobody is told of channels any more; why, if it was not asked for."""
        self._is_open, self._told = False, True
        if reason is not None:
            self._on_end(reason)

    def _open(self, channel: int) -> RTCDataChannel | None:
        used = self._used.get(channel)
        return used if self._is_open and used is not None and used.readyState == "open" else None

    def _agreed(self, number: int) -> RTCDataChannel:
        return RTCDataChannel(self._sctp, RTCDataChannelParameters(label=str(number), negotiated=True, id=number))

    def _opened(self, on_open: Callable[[], None]) -> None:
        self._is_open = True
        on_open()

    def _peer_opened(self, channel: RTCDataChannel) -> None:
        if self._told:
            return
        if len(self._used) >= MOST_CHANNELS:
            self.stop(WireError(f"the peer opened more than {MOST_CHANNELS} channels", code="transport-limit"))
            return
        self._use(channel)
        self._tell_opened(channel)

    def _use(self, channel: RTCDataChannel) -> None:
        number = channel.id
        if number is None:
            raise Misuse("a channel without a number")
        self._used[number] = channel
        channel.bufferedAmountLowThreshold = LOW_WATER
        channel.on("open", lambda: self._tell_opened(channel))
        channel.on("message", lambda data: self._tell_message(number, data))
        channel.on("bufferedamountlow", lambda: self._tell_writable(number))
        channel.on("close", lambda: self._closed(number))

    def _tell_opened(self, channel: RTCDataChannel) -> None:
        if not self._told and channel.id is not None:
            self._events.opened(channel.id, channel.label)

    def _tell_message(self, number: int, data: bytes | str) -> None:
        if not self._told:
            self._events.message(number, data)

    def _tell_writable(self, number: int) -> None:
        if not self._told:
            self._events.writable(number)

    def _closed(self, number: int) -> None:
        self._used.pop(number, None)
        if not self._told:
            self._events.ended(number)
