# SPDX-License-Identifier: Apache-2.0
"""Runs one command's body: errors become a line, a hint and an exit code; Ctrl-C ends quietly."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

import typer

from hardwire.cli.output import Output
from hardwire.errors import HardwireError

INTERRUPTED: Final = 130
"""What a shell expects of a program that ended at Ctrl-C."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print events as JSON, one a line, and ask nothing.")]
PlainOption = Annotated[bool, typer.Option("--plain", help="No colour, no redrawn lines.")]


def run(out: Output, body: Callable[[], None]) -> None:
    """Run a command that needs no event loop; exits the process when it fails."""
    try:
        body()
    except HardwireError as problem:
        out.error(problem)
        raise typer.Exit(problem.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of our output went away (`hardwire id | head -1`): nothing is left to say, to anybody.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


def run_async(out: Output, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command on an event loop (uvloop where it exists: half as much time for each packet)."""
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop

    def on_loop() -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(body())

    run(out, on_loop)
