# SPDX-License-Identifier: Apache-2.0
"""The line under every order of events, a tampering link, and arbitrary octets."""

import contextlib
import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hardwire.channel import (
    BULK,
    CHANNELS,
    CHUNK_SIZE,
    CONTROL,
    ChatDelivered,
    ChatReceived,
    EpochAdvanced,
    FileAccepted,
    FileCancelled,
    FileChunk,
    FileComplete,
    FileDone,
    FileOffered,
    Limits,
    LineClosed,
    LineFailed,
    SecureChannel,
    StopReason,
)
from hardwire.channel.filecontrol import (
    WINDOW_MAX,
    FileAccept,
    FileCancel,
    FileConfirm,
    FileDecline,
    FileFinish,
    FileOffer,
    FilePause,
    FileWritten,
    Offer,
    TransferKind,
    decode_file_control,
)
from hardwire.channel.flow import REPEATS_MAX
from hardwire.channel.messages import Chunk, Kind
from hardwire.channel.ratchet import Epoch
from hardwire.channel.records import FRAME_MAX, PAYLOAD_MAX, RecordLayer
from hardwire.channel.transfer import Transfers
from hardwire.errors import LocalError, PeerError, WireError
from hardwire.handshake import Role
from support.channelpair import EPOCH_SECRET, CountedEntropy, Wire, finished, other

ROLES = st.sampled_from(list(Role))
SMALL = Limits(
    rekey_frames=12, rekey_pause=0.5, window=2 * CHUNK_SIZE, queue=2 * FRAME_MAX, chats=1000, silence=1e9, rekey_answer=1e9,
    old_epoch_seconds=1e9, stop_seconds=1e9,
)  # fmt: skip
"""Rekeys all the time. The waits for a stalled link are off, for the machine below stalls links as long as it likes."""


LANE = 3 * CHUNK_SIZE // 2
"""The chunk size of another way."""


def an_offer(size: int) -> Offer:
    """A directory with nothing in it but a manifest of that many octets: the stream is as long. Or a stream."""
    if size < 0:
        return Offer(TransferKind.STREAM, 0, 1, 0, bytes(32), "a")
    return Offer(TransferKind.DIRECTORY, 0, 0, size or 1, bytes(32), "a")


