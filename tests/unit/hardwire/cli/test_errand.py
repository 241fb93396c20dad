# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import os
import signal

import pytest

from hardwire.app.events import FileDone, FileFailed, Notice
from hardwire.app.outgoing import inspect_outgoing
from hardwire.app.pipes import PipeSource
from hardwire.app.place import Place
from hardwire.cli.conversation import Wishes, race
from hardwire.cli.errand import _deliver, _obeyed, _take, _Tally, receive, send, show_partials
from hardwire.cli.output import Output
from hardwire.errors import ConnectionLost, TransferIncomplete, UsageError
from hardwire.net.servers import NO_SERVERS
from support.faces import seats, until

DONE = FileDone(2, "a", "out", 1, "00", 0.1, None)
FAILED = FileFailed(4, "b\x1b", "out", "declined", "the peer said no", "ask your peer")


async def errand(alice, bob, tmp_path, *, yes=False):
    (tmp_path / "letter").write_text("dear bob")
    files = [inspect_outgoing(tmp_path / "letter")]
    (tmp_path / "in").mkdir()
    return await asyncio.gather(
        race(alice.session, lambda: _deliver(alice.session, alice.face, files)),
        race(bob.session, lambda: _take(bob.session, bob.face, tmp_path / "in", yes=yes)),
        return_exceptions=True,
    )


async def test_compare_consent_deliver(tmp_path):
    async with seats() as (alice, bob):
        alice.type(bob.number)
        bob.type(alice.number, "y")
        assert await errand(alice, bob, tmp_path) == [None, None]
        assert (tmp_path / "in" / "letter").read_text() == "dear bob"
        assert bob.face.lines.prompts[-1] == f"take 'letter' (8 B) into {tmp_path / 'in'}? [y/N] "


async def test_without_questions(tmp_path):
    async with seats(unverified=True) as (alice, bob):
        assert await errand(alice, bob, tmp_path, yes=True) == [None, None]
        assert bob.face.lines.prompts == [""], "it listens, and asks nothing"


@pytest.mark.parametrize("answer", ["", "n", "what?", None])
async def test_no_consent(tmp_path, answer):
    async with seats(unverified=True) as (alice, bob):
        bob.type(answer)
        outcome, _ = await errand(alice, bob, tmp_path)
        assert isinstance(outcome, TransferIncomplete)
        assert outcome.exit_code == 40
        assert not list((tmp_path / "in").iterdir())


def judge(*events):
    tally = _Tally()
    for event in events:
        tally.count(event)
    tally.judge()


def test_the_errand_is_judged_by_its_worst_file():
    judge(DONE, Notice("not a file"))
    with pytest.raises(TransferIncomplete, match="the peer said no") as caught:
        judge(DONE, FAILED)
    assert (caught.value.code, caught.value.hint) == ("declined", "ask your peer")
    for path in ("b", "../b"):
        with pytest.raises(TransferIncomplete) as caught:
            judge(FileFailed(4, "b", "out", "file-changed", f"{path}: changed since it was offered", ""))
        assert caught.value.message == f"{path}: changed since it was offered", "its name is said once"
    with pytest.raises(TransferIncomplete, match=r"^b: no room for 1 B in /mnt/b: 0 B free$"):
        judge(FileFailed(4, "b", "in", "disk-full", "no room for 1 B in /mnt/b: 0 B free", ""))
    for code in ("declined", "cancelled"):  # a person's no: nobody is told to send it again
        with pytest.raises(TransferIncomplete) as caught:
            judge(FileFailed(4, "b", "in", code, "no", ""))
        assert caught.value.hint == ""
    with pytest.raises(TransferIncomplete, match=r"\(and 1 more\)"):
        judge(FAILED, FAILED)
    with pytest.raises(TransferIncomplete, match="before a file was offered"):
        judge()


async def test_more_files_than_a_line_takes_at_once(tmp_path):
    (tmp_path / "in").mkdir()
    files = []
    for number in range(20):
        (tmp_path / f"page{number}").write_text(str(number))
        files.append(inspect_outgoing(tmp_path / f"page{number}"))
    async with seats(unverified=True) as (alice, bob):
        outcomes = await asyncio.gather(
            race(alice.session, lambda: _deliver(alice.session, alice.face, files)),
            race(bob.session, lambda: _take(bob.session, bob.face, tmp_path / "in", yes=True)),
            return_exceptions=True,
        )
    assert outcomes == [None, None]
    assert sorted(int(path.read_text()) for path in (tmp_path / "in").iterdir()) == list(range(20))


