# SPDX-License-Identifier: Apache-2.0
import tracemalloc

import pytest

from hardwire.channel import manifest as m
from hardwire.channel.manifest import Entry, EntryKind, Manifest, decode_manifest, in_order
from hardwire.errors import Misuse, WireError

FILE, DIRECTORY = EntryKind.FILE, EntryKind.DIRECTORY
TOP = Entry(DIRECTORY, 0o755, 0, 0, "")


def a_file(path, size=1):
    return Entry(FILE, 0o644, 1_700_000_000_000_000_000, size, path)


def a_directory(path):
    return Entry(DIRECTORY, 0o755, 5, 0, path)


def test_there_and_back():
    whole = Manifest((TOP, a_file("a", 3), a_directory("b"), a_file("b/.c", 4), a_file("é", 0)))
    data = whole.encode()
    assert decode_manifest(data) == whole
    assert (whole.size, whole.files) == (7, 3)
    assert data[:21].hex() == "0201ed000000000000000000000000000000000000"
    assert Manifest((a_file(""),)).encode().hex() == "0101a417979cfe362a000000000000000000010000"


@pytest.mark.parametrize(
    "fields",
    [
        {"mode": -1}, {"mode": 0o1000}, {"mode": 0o4755}, {"mtime": -1}, {"mtime": 1 << 63}, {"size": -1},
        {"size": (1 << 53) + 1}, {"path": "/etc/passwd"}, {"path": "a//b"}, {"path": "a/"}, {"path": "../a"}, {"path": "a/../b"},
        {"path": "./a"}, {"path": "a\0b"}, {"path": "a\nb"}, {"path": "x" * 256}, {"path": "/".join(["a"] * 65)},
        {"path": "/".join(["x" * 200] * 11)}, {"path": "\ud800"},
    ],
)  # fmt: skip
def test_entries_that_may_not_be(fields):
    with pytest.raises(Misuse):
        Entry(**{"kind": FILE, "mode": 0o644, "mtime": 0, "size": 0, "path": "a"} | fields)


def test_a_directory_has_no_octets():
    with pytest.raises(Misuse):
        Entry(DIRECTORY, 0o755, 0, 1, "a")


@pytest.mark.parametrize(
    "entries",
    [
        (),
        (a_file("a"),),  # nothing says what it is in
        (TOP, a_file("a"), a_file("a")),
        (TOP, a_file("b"), a_file("a")),
        (TOP, TOP),
        (TOP, a_file("a/b")),  # in a directory that is not there
        (TOP, a_file("a"), a_file("a/b")),  # in a file
        (a_file(""), a_file("a")),
        (TOP, a_file("README"), a_file("readme")),
        (TOP, a_file("Straße"), a_file("strasse")),
        (TOP, a_file("e\u0301"), a_file("é")),
        (TOP, a_file("a", 1 << 53), a_file("b", 1)),
    ],
)  # fmt: skip
def test_lists_that_may_not_be(entries):
    with pytest.raises(Misuse):
        Manifest(tuple(entries))


def test_the_same_name_in_two_directories():
    Manifest((TOP, a_directory("a"), a_file("a/x"), a_directory("b"), a_file("b/X")))


def test_the_order_is_by_components():
    found = [a_file("a/b"), a_file("a.b"), TOP, a_directory("a")]
    assert [entry.path for entry in in_order(found).entries] == ["", "a", "a/b", "a.b"]


def test_caps(monkeypatch):
    two = (TOP, a_file("a"), a_file("b"))
    data = Manifest(two).encode()
    monkeypatch.setattr(m, "ENTRIES_MAX", 2)
    with pytest.raises(Misuse):
        Manifest(two)
    with pytest.raises(WireError, match="more than 2 entries"):
        decode_manifest(data)
    monkeypatch.setattr(m, "ENTRIES_MAX", 3)
    monkeypatch.setattr(m, "MANIFEST_MAX", len(data) - 1)
    with pytest.raises(Misuse):
        Manifest(two).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x03" + TOP.encode()[1:], TOP.encode()[:-1], TOP.encode() + b"\x01", TOP.encode() * 2,
        a_file("aa").encode()[:-2] + b"..", TOP.encode() + a_file("aa").encode()[:-2] + b"..",
        TOP.encode() + a_file("aa").encode()[:-2] + b"\xff\xff",
    ],
)  # fmt: skip
def test_octets_that_are_no_manifest(data):
    with pytest.raises(WireError):
        decode_manifest(data)


def test_a_deep_manifest_takes_no_more_memory_than_its_entries():
    """A peer may send 16 MiB of it, and sixteen of those at a time."""
    deep = "/".join(["é"] * 62)
    entries = [Entry(EntryKind.DIRECTORY, 0o755, 0, 0, deep[: 2 * depth - 1]) for depth in range(1, 63)]
    files = [Entry(EntryKind.FILE, 0o644, 0, 0, f"{deep}/{number:04d}") for number in range(3000)]
    encoded = Manifest((Entry(EntryKind.DIRECTORY, 0o755, 0, 0, ""), *entries, *files)).encode()
    tracemalloc.start()
    try:
        assert decode_manifest(encoded).files == len(files)
        assert tracemalloc.get_traced_memory()[1] < 1000 * len(files)
    finally:
        tracemalloc.stop()
