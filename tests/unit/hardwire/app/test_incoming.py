# SPDX-License-Identifier: Apache-2.0
import errno
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hardwire.app import incoming as module
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.incoming import Incoming, StreamHash
from hardwire.app.outgoing import OutgoingReader, inspect_outgoing
from hardwire.channel import Offer, TransferKind
from hardwire.channel.manifest import Entry, EntryKind, Manifest
from hardwire.channel.preface import make_offer
from hardwire.channel.tree import root_of
from hardwire.errors import TransferIncomplete
from support.trees import MIB, a_tree, portrait

PEER = "aa" * 32
STREAM = Offer(TransferKind.STREAM, 0, 1, 0, bytes(32), "stream")


def a_file(tmp_path, size=3 * MIB + 5):
    (tmp_path / "report.pdf").write_bytes(os.urandom(size))
    return inspect_outgoing(tmp_path / "report.pdf")


def feed(sink, file, *, until=None, step=65_487):
    """Give it the stream from where it is; ``until`` counts from the beginning of the stream."""
    reader = OutgoingReader(file)
    end = file.offer.end if until is None else until
    while sink.received < end:
        sink.write(sink.received, reader.read(sink.received, min(step, end - sink.received)))
    reader.close()


def feed_zeros(sink, step):
    while sink.received < sink._offer.end:
        sink.write(sink.received, bytes(step))


def finish(sink):
    """To its name, and the sender hears of it."""
    final = sink.finish(0, b"")
    sink.told()
    return final


def left(inbox):
    return sorted(path.name for path in inbox.iterdir())


def test_a_whole_file_gets_its_name_and_only_then(tmp_path, inbox):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    assert (sink.received, sink.proved) == (0, 0)
    feed(sink, file)
    assert left(inbox) == [SIDE_DIRECTORY]
    assert sink.proved == file.size
    assert finish(sink) == inbox / "report.pdf"
    assert left(inbox) == ["report.pdf"]
    assert portrait(inbox / "report.pdf") == portrait(tmp_path / "report.pdf")


@pytest.mark.parametrize("step", [1000, 65_487, MIB, 3 * MIB])
def test_a_whole_directory(tmp_path, inbox, step):
    top = a_tree(tmp_path / "photos")
    file = inspect_outgoing(top)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, step=step)
    assert left(inbox) == [SIDE_DIRECTORY]
    assert finish(sink) == inbox / "photos"
    assert left(inbox) == ["photos"]
    assert portrait(inbox / "photos") == portrait(top)


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_is_empty(tmp_path, inbox, kind):
    path = tmp_path / "nothing"
    path.touch() if kind == "file" else path.mkdir()
    file = inspect_outgoing(path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file)
    finish(sink)
    assert portrait(inbox / "nothing") == portrait(path)


def test_taking_up_what_was_kept(tmp_path, inbox):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + 2 * MIB + 7)
    sink.release(keep=True)
    sink = Incoming(inbox, PEER, file.offer)
    assert sink.received == file.offer.preface + 2 * MIB
    feed(sink, file)
    assert finish(sink).read_bytes() == (tmp_path / "report.pdf").read_bytes()
    assert left(inbox) == ["report.pdf"]


def test_the_sha256_of_what_came_in_one_go(tmp_path, inbox):
    file = a_file(tmp_path)
    wanted = hashlib.sha256((tmp_path / "report.pdf").read_bytes()).hexdigest()
    sink = Incoming(inbox, PEER, file.offer, sha256=True)
    feed(sink, file, until=file.offer.preface + 2 * MIB + 7)
    assert sink.sha256 == ""
    feed(sink, file)
    finish(sink)
    assert sink.sha256 == wanted
    # Whoever did not ask, and what another process began: none, and not a wrong one.
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + 2 * MIB)
    sink.release(keep=True)
    assert sink.sha256 == ""
    sink = Incoming(inbox, PEER, file.offer, sha256=True)
    assert sink.received > 0
    feed(sink, file)
    finish(sink)
    assert sink.sha256 == ""
    assert not [one for one in threading.enumerate() if one.name.startswith("hardwire sha256")]


