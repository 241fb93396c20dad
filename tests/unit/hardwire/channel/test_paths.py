# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.channel.messages import Kind
from hardwire.channel.paths import (
    CODE_MAX,
    PATH_CANDIDATES_MAX,
    TELLINGS_MAX,
    NextAnswered,
    NextOffered,
    Paths,
    PathTold,
    path_credentials,
)
from hardwire.errors import Misuse, RecordRefused, WireError
from hardwire.handshake import Role
from vectors import check_paths

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741 - the protocol's names


class Side:
    def __init__(self, role):
        self.events, self.sent = [], []
        self.paths = Paths(role, emit=self.events.append, send=lambda kind, payload: self.sent.append((kind, payload)))

    def hear(self, other):
        for kind, payload in other.sent:
            (self.paths.on_path if kind == Kind.PATH else self.paths.on_next)(payload)
        other.sent.clear()


def test_where_a_side_can_be_found_next():
    here, there = Side(I), Side(R)
    assert here.paths.tell(1, b"addresses")
    assert here.paths.tell(1, b"other addresses")
    assert here.paths.tell(2, b"")
    assert here.sent[0] == (Kind.PATH, bytes.fromhex("00000001") + b"addresses")
    there.hear(here)
    assert there.events == [PathTold(1, b"addresses"), PathTold(1, b"other addresses"), PathTold(2, b"")]
    assert "addresses" not in repr(there.events[0])


def test_generations_do_not_count_down():
    here = Side(I)
    here.paths.tell(3, b"")
    for generation in (2, 0):
        with pytest.raises(Misuse):
            here.paths.tell(generation, b"")
    there = Side(R)
    there.hear(here)
    for generation in (2, 0):
        with pytest.raises(RecordRefused) as caught:
            there.paths.on_path(generation.to_bytes(4))
        assert caught.value.code == "path-order"
    with pytest.raises(RecordRefused):
        Side(R).paths.on_path(bytes(4))


def test_a_generation_is_not_told_without_end():
    here, there = Side(I), Side(R)
    assert [here.paths.tell(1, b"") for _ in range(TELLINGS_MAX + 1)] == [True] * TELLINGS_MAX + [False]
    there.hear(here)
    with pytest.raises(RecordRefused):
        there.paths.on_path(bytes.fromhex("00000001"))
    assert here.paths.tell(2, b"")
    there.events.clear()
    there.hear(here)
    assert there.events == [PathTold(2, b"")]


def test_the_next_line_is_offered_by_the_one_who_offered_this():
    here, there = Side(I), Side(R)
    there.paths.tell_next(b"offer")
    assert there.sent == [(Kind.NEXT, b"\x01offer")]
    here.hear(there)
    here.paths.tell_next(b"answer")
    assert here.sent == [(Kind.NEXT, b"\x02answer")]
    there.hear(here)
    assert (here.events, there.events) == ([NextOffered(b"offer")], [NextAnswered(b"answer")])


def test_nobody_answers_what_was_not_offered():
    with pytest.raises(Misuse):
        Side(I).paths.tell_next(b"answer")
    with pytest.raises(RecordRefused) as caught:
        Side(R).paths.on_next(b"\x02answer")
    assert caught.value.code == "next-order"
    for role, payload in ((R, b"\x01offer"), (I, b"\x02answer"), (I, b"\x03x"), (R, b"\x00x")):
        side = Side(role)
        if role is R:
            side.paths.tell_next(b"offer")
        with pytest.raises(RecordRefused):
            side.paths.on_next(payload)


@pytest.mark.parametrize("payload", [b"", b"\0\0\0", b"\0\0\0\1" + bytes(PATH_CANDIDATES_MAX + 1)])
def test_paths_that_cannot_be_read(payload):
    with pytest.raises(WireError):
        Side(R).paths.on_path(payload)


@pytest.mark.parametrize("payload", [b"", b"\1", b"\1" + bytes(CODE_MAX + 1)])
def test_codes_that_cannot_be_read(payload):
    with pytest.raises(WireError):
        Side(I).paths.on_next(payload)


def test_what_does_not_fit_is_not_sent():
    with pytest.raises(Misuse):
        Side(R).paths.tell(1, bytes(PATH_CANDIDATES_MAX + 1))
    for code in (b"", bytes(CODE_MAX + 1)):
        with pytest.raises(Misuse):
            Side(R).paths.tell_next(code)


def test_credentials_differ_by_role_generation_and_line():
    made = {
        value
        for exporter in (bytes(32), b"\1" * 32)
        for role in Role
        for generation in (1, 2)
        for value in path_credentials(exporter, role, generation)
    }
    assert len(made) == 16
    assert {len(value) for value in made} == {6, 18}


def test_the_vectors_read_from_the_document_alone():
    assert check_paths.verify(check_paths.load()) == 6


def test_the_vectors_are_what_this_makes():
    vector = check_paths.load()
    for entry in vector["credentials"]:
        role = Role(entry["role"])
        made = path_credentials(bytes.fromhex(vector["exporter"]), role, entry["generation"])
        assert [value.hex() for value in made] == [entry["ufrag"], entry["password"]]
    side = Side(R)
    side.paths.tell(vector["path"]["generation"], bytes.fromhex(vector["path"]["candidates"]))
    assert side.sent[0][1].hex() == vector["path"]["payload"]
