# SPDX-License-Identifier: Apache-2.0
"""Drives one settlement over an open link, between the handshake and the line: octets, one timer, one judgement.

The machine decides everything (:mod:`hardwire.channel.settle`); whoever judges is asked once, as a task of its own, and
whatever ends the settlement cancels the question.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from hardwire.channel.settle import ListsShown, Settled, SettleFailed, Settlement
from hardwire.errors import ConnectionLost, HardwireError
from hardwire.handshake import HandshakeDone
from hardwire.net.config import LineConfig
from hardwire.net.rtc import RtcLink

CONTROL: Final = 0


class SettleDriver:
    """One settlement; a :class:`~hardwire.net.rtc.LinkEvents` while it lasts.

    Args:
        done: Of the handshake.
        link: Open.
        config: Who shows and who judges.
        on_settled: Called synchronously when both sides are ready: the very next octets belong to the line.
    """

    def __init__(
        self, done: HandshakeDone, link: RtcLink, config: LineConfig, on_settled: Callable[[HandshakeDone], None]
    ) -> None:
        self.asked_seconds = 0.0
        self._done: list[HandshakeDone] = [done]  # empty once the line has it: the root of its keys is in it
        self._link = link
        self._config = config
        self._on_settled = on_settled
        self._now = config.clock.monotonic
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._question: asyncio.Task[None] | None = None
        self._machine = Settlement(done, config.revocation.show(), now=self._now())
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Show what there is to show; call when messages of the peer are handed to this driver."""
        self._pump()
        self._set_timer()

    async def run(self) -> None:
        """Wait until it is settled.

        Raises:
            HardwireError: Why there is no line. The link is still open then; close it without a word.
        """
        try:
            await self._outcome
        finally:
            self._done.clear()
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
            error = ConnectionLost(
                f"the line closed before it was open: {error.message}",
                hint="your peer may have learned that your certificate is revoked: ask whoever issued it",
            )
        self._fail(error)

    def _pump(self) -> None:
        self._send_all()
        while not self._outcome.done() and (event := self._machine.next_event()) is not None:
            match event:
                case ListsShown(lists):
                    self._question = asyncio.create_task(self._judge(lists), name="hardwire revocation")
                case SettleFailed(error):
                    self._fail(error)
                case Settled():
                    self._send_all()
                    self._hand_over()

    def _hand_over(self) -> None:
        try:
            self._on_settled(self._done.pop())
        except Exception as error:  # noqa: BLE001  (a line that cannot begin is the outcome, not a lost exception)
            self._fail(error)
        else:
            self._outcome.set_result(None)

    def _send_all(self) -> None:
        while (data := self._machine.data_to_send()) is not None:
            try:
                self._link.send(CONTROL, data)
            except ConnectionLost as error:
                self.closed(error)
                return

    async def _judge(self, lists: tuple[bytes, ...]) -> None:
        began = self._now()
        try:
            await self._config.revocation.judge(lists)
        except HardwireError as error:
            self._machine.fail(error)
        except Exception as error:  # noqa: BLE001  (a bug in the judging becomes the outcome)
            self._fail(error)
        else:
            self._machine.accept(self._now())
        self.asked_seconds += self._now() - began
        self._pump()

    def _set_timer(self) -> None:
        deadline = self._machine.next_timeout()
        if deadline is not None and not self._outcome.done():
            self._timer = asyncio.get_running_loop().call_later(max(0.0, deadline - self._now()), self._time_out)

    def _time_out(self) -> None:
        """The event loop has a clock of its own: by the line's clock it may be a little early."""
        self._timer = None
        self._machine.handle_timeout(self._now())
        self._pump()
        self._set_timer()

    def _fail(self, error: Exception) -> None:
        if not self._outcome.done():
            self._outcome.set_exception(error)
