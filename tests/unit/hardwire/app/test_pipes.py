# SPDX-License-Identifier: Apache-2.0
import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from hardwire.app import pipes as module
from hardwire.app.incoming import StreamHash
from hardwire.app.outgoing import OutgoingReader, inspect_outgoing
from hardwire.app.pipes import PipeSink, PipeSource
from hardwire.channel import Offer, TransferKind
from hardwire.channel.manifest import Entry, EntryKind, Manifest
from hardwire.channel.preface import make_offer
from hardwire.channel.tree import root_of
from hardwire.errors import TransferIncomplete
from support.trees import MIB

STREAM = Offer(TransferKind.STREAM, 0, 1, 0, bytes(32), "stream")


@pytest.fixture
def pipe():
    ends = list(os.pipe())
    yield ends
    for end in ends:
        os.close(end)


def root(data):
    hashed = StreamHash()
    hashed.update(memoryview(data))
    return hashed.digest()


def filled(pipe, data):
    """The writing end gets it from a thread, and is closed."""
    writing = pipe.pop()

    def write():
        with os.fdopen(writing, "wb") as file:
            file.write(data)

    threading.Thread(target=write).start()


def test_a_pipe_is_read_to_its_end(pipe):
    data = os.urandom(3 * MIB + 5)
    filled(pipe, data)
    source = PipeSource(pipe[0], "backup.tar")
    assert (source.offer.kind, source.offer.size, source.offer.name) == (TransferKind.STREAM, 0, "backup.tar")
    got = b""
    while block := source.read(len(got), 100_000):
        assert len(block) == 100_000 or len(got) + len(block) == len(data)
        got += block
    assert got == data
    assert source.ends_at(len(data))
    assert not source.ends_at(len(data) - 1)
    assert source.root() == source.root() == root(data)


def test_the_sha256_of_both_ends_of_a_pipe(pipe, tmp_path):
    filled(pipe, b"abc")
    reading = pipe[0]
    source = PipeSource(reading, "a", sha256=True)
    assert source.read(0, 10) == b"abc"
    assert source.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert PipeSource(reading, "a").sha256 == ""
    with (tmp_path / "out").open("wb") as out:
        sink = PipeSink(out.fileno(), STREAM, sha256=True)
        sink.write(0, b"abc")
        sink.finish(3, source.root())
        assert sink.sha256 == source.sha256
        assert PipeSink(out.fileno(), STREAM).sha256 == ""


def test_two_streams_have_two_names(pipe):
    assert PipeSource(pipe[0], "a").offer.root != PipeSource(pipe[0], "a").offer.root


def test_what_is_not_acknowledged_can_be_read_again(pipe):
    data = os.urandom(300_000)
    filled(pipe, data)
    source = PipeSource(pipe[0], "a")
    source.read(0, 300_000)
    assert source.read(1000, 5) == data[1000:1005]
    assert source.read(60_000, 200_000) == data[60_000:260_000]
    source.acknowledged = 200_000
    assert source.read(250_000, 100_000) == data[250_000:]
    assert sum(map(len, source._kept)) < 300_000
    with pytest.raises(TransferIncomplete, match="gone"):
        source.read(0, 5)


def test_a_name_that_tricks(pipe):
    with pytest.raises(TransferIncomplete):
        PipeSource(pipe[0], "a/b")


def test_a_silent_pipe_does_not_hold_up_the_end(pipe, monkeypatch):
    monkeypatch.setattr(module, "_LOOK", 0.01)
    source = PipeSource(pipe[0], "a")
    threading.Timer(0.05, source.close).start()
    with pytest.raises(TransferIncomplete, match="stopped"):
        source.read(0, 5)


def test_what_is_kept_is_had_while_another_read_waits_for_the_pipe(pipe):
    source = PipeSource(pipe[0], "a")
    data = os.urandom(30)
    os.write(pipe[1], data)
    assert source.read(0, 30, 10) == data
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(source.read, start, 10) for start in (30, 25)]
        try:
            assert threads.submit(source.read, 5, 20).result(5) == data[5:25]
            assert not any(one.done() for one in waiting)
        finally:
            os.write(pipe[1], bytes(10))
        assert [one.result(5) for one in waiting] == [bytes(10), data[25:] + bytes(5)]
    os.close(pipe.pop())
    assert source.read(0, 50) == data + bytes(10)
    assert source.root() == root(data + bytes(10)), "neither took octets of the other's"


def test_another_read_takes_it_before_this_one_looks(pipe):
    class Overtaken(PipeSource):
        def _readable(self, within):
            if self._end == 0 and within:
                os.write(pipe[1], b"abcde")
                assert PipeSource._readable(self, within)
                self._take()
            return super()._readable(within)

    source = Overtaken(pipe[0], "a")
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(source.read, 0, 5)
        try:
            assert reading.result(5) == b"abcde"
        finally:
            source.close()


def test_a_read_that_nobody_wants_leaves_a_silent_pipe(pipe, monkeypatch):
    monkeypatch.setattr(module, "_LOOK", 0.01)
    source = PipeSource(pipe[0], "a")
    unwanted = threading.Event()
    threading.Timer(0.05, unwanted.set).start()
    with pytest.raises(TransferIncomplete, match="stopped"):
        source.read(0, 5, 0, unwanted)
    os.write(pipe[1], b"abcde")
    assert source.read(0, 5) == b"abcde"


def test_what_cannot_be_read(tmp_path):
    descriptor = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(TransferIncomplete, match="standard input: is a directory"):
        PipeSource(descriptor, "a").read(0, 1)
    os.close(descriptor)