def test_only_the_same_peer_with_the_same_content_goes_on(tmp_path, inbox):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + MIB)
    sink.release(keep=True)
    other = a_file(tmp_path)
    for owner, offer in (("bb" * 32, file.offer), (PEER, other.offer)):
        stranger = Incoming(inbox, owner, offer)
        assert stranger.received == 0
        stranger.release(keep=False)
    assert Incoming(inbox, PEER, file.offer).received > 0


def test_nothing_proved_is_nothing_kept(tmp_path, inbox):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + MIB - 1)
    sink.release(keep=True)
    assert left(inbox) == []


KILLED = """
import os, signal, sys, pathlib, types
sys.path[:0] = sys.argv[5:]
when = sys.argv[4]
from hardwire.app import files, incoming
from hardwire.app.outgoing import OutgoingReader, inspect_outgoing
incoming.MARK_EVERY = 2 << 20
file = inspect_outgoing(pathlib.Path(sys.argv[1]))
sink = incoming.Incoming(pathlib.Path(sys.argv[2]), "aa" * 32, file.offer)
reader = OutgoingReader(file)
end = int(sys.argv[3])
while sink.received < end:
    sink.write(sink.received, reader.read(sink.received, min(65487, end - sink.received)))
if sink.received == file.offer.end:
    kill = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    if when == "before":
        incoming.publish = kill
    elif when == "noted":
        os.link = os.rename = kill
    elif when == "linked":
        files.os = types.SimpleNamespace(**{**vars(os), "unlink": kill})
    sink.finish(0, b"")
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(path, inbox, end, when="before"):
    words = [str(path), str(inbox), str(end), when]
    run = subprocess.run([sys.executable, "-c", KILLED, *words, *sys.path], check=False)
    assert run.returncode == -9


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_after_a_kill(tmp_path, inbox, share):
    top = a_tree(tmp_path / "photos", octets=9 * MIB)
    file = inspect_outgoing(top)
    end = round(share * file.offer.end)
    killed(top, inbox, end)
    assert set(left(inbox)) <= {SIDE_DIRECTORY}
    sink = Incoming(inbox, PEER, file.offer)
    whole = share == 1.0
    assert sink.proved == (file.size if whole else max(0, end - file.offer.preface) // MIB * MIB), "no octet was lost"
    feed(sink, file)
    finish(sink)
    assert portrait(inbox / "photos") == portrait(top)
    assert left(inbox) == ["photos"]


def test_a_disk_that_cannot_be_read_just_now_takes_nothing_away(tmp_path, inbox, monkeypatch):
    def fails(*_):
        raise OSError(5, "Input/output error")

    file = a_file(tmp_path, 6 * MIB)
    killed(file.path, inbox, file.offer.preface + 5 * MIB)
    monkeypatch.setattr(module.Layout, "read", fails)
    with pytest.raises(TransferIncomplete, match="input/output error") as caught:
        Incoming(inbox, PEER, file.offer)
    assert caught.value.code == "disk"
    monkeypatch.undo()
    sink = Incoming(inbox, PEER, file.offer)
    assert sink.proved == 5 * MIB
    feed(sink, file)
    assert finish(sink).read_bytes() == file.path.read_bytes()


@pytest.mark.parametrize("what", ["preface", "mark", "data", "given"])
def test_a_note_that_cannot_be_read_just_now_takes_nothing_away(tmp_path, inbox, monkeypatch, what):
    file = a_file(tmp_path, 6 * MIB)
    killed(file.path, inbox, file.offer.end if what == "given" else file.offer.preface + 5 * MIB, "named")
    opens = os.open

    def broken(path, *words, **named):
        if str(path) == what:
            raise OSError(5, "Input/output error")
        return opens(path, *words, **named)

    monkeypatch.setattr(os, "open", broken)
    with pytest.raises(TransferIncomplete, match="input/output error") as caught:
        Incoming(inbox, PEER, file.offer)
    assert caught.value.code == "disk"
    monkeypatch.undo()
    sink = Incoming(inbox, PEER, file.offer)
    assert sink.proved == (file.size if what == "given" else 5 * MIB)
    feed(sink, file)
    assert finish(sink).read_bytes() == file.path.read_bytes()
    assert left(inbox) == ["report.pdf"]


def test_names_that_are_one_on_this_disk(tmp_path, inbox, monkeypatch):
    """A disk that takes more names for one than the manifest's rules know of."""
    top = tmp_path / "photos"
    top.mkdir()
    for name in ("Stra\u00dfe", "\u2460"):
        (top / name).touch()
    file = inspect_outgoing(top)
    opens = os.open

    def folding(path, flags, *words, **named):
        if path == Path("data/\u2460"):
            path = Path("data/Stra\u00dfe")
        return opens(path, flags, *words, **named)

    monkeypatch.setattr(os, "open", folding)
    sink = Incoming(inbox, PEER, file.offer)
    with pytest.raises(TransferIncomplete, match="the same as another one") as caught:
        feed(sink, file)
    assert caught.value.code == "bad-name"
    assert "--dir" in caught.value.hint
    sink.release(keep=True)
    assert left(inbox) == []


