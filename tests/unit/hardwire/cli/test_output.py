# SPDX-License-Identifier: Apache-2.0
import json
import os
import sys

import pytest

from hardwire.app.events import Notice
from hardwire.cli.output import Output, put
from hardwire.errors import HandshakeRefused, LocalError, TokenMissing


def test_data_to_stdout_and_talk_to_stderr(capsys):
    out = Output()
    out.data("code")
    out.say("hello", style="bold")
    out.transient("12 %")
    out.event(Notice("not for people"))
    captured = capsys.readouterr()
    assert captured.out == "code\n"
    assert captured.err == "hello\n"


def test_a_program_gets_events_and_nothing_else(capsys):
    out = Output(json_mode=True)
    out.data("code")
    out.say("hello")
    out.event(Notice("grüße"))
    out.error(TokenMissing("no token 'alice'"))
    captured = capsys.readouterr()
    assert captured.err == ""
    notice, error = (json.loads(line) for line in captured.out.splitlines())
    assert notice == {"event": "notice", "text": "grüße"}
    assert error["code"] == "token-missing"
    assert error["exit_code"] == 10
    assert error["hint"]


def test_an_error_is_one_line_its_evidence_and_a_hint(capsys):
    Output().error(HandshakeRefused("bad\x1b[2J thing", evidence={"offset": "2 h"}, hint="look again"))
    assert (
        capsys.readouterr().err == "hardwire: bad\N{REPLACEMENT CHARACTER}[2J thing\n  offset: 2 h\nhint: look again\n"
    )


class Terminal:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_a_terminal_gets_colour_and_redrawn_lines(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Output()
    out.transient("12 %")
    out.say("done", style="green")
    assert terminal.text == "\r\x1b[2K12 %\r\x1b[2K\x1b[32mdone\x1b[0m\n"


def test_no_colour_and_dumb_terminals_and_plain(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Output()
    out.say("a", style="red")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    out = Output()
    out.transient("12 %")
    out.say("b", style="red")
    monkeypatch.setenv("TERM", "xterm")
    out = Output(plain=True)
    out.transient("12 %")
    out.say("c", style="red")
    assert terminal.text == "a\nb\nc\n"


def at_terminal(monkeypatch, columns=60):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    return terminal


def test_long_sentences_break_between_words_and_codes_do_not(monkeypatch):
    terminal = at_terminal(monkeypatch)
    out = Output()
    out.say("a sentence that goes on and on, until it no longer fits into one row")
    out.say("hw:" + "A" * 100)
    out.error(
        TokenMissing("gone", hint="a hint that is long as well, so that it needs a second row in a narrow window")
    )
    rows = terminal.text.splitlines()
    assert rows[:2] == ["a sentence that goes on and on, until it no longer fits", "  into one row"]
    assert rows[2] == "hw:" + "A" * 100
    assert max(map(len, rows[3:])) < 60


def test_progress_is_redrawn_at_a_terminal(monkeypatch):
    terminal = at_terminal(monkeypatch)
    out = Output()
    out.progress(1, 10, "10 %")
    out.progress(1, 11, "11 %")
    out.status(1, None)
    out.say("done")
    assert terminal.text == "\r\x1b[2K10 %\r\x1b[2K11 %\r\x1b[2Kdone\n"


def test_progress_is_a_line_each_quarter_where_nothing_is_redrawn(capsys):
    out = Output(plain=True)
    for share in range(0, 101, 5):
        out.progress(1, share, f"{share} %")
    assert capsys.readouterr().err == "25 %\n50 %\n75 %\n100 %\n"


def test_progress_is_an_event_for_programs(capsys):
    out = Output(json_mode=True)
    out.progress(1, 50, "50 %")
    out.status(1, "half")
    assert capsys.readouterr() == ("", "")


def test_a_transient_line_fits_one_row(monkeypatch):
    terminal = at_terminal(monkeypatch, 20)
    Output().transient("x" * 50)
    assert terminal.text == "\r\x1b[2K" + "x" * 19


def test_an_error_that_is_not_the_end(capsys):
    Output(json_mode=True).error(TokenMissing("gone"), final=False)
    assert json.loads(capsys.readouterr().out)["final"] is False


@pytest.mark.parametrize("plain", [False, True])
def test_how_wide_a_row_may_be(monkeypatch, plain):
    at_terminal(monkeypatch, 40)
    assert Output(plain=plain).columns == (None if plain else 39)


def test_the_width_is_that_of_the_terminal_that_is_talked_to(monkeypatch):
    at_terminal(monkeypatch).fileno = lambda: 2
    monkeypatch.delenv("COLUMNS")
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((10 * descriptor, 24)))
    assert Output().columns == 19, "stdout may be a file"
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((0, 0)))
    assert Output().columns == 79


class Broken(Terminal):
    def __init__(self, problem):
        super().__init__()
        self.problem = problem

    def write(self, text):
        raise self.problem


def test_a_stream_that_takes_no_words():
    with pytest.raises(LocalError, match="cannot write to stderr: full") as caught:
        put(Broken(OSError(28, "full")), "x")
    assert caught.value.code == "output-failed"
    with pytest.raises(BrokenPipeError):
        put(Broken(BrokenPipeError()), "x")
