# SPDX-License-Identifier: Apache-2.0
"""Every event of a line in words for a person. What came from the peer is made safe to show here, once."""

from typing import Final

from hardwire.app import events
from hardwire.app.text import grouped, human_duration, human_size, printable, touch_now
from hardwire.cli.output import Output
from hardwire.cli.rows import Rows

CLOSED_HERE: Final = "closed here"
"""The reason of a :class:`~hardwire.app.events.LineClosed` that this side brought about."""


_PATH: Final = -1
"""The key of the status that is about the path and no file."""


def show_rows(out: Output, rows: Rows, event: events.Event) -> None:
    """Draw the rows of transfers anew that are others after an event; for when the event itself has been shown."""
    for row in rows.take(event):
        if isinstance(event, events.FileProgress):
            out.progress(row.number, row.share, row.words(out.columns))
        else:
            out.status(row.number, row.words(out.columns))


def show(out: Output, event: events.Event) -> None:  # noqa: C901, PLR0912 (one case an event; the table is the point)
    """Print one event: for a program as it is, for a person in words. Rows are :func:`show_rows`'s."""
    out.event(event)
    match event:
        case events.DeviceAsked(device=device, software=True) | events.DeviceAsked(device=device, touch=False):
            out.say(f"signing with {device}")
        case events.DeviceAsked(device=device, touch=True):
            out.say(f"\a{touch_now(device)}", style="bold")
        case events.DeviceAsked(device=device):
            out.say(f"\asigning with {device}: touch it now if it blinks", style="bold")
        case events.HelperUsed(server=server, learns=learns, addresses=addresses):
            saw = f"; it saw {', '.join(addresses)}" if addresses else ""
            out.say(printable(f"asked {server}: it learns {learns}{saw}"), style="yellow")
        case events.PeerSeen():
            _peer(out, event)
        case events.RevocationJudged(revocation=words, age=None):
            out.say(printable(words), style="yellow")
        case events.LineOpen():
            _open(out, event)
        case events.Verified(by="here", matched=True):
            out.say("verified: nobody is between you two", style="green")
        case events.Verified(by="peer", matched=False):
            out.say("your peer says that the numbers differ", style="red")
        case events.Verified(by="peer", matched=True):
            out.say("your peer says that the numbers match")
        case events.Said(by="peer", text=text):
            for line in printable(text, newlines=True).split("\n"):
                out.data(f"{out.styled('peer:', 'bold')} {line}")
        case events.Said(by="here", queued=True):
            out.say("  (no path to your peer right now: this line waits)", style="dim")
        case events.PathLost() | events.PathFound() | events.Reconnecting() | events.Reconnected():
            _path(out, event)
        case events.InviteGone(listens=listens):
            where = " or ".join(listens)
            out.say(
                f"this machine has moved, and the code above leads to {where}. Another one:",
                style="yellow",
            )
        case events.InviteNeeded(waiting=waiting):
            out.status(_PATH, None)
            lines = f"; lines that wait: {waiting}" if waiting else ""
            out.say(f"your peer was not found: only a new invite helps{lines}", style="yellow")
        case events.WayChanged(open=up):
            out.say(f"files go over {'a direct connection' if up else 'the line'} from now on", style="dim")
        case events.Notice(text=text):
            out.say(printable(text), style="dim")
        case events.LineClosed(clean=True, reason=reason):
            out.say("line closed" if reason == CLOSED_HERE else f"line closed: {printable(reason)}")
        case _:
            _file(out, event)


def _path(out: Output, event: events.PathLost | events.PathFound | events.Reconnecting | events.Reconnected) -> None:
    """A trouble stays below the typed line until it is over."""
    if isinstance(event, events.PathLost | events.Reconnecting):
        lost = isinstance(event, events.PathLost)
        words = "path lost, looking for another one" if lost else "line lost, looking for your peer to open another one"
        out.say(words + (f"; lines that wait: {event.waiting}" if event.waiting else ""), style="yellow")
        out.status(_PATH, words)
        return
    out.status(_PATH, None)
    if isinstance(event, events.Reconnected):
        out.say("another line is open, to the same device", style="green")
        out.say(f"  its numbers: {event.sas}", style="dim")
    elif event.seconds:
        way = "over another path" if event.moved else "over the same path"
        out.say(f"the line goes on {way}, after {human_duration(event.seconds)}", style="green")
    else:
        out.say("the line moved to another path", style="dim")


