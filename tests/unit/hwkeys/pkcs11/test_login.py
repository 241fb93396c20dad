# SPDX-License-Identifier: Apache-2.0
"""Who is asked, and when nobody is: on SoftHSM, whose record is made to say other things."""

import dataclasses

import pytest

from hwkeys import PinLocked, PinNeeded, PinRefused, PinState
from hwkeys.pkcs11 import tokens
from hwkeys.pkcs11.login import Login
from hwkeys.uri import parse_uri
from support.hwbench import Asked, SoftHsmBench, right

pytestmark = pytest.mark.device("softhsm")


@pytest.fixture
def bench():
    return SoftHsmBench()


def login(bench: SoftHsmBench, prompter: object) -> Login:
    module, record = tokens.find_token(parse_uri(bench.token.uri()))
    return Login(module, record, prompter, "the key")


def says(monkeypatch: pytest.MonkeyPatch, **words: object) -> None:
    true_again = tokens.again
    monkeypatch.setattr(
        tokens, "again", lambda module, record: dataclasses.replace(true_again(module, record), **words)
    )


def test_it_asks_once_and_nobody_is_told_as_such(bench):
    asked = Asked(bench.pin)
    held = login(bench, asked)
    assert held.can_ask
    held.ensure()
    held.ensure()
    assert [request.key for request in asked.requests] == ["the key"]
    held.release()
    nobody = login(bench, None)
    assert not nobody.can_ask
    with pytest.raises(PinNeeded):
        nobody.ensure()
    nobody.release()


def test_a_locked_token_is_told_before_anybody_types(bench, monkeypatch):
    asked = Asked(bench.pin)
    held = login(bench, asked)
    says(monkeypatch, pin_state=PinState.LOCKED)
    with pytest.raises(PinLocked) as locked:
        held.ensure()
    assert asked.requests == []
    assert "PUK" in locked.value.hint
    held.release()


def test_a_key_that_asks_each_time_says_so(bench):
    asked = Asked(bench.pin)
    held = login(bench, asked)
    held.ensure()
    assert held.ask_for_one_use() == bench.pin
    assert asked.requests[-1].key == "one use of the key, which asks each time"
    held.release()


def test_a_token_with_a_keypad_is_asked_for_no_pin(bench, monkeypatch):
    asked = Asked("never")
    held = login(bench, asked)
    given: list[str | None] = []
    monkeypatch.setattr("hwkeys.pkcs11.session.log_in", lambda _session, _now, pin, **_words: given.append(pin))
    says(monkeypatch, own_keypad=True)
    held.ensure()
    assert (given, asked.requests) == ([None], [])
    with pytest.raises(PinNeeded, match="keypad"):
        held.ask_for_one_use()
    says(monkeypatch, own_keypad=True, pin_state=PinState.FINAL_TRY)
    with pytest.raises(PinRefused):
        held.ensure()
    assert given == [None]
    willing = login(bench, Asked("never", last_try=True))
    willing.ensure()
    assert given == [None, None]
    for one in (held, willing):
        one.release()


def test_a_hold_that_was_dropped_takes_a_new_session(bench):
    held = login(bench, right(bench))
    first = held.module.call(held.attach)
    held.module.call(held.drop)
    assert first.dead
    assert held.module.call(held.attach) is not first
    held.abandon()
