# SPDX-License-Identifier: Apache-2.0
"""Whatever the network does: abort, or an honest pair. Any octets: an event, and nothing else."""

import copy
from collections import deque

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hardwire.errors import WireError
from hardwire.handshake import Credential, HandshakeFailed, Message, Role
from hardwire.handshake.machine import Session
from hardwire.handshake.messages import M1, M2, M3, M4, SIZES, Proof, kind_of
from support.hbi1 import Party, identity, initiator, responder

# ---- each octet of each message


def twin(party: Party) -> Party:
    """The same party at the same moment, to be tried on."""
    machine = copy.copy(party.machine)
    machine._events, machine._outbox = deque(machine._events), deque(machine._outbox)
    machine._session = Session()
    vars(machine._session).update(vars(party.machine._session))
    return Party(machine, party.identity, party.verify, list(party.events))


def damaged(data: bytes):
    for index in range(len(data)):
        changed = bytearray(data)
        changed[index] ^= 1 << index % 8
        yield bytes(changed)


@pytest.mark.parametrize("kind", Message)
def test_each_octet_of_each_message_is_guarded(kind):
    i, r = initiator(), responder()
    r.pump()
    message = i.pump()[0]
    victim, author = r, i
    for _ in range(kind - 1):
        (message,) = victim.take(message)
        victim, author = author, victim
    for changed in damaged(message):
        here, there = twin(victim), twin(author)
        answers = here.take(changed)
        for answer in answers:  # only a changed M1 is answered; the answer convinces nobody
            assert kind is Message.M1
            assert there.take(answer) == []
            assert there.failed
        assert here.failed or there.failed
        assert not here.done
        assert there.done is None or kind is Message.M4
    victim.take(message)
    assert not victim.failed  # the undamaged one goes through


# ---- any octets


@pytest.fixture(scope="module")
def moments() -> list[Party]:
    """Both parties, before each message of an honest run."""
    i, r = initiator(), responder()
    r.pump()
    message = i.pump()[0]
    seen = [twin(i), twin(r)]
    victim, author = r, i
    for _ in range(4):
        answer = victim.take(message)
        victim, author = author, victim
        seen += [twin(i), twin(r)]
        if answer:
            (message,) = answer
    assert i.done
    assert r.done
    return seen


def sized() -> st.SearchStrategy[bytes]:
    """Octets that get past the check of the size."""
    return st.sampled_from(Message).flatmap(
        lambda kind: st.binary(max_size=64).map(
            lambda some: (bytes([kind]) + some).ljust(SIZES[kind][0], some[-1:] or b"\x00")
        )
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=6000), sized()), moment=st.integers(0, 9))
def test_any_octets_at_any_moment_are_an_event_and_nothing_else(moments, data, moment):
    party = twin(moments[moment])
    party.events.clear()
    party.take(data)
    assert party.failed or party.signatures
    assert all(isinstance(event, HandshakeFailed) for event in party.events) or party.signatures == 1


PARSERS = [
    kind_of,
    M1.parse,
    M2.parse,
    M3.parse,
    M4.parse,
    Credential.decode,
    *(lambda data, role=role: Proof.parse(data, role) for role in Role),
]


@pytest.mark.parametrize("parse", PARSERS)
@settings(max_examples=200, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=2048), sized(), st.binary(max_size=80).map(lambda some: some.ljust(4096, b"\x00"))
    )
)
def test_any_octets_in_any_parser(parse, data):
    try:
        found = parse(data)
    except WireError:
        return
    encode = getattr(found, "encode", None)
    assert encode is None or encode() == data


parts = st.binary(min_size=1, max_size=300)


@given(st.lists(parts, min_size=1, max_size=4), st.lists(parts, max_size=4))
def test_credentials_come_back(certificates, attestations):
    credential = Credential(tuple(certificates), tuple(attestations))
    assert Credential.decode(credential.encode()) == credential


# ---- an attacker who owns the network

SESSIONS = 4


