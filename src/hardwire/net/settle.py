# SPDX-License-Identifier: Apache-2.0
"""Drives one settlement over an open link, between the handshake and the line: one judgement, and how it ends.

The machine decides everything (:mod:`hardwire.channel.settle`); whoever judges is asked once.
"""

from collections.abc import Callable
from functools import partial

from hardwire.channel.settle import ListsShown, Settled, SettleFailed, Settlement
from hardwire.errors import HardwireError
from hardwire.handshake import HandshakeDone
from hardwire.net.config import LineConfig
from hardwire.net.driver import Driver
from hardwire.net.rtc import RtcLink


class SettleDriver(Driver[Settlement]):
    """One settlement.

    Args:
        done: Of the handshake.
        link: Open.
        config: Who shows and who judges.
        on_settled: Called synchronously when both sides are ready: the very next octets belong to the line.
    """

    _lost = "the line closed before it was open"
    _lost_hint = "your peer may have left, or learned that your certificate is revoked: ask, and make a new invite"

    def __init__(
        self, done: HandshakeDone, link: RtcLink, config: LineConfig, on_settled: Callable[[HandshakeDone], None]
    ) -> None:
        machine = Settlement(done, config.revocation.show(), now=config.clock.monotonic())
        super().__init__(machine, link, config, on_settled)
        self._done: list[HandshakeDone] = [done]  # empty once the line has it: the root of its keys is in it

    def begin(self) -> None:
        """Show what there is to show; call when messages of the peer are handed to this driver."""
        self._pump()

    def _on_event(self, event: object) -> None:
        match event:
            case ListsShown(lists):
                self._ask(partial(self._judge, lists))
            case SettleFailed(error):
                self._fail(error)
            case Settled():
                self._hand_over(self._done.pop())

    def _let_go(self) -> None:
        self._done.clear()

    async def _judge(self, lists: tuple[bytes, ...]) -> None:
        try:
            await self._config.revocation.judge(lists)
        except HardwireError as error:
            self._machine.fail(error)
        else:
            self._machine.accept(self._now())