def content(number: int, offset: int, size: int) -> bytes:
    """What the file of a transfer holds at an offset; no two places look alike."""
    words = range(offset // 8, (offset + size) // 8 + 1)
    whole = b"".join((number * 2**40 + word).to_bytes(8) for word in words)
    return whole[offset % 8 : offset % 8 + size]


class HonestLine(RuleBasedStateMachine):
    """Two ends, links that keep order within a channel and nothing else: everything arrives, once, unchanged."""

    def __init__(self):
        super().__init__()
        self.wire = Wire(SMALL)
        self.said = {role: [] for role in Role}
        self.heard = {role: [] for role in Role}
        self.delivered = {role: [] for role in Role}
        self.sizes: dict[int, int] = {}
        self.open_offers = {role: set() for role in Role}
        self.sending = {role: set() for role in Role}
        self.received: dict[int, int] = {}
        self.unwritten = {role: {} for role in Role}
        self.verdicts: set[int] = set()
        self.held: set[tuple[Role, int]] = set()
        self.epochs = {role: [] for role in Role}

    @rule(role=ROLES, text=st.text(min_size=1, max_size=400).filter(lambda text: text.isprintable()))
    def say(self, role, text):
        self.said[role].append((self.wire.ends[role].send_chat(text, self.wire.now), text))

    @rule(role=ROLES)
    def want_new_keys(self, role):
        self.wire.ends[role].request_rekey(self.wire.now)

    @precondition(lambda self: len(self.sizes) < 4)
    @rule(role=ROLES, size=st.sampled_from([0, 1, CHUNK_SIZE, CHUNK_SIZE + 7, 5 * CHUNK_SIZE]))
    def offer(self, role, size):
        number = self.wire.ends[role].offer_file(an_offer(size), self.wire.now)
        self.sizes[number] = size or 1

    @rule(role=ROLES)
    def accept(self, role):
        for number in self.open_offers[role]:
            self.wire.ends[role].accept_file(number, 0, self.wire.now)
        self.open_offers[role].clear()

    @rule(role=ROLES)
    def send_some(self, role):
        end = self.wire.ends[role]
        for number in self.sending[role]:
            if room := end.chunk_room(number):
                end.send_chunk(number, content(number, end.chunk_position(number), room), self.wire.now)

    @rule(role=ROLES, arrives=st.booleans())
    def take_another_way(self, role, arrives):
        """It carries one chunk of each transfer, or breaks with it in flight; then the line goes on."""
        end, peer = self.wire.ends[role], self.wire.ends[other(role)]
        for number in self.sending[role]:
            end.rewind_file(number, self.wire.now)
            if room := end.chunk_room(number, LANE):
                start = end.chunk_position(number)
                data = content(number, start, room)
                assert end.count_chunk(number, data, LANE, self.wire.now) == start
                if arrives:
                    peer.receive_chunk(number, start, data, LANE, self.wire.now)
                    self.read_events()
            if not arrives:
                end.rewind_file(number, self.wire.now)

    @rule(role=ROLES, on=st.booleans())
    def pause(self, role, on):
        for number in [*self.sending[role], *(number for number in self.received if number in self.unwritten[role])]:
            self.wire.ends[role].pause_file(number, on=on, now=self.wire.now)
            (self.held.add if on else self.held.discard)((role, number))

    @rule(role=ROLES)
    def write(self, role):
        for number, offset in self.unwritten[role].items():
            self.wire.ends[role].acknowledge_written(number, offset, self.wire.now)
        self.unwritten[role].clear()

    @rule(role=ROLES, channel=st.sampled_from(CHANNELS), count=st.integers(1, 12))
    def deliver(self, role, channel, count):
        for _ in range(count):
            self.wire.deliver(role, channel)

    @rule(seconds=st.floats(0.0, 90.0))
    def wait(self, seconds):
        self.wire.now += seconds
        for end in self.wire.ends.values():
            end.handle_timeout(self.wire.now)

    @invariant()
    def read_events(self):
        for role, end in self.wire.ends.items():
            for event in self.wire.take(role):
                self.read(role, end, event)

    def read(self, role, end, event):
        match event:
            case ChatReceived():
                self.heard[role].append((event.id, event.text))
            case ChatDelivered():
                self.delivered[role].append(event.id)
            case FileOffered():
                assert event.offer == an_offer(self.sizes[event.id])
                self.open_offers[role].add(event.id)
                self.received[event.id] = 0
            case FileAccepted():
                self.sending[role].add(event.id)
            case FileChunk():
                assert event.offset == self.received[event.id]
                assert event.data == content(event.id, event.offset, len(event.data))
                self.received[event.id] += len(event.data)
                self.unwritten[role][event.id] = self.received[event.id]
            case FileDone():
                assert self.received[event.id] == self.sizes[event.id]
                self.unwritten[role].pop(event.id, None)
                end.confirm_file(event.id, ok=True, now=self.wire.now)
            case FileComplete():
                assert event.ok
                self.verdicts.add(event.id)
            case EpochAdvanced():
                self.epochs[role].append(event.number)
            case LineFailed() | LineClosed() | FileCancelled():
                pytest.fail(f"{role}: {event}")
            case _:
                pass

    @invariant()
    def keep_bounds(self):
        for role, end in self.wire.ends.items():
            assert end._bulk_octets <= SMALL.queue + FRAME_MAX
            assert end.next_timeout() is not None
            assert self.epochs[role] == list(range(1, len(self.epochs[role]) + 1))

    def teardown(self):
        for role, number in self.held:
            self.wire.ends[role].pause_file(number, on=False, now=self.wire.now)
        quiet, before = 0, self.progress()
        while quiet < 4:  # an answer may cause another one: a few rounds without news, then
            for role in Role:
                self.accept(role)
                self.send_some(role)
                self.write(role)
                self.wait(2.0)
            self.wire.settle()
            self.read_events()
            quiet = quiet + 1 if before == (now := self.progress()) else 0
            before = now
        for role, peer in ((Role.INITIATOR, Role.RESPONDER), (Role.RESPONDER, Role.INITIATOR)):
            assert self.heard[peer] == self.said[role]
            assert self.delivered[role] == [message_id for message_id, _ in self.said[role]]
            assert self.epochs[role] == self.epochs[peer]
        assert self.verdicts == set(self.sizes)

    def progress(self):
        return [len(heard) for heard in self.heard.values()], dict(self.received), len(self.verdicts)


HonestLine.TestCase.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
TestHonestLine = HonestLine.TestCase


def traffic(rekeys):
    """A line with frames on both channels in flight, after some rekeys."""
    wire = Wire(SMALL)
    number = wire.initiator.offer_file(an_offer(4 * CHUNK_SIZE), 0.0)
    wire.settle()
    wire.responder.accept_file(number, 0, 0.0)
    wire.settle()
    for _ in range(rekeys):
        wire.initiator.request_rekey(0.0)
        wire.settle()
    for _ in range(2):
        wire.initiator.send_chat("three frames", 0.0)
        wire.initiator.send_chunk(number, bytes(wire.initiator.chunk_room(number)), 0.0)
    wire.initiator.send_verification(matched=True, now=0.0)
    wire.take(Role.RESPONDER)
    return wire


@given(
    rekeys=st.integers(0, 2),
    channel=st.sampled_from(CHANNELS),
    attack=st.sampled_from(["flip", "truncate", "extend", "drop", "replay", "swap", "cross", "reflect"]),
    data=st.data(),
)
@settings(max_examples=250, deadline=None)
def test_a_tampering_link_ends_the_line(rekeys, channel, attack, data):
    wire = traffic(rekeys)
    queue = wire.flying[Role.INITIATOR, channel]
    frame = queue[0]
    sink, onto = Role.RESPONDER, channel
    if attack == "flip":
        index = data.draw(st.integers(0, len(frame) - 1))
        changed = bytearray(frame)
        changed[index] ^= data.draw(st.integers(1, 255))
        queue[0] = bytes(changed)
    elif attack == "truncate":
        queue[0] = frame[: data.draw(st.integers(0, len(frame) - 1))]
    elif attack == "extend":
        queue[0] = frame + data.draw(st.binary(min_size=1, max_size=600))
    elif attack == "drop":
        queue.pop(0)
    elif attack == "replay":
        queue.insert(1, frame)
    elif attack == "swap":
        queue[0], queue[1] = queue[1], queue[0]
    elif attack == "cross":
        onto = data.draw(st.integers(0, 20).filter(lambda number: number != channel))
    else:
        sink = Role.INITIATOR
    for frame in queue:
        wire.ends[sink].receive_data(onto, frame, 0.0)
    events = wire.take(sink)
    assert isinstance(events[-1], LineFailed)
    assert isinstance(events[-1].error, PeerError)
    assert wire.ends[sink].data_to_send() is None
    assert wire.ends[sink].next_timeout() is None


@given(rekeys=st.integers(0, 2), channel=st.sampled_from(CHANNELS))
@settings(max_examples=6, deadline=None)
def test_a_captured_end_opens_no_earlier_frame(rekeys, channel):
    wire = traffic(rekeys)
    earlier = list(wire.flying[Role.INITIATOR, channel])
    for frame in earlier:
        wire.responder.receive_data(channel, frame, 0.0)
    captured = wire.responder._records
    for frame in earlier:
        forgetful = copy.deepcopy(captured)
        forgetful._incoming[channel].seq = int.from_bytes(frame[8:16])
        with pytest.raises(PeerError):
            forgetful.open(channel, frame)


def last_word(end):
    """The last event; each one before it must be no end of the line."""
    last = None
    while (event := end.next_event()) is not None:
        assert not isinstance(last, LineFailed | LineClosed)
        last = event
    return last


@given(channel=st.integers(-1, 70_000), octets=st.binary(max_size=700))
@settings(max_examples=300, deadline=None)
def test_any_octets(channel, octets):
    end = SecureChannel(finished(Role.RESPONDER), entropy=CountedEntropy(), now=0.0)
    end.receive_data(channel, octets, 0.0)
    failed = last_word(end)
    assert isinstance(failed, LineFailed)
    assert isinstance(failed.error, PeerError)


PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.binary(min_size=1120, max_size=1224),
    st.builds(lambda op, rest: bytes([op]) + rest, st.integers(0, 9), st.binary(max_size=90)),
    st.builds(lambda number, rest: number.to_bytes(4) + rest, st.integers(0, 2), st.binary(min_size=8, max_size=1216)),
    st.integers(0, PAYLOAD_MAX).map(bytes),
)
KINDS = st.one_of(st.sampled_from([kind.value for kind in Kind]), st.integers(0, 255))


