# SPDX-License-Identifier: Apache-2.0
import asyncio
import io
import os
import sys

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from hardwire.cli import lines as lines_module
from hardwire.cli.lines import Interrupted, StreamLines, TerminalLines, open_lines
from hardwire.cli.output import Output
from support.screens import Terminal


@pytest.fixture
def stdin(monkeypatch):
    """Gives stdin a text."""

    def set_text(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))

    return set_text


async def test_lines_of_a_pipe(stdin, capsys):
    stdin("one\ntwo\r\n\nlast")
    lines = StreamLines(interactive=False)
    assert [await lines.line("? ") for _ in range(6)] == ["one", "two", "", "last", None, None]
    assert capsys.readouterr() == ("", "")


async def test_a_person_at_a_dumb_terminal_sees_the_prompt_on_stderr(stdin, capsys):
    stdin("yes\n")
    assert await StreamLines(interactive=True).line("go on? ") == "yes"
    assert capsys.readouterr() == ("", "go on? ")


async def test_a_paste_of_several_lines_is_one(stdin):
    stdin("> hw:AAAA\n>  BBBB\n")
    lines = StreamLines(interactive=True)
    assert await lines.paste("code: ") == "> hw:AAAA\n>  BBBB"
    assert await lines.line("") is None


async def test_a_program_pastes_one_line(stdin):
    stdin("hw:AAAA\n/quit\n")
    lines = StreamLines(interactive=False)
    assert await lines.paste("code: ") == "hw:AAAA"
    assert await lines.line("") == "/quit"


async def test_no_more_lines_after_close(stdin):
    stdin("one\n")
    lines = StreamLines(interactive=False)
    lines.close()
    assert await lines.line("") is None


@pytest.fixture
async def terminal(monkeypatch):
    """Lines at a terminal that is typed at through a pipe, and the Output around them."""
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        monkeypatch.setattr(lines_module.Screen, "of_stderr", DummyOutput)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        out = Output()
        lines = TerminalLines(out)
        yield keys, lines, out
        lines.close()


async def test_a_typed_line_and_its_ends(terminal):
    keys, lines, _ = terminal
    keys.send_text("hello\r")
    assert await lines.line("you: ") == "hello"
    keys.send_text("\x1b[200~two\nlines\x1b[201~\r")
    assert await lines.paste("code: ") == "two\nlines"
    keys.send_text("\x04")
    assert await lines.line("you: ") is None
    keys.send_text("\x03")
    with pytest.raises(Interrupted):
        await lines.line("you: ")


async def test_what_is_said_meanwhile_is_printed_in_order(terminal, capsys):
    keys, lines, out = terminal
    out.say("before")
    typed = asyncio.create_task(lines.line("you: "))
    await asyncio.sleep(0.05)
    out.say("first")
    out.data("second")
    await asyncio.sleep(0.2)
    out.say("third")
    keys.send_text("x\r")
    assert await typed == "x"
    out.say("after")
    captured = capsys.readouterr()
    assert captured.err.replace("\r\x1b[2K", "") == "before\nfirst\nthird\nafter\n"
    assert captured.out == "second\n"


async def test_a_status_stands_below_while_something_is_typed(terminal, capsys):
    keys, lines, out = terminal
    typed = asyncio.create_task(lines.line("you: "))
    await asyncio.sleep(0.05)
    out.status(1, "file 1: 10 %")
    out.status(2, "file 2: offered")
    assert lines._session.bottom_toolbar == "file 1: 10 %\nfile 2: offered"
    out.status(1, None)
    out.status(2, None)
    assert lines._session.bottom_toolbar is None
    keys.send_text("\r")
    await typed
    assert "file" not in capsys.readouterr().err
    out.status(1, "file 1: 20 %")
    assert "file 1: 20 %" in capsys.readouterr().err


async def test_after_close_output_goes_its_own_way(terminal, capsys):
    _, lines, out = terminal
    lines.close()
    out.say("plainly")
    assert capsys.readouterr().err == "plainly\n"


@pytest.mark.parametrize(
    "term, options, kind, interactive",
    [
        ("xterm", {}, TerminalLines, True),
        ("dumb", {}, StreamLines, True),
        ("xterm", {"plain": True}, StreamLines, True),
        ("xterm", {"json_mode": True}, StreamLines, False),
    ],
)
async def test_which_lines(monkeypatch, term, options, kind, interactive):
    stdin = io.StringIO("")
    monkeypatch.setattr(stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", term)
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        lines = open_lines(Output(**options), plain=options.get("plain", False))
        assert isinstance(lines, kind)
        assert lines.interactive is interactive
        lines.close()


async def test_no_terminal(stdin):
    stdin("")
    lines = open_lines(Output(), plain=False)
    assert isinstance(lines, StreamLines)
    assert not lines.interactive


REDRAWN = """
import asyncio
from hardwire.cli.lines import TerminalLines
from hardwire.cli.output import Output

async def main():
    out = Output()
    lines = TerminalLines(out)
    typed = asyncio.create_task(lines.line("you: "))
    for share in range(5):
        await asyncio.sleep(0.05)
        out.say(f"word {share}")
        out.status(1, f"file 1: {share} %")
    await asyncio.sleep(0.2)
    out.say("last")
    typed.cancel()
    await asyncio.wait({typed})
    lines.close()
    input("shell: ")

asyncio.run(main())
"""


def test_nobody_asks_the_terminal_where_its_cursor_is(tmp_path):
    """An answer that comes when the prompt is gone would be typed into the shell."""
    window = Terminal([sys.executable, "-c", REDRAWN], os.environ, tmp_path)
    try:
        window.see(r"^you: *\nfile 1: 4 %")  # the status stands below the typed line all the same
        window.see(r"^shell:")
        window.enter("")
        assert window.finished() == 0
        assert b"\x1b[6n" not in window.raw
        assert "word 4" in window.text
    finally:
        window.kill()