def test_ten_thousand_small_files(tmp_path, inbox):
    top = tmp_path / "many"
    for number in range(100):
        (top / str(number)).mkdir(parents=True)
        for other in range(100):
            (top / str(number) / str(other)).write_bytes(number.to_bytes() * (other % 3))
    file = inspect_outgoing(top)
    assert (file.offer.files, file.offer.directories) == (10_000, 100)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + 5000)
    sink.release(keep=True)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file)
    assert portrait(finish(sink)) == portrait(top)
    assert left(inbox) == ["many"]


def test_hard_links_and_holes_arrive_as_files_of_their_own(tmp_path, inbox):
    top = tmp_path / "photos"
    top.mkdir()
    (top / "one").write_bytes(b"the same")
    os.link(top / "one", top / "two")
    with (top / "sparse").open("wb") as sparse:
        sparse.truncate(2 * MIB)
        sparse.seek(MIB)
        sparse.write(b"an island")
    file = inspect_outgoing(top)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file)
    arrived = finish(sink)
    assert portrait(arrived) == portrait(top)
    assert [path.stat().st_nlink for path in arrived.iterdir()] == [1, 1, 1]


@pytest.mark.parametrize("when", ["linked", "named"])
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_after_a_kill_between_the_name_and_the_last_word(tmp_path, inbox, kind, when):
    top = a_tree(tmp_path / "photos", octets=3 * MIB) if kind == "directory" else a_file(tmp_path).path
    (inbox / top.name).touch()  # the name is taken: what is recognised is not what is called so
    file = inspect_outgoing(top)
    killed(top, inbox, file.offer.end, when)
    (final,) = [path for path in inbox.iterdir() if path.name not in {SIDE_DIRECTORY, top.name}]
    sink = Incoming(inbox, PEER, file.offer)
    assert (sink.received, sink.proved) == (file.offer.end, file.size), "nothing comes twice"
    assert finish(sink) == final
    assert portrait(final) == portrait(top)
    assert set(left(inbox)) == {top.name, final.name}
    if kind == "file":
        assert final.stat().st_nlink == 1


def test_a_name_that_was_noted_and_not_given(tmp_path, inbox):
    top = a_tree(tmp_path / "photos", octets=3 * MIB)
    file = inspect_outgoing(top)
    killed(top, inbox, file.offer.end)
    (place,) = (inbox / SIDE_DIRECTORY).iterdir()
    info = (place / "data").stat()
    (place / "given").write_text(f"{info.st_dev}\n{info.st_ino}\nphotos")
    sink = Incoming(inbox, PEER, file.offer)
    assert sink.proved == file.size
    assert finish(sink) == inbox / "photos"
    assert portrait(inbox / "photos") == portrait(top)


@pytest.mark.parametrize("done", ["removed", "changed", "touched", "replaced", "moved", "a link", "noise"])
def test_what_somebody_did_to_it_since_is_no_longer_what_came(tmp_path, inbox, done):
    file = a_file(tmp_path)
    killed(file.path, inbox, file.offer.end, "named")
    final = inbox / "report.pdf"
    if done == "removed":
        final.unlink()
    elif done == "changed":
        final.chmod(0o600)
        final.write_bytes(b"mine now")
    elif done == "touched":
        os.utime(final, (1, 1))
    elif done == "replaced":
        final.rename(tmp_path / "elsewhere")
        final.write_bytes((tmp_path / "elsewhere").read_bytes())
    elif done == "moved":
        final.rename(inbox / "mine.pdf")
    elif done == "a link":
        final.rename(tmp_path / "elsewhere")
        final.symlink_to(tmp_path / "elsewhere")
    else:
        (given,) = (inbox / SIDE_DIRECTORY).glob("*/given")
        given.write_bytes(b"\xff\xfe\n../../etc/passwd")
    sink = Incoming(inbox, PEER, file.offer)
    assert sink.received == 0
    feed(sink, file)
    assert finish(sink).read_bytes() == file.path.read_bytes()


