# SPDX-License-Identifier: Apache-2.0
"""The face of a line at a terminal or a pipe: renders every event, asks the person, reads codes.

In JSON mode events are printed as they are and nothing is said to people; the questions are the same, and the
program's next line on stdin is the answer.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hardwire.app import events
from hardwire.cli.lines import Lines
from hardwire.cli.output import Output
from hardwire.cli.render import show
from hardwire.errors import InviteRefused
from hardwire.net import carriers


@dataclass(slots=True)
class Face:
    """What :class:`hardwire.app.session.Face` asks for.

    Attributes:
        out: Where words go.
        lines: Where the person's words come from.
        qr: Show own codes as QR pictures too.
        out_file: Write the own code there too.
        code_file: Read the other side's code there instead of asking.
        unverified: Joining, accept any inviter without asking.
        counterpart: The command that the peer runs.
        watch: Also gets every event; for commands that wait for one.
    """

    out: Output
    lines: Lines
    qr: bool = False
    out_file: Path | None = None
    code_file: Path | None = None
    unverified: bool = False
    counterpart: str = "hardwire join"
    watch: Callable[[events.Event], None] | None = None

    def emit(self, event: events.Event) -> None:
        """Show one event."""
        if isinstance(event, events.InviteReady | events.AnswerReady):
            self._own_code(event)
        else:
            show(self.out, event)
        if self.watch is not None:
            self.watch(event)

    async def code(self, wanted: str) -> bytes | None:
        """The other side's ``invite`` or ``answer``; None when there is no more input.

        A mistyped code is said so and asked for again, as long as there is somebody to ask.
        """
        if self.code_file is not None:
            return carriers.from_file(self.code_file)
        while True:
            text = await self.lines.line(f"paste the {wanted} here: ")
            if text is None:
                return None
            if not text.strip():
                continue
            try:
                return carriers.from_text(text)
            except InviteRefused as problem:
                if not self.refused(problem):
                    raise

    def refused(self, problem: InviteRefused) -> bool:
        """Say why a code cannot be used; True when there is somebody who can give another."""
        if self.code_file is not None or not self.lines.interactive:
            return False
        self.out.error(problem)
        return True

    async def accept_inviter(self, seen: events.PeerSeen) -> bool:
        """Ask, before this side shows itself, whether that is the person they expect; ``seen`` was shown just now."""
        del seen
        if self.unverified:
            return True
        if not self.lines.interactive and not self.out.json_mode:
            return False
        self.out.say("you have shown nothing of yourself yet. If you go on, they learn your identity, too.")
        answer = await self.lines.line("go on? [y/N] ")
        return (answer or "").strip().lower() in {"y", "yes"}

    def _own_code(self, event: events.InviteReady | events.AnswerReady) -> None:
        self.out.event(event)
        blob = carriers.from_text(event.code)
        self.out.say()
        self.out.say("your invite:" if isinstance(event, events.InviteReady) else "your answer:", style="bold")
        self.out.data(event.code)
        if self.qr:
            self.out.say(carriers.qr_terminal(blob))
        if self.out_file is not None:
            carriers.to_file(blob, self.out_file)
            self.out.say(f"also written to {self.out_file}")
        if isinstance(event, events.InviteReady):
            self.out.say(
                f"send it to your peer, who runs `{self.counterpart}` and sends an answer back. "
                f"It works once, within {round((event.expires - time.time()) / 60)} minutes."
            )
        else:
            self.out.say("send it back to your peer; the line opens when it is pasted there.")
