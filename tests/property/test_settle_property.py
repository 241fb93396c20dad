# SPDX-License-Identifier: Apache-2.0
"""Whatever a peer sends before the line is open becomes an event or the end of it, and nothing of an application."""

from hypothesis import given, settings
from hypothesis import strategies as st

from hardwire.channel import CONTROL
from hardwire.channel.ratchet import Epoch
from hardwire.channel.records import RecordLayer
from hardwire.channel.settle import OCTETS_MAX, ListsShown, Settled, SettleFailed, SettleKind, Settlement
from hardwire.errors import PeerError
from hardwire.handshake import Role
from hardwire.handshake.schedule import expand_label
from support.channelpair import finished

KINDS = st.one_of(st.sampled_from([kind.value for kind in SettleKind]), st.integers(0, 255))
PAYLOADS = st.one_of(
    st.binary(max_size=24),
    st.lists(st.integers(0, 40), max_size=6).map(
        lambda sizes: bytes([len(sizes)]) + b"".join(n.to_bytes(4) for n in sizes)
    ),
)


def end() -> Settlement:
    done = finished(Role.RESPONDER)
    object.__setattr__(done, "exporter", bytes(32))
    return Settlement(done, (), now=0.0)


@given(st.binary(max_size=700))
@settings(max_examples=150, deadline=None)
def test_any_octets(octets):
    machine = end()
    machine.receive_data(octets, 1.0)
    event = machine.next_event()
    assert isinstance(event, SettleFailed)
    assert isinstance(event.error, PeerError)


@given(st.lists(st.tuples(KINDS, PAYLOADS), max_size=6), st.booleans())
@settings(max_examples=200, deadline=None)
def test_any_frames(frames, accepting):
    machine = end()
    hand = RecordLayer(Role.INITIATOR, Epoch(0, expand_label(bytes(32), b"settle", b"", 32)))
    seen = []
    for kind, payload in frames:
        machine.receive_data(hand.seal(CONTROL, kind, payload), 1.0)
        while (event := machine.next_event()) is not None:
            seen.append(event)
            if isinstance(event, ListsShown) and accepting:
                machine.accept(1.0)
    kinds = [type(event) for event in seen]
    assert kinds.count(ListsShown) <= 1
    assert sum(kind in {Settled, SettleFailed} for kind in kinds) <= 1
    assert Settled not in kinds or kinds == [ListsShown, Settled]
    for event in seen:
        if isinstance(event, ListsShown):
            assert sum(map(len, event.lists)) <= OCTETS_MAX
    assert machine.next_timeout() is None or not kinds or kinds == [ListsShown]