def test_nobody_is_told_twice_and_a_place_that_is_held_stays(tmp_path, inbox):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file)
    assert sink.finish(0, b"") == sink.finish(0, b"") == inbox / "report.pdf"
    assert left(inbox) == [SIDE_DIRECTORY, "report.pdf"]
    again = Incoming(inbox, PEER, file.offer)
    sink.told()
    assert left(inbox) == [SIDE_DIRECTORY, "report.pdf"], "somebody is at it"
    again.release(keep=False)
    assert left(inbox) == [SIDE_DIRECTORY, "report.pdf"], "what has its name is not removed for want of it"
    sink.told()
    sink.told()
    assert left(inbox) == ["report.pdf"]


@pytest.mark.parametrize("harm", ["preface", "mark", "data", "octets behind the mark", "a second name"])
def test_what_cannot_be_relied_on_is_not(tmp_path, inbox, harm):
    file = a_file(tmp_path, 6 * MIB)
    killed(file.path, inbox, file.offer.preface + 5 * MIB)
    (place,) = (inbox / SIDE_DIRECTORY).iterdir()
    data = place / "data"
    if harm == "preface":
        (place / "preface").write_bytes((place / "preface").read_bytes()[:-1] + b"\0")
    elif harm == "mark":
        (place / "mark").write_bytes(b"")
    elif harm == "data":
        data.unlink()
    elif harm == "a second name":
        os.link(data, inbox / "published")
    else:
        with data.open("r+b") as broken:
            broken.seek(4 * MIB + 1000)
            broken.write(b"a power cut")
    sink = Incoming(inbox, PEER, file.offer)
    assert sink.proved == (4 * MIB if harm == "octets behind the mark" else 0)
    feed(sink, file)
    assert finish(sink).read_bytes() == file.path.read_bytes()


def test_marks_are_noted_behind_the_back_of_the_stream(tmp_path, inbox, monkeypatch):
    monkeypatch.setattr(module, "MARK_EVERY", MIB)
    file = a_file(tmp_path, 9 * MIB)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + 8 * MIB)
    sink.release(keep=True)
    (place,) = (inbox / SIDE_DIRECTORY).iterdir()
    notes = (place / "mark").read_bytes()
    counts = [int.from_bytes(notes[start : start + 8]) for start in range(0, len(notes), 12)]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert len(counts) > 2
    assert counts[-1] == 8


def test_a_disk_that_becomes_full_of_a_stream(inbox, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    sink = Incoming(inbox, PEER, STREAM)
    sink.write(0, bytes(2000))
    monkeypatch.setattr(sink._layout, "write", full)
    with pytest.raises(TransferIncomplete, match=r"the disk became full after 2\.0 kB in ") as caught:
        sink.write(2000, bytes(2000))
    assert caught.value.code == "disk-full"
    sink.release(keep=True)


def test_a_mark_that_fails_fails_the_transfer(tmp_path, inbox, monkeypatch):
    def refuses(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "MARK_EVERY", 1)
    monkeypatch.setattr(module, "put_on_disk", refuses)
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    with pytest.raises(TransferIncomplete) as caught:
        feed(sink, file, step=1000)
    assert caught.value.code == "disk-full"
    sink.release(keep=True)


@pytest.mark.parametrize("size", [1000, 3 * MIB + 5], ids=["small", "large"])
def test_pieces_that_came_together_are_taken_together(tmp_path, inbox, size):
    file = a_file(tmp_path, size)
    reader = OutgoingReader(file)
    stream = reader.read(0, file.offer.end)
    reader.close()
    begin = file.offer.preface
    cuts = [0, 1, begin - 1, begin, begin + 1, begin + 900, file.offer.end]
    sink = Incoming(inbox, PEER, file.offer)
    sink.write(0, *(stream[start:end] for start, end in itertools.pairwise(cuts)))
    assert sink.received == file.offer.end
    assert finish(sink).read_bytes() == stream[begin:]


@pytest.mark.parametrize("step", [65_487, MIB], ids=["hashed there and then", "hashed beside"])
def test_other_octets_are_noticed_within_a_leaf(tmp_path, inbox, step):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + MIB, step=step)
    with pytest.raises(TransferIncomplete) as caught:
        feed_zeros(sink, step)
    assert caught.value.code == "hash-mismatch"
    assert sink.received < file.offer.preface + 2 * MIB
    sink.release(keep=True)
    again = Incoming(inbox, PEER, file.offer)
    assert again.proved == MIB, "what was right is kept"
    again.release(keep=False)
    assert left(inbox) == []


