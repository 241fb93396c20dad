# SPDX-License-Identifier: Apache-2.0
"""A small authority that one person runs: its key in a token, its acts in a ledger, nothing on a network.

A directory holds ``authority.toml`` (the certificate and the key's URI: public, written once) and ``ledger.jsonl`` (see
:mod:`hardwire.app.ledger`). The order of every act: sign, verify what was signed, write it down, hand it out. So a kill
leaves at worst a certificate that is written down and was never handed out (`hardwire cert show` prints it again), or a
signature that nobody has.
"""

import base64
import json
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, cast

from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

from hardwire.app.attestation import NO_TRUST, Trust
from hardwire.app.entropy import SystemEntropy, utc_now
from hardwire.app.evidence import judge_statement
from hardwire.app.ledger import Ledger, Row, open_ledger
from hardwire.app.paths import state_dir, write_private
from hardwire.certs import (
    DeviceName,
    DeviceRequest,
    GatedCertificate,
    Grant,
    Level,
    Period,
    Reason,
    Revocation,
    device_id,
    issue_device,
    make_authority,
    make_crl,
    open_gate,
)
from hardwire.errors import CertificateRefused, LocalError, PeerError, UsageError

_SCHEMA: Final = 1
_FILE: Final = "authority.toml"
_LEDGER: Final = "ledger.jsonl"
_SERIAL_OCTETS: Final = 16
_BACKDATE: Final = timedelta(minutes=10)
"""Of certificates and lists, for devices whose clock is a little behind: what is from the future counts for nothing."""


@dataclass(frozen=True, slots=True)
class Issued:
    """One certificate of the ledger.

    Attributes:
        certificate: As it was handed out.
        serial: Its number in hex, as people write it.
        did: The device's key.
        names: Beside it.
        level: What was found out about the key's home, in words.
        proof: What the evidence proved, in words; empty without any.
        until: The last second of its validity.
        revoked: When it was taken back, and why; None while it is good.
    """

    certificate: bytes
    serial: str
    did: str
    names: tuple[str, ...]
    level: str
    proof: str
    until: datetime
    revoked: tuple[str, str] | None

    def record(self) -> dict[str, object]:
        """As an event for programs."""
        return {
            "event": "certificate",
            "serial": self.serial,
            "did": self.did,
            "names": list(self.names),
            "level": self.level,
            "proof": self.proof,
            "not_after": self.until.isoformat(),
            "revoked": self.revoked and self.revoked[0],
            "reason": self.revoked and self.revoked[1],
        }


@dataclass(frozen=True, slots=True)
class Authority:
    """What ``authority.toml`` holds.

    Attributes:
        directory: Where it is.
        organisation: Whose it is.
        key_uri: Opens the key; holds no PIN.
        certificate: Its own.
    """

    directory: Path
    organisation: str
    key_uri: str
    certificate: GatedCertificate

    @contextmanager
    def ledger(self, *, after_restore: bool = False) -> Iterator[Ledger]:
        """The ledger, locked.

        Args:
            after_restore: Go on although the file is older than what is known of it.

        Raises:
            LocalError: ``ledger-rolled-back``, or what :func:`~hardwire.app.ledger.open_ledger` raises.
        """
        mark = state_dir() / "authorities" / f"{device_id(self.certificate.spki).hex()[:32]}.json"
        with open_ledger(self.directory / _LEDGER, mark) as ledger:
            if ledger.behind:
                if not after_restore:
                    raise LocalError(
                        f"{self.directory / _LEDGER} is older than it was: what was done since is not in it",
                        code="ledger-rolled-back",
                        hint="put the newest copy back; if there is none, say --after-restore once, and revoke again "
                        "what is missing: `hardwire cert revoke` takes the certificate's file as well",
                    )
                ledger.accept()
            yield ledger