def test_a_file_goes_through_leaf_by_leaf(tmp_path, pipe):
    data = os.urandom(MIB + 5)
    (tmp_path / "a").write_bytes(data)
    file = inspect_outgoing(tmp_path / "a")
    reader = OutgoingReader(file)
    out = (tmp_path / "out").open("wb")
    sink = PipeSink(out.fileno(), file.offer)
    end = file.offer.preface + MIB
    while sink.received < end - 1:
        sink.write(sink.received, reader.read(sink.received, min(65_487, end - 1 - sink.received)))
    assert (tmp_path / "out").read_bytes() == b""
    sink.write(sink.received, reader.read(sink.received, 1))
    assert (tmp_path / "out").read_bytes() == data[:MIB]
    sink.write(sink.received, reader.read(sink.received, 5))
    assert sink.finish(0, b"") is None
    assert (tmp_path / "out").read_bytes() == data
    sink.release(keep=True)
    out.close()


def test_a_wrong_leaf_never_comes_out(tmp_path):
    (tmp_path / "a").write_bytes(b"right")
    file = inspect_outgoing(tmp_path / "a")
    with (tmp_path / "out").open("wb") as out:
        sink = PipeSink(out.fileno(), file.offer)
        sink.write(0, file.preface)
        with pytest.raises(TransferIncomplete) as caught:
            sink.write(sink.received, b"wrong")
    assert caught.value.code == "hash-mismatch"
    assert (tmp_path / "out").read_bytes() == b""


def test_leaves_too_large_to_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_HELD_LEAF_MAX", 1000)
    (tmp_path / "a").write_bytes(b"right")
    file = inspect_outgoing(tmp_path / "a")
    with (tmp_path / "out").open("wb") as out:
        sink = PipeSink(out.fileno(), file.offer)
        sink.write(0, file.preface + b"rig")
        assert (tmp_path / "out").read_bytes() == b"rig"
        sink.write(sink.received, b"ht")
    assert (tmp_path / "out").read_bytes() == b"right"


def test_a_bad_manifest(tmp_path):
    offer, preface = make_offer("a", Manifest((Entry(EntryKind.FILE, 0o644, 0, 0, ""),)), b"")
    bad = b"\x09" + preface[1:]
    sink = PipeSink(1, Offer(offer.kind, 0, 1, len(bad), root_of(offer.kind, bad, b"", 0), "a"))
    with pytest.raises(TransferIncomplete):
        sink.write(0, bad)


def test_a_directory_does_not_fit():
    offer, _ = make_offer("a", Manifest((Entry(EntryKind.DIRECTORY, 0o755, 0, 0, ""),)), b"")
    with pytest.raises(TransferIncomplete) as caught:
        PipeSink(1, offer)
    assert caught.value.code == "not-a-file"


def test_a_stream_passes_at_once(tmp_path):
    with (tmp_path / "out").open("wb") as out:
        sink = PipeSink(out.fileno(), STREAM)
        sink.write(0, b"abc")
        assert (tmp_path / "out").read_bytes() == b"abc"
        sink.finish(3, root(b"abc"))
        for size, wrong in ((4, root(b"abc")), (3, bytes(32))):
            with pytest.raises(TransferIncomplete) as caught:
                sink.finish(size, wrong)
            assert caught.value.code == "hash-mismatch"


def test_a_reader_that_does_not_read(pipe, monkeypatch):
    monkeypatch.setattr(module, "_LOOK", 0.01)
    sink = PipeSink(pipe[1], STREAM)
    threading.Timer(0.05, lambda: sink.release(keep=False)).start()
    sink.write(0, bytes(5 * MIB))
    os.set_blocking(pipe[0], False)
    assert 0 < len(os.read(pipe[0], 5 * MIB)) < 5 * MIB


def test_a_reader_that_went_away(pipe):
    os.close(pipe.pop(0))
    sink = PipeSink(pipe[0], STREAM)
    with pytest.raises(TransferIncomplete) as caught:
        sink.write(0, b"abc")
    assert caught.value.code == "output-failed"


def test_a_peer_that_has_what_never_came(pipe):
    """It would make this side read on, and keep, whatever a pipe may bring."""
    filled(pipe, bytes(10))
    source = PipeSource(pipe[0], "a")
    with pytest.raises(TransferIncomplete, match="more than ever came"):
        source.read(1, 5)
    assert source.read(0, 20) == bytes(10)
    assert source.read(10, 5) == b""


def test_a_slow_pipe_gives_what_there_is_and_whole_chunks_of_it(pipe):
    """The protocol wants full chunks, and no more than one of them is worth waiting for."""
    source = PipeSource(pipe[0], "a")
    data = os.urandom(25)
    os.write(pipe[1], data)
    assert source.read(0, 1000, 10) == data[:20]
    os.write(pipe[1], data)
    assert source.read(20, 1000, 10) == (data + data)[20:50]
    os.write(pipe[1], b"rest")
    os.close(pipe.pop())
    assert source.read(50, 1000, 10) == b"rest"
    assert source.ends_at(54)


def test_a_pipe_that_never_pauses_fills_the_block(pipe):
    data = os.urandom(3 * MIB)
    filled(pipe, data)
    source = PipeSource(pipe[0], "a")
    got = [source.read(0, MIB, 1000)]
    while got[-1]:
        got.append(source.read(sum(map(len, got)), MIB, 1000))
    assert b"".join(got) == data


def test_nothing_comes_out_after_it_was_let_go(pipe):
    sink = PipeSink(pipe[1], STREAM)
    sink.release(keep=False)
    sink.write(0, b"late")
    os.set_blocking(pipe[0], False)
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 10)
