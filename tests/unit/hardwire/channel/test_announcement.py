# SPDX-License-Identifier: Apache-2.0
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hardwire.channel import announcement as module
from hardwire.channel.announcement import ANNOUNCEMENT_SIZE, Announced, Announcer, Sought, announcement_key
from hardwire.channel.paths import PATH_CANDIDATES_MAX
from hardwire.errors import Misuse
from hardwire.handshake import Role
from vectors import check_announcements

I, R = Role.INITIATOR, Role.RESPONDER  # noqa: E741 - the protocol's names
EXPORTER = bytes(range(32))


def ends(sought=Sought.PATH):
    return Announcer(EXPORTER, I, sought), Announcer(EXPORTER, R, sought)


def nonce() -> bytes:
    return os.urandom(12)


def test_the_other_end_hears_it_and_nobody_else_does():
    here, there = ends()
    said = here.announce(3, b"addresses", nonce())
    assert there.hear(said) == Announced(3, b"addresses")
    strangers = [
        here,
        Announcer(EXPORTER, R, Sought.NEXT_LINE),
        Announcer(bytes(32), R, Sought.PATH),
    ]
    assert [one.hear(said) for one in strangers] == [None] * 3


def test_two_of_the_same_have_nothing_in_common_and_one_size():
    here, there = ends()
    said = [here.announce(1, candidates, nonce()) for candidates in (b"", b"a", b"a", bytes(PATH_CANDIDATES_MAX))]
    assert {len(one) for one in said} == {ANNOUNCEMENT_SIZE} == {342}
    assert len(set(said)) == 4
    assert not any(said[1][at : at + 4] in said[2] for at in range(ANNOUNCEMENT_SIZE - 3))
    assert [there.hear(one).candidates for one in said] == [b"", b"a", b"a", bytes(PATH_CANDIDATES_MAX)]


def test_what_was_said_says_nothing_twice():
    here, there = ends()
    first, second, third = (here.announce(1, b"", nonce()) for _ in range(3))
    assert there.hear(second) is not None
    assert [there.hear(one) for one in (second, first, second)] == [None] * 3
    assert there.hear(third) is not None


def test_whatever_was_changed_is_not_heard():
    here, there = ends()
    said = here.announce(1, b"addresses", nonce())
    for at in range(len(said)):
        assert there.hear(said[:at] + bytes([said[at] ^ 1]) + said[at + 1 :]) is None
    for other in (b"", said[:-1], said + b"\0", os.urandom(ANNOUNCEMENT_SIZE)):
        assert there.hear(other) is None
    assert there.hear(said) is not None


@pytest.mark.parametrize(
    "plain",
    [
        bytes(4) + bytes(4) + b"\x00\x00" + bytes(303) + b"\x01",
        b"\x00\x00\x00\x01" + bytes(4) + b"\x01\x31" + bytes(304),
        bytes(314),
        b"\x00\x00\x00\x01",
    ],
    ids=["padding", "length", "number 0", "short"],
)
def test_what_the_other_end_writes_wrongly_is_not_heard(plain):
    _, there = ends()
    key, unique = announcement_key(EXPORTER, I, Sought.PATH), nonce()
    assert there.hear(unique + AESGCM(key).encrypt(unique, plain, None)) is None


def test_misuse(monkeypatch):
    here, _ = ends()
    for candidates, unique in ((bytes(PATH_CANDIDATES_MAX + 1), nonce()), (b"", nonce()[1:])):
        with pytest.raises(Misuse):
            here.announce(1, candidates, unique)
    monkeypatch.setattr(module, "_NUMBER_MAX", 1)
    here.announce(1, b"", nonce())
    with pytest.raises(Misuse):
        here.announce(1, b"", nonce())


def test_vectors():
    assert check_announcements.verify(check_announcements.load()) == 8


def test_the_check_of_the_vectors_can_fail():
    vector = check_announcements.load()
    vector["announcements"][0]["generation"] += 1
    with pytest.raises(AssertionError):
        check_announcements.verify(vector)
    for entry in check_announcements.load()["announcements"]:
        sought = Sought(entry["sought"])
        there = Announcer(bytes.fromhex(vector["exporter"]), R if entry["role"] == "initiator" else I, sought)
        heard = there.hear(bytes.fromhex(entry["announcement"]))
        assert heard.candidates.hex() == entry["candidates"]
