# SPDX-License-Identifier: Apache-2.0
"""The virtual YubiKey without readers or services: yubikit speaks to the card's own code. And one that stops half-way."""

import importlib
from collections.abc import Callable

import pytest
from yubikit.core import TRANSPORT
from yubikit.core.smartcard import SmartCardConnection

from hwkeys import PinRequest
from hwkeys.yubikey import PIN, PUK
from virtualpiv.card import Card
from virtualpiv.keys import Maker

NEW_PIN = "pin-9876"
NEW_PUK = "puk-1234"
CHANGES = frozenset({0x24, 0x2C, 0x47, 0xDB, 0xFF})
"""Commands that change a card: secrets, keys, objects, the management key."""


class Killed(BaseException):
    """The process ends here, as far as the code under test can tell."""


class Reader:
    """A reader with a card in it, by its name a YubiKey.

    Attributes:
        changes: How many commands changed the card.
        stop: Called with that number before a command that changes the card, and after it with its half.
    """

    name = "Yubico YubiKey OTP+FIDO+CCID 00 00"

    def __init__(self, card: Card) -> None:
        self.card = card
        self.changes = 0
        self.stop: Callable[[float], None] = lambda _number: None

    def answer(self, apdu: bytes) -> bytes:
        # A chain's last link is the command.
        if apdu[1] not in CHANGES or apdu[0] & 0x10:
            return self.card.apdu(apdu)
        self.stop(self.changes)
        answer = self.card.apdu(apdu)
        self.changes += 1
        self.stop(self.changes - 0.5)
        return answer


class MemoryConnection(SmartCardConnection):
    """In place of the one through PC/SC."""

    def __init__(self, reader: Reader, *, reset: bool = True) -> None:
        self.reader = reader
        self._reset = reset
        if reset:
            reader.card.power_cycle()

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        answer = self.reader.answer(apdu)
        return answer[:-2], int.from_bytes(answer[-2:])

    def close(self) -> None:
        if self._reset:
            self.reader.card.power_cycle()


def plug(monkeypatch: pytest.MonkeyPatch, *serials: int) -> list[Reader]:
    """Blank cards, in the only readers that the code under test sees."""
    # Before anything is put in another's place: a module that is imported later would keep the stand-in for ever.
    for module in ("card", "beside"):
        importlib.import_module(f"hwkeys.yubikey.{module}")
    maker = Maker()
    found = [Reader(Card(maker, serial)) for serial in serials]
    monkeypatch.setattr("hwkeys.yubikey.card.readers", lambda: found)
    for module in ("card", "beside"):
        monkeypatch.setattr(f"hwkeys.yubikey.{module}.Connection", MemoryConnection)
    return found


class Person:
    """Answers each question with what they chose, and notes that it was asked."""

    def __init__(self, *, pin: str = NEW_PIN, new_pin: str = NEW_PIN, new_puk: str = NEW_PUK) -> None:
        self.asked: list[tuple[str, bool]] = []
        self.requests: list[PinRequest] = []
        self._answers = {(PIN, False): pin, (PIN, True): new_pin, (PUK, True): new_puk}

    def pin(self, request: PinRequest) -> str:
        self.requests.append(request)
        self.asked.append((request.key, request.new))
        return self._answers[self.asked[-1]]

    def confirm_last_try(self, request: PinRequest) -> bool:
        return False
