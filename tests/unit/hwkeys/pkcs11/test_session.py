# SPDX-License-Identifier: Apache-2.0
"""What the flags allow, for tokens in states that SoftHSM never gets into; and the counted login, on SoftHSM."""

import dataclasses

import pytest

from hwkeys import PinLocked, PinRefused, PinState, PinWrong
from hwkeys.pkcs11 import session
from hwkeys.pkcs11.modules import Module, module_for
from hwkeys.pkcs11.tokens import find_token
from hwkeys.uri import parse_uri
from support.hwbench import SoftHsmBench

pytestmark = pytest.mark.device("softhsm")


@pytest.fixture
def bench():
    return SoftHsmBench()


@pytest.fixture
def record(bench):
    return find_token(parse_uri(bench.token.uri()))[1]


def in_state(record, state):
    return dataclasses.replace(record, pin_state=state)


def test_the_flags_are_read_before_a_pin_is_used(record):
    def refuse(state, *, allowed):
        session.refuse_unspendable(in_state(record, state), last_try_allowed=allowed)

    for state in (PinState.OK, PinState.COUNT_LOW):
        refuse(state, allowed=False)
    refuse(PinState.FINAL_TRY, allowed=True)
    with pytest.raises(PinRefused):
        refuse(PinState.FINAL_TRY, allowed=False)
    for allowed in (True, False):
        with pytest.raises(PinLocked):
            refuse(PinState.LOCKED, allowed=allowed)
        with pytest.raises(PinLocked):
            refuse(PinState.NOT_SET, allowed=allowed)


def test_the_flags_are_read_again_at_the_last_moment(bench, record):
    # Another program spent tries while the person was typing: the PIN, although right, is not used.
    def late(module: Module) -> None:
        attached = module.sessions.attach(record)
        try:
            session.log_in(attached, in_state(record, PinState.FINAL_TRY), bench.pin, last_try_allowed=False)
        finally:
            assert not attached.logged_in
            module.sessions.release(attached)

    with pytest.raises(PinRefused):
        module_for(bench.token.module).call(late)


@pytest.mark.parametrize(
    "maker, tool", [("piv_II", "ykman piv access unblock-pin"), ("SoftHSM project", "pkcs11-tool")]
)
def test_a_locked_token_tells_with_what_it_is_unlocked(record, maker, tool):
    theirs = dataclasses.replace(in_state(record, PinState.LOCKED), manufacturer=maker)
    with pytest.raises(PinLocked, match="takes no PIN") as locked:
        session.refuse_unspendable(theirs, last_try_allowed=True)
    assert tool in locked.value.hint
    assert tool in session.wrong_pin(theirs).hint


@pytest.mark.parametrize("hint", [None, "ask the vendor"])
def test_a_token_that_is_found_locked_at_the_login_tells_the_same(record, monkeypatch, hint):
    def locked(_now, _pin):
        raise PinLocked("the token takes no PIN any more", hint=hint)

    monkeypatch.setattr(session.binding, "login", locked)
    attached = session.TokenSession(record, reader=None)
    with pytest.raises(PinLocked) as told:
        session.log_in(attached, record, "1234", last_try_allowed=False)
    assert (hint or "pkcs11-tool") in told.value.hint
    assert (record.label in str(told.value)) is (hint is None)
    assert not attached.logged_in


def test_a_refused_pin_tells_what_the_flags_say_afterwards(record):
    locked = session.wrong_pin(in_state(record, PinState.LOCKED))
    assert isinstance(locked, PinLocked)
    final = session.wrong_pin(in_state(record, PinState.FINAL_TRY))
    assert isinstance(final, PinWrong)
    assert final.final_try
    assert "one try is left" in str(final)
    plain = session.wrong_pin(in_state(record, PinState.COUNT_LOW))
    assert isinstance(plain, PinWrong)
    assert not plain.final_try
    assert record.label in str(plain)
    assert isinstance(session.wrong_pin(None), PinWrong)


def test_one_login_is_counted(bench, record):
    def walk(module: Module) -> list[bool]:
        one = module.sessions.attach(record)
        two = module.sessions.attach(record)
        seen = [one is two]
        session.log_in(one, record, bench.pin, last_try_allowed=False)
        session.log_in(two, record, "not looked at", last_try_allowed=False)
        module.sessions.release(one)
        seen += [two.logged_in, not two.dead]
        module.sessions.release(two)
        seen += [two.dead]
        module.sessions.drop(two)
        three = module.sessions.attach(record)
        seen += [three is not two, not three.logged_in]
        module.sessions.release(three)
        return seen

    assert module_for(bench.token.module).call(walk) == [True] * 6


def test_another_librarys_login_is_taken_as_one(bench, record):
    def walk(module: Module) -> bool:
        theirs = record.token.open(user_pin=bench.pin)
        ours = module.sessions.attach(record)
        session.log_in(ours, record, bench.pin, last_try_allowed=False)
        module.sessions.release(ours)
        # It was not ours to end.
        still = theirs.token.open()
        still.close()
        theirs.close()
        return ours.logged_in and ours.holder is None

    assert module_for(bench.token.module).call(walk)