def test_a_write_that_fails_waits_for_the_hash_beside_it(tmp_path, inbox, monkeypatch):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface)
    ended = []
    judge = sink._judge

    def judged_late(pieces):
        time.sleep(0.1)
        judge(pieces)
        ended.append(sum(map(len, pieces)))

    def refused(*_):
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(sink, "_judge", judged_late)
    monkeypatch.setattr(sink._layout, "write", refused)
    with pytest.raises(TransferIncomplete) as caught:
        feed(sink, file, step=MIB)
    assert caught.value.code == "disk"
    assert ended == [MIB]
    sink.release(keep=False)
    assert not [one for one in threading.enumerate() if one.name.startswith("hardwire hash")]


def test_what_is_right_and_was_not_written_does_not_count(tmp_path, inbox, monkeypatch):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + MIB)
    write = sink._layout.write

    def full(offset, data):
        if offset >= 2 * MIB:
            raise OSError(errno.ENOSPC, "full")
        write(offset, data)

    monkeypatch.setattr(sink._layout, "write", full)
    reader = OutgoingReader(file)
    rest = reader.read(sink.received, 2 * MIB)
    reader.close()
    with pytest.raises(TransferIncomplete) as caught:
        sink.write(sink.received, rest[:MIB], rest[MIB:])
    assert caught.value.code == "disk-full"
    assert sink.proved == MIB
    sink.release(keep=True)
    again = Incoming(inbox, PEER, file.offer)
    assert again.proved == 2 * MIB, "the one that was written before the disk refused is read, and right"
    again.release(keep=False)


def test_another_preface(tmp_path, inbox):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, replace(file.offer, root=bytes(32)))
    with pytest.raises(TransferIncomplete) as caught:
        feed(sink, file, until=file.offer.preface)
    assert caught.value.code == "hash-mismatch"


def offered(manifest, name="photos"):
    return make_offer(name, manifest, b"")


TOP = Entry(EntryKind.DIRECTORY, 0o755, 0, 0, "")


@pytest.mark.parametrize("name", ["gnp\u202egpj.exe", "a\\b"])
def test_names_inside_that_trick(inbox, name):
    offer, preface = offered(Manifest((TOP, Entry(EntryKind.FILE, 0o644, 0, 0, name))))
    sink = Incoming(inbox, PEER, offer)
    with pytest.raises(TransferIncomplete) as caught:
        sink.write(0, preface)
    assert caught.value.code == "bad-name"
    sink.release(keep=True)
    assert left(inbox) == []


def test_a_manifest_that_breaks_the_rules(inbox):
    offer, preface = offered(Manifest((TOP,)))
    bad = preface.replace(b"\x02", b"\x09", 1)
    sink = Incoming(inbox, PEER, replace(offer, root=root_of(offer.kind, bad, b"", 0)))
    with pytest.raises(TransferIncomplete) as caught:
        sink.write(0, bad)
    assert caught.value.code == "bad-name"


@pytest.mark.parametrize("name", [".bashrc", "../x", "gnp\u202egpj"])
def test_a_name_that_tricks(tmp_path, inbox, name):
    offer = a_file(tmp_path).offer
    if "/" not in name:
        with pytest.raises(TransferIncomplete):
            Incoming(inbox, PEER, replace(offer, name=name))
    assert left(inbox) == []


def test_a_short_one(tmp_path, inbox):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + MIB)
    with pytest.raises(TransferIncomplete, match=f"{MIB} of {file.size} octets"):
        finish(sink)


def test_a_piece_that_does_not_belong(tmp_path, inbox):
    sink = Incoming(inbox, PEER, a_file(tmp_path).offer)
    with pytest.raises(TransferIncomplete):
        sink.write(1, b"x")