def create(
    directory: Path,
    key: CertificateIssuerPrivateKeyTypes,
    *,
    key_uri: str,
    organisation: str,
    life: timedelta,
) -> Authority:
    """Make the authority of a key that is in a device; one signature.

    Raises:
        UsageError: There is one already in that directory.
        LocalError: The file cannot be written.
    """
    now = utc_now().replace(microsecond=0)
    period = Period(now - _BACKDATE, now + life)
    certificate = make_authority(key, organisation=organisation, serial=_new_serial(), period=period)
    fields = {"organisation": organisation, "key": key_uri, "certificate": base64.b64encode(certificate).decode()}
    body = "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
    path = directory / _FILE
    try:
        write_private(
            path, f"# hardwire authority: public data only\nschema = {_SCHEMA}\n{body}".encode(), replace=False
        )
    except FileExistsError:
        raise authority_exists(path) from None
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise LocalError(f"{path} cannot be written: {reason}", code="disk", hint="choose another with --ca") from None
    return Authority(directory, organisation, key_uri, open_gate(certificate))


def authority_exists(path: Path) -> UsageError:
    """What to say when a second authority is asked for in one directory."""
    return UsageError(f"there is an authority in {path} already", hint="choose another directory with --ca")


def refuse_second(directory: Path) -> None:
    """Before a key is made: raises what :func:`create` would."""
    if (directory / _FILE).exists():
        raise authority_exists(directory / _FILE)


