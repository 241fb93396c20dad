# SPDX-License-Identifier: Apache-2.0
"""Everything that can be wrong on this machine before a line is opened, what it means, and how to mend it.

Each check is a function that returns a :class:`Finding`; a check that breaks is itself a finding. Nothing here spends
a PIN, makes a signature, or sends a packet.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import shlex
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Final

import platformdirs

import hwkeys
from hardwire.app.attestation import load_trust, name_of
from hardwire.app.crlstore import CrlStore
from hardwire.app.entropy import utc_now
from hardwire.app.files import SIDE_DIRECTORY
from hardwire.app.identity import identity_path, load_identity
from hardwire.app.keys import describe_device
from hardwire.app.membership import load_membership, refuse_revoked
from hardwire.app.organisations import load_organisations
from hardwire.app.partials import amount, partials
from hardwire.app.paths import config_dir
from hardwire.app.setup import describe_pin, find_devices
from hardwire.app.text import human_duration
from hardwire.errors import HardwireError, NoIdentity
from hardwire.net import fast_problem, self_test, usable_addresses

_EXPIRES_SOON: Final = timedelta(days=60)
_TIMEOUT: Final = 5.0
_LIST_HINT: Final = "hardwire cert install FILE, or meet a member who has it"
_UNLOCK: Final = (
    "choose a new PIN with its PUK (`ykman piv access unblock-pin` for a YubiKey) or SO-PIN, or wait out the TPM's "
    "lock-out"
)


class State(Enum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the report.

    Attributes:
        name: Stable name of the check.
        state: Only BAD keeps a line from opening.
        text: What was found.
        hint: What to do about it; empty when all is well.
    """

    name: str
    state: State
    text: str
    hint: str = ""


def examine() -> Iterator[Finding]:
    """Run all checks, one finding each, in the order in which a line would need them; some take a second."""
    for name, check in _CHECKS:
        try:
            yield from check(name)
        except HardwireError as problem:
            yield Finding(name, State.BAD, problem.message, problem.hint)
        except Exception as problem:  # noqa: BLE001 (the doctor reports what broke, whatever it was)
            yield Finding(name, State.BAD, f"the check itself failed: {type(problem).__name__}: {problem}", "report it")


def _libraries(name: str) -> Iterator[Finding]:
    for package, why in (("aiortc", ""), ("cryptography", ""), ("python-pkcs11", "tokens"), ("tpm2-pytss", "TPMs")):
        try:
            yield Finding(name, State.OK, f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            hint = "install the extra: pip install 'hardwire[tpm]'" if package == "tpm2-pytss" else "reinstall hardwire"
            yield Finding(name, State.NOTE, f"{package} is not installed: no {why}", hint)


def _transport(name: str) -> Iterator[Finding]:
    self_test()
    problem = fast_problem()
    if problem is None:
        yield Finding(
            name, State.OK, "the WebRTC stack is the known one, and its private parts are where they should be"
        )
    else:
        words = f"lines use aiortc's own transports, which are slower and bear less: {problem}"
        yield Finding(name, State.NOTE, words, "reinstall hardwire with the versions it pins")


def _clock(name: str) -> Iterator[Finding]:
    now = f"{utc_now():%Y-%m-%d %H:%M} UTC"
    tool = shutil.which("timedatectl")
    state = ""
    if tool:
        command = [tool, "show", "--property=NTPSynchronized", "--value"]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):  # no answer says as much as "no"
            run = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)  # noqa: S603
            state = run.stdout.strip()
    if state == "yes":
        yield Finding(name, State.OK, f"{now}, synchronised")
    else:
        hint = "codes expire after minutes: compare this time with a clock you trust"
        yield Finding(name, State.NOTE, f"{now}; nothing here says that it is synchronised", hint)


def _home(name: str) -> Iterator[Finding]:
    home = config_dir()
    if not home.exists():
        yield Finding(name, State.OK, f"{home} will be made by `hardwire init`")
        return
    info = home.stat()
    if not stat.S_ISDIR(info.st_mode):
        yield Finding(name, State.BAD, f"{home} is not a directory", "move it away, or set HARDWIRE_HOME")
    elif stat.S_IMODE(info.st_mode) & 0o022:
        yield Finding(name, State.BAD, f"{home} can be written by others", f"chmod 700 {home}")
    elif info.st_uid != os.geteuid():
        yield Finding(name, State.NOTE, f"{home} belongs to another user", "run hardwire as its owner")
    else:
        yield Finding(name, State.OK, f"{home}")


def _identity(name: str) -> Iterator[Finding]:
    try:
        me = load_identity()
    except NoIdentity as problem:
        state = State.BAD if identity_path().exists() else State.NOTE
        yield Finding(name, state, problem.message, problem.hint)
        return
    left = me.own.not_after - utc_now()
    text = f"{me.own.did} in {me.device}, shown as {me.assurance.value}"
    if left < _EXPIRES_SOON:
        yield Finding(name, State.NOTE, f"{text}; expires in {left.days} days", "hardwire init --renew")
    else:
        yield Finding(name, State.OK, text)


