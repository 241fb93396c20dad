# SPDX-License-Identifier: Apache-2.0
"""Why transfers end early: what the peer is told, what the person is told, and what is kept."""

from typing import Final

from hardwire.app.events import FileFailed
from hardwire.app.files import RENAME_HINT
from hardwire.channel import StopReason
from hardwire.errors import HardwireError, TransferIncomplete

_WORDS: Final = {
    StopReason.PERSON: "the peer said no",
    StopReason.NO_SPACE: "the peer has no room for it",
    StopReason.BAD_NAME: "the peer refused its name",
    StopReason.BUSY: "the peer is receiving the same thing already, or too much at once",
    StopReason.FILE_CHANGED: "the file changed at the peer while it was sent",
    StopReason.FAILED: "it failed at the peer",
}
_REASONS: Final = {
    "cancelled": StopReason.PERSON,
    "declined": StopReason.PERSON,
    "disk-full": StopReason.NO_SPACE,
    "bad-name": StopReason.BAD_NAME,
    "busy": StopReason.BUSY,
    "file-changed": StopReason.FILE_CHANGED,
}
RESUME_HINT: Final = {
    "out": "send the same again: if your peer kept what arrived, it goes on from there",
    "in": "ask your peer to send it again: what arrived is kept, and it goes on from there",
}
ROOM_HINT: Final = {
    "out": "make room where it was to go, then send the same again: it goes on from there",
    "in": "make room, then ask your peer to send the same again: it goes on from there",
}
_FOR_RECEIVER: Final = {
    TransferIncomplete.default_hint: "ask your peer to send it again",
    RENAME_HINT: "ask your peer to rename it and send it again",
}
"""What only a sender can do, for whoever can but ask for it."""
_GIVEN_UP: Final = frozenset({"cancelled", "declined", "bad-name", "file-changed"})
"""Codes after which nobody will want the rest."""


def words_for(reason: StopReason) -> str:
    """What a person hears of the peer's reason."""
    return _WORDS[reason]


def reason_for(code: str) -> StopReason:
    """What the peer is told of what happened here; anything that it need not know is "failed"."""
    return _REASONS.get(code, StopReason.FAILED)


def given_up(code: str) -> bool:
    """Whether what arrived is removed: somebody decided so, or it is no longer what was offered."""
    return code in _GIVEN_UP


def failed(key: int, name: str, direction: str, problem: HardwireError, *, resumable: bool = False) -> FileFailed:
    """The end of a transfer that brought no file."""
    hint = _FOR_RECEIVER.get(problem.hint, problem.hint) if direction == "in" else problem.hint
    if resumable:
        hint = (ROOM_HINT if problem.code in {"disk-full", "peer-full"} else RESUME_HINT)[direction]
    return FileFailed(key, name, direction, problem.code, problem.message, hint, resumable)
