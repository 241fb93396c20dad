# SPDX-License-Identifier: Apache-2.0
"""Disks that are full, have a quota, may not be written to or go away: real ones, each for one test."""

import asyncio
import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path
from unittest import mock

import pytest

from hardwire.app.events import FileDone, FileFailed, FileOffer
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.incoming import Incoming
from hardwire.app.outgoing import OutgoingReader, inspect_outgoing
from hardwire.app.pipes import PipeSource
from hardwire.cli.conversation import require_directory
from hardwire.errors import TransferIncomplete, UsageError
from support.disks import NOBODY, namespace, on_disk
from support.people import open_ends
from support.trees import MIB, portrait

PEER = "aa" * 32
_take = os.posix_fallocate
small = pytest.mark.skipif(not namespace(), reason="this kernel lets nobody here mount a small disk")


@contextlib.contextmanager
def a_file(size):
    """A file on another disk than the small one."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "report.pdf"
        path.write_bytes(os.urandom(size))
        yield inspect_outgoing(path)


@contextlib.contextmanager
def a_disk_that_sets_no_room_aside():
    """As one over a network, or FAT: files have their size at once and take room as they fill."""
    with mock.patch.object(os, "posix_fallocate", side_effect=OSError(errno.EOPNOTSUPP, "Operation not supported")):
        yield


def feed(sink, file, until):
    reader = OutgoingReader(file)
    end = file.offer.preface + until
    while sink.received < end:
        sink.write(sink.received, reader.read(sink.received, min(65_487, end - sink.received)))
    reader.close()


def fill(disk, leave=0):
    """Somebody else's file, which leaves so many octets, about."""
    path = disk / "somebody's"
    with path.open("wb") as file:
        while True:
            free = os.statvfs(disk)
            with contextlib.suppress(OSError):  # a transfer that is under way was quicker
                _take(file.fileno(), 0, file.seek(0, os.SEEK_END) + free.f_bavail * free.f_frsize - leave)
                return path


async def far(end):
    async with asyncio.timeout(20):
        while not any(one.meter.done > 2 * MIB for one in end.transfers._active.values()):  # noqa: ASYNC110
            await asyncio.sleep(0)


def refused(call, code="disk-full"):
    with pytest.raises(TransferIncomplete) as caught:
        call()
    assert caught.value.code == code
    return caught.value


def left(disk):
    return {path.name for path in disk.iterdir()}


def a_full_disk_and_a_partial_with_its_room(disk):
    with a_file(5 * MIB) as file:
        sink = Incoming(disk, PEER, file.offer)
        feed(sink, file, 3 * MIB)
        sink.release(keep=True)
        fill(disk)
        sink = Incoming(disk, PEER, file.offer)
        assert sink.proved == 3 * MIB
        feed(sink, file, 5 * MIB)
        assert portrait(sink.finish(0, b"")) == portrait(file.path), "not even a note of its name fits"
        sink.told()
    assert left(disk) == {"report.pdf", "somebody's"}


def a_partial_that_has_not_all_its_room(disk):
    with a_file(5 * MIB) as file, a_disk_that_sets_no_room_aside():
        sink = Incoming(disk, PEER, file.offer)
        feed(sink, file, 3 * MIB)
        sink.release(keep=True)
        other = fill(disk, MIB)
        problem = refused(lambda: Incoming(disk, PEER, file.offer))
        assert "no room for 5.2 MB" in problem.message
        assert "make room" in problem.hint
        other.unlink()
        fill(disk, 2 * MIB + 65_536)  # less than the whole, and enough for the rest
        sink = Incoming(disk, PEER, file.offer)
        assert sink.proved == 3 * MIB, "what was there is kept"
        feed(sink, file, 5 * MIB)
        assert portrait(sink.finish(0, b"")) == portrait(file.path)


async def a_disk_that_another_writer_fills(disk):
    with a_file(60 * MIB) as file, a_disk_that_sets_no_room_aside():
        async with open_ends() as (alice, bob, _):
            number = alice.session.offer(file)
            await bob.person.until(FileOffer, id=number)
            bob.transfers.accept(number, disk)
            await far(bob)
            other = fill(disk)
            here = await bob.person.until(FileFailed, code="disk-full")
            there = await alice.person.until(FileFailed, code="peer-full")
            assert there.reason == "the peer has no room for it"
            for told in (here, there):
                assert told.resumable
                assert "make room" in told.hint
            assert left(disk) == {SIDE_DIRECTORY, other.name}
            other.unlink()
            number = alice.session.offer(file)
            await bob.person.until(FileOffer, id=number)
            bob.transfers.accept(number, disk)
            done = await bob.person.until(FileDone, id=number)
            started = [event for event in bob.person.events if getattr(event, "done", None) and event.id == number]
            assert started[0].done >= 2 * MIB
            assert portrait(done.path) == portrait(file.path)


