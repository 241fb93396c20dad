# SPDX-License-Identifier: Apache-2.0
import asyncio
import json
import sys

import pytest

from hardwire.app.events import (
    AnswerReady,
    FileFailed,
    FilePaused,
    FileProgress,
    InviteGone,
    InviteReady,
    Notice,
    Opening,
    PathLost,
    PeerSeen,
)
from hardwire.errors import InviteRefused, UsageError
from hardwire.net import carriers
from support.faces import faced
from support.people import STRANGER

BLOB = bytes(range(80))
CODE = carriers.to_text(BLOB)


def test_an_invite_is_data_and_what_to_do_with_it_is_talk():
    face, said = faced(hosting=True, qr=True, counterpart="hardwire receive")
    face.emit(InviteReady(CODE, 2**40))
    assert said.out == f"{CODE}\n"
    assert "hardwire receive" in said.err
    assert carriers.qr_terminal(BLOB) in said.err


@pytest.mark.parametrize("plain", [False, True])
def test_a_picture_is_whole_or_not_there(monkeypatch, plain):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    drawn = carriers.qr_terminal(BLOB)
    wide = drawn.index("\n")
    for columns in (wide, wide - 1):
        monkeypatch.setenv("COLUMNS", str(columns))
        face, said = faced(hosting=True, qr=True, plain=plain)
        face.emit(InviteReady(CODE, 2**40))
        assert said.out == f"{CODE}\n"
        if columns == wide:
            assert said.err.endswith(f"\n{drawn}\n")
        else:
            words = f"too narrow for the picture ({wide} columns): use --out-file FILE.png, or a wider window"
            assert words in said.err.replace("\n  ", " ")
            assert not set("█▀▄") & set(said.err)


def test_an_answer_goes_into_a_file_too(tmp_path):
    face, said = faced(out_file=tmp_path / "answer.txt")
    face.emit(AnswerReady(CODE))
    assert carriers.from_file(tmp_path / "answer.txt") == BLOB
    assert "send it back to your peer" in said.err


def test_a_program_gets_events_only():
    face, said = faced(hosting=True, json_mode=True)
    face.emit(InviteReady(CODE, 1))
    face.emit(Opening("connecting"))
    assert said.err == ""
    assert [json.loads(line)["event"] for line in said.out.splitlines()] == ["invite-ready", "opening"]


@pytest.mark.parametrize(
    "hosting, stages, said_last",
    [
        (True, ["connecting"], "connecting to your peer, for at most 30 s"),
        (True, ["connecting", "securing", "waiting"], "connected"),
        (True, ["connecting", "securing", "waiting", "signing", "waiting"], "waiting for your peer to accept you"),
        (False, ["connecting"], "connecting to your peer, for at most 30 s"),
        (False, ["connecting", "securing"], "connected; waiting for your peer to prove itself"),
        (
            False,
            ["securing", "waiting", "verifying", "signing", "waiting"],
            "waiting for your peer to check your proof",
        ),
    ],
)
def test_a_wait_says_what_it_waits_for(hosting, stages, said_last):
    face, said = faced(hosting=hosting)
    for stage in stages:
        face.emit(Opening(stage))
    assert (said.err.splitlines() or [""])[-1] == said_last


async def test_a_mistyped_code_is_asked_for_again():
    face, said = faced("", "not a code!", f'> "{CODE[:20]}\n  {CODE[20:]}"')
    assert await face.code("invite") == BLOB
    assert said.err.startswith("hardwire: this is not a hardwire code")
    assert face.lines.prompts == ["paste the invite here: "] * 3


async def test_a_program_that_gives_a_wrong_code_is_refused():
    face, said = faced("not a code!", interactive=False, json_mode=True)
    with pytest.raises(InviteRefused):
        await face.code("invite")
    assert json.loads(said.out) == {
        "event": "question", "name": "invite", "text": "paste the invite here:", "file": None
    }  # fmt: skip


async def test_no_more_input():
    face, _ = faced(None)
    assert await face.code("answer") is None


async def test_a_code_in_a_file_that_is_there_or_still_to_come(tmp_path):
    path = tmp_path / "code"
    face, _ = faced(code_file=path, hosting=True)
    waiting = asyncio.create_task(face.code("answer"))
    await asyncio.sleep(0.4)
    assert not waiting.done()
    path.touch()
    await asyncio.sleep(0.4)
    assert not waiting.done()
    path.write_text(CODE)
    assert await waiting == BLOB
    joining, _ = faced(code_file=path)
    assert await joining.code("invite") == BLOB
    assert not joining.refused(InviteRefused("no"))


@pytest.mark.parametrize("answer, accepted", [("y", True), (" YES ", True), ("", False), ("n", False), (None, False)])
async def test_the_inviter_is_accepted_by_an_explicit_yes(answer, accepted):
    face, said = faced(answer)
    assert await face.accept_inviter(STRANGER) is accepted
    assert "you have shown nothing of yourself yet" in said.err


