# SPDX-License-Identifier: Apache-2.0
"""Standard input and output as the data itself: talk with the person moves elsewhere first."""

import os
import sys
from typing import Final

from hardwire.errors import UsageError

_TERMINAL: Final = "/dev/tty"


def take_stdin() -> int:
    """A descriptor of what is piped in. From now on standard input is the terminal, or nothing when there is none.

    Raises:
        UsageError: Nothing is piped in.
    """
    if sys.stdin.isatty():
        raise UsageError(
            "standard input is your keyboard", hint="pipe something in: tar c photos | hardwire send - ..."
        )
    data = os.dup(0)
    try:
        instead = os.open(_TERMINAL, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        instead = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    os.dup2(instead, 0)
    os.close(instead)
    return data


def take_stdout() -> int:
    """A descriptor of standard output, for data alone. From now on whatever is printed goes to standard error.

    Raises:
        UsageError: It is a terminal, which octets of anybody's could steer.
    """
    sys.stdout.flush()
    if sys.stdout.isatty():
        raise UsageError("standard output is your terminal", hint="pipe it on: hardwire receive --stdout ... > FILE")
    data = os.dup(1)
    os.dup2(2, 1)
    return data
