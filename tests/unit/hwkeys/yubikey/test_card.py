# SPDX-License-Identifier: Apache-2.0
import pytest
from smartcard.Exceptions import CardConnectionException, NoCardException, SmartcardException
from smartcard.pcsc.PCSCExceptions import EstablishContextException
from yubikit.core import ApplicationNotAvailableError, BadResponseError, InvalidPinError, NotSupportedError
from yubikit.core.smartcard import ApduError
from yubikit.piv import SLOT

from hwkeys import Ambiguous, DeviceFailed, DeviceMissing, ModuleMissing, PinLocked, PinWrong, Unsupported
from hwkeys.yubikey.card import faults, open_card
from support.memorypiv import plug
from virtualpiv import card as virtualpiv_card


@pytest.mark.parametrize(
    "theirs, ours",
    [
        (InvalidPinError(2), PinWrong),
        (InvalidPinError(0), PinLocked),
        (NotSupportedError("no"), Unsupported),
        (ApplicationNotAvailableError("no"), Unsupported),
        (ApduError(b"", 0x6F00), DeviceFailed),
        (BadResponseError("no"), DeviceFailed),
        (EstablishContextException(0x8010001D), ModuleMissing),
        (NoCardException("no", 0), DeviceMissing),
        (CardConnectionException("no"), DeviceMissing),
        (SmartcardException("no"), DeviceMissing),
    ],
)
def test_their_errors_become_ours(theirs, ours):
    with pytest.raises(ours) as raised, faults():
        raise theirs
    assert type(raised.value) is ours
    assert raised.value.hint


@pytest.mark.parametrize("left, final", [(2, False), (1, True)])
def test_tries_are_told(left, final):
    with pytest.raises(PinWrong) as wrong, faults():
        raise InvalidPinError(left)
    assert (wrong.value.tries_left, wrong.value.final_try) == (left, final)


def test_it_is_found_by_its_serial(monkeypatch):
    plug(monkeypatch, 11, 12)
    for serial in (11, 12):
        with open_card(serial) as card:
            assert card.serial == serial
    with pytest.raises(DeviceMissing), open_card(13):
        pass
    with pytest.raises(Ambiguous) as two, open_card(None):
        pass
    assert two.value.candidates == ("11", "12")


def test_the_only_one_needs_no_name(monkeypatch):
    reader = plug(monkeypatch, 11)[0]
    with open_card(None) as card:
        assert card.serial == 11
    reader.name = "Some Other Reader"
    with pytest.raises(DeviceMissing), open_card(None):
        pass


def test_one_that_is_too_old_is_not_taken(monkeypatch):
    plug(monkeypatch, 11)
    monkeypatch.setattr(virtualpiv_card, "VERSION", bytes((5, 2, 7)))
    with pytest.raises(Unsupported, match=r"5\.2\.7"), open_card(None):
        pass
    with pytest.raises(DeviceMissing), open_card(11):
        pass


def test_empty_is_none_and_rubbish_is_octets(monkeypatch):
    plug(monkeypatch, 11)
    with open_card(11) as card:
        assert card.key(SLOT.AUTHENTICATION) is None
        assert card.certificate(SLOT.AUTHENTICATION) is None
        assert card.object(0x5FFF00) is None
        card.session.authenticate(virtualpiv_card.MANAGEMENT_KEY)
        card.session.put_object(0x5FC105, b"rubbish")
        assert card.certificate(SLOT.AUTHENTICATION) == b"rubbish"
    with pytest.raises(DeviceFailed), open_card(11) as card:
        card.object(0x5FC109)  # behind the PIN
