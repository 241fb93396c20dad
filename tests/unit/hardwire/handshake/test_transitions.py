# SPDX-License-Identifier: Apache-2.0
from itertools import product

import pytest

from hardwire.errors import HandshakeRefused, Misuse
from hardwire.handshake import Message
from hardwire.handshake.transitions import AWAITING, FROM_PEER, LIMITS, PHASES, TRANSITIONS, Input, State, after

ENDED = {State.DONE, State.DEAD}


@pytest.mark.parametrize("state, given", list(product(State, Input)))
def test_a_pair_is_in_the_table_or_an_error(state, given):
    if (state, given) in TRANSITIONS:
        assert after(state, given) is TRANSITIONS[state, given]
    elif given in FROM_PEER.values():
        with pytest.raises(HandshakeRefused) as caught:
            after(state, given)
        assert caught.value.code == "unexpected-message"
    else:
        with pytest.raises(Misuse):
            after(state, given)


def test_nothing_leads_out_of_the_end():
    assert not {state for state, _ in TRANSITIONS} & ENDED


def test_every_living_state_can_be_reached_left_and_timed():
    living = set(State) - ENDED
    assert {state for state, _ in TRANSITIONS} == living == set(PHASES)
    assert set(TRANSITIONS.values()) | {State.AWAIT_M1, State.AWAIT_M2} == set(State)
    assert set(LIMITS) == set(Message)


def test_the_roles_share_no_state():
    def reached(start: State) -> set[State]:
        found, todo = {start}, [start]
        while todo:
            here = todo.pop()
            new = {end for (state, _), end in TRANSITIONS.items() if state is here} - found
            found |= new
            todo += new
        return found - ENDED

    assert not reached(State.AWAIT_M1) & reached(State.AWAIT_M2)


def test_one_signature_and_one_verdict_on_every_way_to_the_end():
    for start in (State.AWAIT_M1, State.AWAIT_M2):
        way, state = [], start
        while state is not State.DONE:
            ((given, state),) = [(g, e) for (s, g), e in TRANSITIONS.items() if s is state and e is not State.DEAD]
            way.append(given)
        assert way.count(Input.SIGNATURE) == way.count(Input.ACCEPTED) == 1


def test_limits_are_the_protocols():
    assert LIMITS == {Message.M1: 10, Message.M2: 120, Message.M3: 300, Message.M4: 120}
    assert {PHASES[state] for state in AWAITING} == set(Message)
