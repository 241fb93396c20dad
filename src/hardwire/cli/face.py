# SPDX-License-Identifier: Apache-2.0
"""The face of a line at a terminal or a pipe: renders every event, asks the person, reads codes.

In JSON mode events are printed as they are and nothing is said to people; the questions are the same, each is
announced by a ``question`` event, and the program's next line on stdin is the answer.
"""

import asyncio
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hardwire.app import events
from hardwire.cli.floods import Floods
from hardwire.cli.lines import Lines
from hardwire.cli.output import Output
from hardwire.cli.render import show, show_rows
from hardwire.cli.rows import Rows
from hardwire.errors import HardwireError, InviteRefused
from hardwire.net import carriers

_LOOK_FOR_FILE: Final = 0.25
"""Seconds between two looks for a code file that is still to come."""

_OPENING: Final = {
    (True, "connecting"): "connecting to your peer, for at most 30 s",
    (True, "securing"): "connected",
    (True, "waiting"): "waiting for your peer to accept you",
    (False, "securing"): "connected; waiting for your peer to prove itself",
    (False, "waiting"): "waiting for your peer to check your proof",
}

_AGAIN: Final = {
    False: "press Enter to make a new invite, or paste your peer's; /quit ends it",
    True: "paste the answer here, or your peer's invite; Enter makes another one; /quit ends it",
}
_INSTEAD: Final = "looking for your peer; another code may be pasted, /invite makes a new one here, /quit ends it"


