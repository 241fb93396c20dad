# SPDX-License-Identifier: Apache-2.0
"""Two SCTP transports without DTLS and without sockets, on a clock that jumps, over a link that does as it is told.

The link drops, repeats, delays, reorders and corrupts by a seeded random source, so that a run can be repeated. The
loop's time goes on only when nothing is left to do: a minute of timeouts takes milliseconds.
"""

import asyncio
import random
import selectors
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from aiortc import RTCDataChannel, RTCDataChannelParameters, RTCSctpCapabilities, RTCSctpTransport

from hardwire.net.rtc.fastdtls import PacketReceiver
from hardwire.net.rtc.fastsctp import FastSctp
from hardwire.net.rtc.sctp import LineSctp
from hardwire.net.rtc.udp import Departure

ROOM = 20_000
AIORTC_READS = 1500
"""Octets of a record: the rest comes with the next datagram."""


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        self._now = 1000.0
        loop = self

        class Selector(selectors.SelectSelector):
            def select(self, timeout=None):
                if timeout:
                    loop._now += timeout
                return super().select(0)

        super().__init__(Selector())

    def time(self) -> float:
        return self._now


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run it on a clock that jumps, for aiortc as well."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner, patch("time.time", runner.get_loop().time):
        return runner.run(main)


@dataclass
class Weather:
    """Shares are probabilities; delays are seconds. ``rate`` is octets a second, ``queue`` what waits before it drops."""

    drop: float = 0.0
    repeat: float = 0.0
    corrupt: float = 0.0
    delay: float = 0.01
    jitter: float = 0.0
    rate: float = 0.0
    queue: float = 100_000
    largest: int = ROOM


class Pipe:
    """One direction."""

    def __init__(self, weather: Weather, chance: random.Random) -> None:
        self.weather = weather
        self.sent = self.lost = self.octets = 0
        self.target: FakeDtls | None = None
        self._chance = chance
        self._free_at = [0.0]
        self._last = 0.0

    def share(self, other: "Pipe") -> None:
        """From now on both wait in one queue."""
        self._free_at = other._free_at

    def send(self, packet: bytes, *, whole: bool = True) -> None:
        loop, weather, chance = asyncio.get_running_loop(), self.weather, self._chance
        self.sent += 1
        self.octets += len(packet)
        if chance.random() < weather.drop or (whole and len(packet) > weather.largest):
            self.lost += 1
            return
        wait = weather.delay + weather.jitter * chance.random()
        if weather.rate:
            begin = max(self._free_at[0], loop.time())
            if (begin - loop.time()) * weather.rate > weather.queue:
                self.lost += 1
                return
            self._free_at[0] = begin + len(packet) / weather.rate
            wait += self._free_at[0] - loop.time()
        if packet and chance.random() < weather.corrupt:
            place = chance.randrange(len(packet))
            packet = packet[:place] + bytes([packet[place] ^ (1 << chance.randrange(8))]) + packet[place + 1 :]
        for _ in range(2 if chance.random() < weather.repeat else 1):
            # The loop does not keep the order of timers that end at the same time.
            at = loop.time() + wait
            at = self._last = max(at, self._last + 1e-9) if not weather.jitter else at
            loop.call_at(at, self.target.deliver, packet)
            wait += weather.jitter * chance.random()