def test_a_disk_that_is_too_small(tmp_path, inbox):
    offer = replace(a_file(tmp_path).offer, size=1 << 52)
    with pytest.raises(TransferIncomplete) as caught:
        Incoming(inbox, PEER, offer)
    assert caught.value.code == "disk-full"
    assert left(inbox) == []
    with pytest.raises(TransferIncomplete, match="no such file"):
        Incoming(inbox / "gone", PEER, offer)


def test_a_real_disk_that_is_full(tmp_path):
    """A tmpfs of 1 MB, in a mount namespace of its own: a file is refused at once, a directory with its manifest."""
    script = (
        "import sys, pathlib\n"
        "sys.path[:0] = sys.argv[2:]\n"
        "from hardwire.app.incoming import Incoming\n"
        "from hardwire.channel.manifest import Entry, EntryKind, Manifest\n"
        "from hardwire.channel.preface import make_offer\n"
        "from hardwire.errors import TransferIncomplete\n"
        "d = pathlib.Path(sys.argv[1])\n"
        "many = [Entry(EntryKind.FILE, 0o644, 0, 1, f'{n:04}') for n in range(2000)]\n"
        "for m in (Manifest((Entry(EntryKind.FILE, 0o644, 0, 5_000_000, ''),)),\n"
        "          Manifest((Entry(EntryKind.DIRECTORY, 0o755, 0, 0, ''), *many))):\n"
        "    offer, preface = make_offer('big', m, bytes(32 * (-(-m.size // (1 << 20)))))\n"
        "    sink = None\n"
        "    try:\n        sink = Incoming(d, 'aa', offer)\n        sink.write(0, preface)\n"
        "    except TransferIncomplete as e:\n"
        "        if sink: sink.release(keep=True)\n"
        "        print(e.code, '|', e.message, '|', e.hint, '|', list(d.iterdir()), '|', sink is None)\n"
    )
    command = f'mount -t tmpfs -o size=1m none "{tmp_path}" && exec "{sys.executable}" -c "$@"'
    shell = ["unshare", "--user", "--map-root-user", "--mount"] if os.geteuid() else ["unshare", "--mount"]
    words = [*shell, "sh", "-c", command, "sh", script, str(tmp_path), *sys.path]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    answers = [[part.strip() for part in line.split("|")] for line in run.stdout.splitlines()]
    assert len(answers) == 2, run.stderr
    for (code, message, hint, leftover, early), wanted in zip(answers, ("True", "False"), strict=True):
        assert code == "disk-full"
        assert message.startswith("no room for")
        assert "--dir" in hint
        assert leftover == "[]"
        assert early == wanted


def test_a_stream(inbox):
    data = os.urandom(2 * MIB + 9)
    sink = Incoming(inbox, PEER, STREAM)
    for start in range(0, len(data), 65_487):
        sink.write(start, data[start : start + 65_487])
    hashed = StreamHash()
    hashed.update(memoryview(data))
    root = hashed.digest()
    assert sink.finish(len(data), root).read_bytes() == data
    assert left(inbox) == ["stream"]


@pytest.mark.parametrize("size, root", [(3, bytes(32)), (4, None)])
def test_a_stream_that_is_another_one(inbox, size, root):
    sink = Incoming(inbox, PEER, STREAM)
    sink.write(0, b"abc")
    hashed = StreamHash()
    hashed.update(memoryview(b"abc"))
    with pytest.raises(TransferIncomplete) as caught:
        sink.finish(size, root or hashed.digest())
    assert caught.value.code == "hash-mismatch"
    sink.release(keep=True)
    assert left(inbox) == [], "a stream cannot be taken up again"


def test_the_root_of_a_stream_is_that_of_its_leaves():
    import hashlib

    for size in (0, 1, MIB, MIB + 1):
        data = bytes(size)
        hashed = StreamHash()
        hashed.update(memoryview(data)[:7])
        hashed.update(memoryview(data)[7:])
        leaves = [data[start : start + MIB] for start in range(0, size, MIB)]
        listed = b"".join(hashlib.sha256(b"HBI1 leaf" + leaf).digest() for leaf in leaves)
        assert hashed.digest() == root_of(TransferKind.STREAM, b"", listed, size)