async def test_a_file_that_is_taken_back_while_the_person_is_asked(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "letter").write_text("dear bob")
    async with seats(unverified=True) as (alice, bob):

        async def change_of_mind():
            number = alice.session.offer(inspect_outgoing(tmp_path / "letter"))
            await bob.asked("take 'letter'")
            alice.session.transfers.cancel(number)
            await bob.hears("did not arrive: the peer stopped it")
            bob.type("y")
            await bob.hears(f"file {number} is not offered any more")

        outcomes = await asyncio.gather(
            race(alice.session, change_of_mind),
            race(bob.session, lambda: _take(bob.session, bob.face, tmp_path / "in", yes=False)),
            return_exceptions=True,
        )
    assert outcomes == [None, None]
    assert not list((tmp_path / "in").iterdir())


async def test_what_cannot_be_sent_or_kept_is_refused_first(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        await send(Output(), Wishes(NO_SERVERS), [tmp_path / "none"], plain=False)
    with pytest.raises(UsageError, match="not a directory"):
        await receive(Output(), Wishes(NO_SERVERS), tmp_path / "none", plain=False, yes=False)


async def test_words_while_nothing_moves(tmp_path):
    async with seats(unverified=True) as (alice, _):
        for word, said in (
            ("pause", "nothing moves yet: pause when it does"),
            ("resume", "nothing is paused here"),
            ("cancel", "there is nothing to cancel"),
        ):
            assert _obeyed(alice.session.transfers, word) == said
        (tmp_path / "a.txt").write_text("abc")
        alice.session.offer(inspect_outgoing(tmp_path / "a.txt"))
        assert _obeyed(alice.session.transfers, "pause").startswith("nothing moves yet")
        assert _obeyed(alice.session.transfers, "cancel") == ""
        assert _obeyed(alice.session.transfers, "cancel") == "there is nothing to cancel"


async def test_words_while_it_moves(tmp_path):
    """A stream that waits for its pipe gives all the time in the world."""
    (tmp_path / "in").mkdir()
    reading, writing = os.pipe()
    async with seats(unverified=True) as (alice, bob):

        async def words():
            await alice.hears("waiting for your peer")
            os.write(writing, b"some")
            await until(lambda: alice.session.transfers.pause(on=False) == 0 and bool(alice.session.transfers._active))
            await until(lambda: all(one.accepted for one in alice.session.transfers._active.values()))
            alice.type("", "what?", "pause")
            await alice.hears("pause, resume or cancel")
            await bob.hears("paused (your peer)")
            alice.type("pause")
            await alice.hears("that is paused already")
            alice.type("resume")
            await bob.hears("goes on (your peer)")
            os.kill(os.getpid(), signal.SIGUSR1)
            await until(lambda: "paused (you)" in alice.said.err[200:] or "paused (you)" in bob.said.err)
            bob.type("cancel")
            await alice.hears("did not arrive")

        outcomes = await asyncio.gather(
            race(alice.session, lambda: _deliver(alice.session, alice.face, [PipeSource(reading, "stream")])),
            race(bob.session, lambda: _take(bob.session, bob.face, tmp_path / "in", yes=True)),
            words(),
            return_exceptions=True,
        )
    assert isinstance(outcomes[0], TransferIncomplete)
    assert outcomes[1:] == [None, None]
    os.close(reading)
    os.close(writing)


async def test_only_one_file_goes_through_a_pipe(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    files = [inspect_outgoing(tmp_path / name) for name in ("one", "two")]
    with (tmp_path / "out").open("wb") as out:
        async with seats(unverified=True) as (alice, bob):
            bob.type("y")
            outcome, _ = await asyncio.gather(
                race(alice.session, lambda: _deliver(alice.session, alice.face, files)),
                race(bob.session, lambda: _take(bob.session, bob.face, out.fileno(), yes=False)),
                return_exceptions=True,
            )
            assert "to standard output?" in bob.face.lines.prompts[-1]
            assert "'two' did not arrive: --stdout takes one file" in bob.said.err
            assert "declined here" not in bob.said.err
            assert "send it again" not in bob.said.err
    assert isinstance(outcome, TransferIncomplete)
    assert "or too much at once" in outcome.message
    assert (tmp_path / "out").read_text() == "one"


def test_what_lies_unfinished(tmp_path, capsys):
    show_partials(Output(), tmp_path)
    assert "nothing unfinished" in capsys.readouterr().err
    place = Place(tmp_path, "ab" * 16)
    (place.path / "data").write_bytes(bytes(5000))
    place.leave()
    show_partials(Output(json_mode=True), tmp_path)
    assert '"event": "partial"' in capsys.readouterr().out
    show_partials(Output(), tmp_path)
    assert f"{place.path}  8.2 kB, untouched for" in capsys.readouterr().err
    place = Place(tmp_path, "ab" * 16)
    (place.path / "data").write_bytes(bytes(3 << 20))
    place.keep_preface(b"manifest and list")
    place.mark(1)
    place.leave()
    show_partials(Output(json_mode=True), tmp_path)
    (told,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (told["done"], told["size"]) == (1 << 20, 3 << 20)
    show_partials(Output(), tmp_path)
    assert f"{place.path}  1.0 MB of 3.1 MB, untouched for" in capsys.readouterr().err


async def test_what_takes_long_to_read_is_read_meanwhile(tmp_path):
    (tmp_path / "letter").write_text("dear bob")
    (tmp_path / "in").mkdir()
    go_on = asyncio.Event()

    async def slowly():
        await go_on.wait()
        return [inspect_outgoing(tmp_path / "letter")]

    async with seats(unverified=True) as (alice, bob):
        reading = asyncio.create_task(slowly())

        async def wait():
            await alice.hears("still reading what is to be sent")
            go_on.set()

        outcomes = await asyncio.gather(
            race(alice.session, lambda: _deliver(alice.session, alice.face, reading)),
            race(bob.session, lambda: _take(bob.session, bob.face, tmp_path / "in", yes=True)),
            wait(),
            return_exceptions=True,
        )
    assert outcomes == [None, None, None]
    assert (tmp_path / "in" / "letter").read_text() == "dear bob"


class AnotherLine:
    """The transfers of the line that took over, as an errand sees them: it knows none of the old numbers."""

    def __init__(self, transfers, **others):
        self.handle = transfers.handle
        self.abandon, self.settled, self.goodbye = transfers.abandon, transfers.settled, transfers.goodbye
        self.offered, self.last_words = transfers.offered, transfers.last_words
        self.waiting, self.unjudged = (), False
        vars(self).update(others)

    def outcome(self, number):
        raise AssertionError(number)

    def accept(self, number, destination, *, sha256):
        raise AssertionError(number)


async def test_another_line_comes_while_files_are_under_way(tmp_path):
    """Their numbers are those of the line on which they were offered, and without a line nothing is offered yet."""
    (tmp_path / "in").mkdir()
    files = []
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        files.append(inspect_outgoing(tmp_path / name))
    async with seats(unverified=True) as (alice, bob):
        transfers, session = alice.session.transfers, alice.session
        refusals = [UsageError("there is no line right now"), ConnectionLost("over")]

        def offer(file):
            if refusals:
                raise refusals.pop()
            number = transfers.offer(file)
            if number == 3:
                session.transfers = AnotherLine(transfers)
            return number

        session.offer = offer
        outcomes = await asyncio.gather(
            race(session, lambda: _deliver(session, alice.face, files)),
            race(bob.session, lambda: _take(bob.session, bob.face, tmp_path / "in", yes=True)),
            return_exceptions=True,
        )
    assert outcomes == [None, None]
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["one", "two"]


async def test_consent_is_for_the_file_that_was_asked_about(tmp_path):
    """A peer that ends the line while the person thinks, and offers another file under the same number."""
    (tmp_path / "in").mkdir()
    (tmp_path / "letter").write_text("dear bob")
    async with seats(unverified=True) as (alice, bob):

        async def switch():
            number = alice.session.offer(inspect_outgoing(tmp_path / "letter"))
            await bob.asked("take 'letter'")
            transfers = bob.session.transfers
            left = await transfers.leave()
            bob.session.transfers = AnotherLine(transfers, waiting=(number,))
            bob.type("y")
            await bob.hears(f"file {number} is not offered any more")
            transfers.give_up(left, ConnectionLost("over"))

        outcomes = await asyncio.gather(
            race(alice.session, switch),
            race(bob.session, lambda: _take(bob.session, bob.face, tmp_path / "in", yes=False)),
            return_exceptions=True,
        )
    assert outcomes == [None, None]
    assert not list((tmp_path / "in").iterdir())