async def a_stream_that_fills_the_disk(disk):
    async with open_ends() as (alice, bob, _):
        endless = os.open("/dev/zero", os.O_RDONLY)
        number = alice.session.offer(PipeSource(endless, "dump.sql"))
        await bob.person.until(FileOffer, id=number)
        bob.transfers.accept(number, disk)
        assert not (await bob.person.until(FileFailed, code="disk-full")).resumable
        assert not (await alice.person.until(FileFailed, code="peer-full")).resumable
        await bob.transfers.settled()
        await alice.transfers.settled()
        os.close(endless)
        assert left(disk) == set(), "nobody can go on with it"


def too_many_files_for_the_disk(disk):
    with tempfile.TemporaryDirectory() as name:
        top = Path(name) / "photos"
        (top / "sub").mkdir(parents=True)
        for number in range(30):
            (top / "sub" / str(number)).touch()
        file = inspect_outgoing(top)
        problem = refused(lambda: Incoming(disk, PEER, file.offer))
        assert "more files and directories" in problem.message
        assert left(disk) == set()
        for number in range(15):
            (top / "sub" / str(number)).unlink()
        file = inspect_outgoing(top)
        sink = Incoming(disk, PEER, file.offer)
        feed(sink, file, 0)
        assert portrait(sink.finish(0, b"")) == portrait(top)


def a_quota_that_ends_in_the_middle(disk):
    """What a kernel says then is put in its mouth: a tmpfs with quotas is not to be had everywhere."""
    with a_file(5 * MIB) as file:
        sink = Incoming(disk, PEER, file.offer)
        feed(sink, file, 3 * MIB)
        with mock.patch.object(os, "pwrite", side_effect=OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))):
            problem = refused(lambda: feed(sink, file, 4 * MIB))
            assert "quota" in problem.message
            sink.release(keep=True)  # and its note is over quota, too
        sink = Incoming(disk, PEER, file.offer)
        assert sink.proved == 3 * MIB
        feed(sink, file, 5 * MIB)
        assert portrait(sink.finish(0, b"")) == portrait(file.path)


@small
@pytest.mark.parametrize(
    "case",
    [
        a_full_disk_and_a_partial_with_its_room,
        a_partial_that_has_not_all_its_room,
        a_stream_that_fills_the_disk,
        a_quota_that_ends_in_the_middle,
    ],
)
def test_a_small_disk(tmp_path, case):
    on_disk(tmp_path, "size=8m", case)


@small
def test_a_disk_that_fills_in_the_middle(tmp_path):
    on_disk(tmp_path, "size=64m", a_disk_that_another_writer_fills)


@small
def test_a_disk_for_few_files(tmp_path):
    on_disk(tmp_path, "size=8m,nr_inodes=30", too_many_files_for_the_disk)


def nothing_may_be_written(disk):
    with pytest.raises(UsageError, match="nothing can be written in"):
        require_directory(disk, writable=True)
    require_directory(disk)
    with a_file(5) as file:
        problem = refused(lambda: Incoming(disk, PEER, file.offer), "disk")
        assert problem.message.startswith(f"{disk}: ")
        assert "--dir" in problem.hint
    assert left(disk) == set()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write here")
def test_somebody_elses_directory():
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        on_disk(Path(name), "", nothing_may_be_written, user=NOBODY)


@small
def test_a_read_only_disk(tmp_path):
    on_disk(tmp_path, "size=1m,ro", nothing_may_be_written)


@pytest.mark.parametrize("how", ["removed", "renamed"])
async def test_a_directory_that_goes_away_in_the_middle(tmp_path, how):
    inbox = tmp_path / "in"
    inbox.mkdir()
    with (tmp_path / "large.bin").open("wb") as large:
        large.truncate(100_000_000)
    async with open_ends() as (alice, bob, _):
        number = alice.session.offer(inspect_outgoing(tmp_path / "large.bin"))
        await bob.person.until(FileOffer, id=number)
        bob.transfers.accept(number, inbox)
        await far(bob)
        await asyncio.to_thread(
            shutil.rmtree if how == "removed" else inbox.rename,
            *([inbox] if how == "removed" else [tmp_path / "elsewhere"]),
        )
        failed = await bob.person.until(FileFailed, code="disk")
        assert failed.reason == f"{inbox}: no such file or directory"
        assert "--dir" in failed.hint or failed.resumable
        assert (await alice.transfers.outcome(number)).reason in {
            "it failed at the peer",
            "the peer got other octets than were offered, or could not keep them",
        }
    assert not inbox.exists()