class Network(RuleBasedStateMachine):
    """Up to four initiators and four responders over one network that protects nothing.

    All have the same binding, as if DTLS told connections apart for nobody: the handshake alone must pair them.
    """

    @initialize()
    def people(self) -> None:
        self.initiators = [initiator(identity(f"i{n}"), seed=f"i{n}") for n in range(SESSIONS)]
        self.responders = [responder(identity(f"r{n}"), seed=f"r{n}") for n in range(SESSIONS)]
        self.everyone = self.initiators + self.responders
        self.pool: list[bytes] = []
        for party in self.everyone:
            self.pool += party.pump()

    @rule(to=st.integers(0, 2 * SESSIONS - 1), which=st.integers(0, 1000))
    def deliver(self, to: int, which: int) -> None:
        """Any message that was ever sent, to anybody: reordered, repeated, misdirected or reflected."""
        self.pool += self.everyone[to].take(self.pool[which % len(self.pool)])

    @rule(i=st.integers(0, 3), r=st.integers(0, 3), steps=st.sampled_from([4, 3, 2, 1]))
    def carry(self, i: int, r: int, steps: int) -> None:
        """Be an honest network for a while, between two that nothing has happened to, so that something succeeds."""
        fresh_i = [n for n in range(SESSIONS) if len(self.initiators[n].events) == 1]
        fresh_r = [party for party in self.responders if len(party.events) == 1]
        if not fresh_i or not fresh_r:
            return
        n = fresh_i[i % len(fresh_i)]
        here, there, message = fresh_r[r % len(fresh_r)], self.initiators[n], self.pool[n]
        for _ in range(steps):
            answers = here.take(message)
            self.pool += answers
            if answers:
                (message,) = answers
            here, there = there, here

    @precondition(lambda self: len(self.pool) > 1)
    @rule(data=st.data(), to=st.integers(0, 2 * SESSIONS - 1))
    def splice(self, data: st.DataObject, to: int) -> None:
        """The beginning of one message and the end of another."""
        left = self.pool[data.draw(st.integers(0, len(self.pool) - 1))]
        alike = [one for one in self.pool if one[0] == left[0] and one != left]
        if alike:
            right = alike[data.draw(st.integers(0, len(alike) - 1))]
            cut = data.draw(st.integers(1, len(left) - 1))
            self.pool += self.everyone[to].take(left[:cut] + right[cut:])

    @rule(
        which=st.integers(0, 1000),
        to=st.integers(0, 2 * SESSIONS - 1),
        at=st.integers(0, 20_000),
        bit=st.integers(0, 7),
    )
    def damage(self, which: int, to: int, at: int, bit: int) -> None:
        changed = bytearray(self.pool[which % len(self.pool)])
        changed[at % len(changed)] ^= 1 << bit
        self.pool += self.everyone[to].take(bytes(changed))

    @invariant()
    def who_accepts_accepts_the_one_who_accepts_it(self) -> None:
        if not hasattr(self, "everyone"):
            return
        by_session: dict[bytes, list[Party]] = {}
        for party in self.everyone:
            # What came after the end does not undo what was established before it.
            done = next((event for event in party.events if type(event).__name__ == "HandshakeDone"), None)
            if done is not None:
                by_session.setdefault(done.epoch_secret, []).append(party)
                partners = self.responders if party in self.initiators else self.initiators
                assert done.peer.device_id in {partner.identity.device_id for partner in partners}
        for pair in by_session.values():
            roles = [party.machine.role for party in pair]
            assert roles in ([Role.RESPONDER], [Role.INITIATOR, Role.RESPONDER])
            if len(pair) == 2:
                i, r = (next(e for e in party.events if type(e).__name__ == "HandshakeDone") for party in pair)
                assert i.peer.device_id == pair[1].identity.device_id
                assert r.peer.device_id == pair[0].identity.device_id
                assert (i.sas, i.sid, i.exporter, i.contact_psk) == (r.sas, r.sid, r.exporter, r.contact_psk)

    @invariant()
    def nobody_signs_twice(self) -> None:
        assert all(party.signatures <= 1 for party in getattr(self, "everyone", []))


TestNetwork = Network.TestCase
TestNetwork.settings = settings(
    max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
