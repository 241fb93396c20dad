# SPDX-License-Identifier: Apache-2.0
import json
import sys

from hardwire.app.events import Notice
from hardwire.cli.output import Output
from hardwire.errors import HandshakeRefused, TokenMissing


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
