# SPDX-License-Identifier: Apache-2.0
"""Runs one command's body: errors become a line, a hint and an exit code; Ctrl-C ends quietly."""

import asyncio
import contextlib
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

import typer

from hardwire.cli.output import Output
from hardwire.errors import HardwireError, LocalError

SIGNALLED: Final = 128
"""What a shell adds to a signal's number: 130 is Ctrl-C, 143 is SIGTERM."""
INTERRUPTED: Final = SIGNALLED + signal.SIGINT
_FAILED: Final = 1
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)

JsonOption = Annotated[bool, typer.Option("--json", help="Print events as JSON, one a line, and ask nothing.")]
PlainOption = Annotated[bool, typer.Option("--plain", help="No colour, no redrawn lines.")]


class Stopped(Exception):
    """A signal asked the process to end; unlike Ctrl-C it says which one.

    Args:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(out: Output, body: Callable[[], None]) -> None:
    """Run a command that needs no event loop; exits the process when it fails."""
    try:
        body()
    except BrokenPipeError:
        # The reader of our output went away (`hardwire id | head -1`): nothing is left to say, to anybody.
        silence()
        raise typer.Exit(_FAILED) from None
    except KeyboardInterrupt:
        _stopped(out, INTERRUPTED)
    except Stopped as stop:
        _stopped(out, SIGNALLED + stop.number)
    except HardwireError as problem:
        _last_words(out, problem)
        raise typer.Exit(problem.exit_code) from None
    except (typer.Exit, typer.Abort):
        raise
    except Exception as problem:  # noqa: BLE001 (the last line of defence)
        traceback.print_exc()
        words = f"unexpected {type(problem).__name__}: {problem}"
        _last_words(out, LocalError(words, code="bug", hint="this is a bug in hardwire: please report it"))
        raise typer.Exit(_FAILED) from None


def run_async(out: Output, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command on an event loop (uvloop where it exists: half as much time for each packet)."""
    from hardwire.cli.lines import Interrupted

    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop

    def on_loop() -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            try:
                runner.run(_until_signal(body))
            except Interrupted:
                raise KeyboardInterrupt from None

    run(out, on_loop)


async def _until_signal(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """The body; SIGTERM and SIGHUP end it as Ctrl-C does: the peer hears a goodbye, half-written files go."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    got: list[int] = []

    def end(number: int) -> None:
        got.append(number)
        if task is not None:
            task.cancel()

    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            loop.add_signal_handler(number, end, number)
    try:
        await body()
    except asyncio.CancelledError:
        if got:
            raise Stopped(got[0]) from None
        raise


def _stopped(out: Output, exit_code: int) -> None:
    problem = LocalError("stopped", code="interrupted", exit_code=exit_code, hint="")
    if out.json_mode:
        _last_words(out, problem)
    raise typer.Exit(exit_code) from None


def _last_words(out: Output, problem: HardwireError) -> None:
    """Say why it ends, if anybody still listens; the exit code says it in any case."""
    with contextlib.suppress(OSError, HardwireError):
        out.error(problem)
    silence(everything=problem.code == "output-failed")


def silence(*, everything: bool = False) -> None:
    """Where nobody reads, what Python still wants to flush at its end goes nowhere, and changes no exit code."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            if everything or not _works(stream.fileno()):
                os.dup2(null, stream.fileno())


def _works(descriptor: int) -> bool:
    with contextlib.suppress(OSError, ValueError):
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        return not any(flags & (select.POLLERR | select.POLLNVAL) for _, flags in poll.poll(0))
    return False
