# SPDX-License-Identifier: Apache-2.0
import threading

import pytest

from hwkeys import (
    DeviceFailed,
    ForkRefused,
    KeyClosed,
    PinNeeded,
    PinWrong,
    TokenRemoved,
    Unsupported,
    generate_key,
)
from hwkeys.pkcs11.held import HeldKey
from support.hwbench import Asked, SoftHsmBench, right

pytestmark = pytest.mark.device("softhsm")


@pytest.fixture
def bench():
    return SoftHsmBench()


def held_key(bench: SoftHsmBench, prompter: object = None) -> HeldKey:
    return generate_key(bench.uri("k"), prompter=prompter or right(bench))._held


def failing(*errors: Exception | None):
    """An operation that meets these fates, one after the other."""
    fates = list(errors)

    def operation(_record, _pin):
        fate = fates.pop(0)
        if fate is not None:
            raise fate
        return "done"

    return operation, fates


def test_after_a_removal_it_is_tried_once_more_with_a_pin_asked_anew(bench):
    asked = Asked(bench.pin)
    held = held_key(bench, asked)
    operation, fates = failing(TokenRemoved("gone"), None)
    assert held.use(operation) == "done"
    assert fates == []
    assert len(asked.requests) == 2


def test_and_not_a_third_time(bench):
    held = held_key(bench)
    operation, fates = failing(TokenRemoved("gone"), TokenRemoved("gone again"), None)
    with pytest.raises(TokenRemoved, match="gone again"):
        held.use(operation)
    assert fates == [None]


def test_a_card_that_came_back_and_was_reset_by_another_program_is_unlocked_once_more(bench):
    asked = Asked(bench.pin)
    held = held_key(bench, asked)
    operation, fates = failing(TokenRemoved("gone"), PinNeeded("reset"), None)
    assert held.use(operation) == "done"
    assert fates == []
    assert len(asked.requests) == 3


@pytest.mark.parametrize("error", [DeviceFailed("no"), PinWrong("no")])
def test_another_failure_is_not_repeated_and_costs_the_session(bench, error):
    asked = Asked(bench.pin)
    held = held_key(bench, asked)
    operation, fates = failing(error, None)
    with pytest.raises(type(error)):
        held.use(operation)
    assert fates == [None]
    assert held.use(operation) == "done"
    assert len(asked.requests) == 2


def test_a_login_that_another_thread_lost_meanwhile_is_made_again(bench, monkeypatch):
    asked = Asked(bench.pin)
    held = held_key(bench, asked)
    ready, lost = held._is_ready, []

    def lose_once():
        if not lost and ready():
            lost.append(True)
            # Between the look and the use: what a failure of another key on the token does.
            held.login.module.call(held.login.drop)
            return True
        return ready()

    monkeypatch.setattr(held, "_is_ready", lose_once)
    operation, fates = failing(None)
    assert held.use(operation) == "done"
    assert (fates, len(asked.requests)) == ([], 2)


def test_a_login_that_is_lost_again_and_again_is_no_endless_loop(bench, monkeypatch):
    held = held_key(bench)
    monkeypatch.setattr(held, "_is_ready", lambda: False)
    with pytest.raises(TokenRemoved, match="as soon as they are opened"):
        held.use(failing(None)[0])


def test_a_token_that_forgot_its_login_is_told_the_pin_once_more_and_not_for_ever(bench):
    asked = Asked(bench.pin)
    held = held_key(bench, asked)
    operation, fates = failing(PinNeeded("the token wants its PIN"), None)
    assert held.use(operation) == "done"
    assert (fates, len(asked.requests)) == ([], 2)
    operation, fates = failing(*[PinNeeded("the token wants its PIN")] * 3)
    with pytest.raises(PinNeeded, match="wants its PIN"):
        held.use(operation)
    assert (len(fates), len(asked.requests)) == (1, 3)


def test_a_refusal_that_comes_late_is_not_taken_for_a_lost_login(bench, monkeypatch):
    monkeypatch.setattr("hwkeys.pkcs11.held._AT_ONCE", 0.0)
    held = held_key(bench)
    operation, fates = failing(PinNeeded("the token wants its PIN"), None)
    with pytest.raises(PinNeeded):
        held.use(operation)
    assert fates == [None]


def test_closing_does_nothing_in_a_forked_child(bench, monkeypatch):
    held = held_key(bench)
    worker = held.login.module.worker
    before = len(held.login.module.sessions)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "_pid", worker._pid + 1)
        held._lock.acquire()
        held.close()
        held._lock.release()
        with pytest.raises(ForkRefused):
            held.use(failing(None)[0])
    assert len(held.login.module.sessions) == before
    held.login.release()


def test_an_interrupt_in_the_middle_costs_the_session(bench):
    asked = Asked(bench.pin)
    held = held_key(bench, asked)
    with pytest.raises(KeyboardInterrupt):
        held.use(failing(KeyboardInterrupt())[0])
    assert held.use(failing(None)[0]) == "done"
    assert len(asked.requests) == 2


def test_what_a_key_is_not_for_never_reaches_the_token(bench):
    held = held_key(bench)
    operation, fates = failing(None)
    with pytest.raises(Unsupported):
        held.use(operation, agree=True)
    assert fates == [None]


def test_a_token_that_is_a_program_is_used_on_the_callers_thread(bench):
    held = held_key(bench)
    assert held.use(lambda _record, _pin: threading.get_ident()) == threading.get_ident()


def test_a_closed_one_does_nothing(bench):
    held = held_key(bench)
    held.close()
    held.close()
    with pytest.raises(KeyClosed):
        held.use(failing(None)[0])


def test_softhsm_keeps_no_certificate_unless_one_is_put_there(bench):
    held = held_key(bench)
    assert held.certificates() == []
    assert held.software