@dataclass(slots=True)
class Face:
    """What :class:`hardwire.app.session.Face` asks for.

    Attributes:
        out: Where words go.
        lines: Where the person's words come from.
        hosting: This side made the invite.
        qr: Show own codes as QR pictures too.
        out_file: Write the own code there too.
        code_file: Read the other side's code there instead of asking.
        unverified: Joining, accept any inviter without asking.
        counterpart: The command that the peer runs.
        watch: Also gets every event; for commands that wait for one.
        typed: Codes that were typed into a conversation, and empty lines; None where nobody talks.
        wants_code: The line is lost, and waits for one.
        asks_for_files: Each offer is answered by a question, which says what is offered.
    """

    out: Output
    lines: Lines
    hosting: bool = False
    qr: bool = False
    out_file: Path | None = None
    code_file: Path | None = None
    unverified: bool = False
    counterpart: str = "hardwire join"
    watch: Callable[[events.Event], None] | None = None
    typed: asyncio.Queue[str] | None = None
    wants_code: bool = False
    asks_for_files: bool = False
    _floods: Floods = field(init=False)
    _rows: Rows = field(default_factory=Rows)
    _replaces: bool = False
    _signed: bool = False
    _answered: bool = False

    def __post_init__(self) -> None:
        """What the peer causes goes through a gate."""
        self._floods = Floods(self._show)

    def emit(self, event: events.Event) -> None:
        """Show one event."""
        match event:
            case events.InviteReady() | events.AnswerReady():
                self._own_code(event)
            case events.InviteGone():
                self._replaces = True  # what lies in the file of codes is its own, and worth nothing
                show(self.out, event)
            case events.Opening(stage=stage):
                self._opening(event, stage)
            case _:
                self._floods.take(event)
        if self.watch is not None:
            self.watch(event)

    def _show(self, event: events.Event) -> None:
        if isinstance(event, events.FileOffer) and self.asks_for_files:
            self.out.event(event)
        else:
            show(self.out, event)
        show_rows(self.out, self._rows, event)

    async def ask(self, name: str, prompt: str, *, file: int | None = None) -> str | None:
        """The person's answer to a question, or None when there is no more input.

        Args:
            name: Which question, for programs.
            prompt: The question, for people.
            file: The number of the file that it is about.
        """
        if file is not None:
            self._floods.release(file)
        self._announce(name, prompt, file)
        return await self.lines.line(prompt)

    async def code(self, wanted: str) -> bytes | None:
        """The other side's ``invite`` or ``answer``; None when there is no more input.

        A mistyped code is said so and asked for again, as long as there is somebody to ask.
        """
        if self.code_file is not None:
            return await self._code_from(self.code_file, wanted)
        prompt = f"paste the {wanted} here: "
        while True:
            self._announce(wanted, prompt)
            text = await self.lines.paste(prompt)
            if text is None:
                return None
            if not text.strip():
                continue
            try:
                return carriers.from_text(text)
            except InviteRefused as problem:
                if not self.refused(problem):
                    raise

    async def another_code(self, *, invited: bool, waiting: bool = False) -> bytes | None:
        """What a person types into a conversation whose line is lost; None where nobody does.

        Args:
            invited: An own invite was made, and waits for its answer.
            waiting: The peer's invite was taken: a stray Enter shall not end that.
        """
        if self.typed is None:
            return None
        self.wants_code = not waiting
        try:
            while True:
                if self.typed.empty():
                    self.out.say(_INSTEAD if waiting else _AGAIN[invited], style="yellow")
                text = await self.typed.get()
                if not text.strip():
                    return b""
                try:
                    return carriers.from_text(text)
                except InviteRefused as problem:
                    self.refused(problem)
        finally:
            self.wants_code = False

    def refused(self, problem: HardwireError) -> bool:
        """Say why a code cannot be used; True when there is somebody who can give another."""
        if self.code_file is not None or not self.lines.interactive:
            return False
        self.out.error(problem, final=False)
        return True

    async def accept_inviter(self, seen: events.PeerSeen) -> bool:
        """Ask, before this side shows itself, whether that is the person they expect; ``seen`` was shown just now."""
        del seen
        if self.unverified:
            return True
        if not self.lines.interactive and not self.out.json_mode:
            return False
        self.out.say("you have shown nothing of yourself yet. If you go on, they learn your identity, too.")
        answer = await self.ask("accept-inviter", "go on? [y/N] ")
        return (answer or "").strip().lower() in {"y", "yes"}

    def _opening(self, event: events.Event, stage: str) -> None:
        self.out.event(event)
        self._signed = self._signed or stage == "signing"
        # Before the own signature the wait is for a machine, and over at once.
        dialling = not self.hosting and not self._answered and stage == "connecting"
        words = _OPENING.get((self.hosting or dialling, stage)) if stage != "waiting" or self._signed else None
        if words:
            self.out.say(words, style="dim")

    def _announce(self, name: str, prompt: str, file: int | None = None) -> None:
        self.out.record({"event": "question", "name": name, "text": prompt.strip(), "file": file})

    async def _code_from(self, path: Path, wanted: str) -> bytes:
        """The code in a file. The answer's file is still to be made when the invite has just been shown."""
        if self.hosting:
            self._announce(wanted, f"waiting for {path}")
            self.out.say(f"waiting for the {wanted} in {path}", style="dim")
            before = -1
            while (size := await asyncio.to_thread(_size, path)) <= 0 or size != before:
                before = size
                await asyncio.sleep(_LOOK_FOR_FILE)
        return await asyncio.to_thread(carriers.from_file, path)

    def _own_code(self, event: events.InviteReady | events.AnswerReady) -> None:
        self.out.event(event)
        self.hosting, self._signed = isinstance(event, events.InviteReady), False
        blob = carriers.from_text(event.code)
        self.out.say()
        self.out.say("your invite:" if isinstance(event, events.InviteReady) else "your answer:", style="bold")
        self.out.data(event.code)
        if self.out_file is not None and self.typed is None:  # later codes are for the person who talks
            if self._replaces:
                self.out_file.unlink(missing_ok=True)
            carriers.to_file(blob, self.out_file)
            self.out.say(f"also written to {self.out_file}")
        if isinstance(event, events.InviteReady):
            back = "; nothing comes back" if event.listens else " and sends an answer back"
            takes = f"runs `{self.counterpart}`" if self.typed is None else f"pastes it, or runs `{self.counterpart}`,"
            self.out.say(
                f"send it to your peer, who {takes}{back}. "
                f"It works once, within {round((event.expires - time.time()) / 60)} minutes."
            )
            self._reach(event.listens)
        else:
            self._answered = True
            self.out.say("send it back to your peer; the line opens when it is pasted there.")
        if self.qr:  # last: with the prompt below it, an ordinary code's picture just fits 24 rows
            self._picture(carriers.qr_terminal(blob))

    def _picture(self, drawn: str) -> None:
        if not self.out.picture(drawn):
            columns = len(drawn.split("\n", 1)[0])
            self.out.say(
                f"too narrow for the picture ({columns} columns): use --out-file FILE.png, or a wider window",
                style="yellow",
            )

    def _reach(self, listens: tuple[str, ...]) -> None:
        """Who must be able to reach this machine, and where: the one condition of a one-way invite."""
        if not listens:
            return
        self.out.say(f"this machine listens; your peer must be able to reach it by UDP at {' or '.join(listens)}")
        addresses = [ipaddress.ip_address(one.rpartition(":")[0].strip("[]")) for one in listens]
        if all(one.is_loopback for one in addresses):
            return
        if not any(one.is_global for one in addresses):
            self.out.say(
                "that is inside your own network: for a peer elsewhere forward a port of your router, and name its "
                "outside with --address",
                style="yellow",
            )


def _size(path: Path) -> int:
    """Octets in a file, -1 while there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
