# SPDX-License-Identifier: Apache-2.0
import asyncio
from contextlib import asynccontextmanager

import pytest

from hardwire.app import events
from hardwire.app.reconnect import Reconnector
from hardwire.cli.conversation import race
from hardwire.cli.talk import Talk
from hardwire.errors import PeerNotVerified
from support.faces import seats, until
from support.lines import config_for_test
from support.trees import a_tree


@asynccontextmanager
async def talks(tmp_path):
    """Two people in the middle of a chat: (seat, its task) twice."""
    async with seats() as pair:
        running = []
        for seat, name in zip(pair, ("a", "b"), strict=True):
            (tmp_path / name).mkdir()
            talk = Talk(seat.session, seat.face, tmp_path / name)
            seat.face.watch = talk.watch
            running.append(asyncio.create_task(race(seat.session, talk.run)))
        try:
            yield *pair, running
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def test_words_go_over_and_slashes_do_not(tmp_path):
    async with talks(tmp_path) as (alice, bob, running):
        alice.type("hello", "   ", "//etc is a path", "/help")
        await bob.hears("peer: hello\n")
        await bob.hears("peer: /etc is a path\n")
        await alice.hears("/decline [N]")
        alice.type("/quit")
        await asyncio.gather(*running)
        assert bob.said.err.endswith("line closed: your peer closed the line\n")
        assert alice.said.err.endswith("line closed\n")
        assert "did not confirm" not in alice.said.err


@pytest.mark.parametrize(
    "typed, said",
    [
        ("/nonsense", "hardwire: there is no /nonsense\n"),
        ("/\x1b[2J", "there is no /\N{REPLACEMENT CHARACTER}[2J\n"),
        ("/send", "which file?"),
        ("/accept", "nothing is offered to you right now"),
        ("/accept 7", "hardwire: there is no file 7 to answer for\nhint: nothing is offered to you right now\n"),
        ("/decline one", "'one' is not a number"),
        ("/cancel one", "'one' is not a number"),
        (f"/cancel {'9' * 5000}", "is not a number"),
        ("/accept ١", "is not a number"),
        ("/cancel", "there is nothing to cancel"),
        ("/cancel 9", "hardwire: "),
        ("/files", "no file is offered or on its way"),
        ("/verify 1", "those are not the numbers here"),
        ("/id", "your peer: did:key:zStranger"),
    ],
)
async def test_wrong_words_change_nothing(tmp_path, typed, said):
    async with talks(tmp_path) as (alice, bob, _):
        alice.type(typed, "still here")
        await alice.hears(said)
        await bob.hears("peer: still here")


async def test_the_prompt_shows_whether_the_line_is_verified(tmp_path):
    async with talks(tmp_path) as (alice, bob, _):
        alice.type(f"/verify {bob.number}", "/verify", "/verify")
        await alice.hears("this line is verified already")
        await bob.hears("your peer says that the numbers match")
        assert alice.face.lines.prompts[0] == "you (not verified): "
        await until(lambda: alice.face.lines.prompts[-1] == "you: ")


async def test_the_dialogue_of_verify_may_be_left_for_later(tmp_path):
    async with talks(tmp_path) as (alice, bob, _):
        alice.type("/verify", "", "later then")
        await bob.hears("peer: later then")
        assert not alice.session.verified
        alice.type("/verify", bob.number)
        await alice.hears("verified: nobody is between you two")


async def test_strings_that_differ_end_both(tmp_path):
    async with talks(tmp_path) as (alice, _, running):
        alice.type("/verify differs")
        ends = await asyncio.gather(*running, return_exceptions=True)
        assert [type(end) for end in ends] == [PeerNotVerified, PeerNotVerified]


async def test_a_file_from_the_offer_to_the_disk(tmp_path):
    async with talks(tmp_path) as (alice, bob, _):
        (tmp_path / "my file.txt").write_text("contents")
        alice.type(f"/send '{tmp_path}/my file.txt'")
        await alice.hears("careful: this line is not verified")
        await alice.hears("offered 'my file.txt' to your peer")
        await bob.hears("peer offers 'my file.txt' (8 B)")
        bob.type("/files", "/accept")
        await bob.hears("is offered to you: /accept")
        await bob.hears("saved ")
        await alice.hears("arrived whole")
        assert (tmp_path / "b" / "my file.txt").read_text() == "contents"
        alice.type("/files")
        await alice.hears("no file is offered or on its way")


async def test_a_file_that_is_declined_and_one_that_is_taken_back(tmp_path):
    async with talks(tmp_path) as (alice, bob, _):
        (tmp_path / "one").write_text("1")
        alice.type(f"/send {tmp_path}/one")
        await bob.hears("peer offers")
        bob.type("/decline")
        await alice.hears("did not arrive: the peer said no")
        alice.type(f"/send {tmp_path}/one")
        await until(lambda: alice.said.err.count("offered 'one'") == 2)
        alice.type("/cancel")
        await until(lambda: bob.said.err.count("did not arrive") == 2)
        assert not list((tmp_path / "b").iterdir())


async def test_who_takes_another_file_than_is_offered_hears_which_are(tmp_path):
    async with talks(tmp_path) as (alice, bob, _):
        for name in ("one", "two"):
            (tmp_path / name).write_text(name)
            alice.type(f"/send {tmp_path}/{name}")
        await until(lambda: bob.said.err.count("peer offers") == 2)
        first, second = bob.session.transfers.waiting
        bob.type("/accept 77", "/decline seven")
        await bob.hears(f"no file 77 to answer for\nhint: what waits for an answer: {first}, {second}\n")
        await bob.hears("'seven' is not a number\nhint: /files shows the numbers\n")


