# SPDX-License-Identifier: Apache-2.0
"""aiortc's DTLS transport with a short way through: a train of datagrams in one call in, and in one call out.

aiortc takes each datagram out of a queue in a task, copies it four times and asks OpenSSL through two layers. After
the handshake this class is called by the socket itself, hands trains of records to OpenSSL as they lie in the buffer
and gets each SCTP packet decrypted into one buffer that is used again and again; on the way out packets are built in
such a buffer, encrypted one after the other, and leave together at the end of the batch. What is on the wire is
DTLS as it was: one record a datagram.

Handshake, alerts, retransmitted flights and the end of the connection stay with aiortc and OpenSSL. The names of
pyOpenSSL below its public surface are used here and in :mod:`hardwire.net.rtc.dtls` only; the self-test looks for
each (docs/adr/0013-fast-transport.md).
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from struct import Struct
from typing import Any, Final, Protocol

from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceTransport
from aiortc.rtcdtlstransport import State
from OpenSSL._util import ffi as openssl_ffi
from OpenSSL._util import lib as openssl_lib

from hardwire.net.rtc.udp import Departure

MOST_PLAIN: Final = 16_384
"""Octets of data in a DTLS record (RFC 6347 §4.1.1)."""
RECORD_OVERHEAD: Final = 37
"""Header, explicit nonce and tag of AES-GCM in DTLS 1.2; other suites take less."""
RECORD_HEADER: Final = Struct("!B10xH")
HEADER_SIZE: Final = 13
_NO_DATA: Final = memoryview(bytes.fromhex("17 fefd 0001 000000000000 0000"))
"""The header of the first record that anybody encrypts, which the peer has had in the handshake."""
_READ_AT_ONCE: Final = 16_000
"""OpenSSL reads at most one buffer of 16 KiB from a memory BIO and takes it for one datagram."""
_OUT: Final = 262_144
_FLUSH_ABOVE: Final = 60_000


class PacketReceiver(ABC):
    """Who takes decrypted SCTP packets; :class:`hardwire.net.rtc.fastsctp.FastSctp` is one."""

    @abstractmethod
    def packet(self, view: memoryview, size: int) -> None:
        """The first ``size`` octets of ``view`` are a packet; both may be changed until the call returns."""

    @abstractmethod
    def batch_ended(self) -> None:
        """That was all for now: time to answer."""

    @abstractmethod
    def unblocked(self) -> None:
        """There is room to send again."""


class DatagramSink(Protocol):
    """Who takes datagrams from the path once DTLS is connected."""

    def train(self, data: memoryview, segment: int) -> None:
        """Records of ``segment`` octets each, the last one maybe shorter."""

    def single(self, data: bytes) -> None:
        """One datagram, whatever is in it."""

    def drained(self) -> None:
        """That was all for now."""

    def unblocked(self) -> None:
        """There is room to send again."""


class DatagramPath(Protocol):
    """The way to the peer; :class:`hardwire.net.rtc.ice.LineConnection` is one."""

    @property
    def is_blocked(self) -> bool:
        """No room to send."""

    def attach(self, sink: DatagramSink | None) -> None:
        """From now on datagrams go to ``sink``; those that are queued already go there at once."""

    def send_records(self, data: memoryview, sizes: Sequence[int]) -> None:
        """Datagrams that lie one after the other; without a path they are lost."""

    def send_probe(self, data: memoryview) -> Departure:
        """One datagram now, or never."""

    def send_in_pieces(self, data: memoryview) -> None:
        """One datagram that routers may cut."""

    def linger(self) -> None:
        """What comes is to be read less often for a moment."""


class _Buffers(threading.local):
    """One set for all associations of a thread: nothing stays in them from one call to the next."""

    def __init__(self) -> None:
        self.plain, self.read, self.out = map(_buffer, (MOST_PLAIN, MOST_PLAIN, _OUT))


def _buffer(size: int) -> tuple[Any, memoryview]:
    at = openssl_ffi.new("char[]", size)
    return at, memoryview(openssl_ffi.buffer(at)).cast("B")


_buffers = _Buffers()


class FastDtls(RTCDtlsTransport):
    """DTLS without SRTP over a :class:`DatagramPath`.

    Args:
        transport: The ICE transport below.
        certificate: Of this side.
        path: The same agent, as datagrams see it.

    Attributes:
        plain: Where the next packet is built, :data:`MOST_PLAIN` octets; then call :meth:`seal`.
    """

    def __init__(self, transport: RTCIceTransport, certificate: RTCCertificate, path: DatagramPath) -> None:
        super().__init__(transport, [certificate])
        self._path = path
        self._is_attached = False
        self._plain_at, self.plain = _buffers.plain
        self._read_at, self._read_view = _buffers.read
        self._out_at, self._out_view = _buffers.out
        self._pending = 0
        self._in_batch = False
        self._packets: PacketReceiver | None = None

    def _register_data_receiver(self, receiver: Any) -> None:
        super()._register_data_receiver(receiver)
        # Looked up once: to ask an abstract class takes as long as to read a small packet.
        self._packets = receiver if isinstance(receiver, PacketReceiver) else None

    def _unregister_data_receiver(self, receiver: Any) -> None:
        super()._unregister_data_receiver(receiver)
        if self._data_receiver is None:
            self._packets = None

    @property
    def is_blocked(self) -> bool:
        """The socket has no room: :meth:`PacketReceiver.unblocked` will tell when it has."""
        return self._path.is_blocked

    # ------------------------------------------------------------------ out

    def seal(self, size: int) -> None:
        """Encrypt the first octets of :attr:`plain`; they leave with :meth:`flush`, or with the batch.

        Raises:
            ConnectionError: DTLS is not connected.
        """
        connection = self._ssl
        if connection is None or self._state is not State.CONNECTED:
            raise ConnectionError("the line is not connected")
        if openssl_lib.SSL_write(connection._ssl, self._plain_at, size) <= 0:  # noqa: SLF001
            openssl_lib.ERR_clear_error()
            raise ConnectionError("the line is not connected")
        self._pending += size + RECORD_OVERHEAD
        if self._pending > _FLUSH_ABOVE:
            self.flush()

    def flush(self) -> None:
        """Send what was sealed."""
        if self._pending:
            self._send_all()

    def _send_all(self) -> None:
        """Send what OpenSSL has to send, of its own accord or because something was sealed."""
        self._pending = 0
        if self._ssl is None:
            return
        out = self._ssl._from_ssl  # noqa: SLF001
        while (size := openssl_lib.BIO_read(out, self._out_at, _OUT)) > 0:
            data = self._out_view[:size]
            self._path.send_records(data, _record_sizes(data))
            if size < _OUT:
                break

    def probe(self, size: int) -> Departure:
        """Encrypt so many octets of :attr:`plain` into one datagram and send it whole, behind everything else.

        Returns:
            Whether this system took it; the network may still lose it.
        """
        data = self._seal_alone(size)
        return self._path.send_probe(data) if data else Departure.NOT_NOW

    def send_in_pieces(self, size: int) -> None:
        """Encrypt so many octets of :attr:`plain` into one datagram that routers may cut."""
        if data := self._seal_alone(size):
            self._path.send_in_pieces(data)

    def _seal_alone(self, size: int) -> memoryview:
        self._send_all()
        connection = self._ssl
        if connection is None or openssl_lib.SSL_write(connection._ssl, self._plain_at, size) <= 0:  # noqa: SLF001
            openssl_lib.ERR_clear_error()
            return self._out_view[:0]
        return self._out_view[: openssl_lib.BIO_read(connection._from_ssl, self._out_at, _OUT)]  # noqa: SLF001

    def push(self) -> None:
        """Send a datagram without data, for a stack that reads one piece of a record with each datagram: it reads on.

        It is the header of a record that was received long ago, which every stack drops (RFC 6347 §4.1.2.6).
        """
        self._path.send_probe(_NO_DATA)

    def linger(self) -> None:
        """Packets come in a dribble, and many more are on their way: read less often for a moment."""
        self._path.linger()

    async def _send_data(self, data: bytes) -> None:
        self.plain[: len(data)] = data
        self.seal(len(data))
        if not self._in_batch:
            self.flush()

    # ------------------------------------------------------------------ in

    def train(self, data: memoryview, segment: int) -> None:
        """Records from the socket, as they lie there."""
        if self._ssl is None:
            return
        into, at = self._ssl._into_ssl, openssl_ffi.from_buffer(data)  # noqa: SLF001
        whole = len(data)
        step = max(1, _READ_AT_ONCE // segment) * segment
        self._in_batch = True
        for begin in range(0, whole, step):
            openssl_lib.BIO_write(into, at + begin, min(step, whole - begin))
            self._read_all()

    def single(self, data: bytes) -> None:
        """One datagram: of the handshake, an alert, or anything else."""
        if self._ssl is not None and data and len(data) >= HEADER_SIZE:
            self._in_batch = True
            openssl_lib.BIO_write(self._ssl._into_ssl, data, len(data))  # noqa: SLF001
            self._read_all()

    def drained(self) -> None:
        """Answer what came."""
        self._in_batch = False
        if self._packets is not None:
            self._packets.batch_ended()
        if self._state is State.CONNECTED:
            self._send_all()

    def unblocked(self) -> None:
        """The socket has room again."""
        if self._packets is not None:
            self._packets.unblocked()

    def _read_all(self) -> None:
        connection = self._ssl
        if connection is None:
            return
        ssl, at, view, read = connection._ssl, self._read_at, self._read_view, openssl_lib.SSL_read  # noqa: SLF001
        fast = self._packets
        while (size := read(ssl, at, MOST_PLAIN)) > 0:
            if fast is not None:
                fast.packet(view, size)
            elif self._data_receiver is not None:
                run_now(self._data_receiver._handle_data(bytes(view[:size])))  # noqa: SLF001
        if openssl_lib.SSL_get_error(ssl, size) != openssl_lib.SSL_ERROR_WANT_READ:
            openssl_lib.ERR_clear_error()
            self._ended()

    def _ended(self) -> None:
        """The peer said close_notify, or under the right keys something that DTLS does not survive.

        What is merely broken or forged, OpenSSL drops. After a real error it reads nothing any more, and whatever came
        would pile up in its buffer. aiortc's task waits for datagrams; it has to hear of it.
        """
        self._detach()
        if self._task is not None:
            self._task.cancel()

    async def _recv_next(self) -> None:
        """For each datagram of aiortc's task, which has nothing to do after the handshake but to wait for the end."""
        if self._state is not State.CONNECTED or self._ssl is None or self._ssl.DTLSv1_get_timeout() is not None:
            await super()._recv_next()
            return
        if not self._is_attached:
            self._is_attached = True
            self._path.attach(self)
        self.single(await self.transport._recv())  # noqa: SLF001
        self.drained()

    # ------------------------------------------------------------------ the end

    async def stop(self) -> None:
        """Say close_notify."""
        self._detach()
        self._send_all()
        await super().stop()

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        if state in {State.CLOSED, State.FAILED}:
            self._detach()

    def _detach(self) -> None:
        if self._is_attached:
            self._path.attach(None)

    def _setup_srtp(self) -> None:
        """No SRTP keys: this is for data only, and media packets fall on the floor."""


def run_now(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine of aiortc's that never waits: everything below SCTP is synchronous here."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("a send waited for the event loop")


def _record_sizes(data: memoryview) -> list[int]:
    sizes: list[int] = []
    at, whole = 0, len(data)
    while at < whole:
        size = HEADER_SIZE + RECORD_HEADER.unpack_from(data, at)[1]
        sizes.append(size)
        at += size
    return sizes