@given(
    role=ROLES,
    frames=st.lists(st.tuples(st.sampled_from(CHANNELS), KINDS, PAYLOADS), min_size=1, max_size=6),
    began=st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_a_proven_peer_that_sends_anything(role, frames, began):
    end = SecureChannel(finished(role), entropy=CountedEntropy(), now=0.0)
    if began:
        end.request_rekey(0.0)
        end.offer_file(an_offer(5), 0.0)
    peer = RecordLayer(Role.RESPONDER if role is Role.INITIATOR else Role.INITIATOR, Epoch(0, EPOCH_SECRET))
    for channel, kind, payload in frames:
        end.receive_data(channel, peer.seal(channel, kind, payload), 0.0)
    last = last_word(end)
    assert last is not None
    if isinstance(last, LineFailed):
        assert isinstance(last.error, PeerError)
        assert end.data_to_send() is None


@given(
    st.one_of(
        st.binary(max_size=80),
        st.builds(lambda op, rest: bytes([op]) + rest, st.integers(1, 8), st.binary(max_size=90)),
    )
)
@settings(deadline=None)
def test_file_control_has_one_encoding(octets):
    try:
        value = decode_file_control(octets)
    except WireError:
        return
    assert value.encode() == octets


NUMBERS = st.integers(0, 7)
REASONS = st.sampled_from(StopReason)


class AnyTransfers(RuleBasedStateMachine):
    """A peer that says anything in any order, and a driver that answers: bounds hold, nothing but the tree is raised."""

    def __init__(self):
        super().__init__()
        self.events, self.sent = [], []
        self.limits = Limits(window=2 * CHUNK_SIZE, transfers=2)
        self.files = Transfers(Role.INITIATOR, self.limits, emit=self.events.append, send=self.sent.append)
        self.granted = 0
        self.got = 0
        self.dead = False

    def peer(self, message):
        if self.dead:
            return
        try:
            if isinstance(message, Chunk):
                self.files.on_chunk(message)
            else:
                self.files.on_control(message)
        except WireError:
            self.dead = True

    def verb(self, call):
        with contextlib.suppress(LocalError):
            call()

    @rule(number=NUMBERS, size=st.sampled_from([-1, 1, CHUNK_SIZE, 3 * CHUNK_SIZE]))
    def peer_offers(self, number, size):
        self.peer(FileOffer(number, an_offer(size)))

    @rule()
    def peer_offers_the_next(self):
        self.peer(FileOffer(self.files._next_incoming, an_offer(3 * CHUNK_SIZE)))

    @rule(
        message=st.one_of(
            st.builds(FileAccept, NUMBERS, st.integers(CHUNK_SIZE, WINDOW_MAX), st.integers(0, 3)),
            st.builds(FileDecline, NUMBERS, REASONS),
            st.builds(FileWritten, NUMBERS, st.sampled_from([0, 1, CHUNK_SIZE])),
            st.builds(FileConfirm, NUMBERS, st.booleans()),
            st.builds(FileCancel, NUMBERS, REASONS),
            st.builds(FilePause, NUMBERS, st.booleans()),
            st.builds(FileFinish, NUMBERS, st.sampled_from([0, 1, CHUNK_SIZE, 2 * CHUNK_SIZE]), st.just(bytes(32))),
        )
    )
    def peer_controls(self, message):
        self.peer(message)

    @rule(number=NUMBERS, offset=st.sampled_from([0, CHUNK_SIZE]), size=st.sampled_from([0, 1, CHUNK_SIZE]))
    def peer_sends(self, number, offset, size):
        self.peer(Chunk(number, offset, bytes(size)))

    @rule()
    def peer_sends_what_is_due(self):
        for number, into in list(self.files._incoming.items()):
            if into.credit >= (size := into.due(into.received, CHUNK_SIZE)) > 0:
                self.peer(Chunk(number, into.received, bytes(size)))

    @rule(size=st.sampled_from([-1, 5, CHUNK_SIZE + 1]))
    def offer(self, size):
        self.verb(lambda: self.files.offer(an_offer(size)))

    @rule(number=NUMBERS, start=st.integers(-1, 2))
    def accept(self, number, start):
        self.verb(lambda: self.files.accept(number, start))

    @rule(number=NUMBERS)
    def take_another_way(self, number):
        self.files.rewind(number)

    @rule(number=NUMBERS)
    def finish(self, number):
        self.verb(lambda: self.files.finish(number, bytes(32)))

    @rule(number=NUMBERS, on=st.booleans())
    def pause(self, number, on):
        self.verb(lambda: self.files.pause(number, on=on))

    @rule(number=NUMBERS, reason=REASONS)
    def decline(self, number, reason):
        self.verb(lambda: self.files.decline(number, reason))

    @rule(number=NUMBERS, reason=REASONS)
    def cancel(self, number, reason):
        self.verb(lambda: self.files.cancel(number, reason))

    @rule(number=NUMBERS)
    def send(self, number):
        room = self.files.room(number)
        self.verb(lambda: self.files.sending(number, bytes(room or 1)))

    @rule(number=NUMBERS, offset=st.sampled_from([0, 1, CHUNK_SIZE, 2 * CHUNK_SIZE]))
    def written(self, number, offset):
        self.verb(lambda: self.files.written(number, offset))

    @rule(number=NUMBERS, ok=st.booleans())
    def confirm(self, number, ok):
        self.verb(lambda: self.files.confirm(number, ok=ok))

    @invariant()
    def bounds(self):
        assert len(self.files._incoming) <= self.limits.transfers
        assert len(self.files._outgoing) <= self.limits.transfers
        for into in self.files._incoming.values():
            assert 0 <= into.told <= into.written <= into.received
            assert into.end is None or into.received <= into.end
            assert into.repeated <= REPEATS_MAX * into.window or self.dead
            assert self.dead or into.credit >= 0
        for out in self.files._outgoing.values():
            assert out.written <= out.sent <= out.highest <= out.written + out.window
            assert out.end is None or out.sent <= out.end

    @invariant()
    def never_more_than_was_granted(self):
        for message in self.sent:
            if isinstance(message, FileAccept):
                self.granted += message.window
            elif isinstance(message, FileWritten):
                self.granted += CHUNK_SIZE * 3
        self.sent.clear()
        self.got += sum(len(event.data) for event in self.events if isinstance(event, FileChunk))
        self.events.clear()
        assert self.got <= self.granted


AnyTransfers.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestAnyTransfers = AnyTransfers.TestCase


def test_the_channels_are_the_two_of_the_protocol():
    assert CHANNELS == (CONTROL, BULK) == (0, 1)