def _devices(name: str) -> Iterator[Finding]:
    troubles: list[hwkeys.HwKeyError] = []
    devices = find_devices(on_error=troubles.append)
    for trouble in troubles:
        yield Finding(name, State.NOTE, trouble.message, trouble.hint)
    for device in devices:
        mark = "SOFTWARE TOKEN, " if device.software else ""
        text = f"{describe_device(device)}: {mark}PIN {describe_pin(device)}"
        if device.pin_state is hwkeys.PinState.LOCKED:
            yield Finding(name, State.BAD, text, _UNLOCK)
        elif device.pin_state is hwkeys.PinState.FINAL_TRY:
            yield Finding(name, State.NOTE, text, "make sure of the PIN before you use it")
        else:
            yield Finding(name, State.OK, text)
    if not devices:
        hint = (
            "insert a token, or for the TPM join the group tss (and log in again); "
            "if a token is inserted: is pcscd running, is opensc or ykcs11 installed, does gpg's scdaemon hold it?"
        )
        yield Finding(name, State.NOTE, "no token and no TPM found", hint)


def _attestation(name: str) -> Iterator[Finding]:
    trust = load_trust()
    for what, authorities in (("cards", trust.piv), ("TPMs", trust.tpm)):
        names = ", ".join(name_of(root.subject) for root in authorities.roots)
        yield Finding(
            name,
            State.OK,
            f"proof about {what} is believed from: {names}"
            if names
            else f"no root for {what}: what they prove is shown as a claim",
        )
    if trust.require_attested:
        yield Finding(name, State.NOTE, "every line requires a peer whose key is proved to be in hardware")


def _organisations(name: str) -> Iterator[Finding]:
    known = load_organisations()
    store = CrlStore()
    store.memory()
    lists = {crl.issuer: crl for crl in sorted(store.lists(), key=lambda one: one.number)}
    for anchor in known.anchors:
        crl, text = lists.get(anchor.certificate.shape.subject), f"members of {anchor.name} are believed"
        if anchor.certificate.not_after < utc_now():
            yield Finding(name, State.NOTE, f"{text} no more: its authority is past its time", "ask it for its new one")
        elif crl is None:
            yield Finding(name, State.NOTE, f"{text}; no list of revoked certificates is here", _LIST_HINT)
        elif crl.next_update < utc_now():
            due = f"{crl.next_update:%Y-%m-%d}"
            yield Finding(name, State.NOTE, f"{text}; a newer list than number {crl.number} was due {due}", _LIST_HINT)
        else:
            yield Finding(name, State.OK, f"{text}; list number {crl.number}, good until {crl.next_update:%Y-%m-%d}")
    with contextlib.suppress(NoIdentity):
        member = load_membership(load_identity())
        if member is not None:
            refuse_revoked(member, store)
            yield Finding(name, State.OK, f"this identity is a member of {member.summary()}")
    if not known.anchors:
        yield Finding(name, State.OK, "no organisation is believed: people compare numbers")


def _addresses(name: str) -> Iterator[Finding]:
    addresses = usable_addresses()
    if addresses:
        yield Finding(name, State.OK, f"a code would offer {', '.join(map(str, addresses))}")
    else:
        hint = "connect to a network; on one machine alone, use --loopback at both ends"
        yield Finding(name, State.NOTE, "no network address that a peer could reach", hint)


def _scan(name: str) -> Iterator[Finding]:
    if importlib.util.find_spec("zxingcpp"):
        yield Finding(name, State.OK, "codes can be read from pictures")
    else:
        hint = "pip install 'hardwire[scan]' if you want that"
        yield Finding(name, State.NOTE, "codes cannot be read from pictures (text works)", hint)


def _unfinished(name: str) -> Iterator[Finding]:
    """Where files are received when nobody says otherwise, and where people let them be put."""
    places, downloads = [Path()], platformdirs.user_downloads_path()
    with contextlib.suppress(OSError):  # there is none
        if not downloads.samefile(Path()):
            places.append(downloads)
    nothing = True
    for place in places:
        if found := partials(place):
            nothing, place = False, place.resolve()  # noqa: PLW2901 (as people say it)
            oldest = found[0].age
            many = "one unfinished transfer" if len(found) == 1 else f"{len(found)} unfinished transfers"
            text = f"{many} in {place}: {amount(found)}, the oldest untouched for {human_duration(oldest)}"
            side = shlex.quote(str(place / SIDE_DIRECTORY))
            hint = f"they go on when the same is sent again, and go away after two weeks; at once: rm -r {side}"
            yield Finding(name, State.NOTE, text, hint)
    if nothing:
        yield Finding(name, State.OK, "no unfinished transfer in this directory or in Downloads")


_CHECKS: Final[tuple[tuple[str, Callable[[str], Iterator[Finding]]], ...]] = (
    ("libraries", _libraries),
    ("transport", _transport),
    ("clock", _clock),
    ("home", _home),
    ("devices", _devices),
    ("identity", _identity),
    ("attestation", _attestation),
    ("organisations", _organisations),
    ("addresses", _addresses),
    ("scan", _scan),
    ("unfinished", _unfinished),
)
