# SPDX-License-Identifier: Apache-2.0
"""In processes of their own, because the standard descriptors are what is changed."""

import os
import subprocess
import sys

IN = """
import os, sys
from hardwire.cli.redirect import take_stdin
data = take_stdin()
print(os.read(data, 100), sys.stdin.read())
"""
OUT = """
import os, sys
from hardwire.cli.redirect import take_stdout
print("before")
data = take_stdout()
print("talk")
sys.stdout.flush()
os.write(data, b"data")
"""


def run(script: str, **options) -> subprocess.CompletedProcess:
    # A session of its own has no terminal to fall back to.
    words = [sys.executable, "-c", script]
    return subprocess.run(words, check=True, capture_output=True, start_new_session=True, timeout=30, **options)


def test_what_is_piped_in_is_data_and_nothing_else():
    assert run(IN, input=b"octets").stdout == b"b'octets' \n"


def test_what_is_piped_on_is_data_and_nothing_else():
    done = run(OUT)
    assert done.stdout == b"before\ndata"
    assert done.stderr == b"talk\n"


def test_the_terminal_answers_instead():
    parent, child = os.openpty()
    try:
        script = f"import os, fcntl, termios\nos.setsid()\nfcntl.ioctl({child}, termios.TIOCSCTTY, 0)\n" + IN.replace(
            "sys.stdin.read()", "sys.stdin.readline()"
        )
        os.write(parent, b"typed\n")
        words = [sys.executable, "-c", script]
        done = subprocess.run(words, check=True, input=b"octets", capture_output=True, pass_fds=(child,), timeout=30)
    finally:
        os.close(parent)
        os.close(child)
    assert done.stdout == b"b'octets' typed\n\n"
