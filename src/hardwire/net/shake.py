# SPDX-License-Identifier: Apache-2.0
"""Drives one handshake over an open link: its two questions, to the key (sign) and to the person (verify).

The machine decides everything (:mod:`hardwire.handshake.machine`).
"""

from functools import partial

from hardwire.errors import DeviceFailed, HardwireError, LocalError
from hardwire.handshake import (
    HandshakeDone,
    HandshakeFailed,
    Initiator,
    PeerPresented,
    Responder,
    SignatureNeeded,
    WaitingForPeer,
)
from hardwire.net.config import Stage
from hardwire.net.driver import Driver


class HandshakeDriver(Driver[Initiator | Responder]):
    """One handshake. Its first message, if it has one, is sent by :meth:`run`."""

    _lost = "the line closed before both sides had proved themselves"
    _lost_hint = "your peer may have declined, or its device may have failed: ask, and make a new invite"

    def _on_event(self, event: object) -> None:
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
                self._hand_over(event)

    def _let_go(self) -> None:
        self._machine.close()

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