class FakeDtls:
    """What an SCTP transport needs of DTLS."""

    state = "connected"
    # One for all, as in the real one.
    plain = memoryview(bytearray(ROOM))

    def __init__(self, role: str, pipe: Pipe) -> None:
        self._role = role
        self._pipe = pipe
        self._out: list[bytes] = []
        self._receiver: Any = None
        self._ending = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.unread: deque[bytes] = deque()
        self.is_blocked = False
        self.lingered = 0

    def _register_data_receiver(self, receiver: Any) -> None:
        self._receiver = receiver

    def _unregister_data_receiver(self, receiver: Any) -> None:
        self._receiver = None

    def seal(self, size: int) -> None:
        self._out.append(bytes(self.plain[:size]))

    def flush(self) -> None:
        for packet in self._out:
            self._pipe.send(packet)
        self._out.clear()

    def linger(self) -> None:
        self.lingered += 1

    def probe(self, size: int) -> Departure:
        self.flush()
        if self.is_blocked:
            return Departure.NOT_NOW
        self._pipe.send(bytes(self.plain[:size]))
        return Departure.LEFT

    def send_in_pieces(self, size: int) -> None:
        self.flush()
        self._pipe.send(bytes(self.plain[:size]), whole=False)

    def push(self) -> None:
        self._pipe.send(b"")

    async def _send_data(self, data: bytes) -> None:
        # As in the real one: whatever is half built in there is gone.
        self.plain[: len(data)] = data
        self.seal(len(data))
        self.flush()

    def deliver(self, packet: bytes) -> None:
        if isinstance(self._receiver, PacketReceiver):
            if not packet:
                return
            self._receiver.packet(memoryview(bytearray(packet)), len(packet))
            if not self._ending:
                self._ending = True
                asyncio.get_running_loop().call_soon(self._end)
        elif self._receiver is not None:
            self.unread.extend(packet[at : at + AIORTC_READS] for at in range(0, len(packet), AIORTC_READS))
            if not self.unread:
                return
            task = asyncio.ensure_future(self._receiver._handle_data(self.unread.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _end(self) -> None:
        self._ending = False
        if self._receiver is not None:
            self._receiver.batch_ended()


class Side:
    """An end with two channels, whatever is below: ``line``, ``fast`` or ``aiortc``."""

    def __init__(self, kind: str, role: str, pipe: Pipe) -> None:
        self.kind = kind
        self.got: list[tuple[int, bytes]] = []
        self.dtls = FakeDtls(role, pipe)
        self._changed = asyncio.Event()
        self.channels: list[RTCDataChannel] = []
        if kind == "line":
            self.sctp = LineSctp(
                self.dtls, on_message=self._took, on_writable=self._changed.set, on_state=self._changed.set
            )
        else:
            self.sctp = FastSctp(self.dtls) if kind == "fast" else RTCSctpTransport(self.dtls)
            for number in (0, 1):
                self.channel(number)

    def channel(self, number: int, **parameters: Any) -> RTCDataChannel:
        channel = RTCDataChannel(
            self.sctp, RTCDataChannelParameters(label=str(number), negotiated=True, id=number, **parameters)
        )
        channel.on("message", lambda data: self._took(number, data))
        channel.on("open", self._changed.set)
        channel.on("close", self._changed.set)
        self.channels.append(channel)
        return channel

    async def start(self) -> None:
        if self.kind == "line":
            await self.sctp.open()
        else:
            await self.sctp.start(RTCSctpCapabilities(0), 5000)
        await self.until(lambda: self.is_open)

    @property
    def is_open(self) -> bool:
        return self.sctp._association_state == self.sctp.State.ESTABLISHED

    def send(self, number: int, data: bytes) -> None:
        if self.kind == "line":
            self.sctp.send(number, data)
        else:
            self.channels[number].send(data)

    async def until(self, condition: Any, within: float = 600.0) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _took(self, number: int, data: bytes) -> None:
        self.got.append((number, data))
        self._changed.set()


async def connect(
    kinds: tuple[str, str], there: Weather, back: Weather | None = None, *, seed: int = 0
) -> tuple[Side, Side]:
    """Two ends with an open association between them; ``there`` is the weather from the first to the second."""
    chance = random.Random(seed)
    pipes = Pipe(there, chance), Pipe(back or there, chance)
    first, second = (
        Side(kind, role, pipe) for kind, role, pipe in zip(kinds, ("server", "client"), pipes, strict=True)
    )
    pipes[0].target, pipes[1].target = second.dtls, first.dtls
    await asyncio.gather(first.start(), second.start())
    return first, second
