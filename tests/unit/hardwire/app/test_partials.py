# SPDX-License-Identifier: Apache-2.0
import datetime as dt
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from hardwire.app import partials as module
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.partials import LIFE, amount, forget, partials, sweep
from hardwire.app.place import Place, open_place, place_name

NAME = place_name("aa" * 32, bytes(32))


def test_one_that_comes_while_the_last_one_is_being_forgotten(tmp_path):
    """As when the same file is sent again at once: other threads let go of its place in that moment."""

    def receive(_):
        for _ in range(100):
            place = open_place(tmp_path, "aa" * 32, bytes(32))
            place.leave()
            forget(place.path)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(receive, range(4)))
    assert list(tmp_path.iterdir()) == []


def test_what_is_whole_is_not_unfinished(tmp_path):
    place = Place(tmp_path, NAME)
    (place.path / "data").write_bytes(b"all of it")
    place.mark(0)
    place.note_name("report.pdf")
    assert len(partials(tmp_path)) == 1
    assert place.given() is None
    (place.path / "data").rename(tmp_path / "report.pdf")
    place.keep_name()
    assert [path.name for path in place.path.iterdir()] == ["given"]
    assert partials(tmp_path) == []
    assert place.given() == tmp_path / "report.pdf"
    place.leave()
    forget(place.path)
    forget(place.path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"]


def test_what_is_there_for_certain_and_not_the_room_for_it(tmp_path):
    place = Place(tmp_path, NAME)
    (place.path / "data").write_bytes(bytes(3_500_000))
    (reserved,) = partials(tmp_path)
    assert (reserved.done, reserved.size) == (None, None), "the manifest is not there yet"
    assert amount([reserved]) == "3.5 MB"
    place.keep_preface(b"manifest and list")
    place.mark(0)
    for leaves, done, words in (
        (0, 0, "0 B of 3.5 MB"),
        (2, 2 << 20, "2.1 MB of 3.5 MB"),
        (4, 3_500_000, "3.5 MB of 3.5 MB"),
    ):
        place.mark(leaves)
        (found,) = partials(tmp_path)
        assert (found.done, found.size) == (done, 3_500_000)
        assert amount([found]) == words
    assert amount([found, replace(found, done=None, size=None)]) == "7.0 MB"
    assert amount([found, replace(found, done=0)]) == "3.5 MB of 7.0 MB"
    place.leave()


def test_a_directory_that_is_partly_there(tmp_path):
    place = Place(tmp_path, NAME)
    (place.path / "data" / "inner").mkdir(parents=True)
    for name in ("a", "inner/b"):
        (place.path / "data" / name).write_bytes(bytes(2_000_000))
    place.keep_preface(b"manifest and list")
    place.mark(1)
    place.leave()
    assert amount(partials(tmp_path)) == "1.0 MB of 4.0 MB"


def test_what_lies_there_and_what_goes(tmp_path):
    assert partials(tmp_path) == []
    assert sweep(tmp_path) == 0
    for name, age in (("old", LIFE + 5), ("new", 5), ("held", LIFE + 5)):
        place = Place(tmp_path, name)
        place.mark(0)
        (place.path / "data").write_bytes(bytes(100_000))
        for path in (place.path / "mark", place.path / "data", place.path):
            os.utime(path, (module.utc_now().timestamp() - age,) * 2)
        if name != "held":
            place.leave()
    found = partials(tmp_path)
    assert sorted(partial.path.name for partial in found) == ["held", "new", "old"]
    assert [round(partial.age, -1) for partial in found] == sorted(
        (round(partial.age, -1) for partial in found), reverse=True
    )
    assert all(partial.octets >= 100_000 for partial in found)
    assert sweep(tmp_path) == 0
    assert sweep(tmp_path) == 0
    assert sorted(partial.path.name for partial in partials(tmp_path)) == ["held", "new", "old"]
    noticed = tmp_path / SIDE_DIRECTORY / "old" / "old"
    os.utime(noticed, (module.utc_now().timestamp() - LIFE - 5,) * 2)
    assert sweep(tmp_path) == 1
    assert sorted(partial.path.name for partial in partials(tmp_path)) == ["held", "new"]
    assert place.path.exists()
    place.leave()
    assert sweep(tmp_path, life=0) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_clock_that_jumps_takes_nothing_away(tmp_path, monkeypatch):
    place = Place(tmp_path, NAME)
    place.mark(1)
    place.leave()
    right = module.utc_now()
    for days in (30, -30, 400, 0, 400):
        monkeypatch.setattr(module, "utc_now", lambda days=days: right + dt.timedelta(days=days))
        assert sweep(tmp_path) == 0
        assert sweep(tmp_path) == 0
    place = Place(tmp_path, NAME)
    assert place.marked() == 1
    place.leave()
    # Two looks that far apart, and nothing between them that says otherwise: it goes.
    monkeypatch.setattr(module, "utc_now", lambda: right + dt.timedelta(days=408))
    assert sweep(tmp_path) == 1


def test_what_goes_on_is_no_longer_old(tmp_path, monkeypatch):
    place = Place(tmp_path, NAME)
    place.mark(1)
    later = module.utc_now() + dt.timedelta(days=8)
    monkeypatch.setattr(module, "utc_now", lambda: later)
    place.leave()
    assert sweep(tmp_path) == 0
    assert (place.path / "old").exists()
    os.utime(place.path / "mark", (later.timestamp(),) * 2)
    assert sweep(tmp_path) == 0
    assert not (place.path / "old").exists()
