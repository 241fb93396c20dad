# SPDX-License-Identifier: Apache-2.0
"""Carries one machine over an open link until the next one takes the link over: octets, a timer, questions.

Two machines need this before a line is open, one after the other: the handshake (:mod:`hardwire.net.shake`) and the
settlement (:mod:`hardwire.net.settle`). They decide everything. What they ask is answered by one task at a time, while
messages and timers keep coming in; whatever ends the machine cancels the question that is still open.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Final, Generic, Protocol, TypeVar

from hardwire.errors import ConnectionLost, HardwireError
from hardwire.handshake import HandshakeDone
from hardwire.net.config import LineConfig
from hardwire.net.rtc import RtcLink

CONTROL: Final = 0
"""The one data channel there is before a line is open."""


class Machine(Protocol):
    """The verbs that every machine has; times are monotonic seconds."""

    def receive_data(self, data: bytes, now: float) -> None:
        """Take one message. Never raises for what is in it."""

    def data_to_send(self) -> bytes | None:
        """The next message, or None."""

    def next_event(self) -> object | None:
        """The next thing to know or to answer, or None."""

    def next_timeout(self) -> float | None:
        """When :meth:`handle_timeout` is due; None after the end."""

    def handle_timeout(self, now: float) -> None:
        """Let the time pass; calling early does no harm."""


_Machine = TypeVar("_Machine", bound=Machine)


class Driver(ABC, Generic[_Machine]):
    """One machine; a :class:`~hardwire.net.rtc.LinkEvents` while it lasts.

    Args:
        machine: Fresh; its first message goes out with :meth:`_pump`.
        link: Open.
        config: Whom to ask, and the clock.
        on_done: Called synchronously when the machine is done and its last message sent: the very next octets of
            the peer belong to whoever comes after it.

    Attributes:
        asked_seconds: How long the answers to its questions took.
    """

    _lost: str
    """What a person hears first when the peer goes away meanwhile."""
    _lost_hint: str

    def __init__(
        self, machine: _Machine, link: RtcLink, config: LineConfig, on_done: Callable[[HandshakeDone], None]
    ) -> None:
        self.asked_seconds = 0.0
        self._machine = machine
        self._link = link
        self._config = config
        self._on_done = on_done
        self._now = config.clock.monotonic
        # Nothing but the fact: an outcome that held the root of the line's keys would live as long as this driver.
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._question: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Go through with it.

        Raises:
            HardwireError: Why there is no line. The link is still open then; close it without a word.
        """
        try:
            self._pump()
            await self._outcome
        finally:
            self._let_go()
            if self._timer is not None:
                self._timer.cancel()
            if self._question is not None and not self._question.done():
                self._question.cancel()
                await asyncio.wait({self._question})

    def message(self, channel: int, data: bytes) -> None:
        """One message of the peer (only channel 0 is attached)."""
        del channel
        if not self._outcome.done():
            self._machine.receive_data(data, self._now())
            self._pump()

    def writable(self) -> None:
        """A mebibyte at most is queued, once."""

    def closed(self, error: HardwireError) -> None:
        """The peer vanished, or said no: it would not tell which."""
        if isinstance(error, ConnectionLost):
            error = ConnectionLost(f"{self._lost}: {error.message}", hint=self._lost_hint)
        self._fail(error)

    @abstractmethod
    def _on_event(self, event: object) -> None:
        """One event of the machine."""

    @abstractmethod
    def _let_go(self) -> None:
        """It is over: forget what is secret."""

    def _pump(self) -> None:
        """After anything was done to the machine: pass on what it has to send and to say."""
        while not self._outcome.done() and (data := self._machine.data_to_send()) is not None:
            try:
                self._link.send(CONTROL, data)
            except ConnectionLost as error:
                self.closed(error)
        while not self._outcome.done() and (event := self._machine.next_event()) is not None:
            self._on_event(event)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._machine.next_timeout()
        if deadline is not None and not self._outcome.done():
            delay = max(0.0, deadline - self._now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._time_out)

    def _time_out(self) -> None:
        """The event loop has a clock of its own: by the line's clock it may be a little early, and asks again."""
        self._timer = None
        self._machine.handle_timeout(self._now())
        self._pump()

    def _ask(self, question: Callable[[], Awaitable[None]]) -> None:
        self._question = asyncio.create_task(self._guard(question), name="hardwire question")

    async def _guard(self, question: Callable[[], Awaitable[None]]) -> None:
        """Run one question to its answer; a bug in the answering becomes the outcome, not a lost exception."""
        began = self._now()
        try:
            await question()
        except Exception as error:  # noqa: BLE001  (Misuse of the machine, or a broken callback)
            self._fail(error)
        finally:
            self.asked_seconds += self._now() - began
        self._pump()

    def _hand_over(self, done: HandshakeDone) -> None:
        try:
            self._on_done(done)
        except Exception as error:  # noqa: BLE001  (a line that cannot begin is the outcome, not a lost exception)
            self._fail(error)
        else:
            self._outcome.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self._outcome.done():
            self._outcome.set_exception(error)
