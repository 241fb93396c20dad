# SPDX-License-Identifier: Apache-2.0
"""A YubiKey in a reader, spoken to through PC/SC and yubikit; and yubikit's errors in hwkeys' words.

What this file keeps to:

* A card is held by a PC/SC transaction while it is spoken to, so that nobody else's command comes between "the slot is
  empty" and "make a key in it"; and it is never held while a person is asked something.
* It is reset when it is let go of: a PIN verified here is not verified for the next program.
* Nothing that goes to the card is logged (ykman's own connection logs it, PIN included), and no other program is
  killed to get at the card (ykman's does that to scdaemon).
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from smartcard.Exceptions import CardConnectionException, NoCardException, SmartcardException
from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection
from smartcard.pcsc.PCSCExceptions import BaseSCardException, EstablishContextException, ListReadersException
from smartcard.scard import SCARD_LEAVE_CARD, SCARD_RESET_CARD
from smartcard.System import readers
from yubikit.core import (
    TRANSPORT,
    ApplicationNotAvailableError,
    BadResponseError,
    CommandError,
    InvalidPinError,
    NotSupportedError,
)
from yubikit.core.smartcard import SW, ApduError, SmartCardConnection
from yubikit.piv import OBJECT_ID, SLOT, PivSession, SlotMetadata

from hwkeys.errors import Ambiguous, DeviceFailed, DeviceMissing, ModuleMissing, PinLocked, PinWrong, Unsupported
from hwkeys.yubikey.state import MIN_FIRMWARE, Slot

_READER = "yubikey"
_UNBLOCK = "unlock it with its PUK: `ykman piv access unblock-pin`"


class Connection(SmartCardConnection):
    """One reader, as yubikit wants it.

    Args:
        reader: As pyscard lists it; a card is in it.
        reset: Whether the card is reset when it is let go of. Not when somebody else is logged in to it, and nothing
            that this connection does needs a PIN.
    """

    def __init__(self, reader: Any, *, reset: bool = True) -> None:
        self._card = ExclusiveTransmitCardConnection(reader.createConnection())
        try:
            self._card.connect(disposition=SCARD_RESET_CARD if reset else SCARD_LEAVE_CARD)
            self._card.lock()
        except BaseException:
            self.close()
            raise

    @property
    def transport(self) -> TRANSPORT:
        """Always the plug: what is in a contactless reader is not looked for."""
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        """One command; the answer and its status."""
        data, sw1, sw2 = self._card.transmit(list(apdu))
        return bytes(data), sw1 << 8 | sw2

    def close(self) -> None:
        """Let go; a card that is reset forgets who was logged in."""
        with suppress(SmartcardException, BaseSCardException):
            self._card.disconnect()
        with suppress(SmartcardException, BaseSCardException):
            self._card.release()


@dataclass(frozen=True, slots=True)
class Card:
    """A YubiKey that is held.

    Attributes:
        session: yubikit's.
        serial: As printed on it.
    """

    session: PivSession
    serial: int

    def key(self, slot: SLOT) -> SlotMetadata | None:
        """What is known of the slot's key; None for an empty slot."""
        try:
            return self.session.get_slot_metadata(slot)
        except ApduError as error:
            if error.sw != SW.REFERENCE_DATA_NOT_FOUND:
                raise
        return None

    def object(self, number: int) -> bytes | None:
        """A data object; None when there is none."""
        try:
            return self.session.get_object(number)
        except ApduError as error:
            if error.sw != SW.FILE_NOT_FOUND:
                raise
        return None

    def certificate(self, slot: SLOT) -> x509.Certificate | bytes | None:
        """The slot's certificate; its object's octets when they are not one; None when there is none."""
        octets = self.object(OBJECT_ID.from_slot(slot))
        if not octets:
            return None
        try:
            return self.session.get_certificate(slot)
        except (BadResponseError, NotSupportedError):
            return octets


@contextmanager
def open_card(serial: int | None) -> Iterator[Card]:
    """Hold the YubiKey of that serial number, or the only one there is.

    Raises:
        DeviceMissing: It is not there.
        Ambiguous: None was named and there are several.
        Unsupported: It is too old to be looked at without spending tries.
        DeviceFailed, PinWrong, PinLocked: What went wrong in the block, in hwkeys' words.
    """
    with faults():
        found = _find(serial)
        if not found:
            what = "no YubiKey is there" if serial is None else f"the YubiKey {serial} is not there"
            raise DeviceMissing(what)
        connection = Connection(found[0])
        try:
            yield _card(connection)
        finally:
            connection.close()


@contextmanager
def faults() -> Iterator[None]:
    """The errors of yubikit and pyscard leave this block as hwkeys'."""
    try:
        yield
    except InvalidPinError as error:
        raise _wrong_pin(error.attempts_remaining) from error
    except NotSupportedError as error:
        raise Unsupported(f"this YubiKey cannot do that: {error}", hint="a YubiKey 5 can") from error
    except ApplicationNotAvailableError as error:
        raise Unsupported(
            "the YubiKey's PIV application is switched off", hint="switch it on: `ykman config usb --enable PIV`"
        ) from error
    except (CommandError, BadResponseError) as error:
        raise DeviceFailed(f"the YubiKey refused a command: {error}") from error
    except (EstablishContextException, ListReadersException) as error:
        raise ModuleMissing(
            "the smart-card service does not answer", hint="apt-get install pcscd, and see that it runs"
        ) from error
    except NoCardException as error:
        raise DeviceMissing("the YubiKey is not in its reader") from error
    except (CardConnectionException, BaseSCardException, SmartcardException) as error:
        raise DeviceMissing("the YubiKey went away, or another program holds it") from error


def _wrong_pin(left: int) -> PinWrong | PinLocked:
    if not left:
        return PinLocked("the YubiKey's PIN is locked", hint=_UNBLOCK)
    return PinWrong("the YubiKey refused the PIN", tries_left=left, final_try=left == 1)


def yubikey_readers() -> list[Any]:
    """The readers that are YubiKeys, as pyscard lists them; a card is not in each of them at any time."""
    return [reader for reader in readers() if _READER in reader.name.lower()]


def _find(serial: int | None) -> list[Any]:
    """The reader that holds it."""
    found: dict[int, Any] = {}
    for reader in yubikey_readers():
        with suppress(NoCardException):
            connection = Connection(reader)
            try:
                number = _card(connection).serial
            except Unsupported:
                if serial is None:
                    raise
                continue
            finally:
                connection.close()
            found[number] = reader
    if serial is None and len(found) > 1:
        raise Ambiguous(
            f"{len(found)} YubiKeys are there",
            candidates=tuple(str(number) for number in sorted(found)),
            hint="give the serial number of one of them",
        )
    return [reader for number, reader in found.items() if serial in (None, number)]


def _card(connection: Connection) -> Card:
    session = PivSession(connection)
    if session.version < MIN_FIRMWARE:
        raise Unsupported(
            f"a YubiKey of firmware {session.version} does not tell what is on it without spending tries",
            hint="firmware 5.3 and later does; provision an older one with `ykman piv`",
        )
    return Card(session, session.get_serial())


SLOTS = {Slot.SIGN: SLOT.AUTHENTICATION, Slot.AGREE: SLOT.KEY_MANAGEMENT}
"""Ours → yubikit's."""