def test_a_finish_that_the_disk_refuses(tmp_path, inbox, monkeypatch):
    def refuses(*_):
        raise OSError(5, "Input/output error")

    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file)
    monkeypatch.setattr(module, "publish", refuses)
    with pytest.raises(TransferIncomplete, match="input/output error"):
        finish(sink)
    sink.release(keep=True)
    monkeypatch.undo()
    assert finish(Incoming(inbox, PEER, file.offer)).exists()


def test_old_ones_go_when_a_new_one_comes(tmp_path, inbox):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + MIB)
    sink.release(keep=True)
    (place,) = (inbox / SIDE_DIRECTORY).iterdir()
    (place / "old").touch()  # another look found it so
    for path in (place / "old", place / "mark", place / "data", place):
        os.utime(path, (0, 0))
    other = Incoming(inbox, PEER, a_file(tmp_path).offer)
    assert not place.exists()
    other.release(keep=False)


def test_twins_arrive_side_by_side(tmp_path, inbox):
    """Two copies of one file, time and all, have one root."""
    file = a_file(tmp_path)
    (tmp_path / "copy").mkdir()
    shutil.copy2(tmp_path / "report.pdf", tmp_path / "copy")
    twin = inspect_outgoing(tmp_path / "copy" / "report.pdf")
    assert twin.offer == file.offer
    first, second = Incoming(inbox, PEER, file.offer), Incoming(inbox, PEER, twin.offer)
    feed(first, file, until=file.offer.preface + MIB)
    feed(second, twin)
    assert finish(second) == inbox / "report.pdf"
    feed(first, file)
    assert finish(first) == inbox / "report (2).pdf"
    assert left(inbox) == ["report (2).pdf", "report.pdf"]


def swap(inbox, victim):
    """Somebody who may write to the directory puts another side directory there; what it holds leads elsewhere."""
    (place,) = (inbox / SIDE_DIRECTORY).iterdir()
    (inbox / SIDE_DIRECTORY).rename(inbox / "aside")
    (inbox / SIDE_DIRECTORY).mkdir()
    (inbox / SIDE_DIRECTORY / place.name).symlink_to(victim)


@pytest.mark.parametrize("when", ["at the start", "in the middle", "at the end"])
@pytest.mark.parametrize("what", ["file", "directory"])
def test_a_side_directory_that_is_exchanged(tmp_path, inbox, what, when, monkeypatch):
    """In a directory that others may write to. Nothing of theirs, and nothing that theirs leads to, is touched."""
    victim = tmp_path / "victim"
    victim.mkdir()
    precious = {name: os.urandom(9) for name in ("letters", "mark", "preface", "data", "old")}
    for name, octets in precious.items():
        (victim / name).write_bytes(octets)
    file = a_file(tmp_path) if what == "file" else inspect_outgoing(a_tree(tmp_path / "photos"))
    if when == "at the start":  # between the look at it and the first use
        plain = module.open_place

        def place(*words):
            made = plain(*words)
            swap(inbox, victim)
            return made

        monkeypatch.setattr(module, "open_place", place)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + MIB + 1)
    if when == "in the middle":
        swap(inbox, victim)
    feed(sink, file)
    if when == "at the end":
        swap(inbox, victim)
    final = finish(sink)
    assert portrait(final) == portrait(file.path)
    assert {path.name: path.read_bytes() for path in victim.iterdir()} == precious


@pytest.mark.parametrize("name", [SIDE_DIRECTORY, ".Hardwire-PARTIAL"])
def test_nobody_plants_an_unfinished_transfer(inbox, name):
    """What lies there is believed when the transfer goes on, whoever it is from."""
    top = Entry(EntryKind.DIRECTORY, 0o700, 0, 0, "")
    offer, preface = make_offer("photos", Manifest((top, replace(top, path=name))), b"")
    sink = Incoming(inbox, PEER, offer)
    with pytest.raises(TransferIncomplete) as caught:
        sink.write(0, preface)
    assert caught.value.code == "bad-name"


def test_the_same_root_with_another_manifest_begins_anew(tmp_path, inbox):
    file = a_file(tmp_path)
    sink = Incoming(inbox, PEER, file.offer)
    feed(sink, file, until=file.offer.preface + 2 * MIB)
    sink.release(keep=True)
    again = Incoming(inbox, PEER, replace(file.offer, manifest=file.offer.manifest + 1))
    assert again.received == 0
    again.release(keep=False)