async def test_without_anybody_to_ask_the_answer_is_no():
    face, _ = faced("y", interactive=False)
    assert not await face.accept_inviter(STRANGER)
    face, _ = faced(interactive=False, unverified=True)
    assert await face.accept_inviter(STRANGER)
    face, said = faced("y", interactive=False, json_mode=True)
    assert await face.accept_inviter(STRANGER)
    assert '"accept-inviter"' in said.out


def test_a_row_that_stands_still_shows_no_rate():
    face, _ = faced()
    face.emit(FileProgress(1, "a", "in", 1, 5, 1.0, 4.0))
    face.emit(FilePaused(1, "a", "here", on=True))
    assert face.out._status == {1: "file 1: 'a' 20 %  1 B of 5 B  paused (you)"}
    face.emit(FileProgress(1, "a", "in", 2, 5, 1.0, 4.0))
    face.emit(FilePaused(1, "a", "here", on=False))
    assert face.out._status == {1: "file 1: 'a' 40 %  2 B of 5 B"}
    face.emit(FileFailed(1, "a", "in", "stopped", "stopped here", ""))
    face.emit(PathLost(0))
    assert 1 not in face.out._status


def test_whoever_watches_gets_everything():
    seen = []
    face, _ = faced(watch=seen.append)
    face.emit(STRANGER)
    face.emit(Notice("x"))
    assert [type(event) for event in seen] == [PeerSeen, Notice]


def test_a_one_way_invite_says_who_must_be_reachable_and_where():
    face, recorder = faced(hosting=True, counterpart="hardwire join")
    face.emit(InviteReady(CODE, 2**40, ("192.168.1.5:4000", "[fd00::5]:4000")))
    assert "nothing comes back" in recorder.err
    assert "reach it by UDP at 192.168.1.5:4000 or [fd00::5]:4000" in recorder.err
    assert "--address" in recorder.err
    face, recorder = faced(hosting=True)
    face.emit(InviteReady(CODE, 2**40, ("192.168.1.5:4000", "[2a00:1450::5]:4000")))
    assert "inside your own network" not in recorder.err
    face, recorder = faced(hosting=True)
    face.emit(InviteReady(CODE, 2**40, ("127.0.0.1:4000", "[::1]:4000")))
    assert "reach it by UDP at 127.0.0.1:4000" in recorder.err
    assert "router" not in recorder.err, "both ends are on this machine"


def test_a_dialler_is_told_that_it_connects_and_an_answerer_that_it_waits():
    face, recorder = faced()
    face.emit(Opening("connecting"))
    assert "connecting to your peer" in recorder.err
    face, recorder = faced()
    face.emit(AnswerReady(CODE))
    face.emit(Opening("connecting"))
    assert "connecting to your peer" not in recorder.err


async def test_codes_for_another_line_are_what_is_typed_into_the_conversation(tmp_path):
    face, said = faced(out_file=tmp_path / "invite.txt")
    assert await face.another_code(invited=False) is None
    face.typed = asyncio.Queue()
    for invited, words in ((False, "press Enter to make a new invite"), (True, "paste the answer here")):
        asking = asyncio.create_task(face.another_code(invited=invited))
        await asyncio.sleep(0)
        assert words in said.err
        assert face.wants_code
        face.typed.put_nowait("hw:no code")
        face.typed.put_nowait(f"> {CODE}")
        assert await asking == BLOB
        assert not face.wants_code
    assert said.err.count("hint: ") == 2
    face.typed.put_nowait("  ")
    assert await face.another_code(invited=True) == b""
    asking = asyncio.create_task(face.another_code(invited=True, waiting=True))
    await asyncio.sleep(0)
    assert "another code may be pasted" in said.err
    assert not face.wants_code, "a stray Enter"
    face.typed.put_nowait("")
    assert await asking == b""
    face.emit(InviteReady(CODE, 2**40))
    assert "who pastes it, or runs `hardwire join`," in said.err
    assert not (tmp_path / "invite.txt").exists()  # there may be the first one


def test_a_code_that_leads_nowhere_any_more_is_replaced_in_its_file(tmp_path):
    face, said = faced(hosting=True, out_file=tmp_path / "invite.txt")
    face.emit(InviteReady(CODE, 2**40, ("192.0.2.7:4000",)))
    with pytest.raises(UsageError):
        face.emit(InviteReady(CODE, 2**40))
    face.emit(InviteGone(("192.0.2.7:4000",)))
    another = bytes(reversed(BLOB))
    face.emit(InviteReady(carriers.to_text(another), 2**40, ("192.0.2.8:4000",)))
    assert carriers.from_file(tmp_path / "invite.txt") == another
    assert "leads to 192.0.2.7:4000. Another one:" in said.err