def _file(out: Output, event: events.Event) -> None:
    """What is about a file. Nothing for the rest: Delivered, EpochChanged, own words need no line for a person."""
    match event:
        case events.FileOffer(id=number):
            out.say(f"file {number}: peer offers {offered(event)}", style="bold")
        case events.FileStarted(done=done) if done:
            _started(out, event)
        case events.FilePaused(id=number, name=name, by=by, on=on):
            who = "you" if by == "here" else "your peer"
            out.say(f"file {number}: {printable(name)!r} {'paused' if on else 'goes on'} ({who})", style="dim")
        case events.PeerFlood(count=count):
            out.say(f"… and {count} more offers and pauses of your peer, which did not last", style="dim")
        case events.FileMoved(id=number, was=was, name=name):
            out.status(was, None)
            out.say(f"file {number}: {printable(name)!r} goes on over the new line (it was file {was})", style="dim")
        case events.FileDone():
            _done(out, event)
        case events.FileFailed(id=number, name=name, reason=reason, hint=hint):
            out.status(number, None)
            out.say(f"file {number}: {printable(name)!r} did not arrive: {printable(reason)}", style="red")
            if hint:
                out.say(f"hint: {hint}")
        case _:
            pass


def _peer(out: Output, event: events.PeerSeen) -> None:
    out.say()
    software = event.assurance.startswith("SOFTWARE")
    out.say(f"your peer: {event.did}", style="bold")
    style = "yellow" if software else "green" if event.attested else None
    out.say(f"  key in     {printable(event.assurance)}", style=style)
    if event.attested_by:
        out.say(f"  proved by  {printable(event.attested_by)}")
        if event.facts:
            out.say(f"             {printable(', '.join(event.facts))}", style="dim")
    out.say(f"  safety no. {grouped(event.safety_number)}")
    if event.organisation:
        _member(out, event)
    if event.pinned:
        out.say("  this is the peer you asked for (--peer)", style="green")


def _member(out: Output, event: events.PeerSeen) -> None:
    out.say(f"  member of  {printable(event.organisation)}, verified", style="green")
    if event.names:
        out.say(f"  called     {printable(', '.join(event.names))}")
    if event.level:
        out.say(f"  checked    {printable(event.level)}, says {printable(event.organisation)}")
    out.say(f"  revocation {printable(event.revocation)}", style="yellow" if event.revocation_age is None else None)


def _open(out: Output, event: events.LineOpen) -> None:
    out.say()
    out.say("line open: both ends have proved their keys", style="green")
    if event.verified_by:
        out.say(f"verified by {printable(event.verified_by)}: there is nothing to compare", style="green")
        return
    if event.pinned:
        out.say("no need to compare: you asked for this peer (--peer). If they ask for the numbers:", style="green")
    else:
        out.say("compare with your peer, by voice or in person:")
    out.data(f"    {out.styled(event.sas, 'bold')}")
    out.data(f"    {' · '.join(event.words)}")


def offered(event: events.FileOffer) -> str:
    """An offer in words, for whoever decides on it: ``the directory 'photos' (3 files, 2 directories, 1.2 GB)``."""
    words = f"{printable(event.name)!r} ({amount(event.kind, event.size, event.files, event.directories)})"
    return f"the directory {words}" if event.kind == "directory" else words


def amount(kind: str, size: int, files: int, directories: int) -> str:
    """How much a transfer is."""
    if kind == "stream":
        return "its size is known at its end"
    if kind == "file":
        return human_size(size)
    many = [f"{files} {'file' if files == 1 else 'files'}"]
    if directories:
        many.append(f"{directories} {'directory' if directories == 1 else 'directories'}")
    return ", ".join([*many, human_size(size)])


def _started(out: Output, event: events.FileStarted) -> None:
    share = 100 * event.done // max(event.size, 1)
    out.say(
        f"file {event.id}: {printable(event.name)!r} goes on at {share} %: {human_size(event.done)} is there already"
    )


def _done(out: Output, event: events.FileDone) -> None:
    out.status(event.id, None)
    rate = f"{human_size(event.size)} in {human_duration(event.seconds)}"
    if event.direct >= event.size > 0:
        rate += ", over a direct connection"
    elif event.direct:
        rate += f", {human_size(event.direct)} of it over a direct connection"
    if event.path is not None:
        out.say(f"file {event.id}: saved {event.path} ({rate})", style="green")
    else:
        out.say(f"file {event.id}: {event.name!r} arrived whole ({rate})", style="green")
    if event.sha256:
        out.say(f"  sha256 {event.sha256}")
    out.say(f"  root {event.root}", style="dim")