def load(directory: Path) -> Authority:
    """Read the authority in a directory.

    Raises:
        UsageError: ``no-authority``.
        LocalError: ``authority-damaged``.
    """
    path = directory / _FILE
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
        _check_schema(path, fields["schema"])
        certificate = open_gate(base64.b64decode(fields["certificate"], validate=True))
        return Authority(directory, str(fields["organisation"]), str(fields["key"]), certificate)
    except FileNotFoundError:
        raise UsageError(
            f"there is no authority in {directory}",
            code="no-authority",
            hint="`hardwire cert ca --name ORGANISATION` makes one; --ca names another directory",
        ) from None
    except (OSError, ValueError, KeyError, TypeError, PeerError) as problem:
        raise LocalError(
            f"{path} is damaged: {problem}", code="authority-damaged", hint="restore it from a backup"
        ) from None


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person at the authority decided about a request.

    Attributes:
        names: What the device will be called.
        life: Of the certificate; cut where the authority's own ends.
        require_attested: Refuse what is not proved to be in hardware.
        trust: The makers and enrolment authorities that are believed, for evidence.
        level: What the person found out by other means; evidence that is proved comes before it.
    """

    names: tuple[DeviceName, ...]
    life: timedelta
    require_attested: bool = False
    trust: Trust = NO_TRUST
    level: Level | None = None


def assess(request: DeviceRequest, wish: Wish, at: datetime) -> tuple[Level | None, str]:
    """The level to write into the certificate, and what the evidence proved; no key is needed.

    Raises:
        CertificateRefused: Attested hardware is required and not proved, or there is evidence, and it is wrong.
    """
    if wish.require_attested or (wish.trust.anybody and request.statement is not None):
        return Level.ATTESTED, judge_statement(request, wish.trust, at)
    return wish.level, ""


def issue(
    authority: Authority, ledger: Ledger, request: DeviceRequest, wish: Wish, key: CertificateIssuerPrivateKeyTypes
) -> Issued:
    """Certify a device: one signature, checked and written down before it is returned.

    Raises:
        CertificateRefused: As for :func:`assess`, or the authority's own certificate is past its time.
        LocalError: It could not be written down; nothing was issued.
    """
    now = utc_now().replace(microsecond=0)
    if not authority.certificate.not_before <= now <= authority.certificate.not_after:
        raise CertificateRefused(
            "the authority's own certificate is not valid now",
            code="cert-expired",
            exit_code=50,
            hint="check this machine's clock; an authority that is past its time issues nothing more",
        )
    level, proof = assess(request, wish, now)
    begin = max(now - _BACKDATE, authority.certificate.not_before)
    period = Period(begin, min(now + wish.life, authority.certificate.not_after))
    grant = Grant(_new_serial(), period, wish.names, level)
    der = issue_device(request, grant, authority=authority.certificate, key=key)
    row = {
        "kind": "issued",
        "at": now.isoformat(),
        "serial": f"{grant.serial:x}",
        "did": request.did,
        "names": [name.text for name in wish.names],
        "level": level.words if level else "",
        "proof": proof,
        "until": period.end.isoformat(),
        "certificate": base64.b64encode(der).decode(),
    }
    ledger.append(row)
    return _issued(row, {})


def entries(ledger: Ledger) -> tuple[Issued, ...]:
    """All certificates of the ledger, in order."""
    revoked = {cast("str", row["serial"]): row for row in ledger.rows if row["kind"] == "revoked"}
    return tuple(_issued(row, revoked) for row in ledger.rows if row["kind"] == "issued")


def find(ledger: Ledger, which: str) -> tuple[Issued, ...]:
    """The certificates that a person means: a serial number, a did:key, or a name.

    Raises:
        UsageError: ``no-certificate``.
    """
    wanted = which.lower().removeprefix("0x").lstrip("0")
    found = tuple(one for one in entries(ledger) if wanted == one.serial or which == one.did or which in one.names)
    if not found:
        raise UsageError(
            f"this authority issued nothing to {which!r}",
            code="no-certificate",
            hint="`hardwire cert show` lists serial numbers and names",
        )
    return found


def revoke(ledger: Ledger, which: str, reason: Reason) -> tuple[Issued, ...]:
    """Take back what a person means, all of it; no key is needed, the next list says it.

    Returns:
        What was good until now.

    Raises:
        UsageError: ``no-certificate``; ``already-revoked``.
    """
    good = tuple(one for one in find(ledger, which) if one.revoked is None)
    if not good:
        raise UsageError(
            f"{which!r} is revoked already", code="already-revoked", hint="`hardwire cert crl` writes the list"
        )
    now = utc_now().replace(microsecond=0).isoformat()
    for one in good:
        ledger.append({"kind": "revoked", "at": now, "serial": one.serial, "reason": reason.value})
    return good


def list_revoked(
    authority: Authority, ledger: Ledger, life: timedelta, key: CertificateIssuerPrivateKeyTypes
) -> tuple[int, bytes]:
    """Sign the list of everything taken back: its number, and the DER list. The number is used up before it is shown.

    Raises:
        LocalError: It could not be written down; the list is not handed out.
    """
    now = utc_now().replace(microsecond=0)
    number = 1 + max([ledger.marked_number(), *(cast("int", row.get("number", 0)) for row in ledger.rows)])
    rows = [
        Revocation(
            int(cast("str", row["serial"]), 16),
            datetime.fromisoformat(cast("str", row["at"])),
            Reason(cast("str", row["reason"])),
        )
        for row in ledger.rows
        if row["kind"] == "revoked"
    ]
    period = Period(now - _BACKDATE, now + life)
    der = make_crl(rows, number=number, period=period, authority=authority.certificate, key=key)
    ledger.append({"kind": "listed", "at": now.isoformat(), "number": number, "count": len(rows)}, number=number)
    return number, der


def _issued(row: Row, revoked: dict[str, Row]) -> Issued:
    text: Callable[[str], str] = lambda name: cast("str", row[name])  # noqa: E731 - a row is JSON
    back = revoked.get(text("serial"))
    return Issued(
        base64.b64decode(text("certificate")),
        text("serial"),
        text("did"),
        tuple(cast("list[str]", row["names"])),
        text("level"),
        text("proof"),
        datetime.fromisoformat(text("until")),
        None if back is None else (cast("str", back["at"]), cast("str", back["reason"])),
    )


def _check_schema(path: Path, schema: object) -> None:
    if schema != _SCHEMA:
        raise ValueError(f"{path.name} was written by another version of hardwire (schema {schema})")


def _new_serial() -> int:
    # RFC 5280 §4.1.2.2: positive, at most 20 octets; the top bit clear keeps it positive, the next one set full length.
    raw = bytearray(SystemEntropy().octets(_SERIAL_OCTETS))
    raw[0] = raw[0] & 0x7F | 0x40
    return int.from_bytes(raw)
