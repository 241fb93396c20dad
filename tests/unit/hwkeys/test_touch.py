# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

from hwkeys import CallbackPrompter, DeviceInfo, PinState, StaticPrompter, TouchPrompter, TouchRequest
from hwkeys import touch as touch_module
from hwkeys.evidence import PinPolicy, TouchPolicy, UsePolicy
from hwkeys.touch import SECONDS, touch_notice

CARD = DeviceInfo("pkcs11", False, "Yubico", "YubiKey YK5", "1", "mine", "pkcs11:serial=1", PinState.OK)


def policy(touch: TouchPolicy) -> UsePolicy:
    return UsePolicy(PinPolicy.ONCE, touch)


class Told:
    """A prompter that notes what it is told."""

    def __init__(self) -> None:
        self.said: list[tuple[str, TouchRequest]] = []
        self.waits = threading.Event()

    def touch(self, request: TouchRequest) -> None:
        self.said.append(("now", request))
        self.waits.set()

    def touch_over(self, request: TouchRequest) -> None:
        self.said.append(("over", request))

    @property
    def words(self) -> list[str]:
        return [word for word, _request in self.said]


def test_each_use_is_told_at_once_and_when_it_is_over():
    told = Told()
    with touch_notice(told, CARD, "the key", policy(TouchPolicy.ALWAYS)):
        assert told.words == ["now"]
    assert told.words == ["now", "over"]
    request = told.said[0][1]
    assert (request.device, request.key, request.certain, request.seconds) == (CARD, "the key", True, SECONDS)
    assert "mine" in request.describe()
    assert f"{SECONDS} s" in request.describe()
    assert "blinks" not in request.describe()


def test_it_is_over_when_the_device_fails_too():
    told = Told()
    with pytest.raises(ZeroDivisionError), touch_notice(told, CARD, "k", policy(TouchPolicy.ALWAYS)):
        raise ZeroDivisionError
    assert told.words == ["now", "over"]


@pytest.mark.parametrize("known", [policy(TouchPolicy.CACHED), None])
def test_one_that_only_may_want_it_is_told_when_it_keeps_silent(monkeypatch, known):
    monkeypatch.setattr(touch_module, "_AFTER", {TouchPolicy.CACHED: 0.01})
    monkeypatch.setattr(touch_module, "_UNKNOWN_AFTER", 0.01)
    told = Told()
    with touch_notice(told, CARD, "k", known):
        assert told.waits.wait(10)
    assert told.words == ["now", "over"]
    assert told.said[0][1].certain is (known is not None)
    assert ("if it blinks" in told.said[0][1].describe()) is (known is None)


@pytest.mark.parametrize("known", [policy(TouchPolicy.CACHED), None])
def test_and_not_when_it_answers(monkeypatch, known):
    monkeypatch.setattr(touch_module, "_AFTER", {TouchPolicy.CACHED: 60.0})
    monkeypatch.setattr(touch_module, "_UNKNOWN_AFTER", 60.0)
    told = Told()
    before = threading.active_count()
    for _ in range(20):
        with touch_notice(told, CARD, "k", known):
            pass
    assert told.words == []
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(10)
    assert threading.active_count() == before


def test_a_key_without_a_touch_policy_tells_nothing():
    told = Told()
    with touch_notice(told, CARD, "k", policy(TouchPolicy.NEVER)):
        pass
    assert told.words == []


@pytest.mark.parametrize("nobody", [None, StaticPrompter("1234"), CallbackPrompter(lambda _request: "1234")])
def test_a_prompter_that_cannot_tell_is_left_alone(nobody):
    with touch_notice(nobody, CARD, "k", policy(TouchPolicy.ALWAYS)):
        pass


def test_what_goes_wrong_with_a_notice_costs_nothing():
    class Clumsy(Told):
        def touch(self, request: TouchRequest) -> None:
            raise OSError("no terminal")

        touch_over = touch

    with touch_notice(Clumsy(), CARD, "k", policy(TouchPolicy.ALWAYS)):
        done = True
    assert done


def test_a_program_may_give_a_function():
    said: list[tuple[TouchRequest, bool]] = []
    prompter = CallbackPrompter(lambda _request: "1234", on_touch=lambda *words: said.append(words))
    assert isinstance(prompter, TouchPrompter)
    with touch_notice(prompter, CARD, "k", policy(TouchPolicy.ALWAYS)):
        assert [waits for _request, waits in said] == [True]
    assert [waits for _request, waits in said] == [True, False]
