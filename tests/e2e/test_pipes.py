# SPDX-License-Identifier: Apache-2.0
"""Octets from a pipe into a pipe, and directories, between two real programs."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from support.programs import HARDWIRE
from support.trees import a_tree, portrait

MB = 1_000_000


@pytest.mark.device("softhsm", "swtpm")
def test_from_a_pipe_into_a_pipe(alice, bob, inbox):
    """Codes go by files, as standard input and output are taken; events of the receiver go to stderr."""
    data = os.urandom(3 * MB + 5)
    codes = ["--loopback", "--unverified", "--sha256", "--json"]
    sender = subprocess.Popen(
        [*HARDWIRE, "send", "-", "--name", "dump.sql", "--out-file", inbox / "invite", "--code-file", inbox / "answer", *codes],
        env=alice.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    waits = f'while [ ! -s {inbox / "invite"} ]; do sleep 0.1; done; exec "$@"'
    receiver = subprocess.Popen(
        ["sh", "-c", waits, "sh", *HARDWIRE, "receive", "--stdout", "--yes", "--code-file", inbox / "invite", "--out-file", inbox / "answer", *codes],
        env=bob.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        sender.stdin.write(data)
        sender.stdin.close()
        got, said = receiver.communicate(timeout=60)
        assert receiver.returncode == 0, said
        assert got == data
        assert b'"event": "file-done"' in said
        told = sender.stdout.read()
        assert sender.wait(20) == 0
        assert b"dump.sql" in told
        for events in (said, told):  # both ends say what sha256sum would say
            (done,) = [event for event in map(json.loads, events.splitlines()) if event["event"] == "file-done"]
            assert done["sha256"] == hashlib.sha256(data).hexdigest()
    finally:
        for program in (sender, receiver):
            program.kill()
            program.wait()
            for stream in (program.stdin, program.stdout, program.stderr):
                if stream is not None:
                    stream.close()


@pytest.mark.device("softhsm", "swtpm")
def test_a_directory_and_a_file_in_one_errand(alice, bob, stage, inbox):
    top = a_tree(alice.home / "holiday")
    (alice.home / "list.txt").write_text("all of it")
    host = stage(alice.json("send", "holiday", "list.txt", "--loopback", "--unverified", "--sha256"))
    guest = stage(bob.json("receive", "--loopback", "--dir", inbox, "--yes", "--unverified", "--sha256"))
    stage.codes(host, guest)
    hashes = {"holiday": "", "list.txt": hashlib.sha256(b"all of it").hexdigest()}
    for end in (host, guest):
        for _ in hashes:
            done = end.expect("file-done")
            assert done["sha256"] == hashes[done["name"]]
    assert (host.finished(), guest.finished()) == (0, 0)
    assert portrait(inbox / "holiday") == portrait(top)
    assert (inbox / "list.txt").read_text() == "all of it"
    assert len(list(inbox.iterdir())) == 2


@pytest.mark.device("softhsm")
@pytest.mark.parametrize(
    "words, said",
    [
        (["send", "-"], "what shall it be called?"),
        (["send", "-", "a", "--name", "b"], "goes alone"),
        (["send", "-", "--name", "../b"], "refused"),
        (["send", "a", "--name", "b"], "--name is for what has none"),
        (["receive", "--partials", "--dir", "/nonexistent"], "is not a directory"),
    ],
)
def test_words_that_make_no_sense(alice, words, said):
    code, _, err = alice.run(*words)
    assert code == 2
    assert said in err


def test_terminals_are_no_pipes():
    script = "import pty, os, sys; pty.spawn([sys.executable, '-c', sys.argv[1]])"
    for verb in ("take_stdin", "take_stdout"):
        code = f"from hardwire.cli.redirect import {verb}\nfrom hardwire.errors import UsageError\ntry:\n {verb}()\nexcept UsageError: print('refused')"
        run = subprocess.run(
            [sys.executable, "-c", script, code], capture_output=True, text=True, check=False, timeout=30
        )
        assert "refused" in run.stdout, run.stderr
