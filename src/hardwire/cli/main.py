# SPDX-License-Identifier: Apache-2.0
"""The entry point: commands, and the one place where a failure becomes a line, a hint and an exit code."""

import contextlib
import os
import resource
import sys
import warnings
from typing import Annotated, Final

import typer

from hardwire import __version__
from hardwire.cli import cert, chat, demo, doctor, identity, init, join, receive, send, token
from hardwire.cli.run import silence

_STDERR: Final = 2

app = typer.Typer(
    name="hardwire",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hardwire {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """A private line between two people or machines, proved by keys that cannot leave their hardware.

    \b
    Examples:
      hardwire init               make an identity in the best device there is
      hardwire chat               print a code for a friend, then talk
      hardwire join               the friend's side: paste the code
      hardwire send report.pdf    a line for one file
      hardwire receive            the other end of send
      hardwire demo               two peers on this machine, with software tokens
    """


app.command("init")(init.command)
app.command("id")(identity.command)
app.add_typer(token.app, name="token")
app.add_typer(cert.app, name="cert")
app.command("chat")(chat.command)
app.command("join")(join.command)
app.command("send")(send.command)
app.command("receive")(receive.command)
app.command("doctor")(doctor.command)
app.command("demo")(demo.command)


def main() -> None:
    """Run the command line; never returns."""
    _open_standard_streams()
    # A core dump would hold session secrets.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Libraries warn of what peers and devices sent them; that is judged here, and a person's screen is not the place.
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        app()
    except OSError as problem:  # --help and --version, which no command's guard stands around
        with contextlib.suppress(OSError):
            sys.stderr.write(f"hardwire: cannot write: {problem.strerror}\n")
        silence(everything=True)
        sys.exit(1)


def _open_standard_streams() -> None:
    """Started with stdin, stdout or stderr closed: the next file that is opened must not take its place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
    sys.stdin = sys.stdin or open(0, encoding="utf-8")  # noqa: SIM115 (for as long as the process lives)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115
