# SPDX-License-Identifier: Apache-2.0
"""Drives one handshake over an open link: octets, timers, the key and the person.

The machine decides everything; this file only carries. Its two questions (sign, verify) run as one task at a time,
while messages and timers keep coming in; whatever ends the handshake cancels the question that is still open.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from hardwire.errors import ConnectionLost, DeviceFailed, HardwireError, LocalError
from hardwire.handshake import (
    HandshakeDone,
    HandshakeFailed,
    Initiator,
    PeerPresented,
    Responder,
    SignatureNeeded,
    WaitingForPeer,
)
from hardwire.net.config import LineConfig, Stage
from hardwire.net.rtc import RtcLink

CONTROL: Final = 0

Machine = Initiator | Responder


class HandshakeDriver:
    """One handshake; a :class:`~hardwire.net.rtc.LinkEvents` while it lasts.

    Args:
        machine: Fresh; its first message, if it has one, is sent by :meth:`start`.
        link: Open.
        config: Whom to ask.
        on_done: Called synchronously when the machine is done and its last message sent: the very next octets of
            the peer already belong to the line.
    """

    def __init__(
        self, machine: Machine, link: RtcLink, config: LineConfig, on_done: Callable[[HandshakeDone], None]
    ) -> None:
        self.asked_seconds = 0.0
        self._machine = machine
        self._link = link
        self._config = config
        self._on_done = on_done
        self._now = config.clock.monotonic
        self._outcome: asyncio.Future[HandshakeDone] = asyncio.get_running_loop().create_future()
        self._question: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> HandshakeDone:
        """Go through with it.

        Raises:
            HardwireError: Why there is no line. The link is still open then; close it without a word.
        """
        try:
            self._pump()
            return await self._outcome
        finally:
            self._machine.close()
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
        """Four messages never fill a queue."""

    def closed(self, error: HardwireError) -> None:
        """The peer vanished, or said no: it would not tell which."""
        if isinstance(error, ConnectionLost):
            error = ConnectionLost(
                f"the line closed before both sides had proved themselves: {error.message}",
                hint="your peer may have declined, or its device may have failed: ask, and make a new invite",
            )
        self._fail(error)

    def _pump(self) -> None:
        while not self._outcome.done() and (event := self._machine.next_event()) is not None:
            match event:
                case SignatureNeeded():
                    self._config.on_stage(Stage.SIGNING)
                    self._ask(partial(self._sign, event))
                case PeerPresented():
                    self._config.on_stage(Stage.VERIFYING)
                    self._ask(partial(self._verify, event))
                case WaitingForPeer():
                    self._config.on_stage(Stage.WAITING)
                case HandshakeFailed(error):
                    self._fail(error)
                case HandshakeDone():
                    self._send_all()
                    self._hand_over(event)
        if not self._outcome.done():
            self._send_all()
            self._set_timer()

    def _hand_over(self, done: HandshakeDone) -> None:
        if self._outcome.done():
            return
        try:
            self._on_done(done)
        except Exception as error:  # noqa: BLE001  (a line that cannot begin is the outcome, not a lost exception)
            self._fail(error)
        else:
            self._outcome.set_result(done)

    def _send_all(self) -> None:
        while (data := self._machine.data_to_send()) is not None:
            try:
                self._link.send(CONTROL, data)
            except ConnectionLost as error:
                self.closed(error)
                return

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._machine.next_timeout()
        if deadline is not None:
            delay = max(0.0, deadline - self._now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._time_out)

    def _time_out(self) -> None:
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

    async def _sign(self, event: SignatureNeeded) -> None:
        try:
            signature = await self._config.sign(event.tbs, event.scheme)
        except LocalError as error:
            self._machine.signature_failed(error)
        except Exception as error:  # noqa: BLE001  (whatever a device library raises)
            failed = DeviceFailed(f"the device did not sign ({type(error).__name__})")
            failed.__cause__ = error
            self._machine.signature_failed(failed)
        else:
            self._machine.provide_signature(signature, self._now())

    async def _verify(self, event: PeerPresented) -> None:
        try:
            identity = await self._config.verify(event.credential, event.leaf, self._machine.role)
        except HardwireError as error:
            self._machine.reject_peer(error)
        else:
            self._machine.accept_peer(identity, self._now())

    def _fail(self, error: Exception) -> None:
        if not self._outcome.done():
            self._outcome.set_exception(error)