async def test_a_file_that_is_not_there(tmp_path):
    async with talks(tmp_path) as (alice, _, _):
        alice.type("/send /nowhere/at/all")
        await alice.hears("/nowhere/at/all: no such file")


async def test_the_end_of_input_waits_for_what_was_sent(tmp_path):
    async with talks(tmp_path) as (alice, bob, running):
        (tmp_path / "last").write_bytes(bytes(100_000))
        alice.type(f"/send {tmp_path}/last", None)
        await bob.hears("peer offers")
        assert not running[0].done()
        bob.type("/accept")
        await asyncio.gather(*running)
        assert (tmp_path / "b" / "last").stat().st_size == 100_000


async def test_lines_that_nobody_confirmed_are_named_at_the_end(tmp_path):
    async with seats() as (alice, _):
        talk = Talk(alice.session, alice.face, tmp_path)
        talk.watch(events.Said("here", "01", "did you get this?"))
        talk.watch(events.Said("here", "02", "and this?"))
        talk.watch(events.Delivered("01"))
        talk.watch(events.LineClosed(clean=False, reason="cut"))
        assert "your peer did not confirm the last of your lines (1):\n  and this?\n" in alice.said.err


async def test_what_was_open_on_the_last_line_is_not_listed_any_more(tmp_path):
    async with seats() as (alice, _):
        talk = Talk(alice.session, alice.face, tmp_path)
        talk.watch(events.FileOffer(2, "theirs", "file", 5, 1, 0, "00"))
        talk.watch(events.FileProgress(1, "mine", "out", 1, 5, 1.0, None))
        assert 2 in alice.face.out._status
        talk.watch(events.Reconnected("1 2 3", (), "00"))
        assert not {1, 2} & alice.face.out._status.keys()
        talk.watch(events.FileMoved(3, 1, "mine", "out"))
        assert list(talk._open_files) == [3]
        await talk._take("/files")
        assert "file 3: 'mine' 20 %  1 B of 5 B  goes on over the new line" in alice.said.err
        assert "theirs" not in alice.said.err


async def test_what_stands_still_says_why_in_the_list_of_files(tmp_path):
    async with seats() as (alice, _):
        talk = Talk(alice.session, alice.face, tmp_path)
        for event, words in (
            (events.FileProgress(1, "mine", "out", 1, 5, 1.0, 4.0), "1 B/s  4 s left"),
            (events.FilePaused(1, "mine", "peer", True), "paused (your peer)"),
            (events.FilePaused(1, "mine", "here", True), "paused (both)"),
            (events.PathLost(0), "paused (both)"),
        ):
            talk.watch(event)
            await talk._take("/files")
            assert alice.said.err.endswith(f"file 1: 'mine' 20 %  1 B of 5 B  {words}\n")
        for event in (events.FilePaused(1, "mine", by, False) for by in ("here", "peer")):
            talk.watch(event)
        await talk._take("/files")
        assert alice.said.err.endswith("1 B of 5 B  waiting for a path\n")


async def test_pausing_and_what_is_not_sent(tmp_path):
    top = a_tree(tmp_path / "photos", octets=30_000_000)
    for number in range(7):
        (top / f"link {number}").symlink_to("empty")
    async with talks(tmp_path) as (alice, bob, _):
        alice.type(f"/send {top}")
        await alice.hears("not sent: link")
        await alice.hears("and 2 more that are not sent")
        await bob.hears("peer offers the directory 'photos'")
        bob.type("/resume", "/accept")
        await bob.hears("there is nothing to resume")
        await until(lambda: any(one.accepted for one in alice.session.transfers._active.values()))
        bob.type("/pause")
        await alice.hears("paused (your peer)")
        bob.type("/resume 2")
        await alice.hears("goes on (your peer)")
        bob.type("/cancel")
        await alice.hears("did not arrive")


async def test_a_new_invite_is_for_a_line_that_is_lost(tmp_path):
    async with talks(tmp_path) as (alice, bob, _):
        alice.type("", "hw: is how codes begin", "/invite")
        await bob.hears("peer: hw: is how codes begin\n")
        await alice.hears("a new invite is of use when it is lost")
        assert alice.face.typed.empty()


async def test_what_is_typed_while_a_code_is_wanted(tmp_path):
    async with talks(tmp_path) as (alice, bob, _):
        again = alice.session._again = Reconnector(config_for_test, 60.0, alice.face.emit, lambda _: asyncio.sleep(60))
        again.follow(alice.session._line)
        await until(lambda: alice.face.typed is not None)
        alice.session._line._paths.path_lost()
        alice.face.wants_code = True
        alice.type("is this lost?", "  ", "hw:abc", "/invite", "hello")
        await until(lambda: alice.face.typed.qsize() == 3)
        assert [alice.face.typed.get_nowait() for _ in range(3)] == ["  ", "hw:abc", ""]
        await bob.hears("peer: hello\n")
        assert "hw:abc" not in bob.said.err
        # A code that nobody has asked for yet ends the search for the peer.
        alice.face.wants_code = False
        alice.type("hw:abc")
        await alice.hears("only a new invite helps")
        alice.face.typed.put_nowait("left over")
        alice.face.watch(events.Reconnected("1111 2222 3333", (), "00"))
        assert alice.face.typed.empty()


async def test_a_program_is_not_asked_for_another_code(tmp_path):
    async with seats(json_mode=True, interactive=False) as (alice, _bob):
        talk = Talk(alice.session, alice.face, tmp_path)
        talking = asyncio.create_task(talk.run())
        alice.type("/invite", None)
        await talking
        assert alice.face.typed is None
        assert "made by a person at a terminal" in alice.said.out
