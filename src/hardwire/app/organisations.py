# SPDX-License-Identifier: Apache-2.0
"""Which organisations are believed here, about whom, and on which condition.

``trust.toml`` in the configuration directory says it once for all lines; ``--trust-ca`` and its neighbours say it for
one. Both end in the same frozen values (:class:`Organisations`), which the policy asks and never changes::

    members_only = true                 # take nobody whom no organisation vouches for
    revocation = "prefer"               # or "require": no line while nothing fresh is known; or "off"
    max_age_days = 30                   # of that knowledge; without it the list's own date counts
    clock_skew_seconds = 60             # how far two clocks may be apart

    [[organisation]]
    name = "ACME"                       # how people here call it
    certificates = ["acme.pem"]         # its authorities; relative to this file
    names = ["*@example.org"]           # whom: a name, or * before @ or .
    level = "attested"                  # what it must have found out: software, claimed, attested
    policies = ["1.3.6.1.4.1.99999.7"]  # certificate policies that must hold
    attested = true                     # and the device proves it to this side as well
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final, cast

from hardwire.app import pem
from hardwire.app.paths import config_dir, write_private
from hardwire.certs import (
    Endorsement,
    Level,
    RevocationMode,
    RevocationRules,
    TrustAnchor,
    level_of,
    trust_anchor,
)
from hardwire.certs.names import GeneralName, NameKind
from hardwire.errors import CertificateRefused, LocalError, Misuse, PeerNotVerified, UsageError

FILE: Final = "trust.toml"
MAX_ANCHORS: Final = 32
_OID: Final = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]{0,19})){1,30}")
_PATTERN: Final = re.compile(r"(?:\*(?=[@.]))?[A-Za-z0-9@._+-]{1,128}")
_ORGANISATION_KEYS: Final = frozenset({"name", "certificates", "names", "level", "policies", "attested"})
_FILE_KEYS: Final = frozenset({"members_only", "revocation", "max_age_days", "clock_skew_seconds", "organisation"})
SHOWN: Final = frozenset({NameKind.EMAIL, NameKind.DNS})
"""The kinds of names that people read."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """One organisation, and which of its devices are welcome.

    Attributes:
        anchors: Its authorities.
        names: Patterns of which one must fit; none fit all.
        level: What it must at least have found out about the key's home.
        policies: Certificate policies that must hold, dotted.
        attested: The device must prove to this side as well that its key is in hardware.
    """

    anchors: tuple[TrustAnchor, ...]
    names: tuple[str, ...] = ()
    level: Level | None = None
    policies: frozenset[str] = frozenset()
    attested: bool = False

    def welcome(self, endorsement: Endorsement) -> None:
        """Refuse a member that this side does not want.

        Raises:
            PeerNotVerified: ``peer-level``, ``peer-policy`` or ``peer-name``.
        """
        found = level_of(endorsement.policies)
        if self.level is not None and (found is None or found < self.level):
            what = "says nothing about where the key is" if found is None else f"says: {found.words}"
            raise PeerNotVerified(
                f"the peer's certificate {what}, and {self.level.words} is wanted here",
                code="peer-level",
                hint="its organisation can issue another one when it has checked the device",
            )
        missing = sorted(self.policies - endorsement.policies)
        if missing:
            raise PeerNotVerified(
                f"the peer's certificate was not issued under the policy {missing[0]}",
                code="peer-policy",
                hint="its organisation knows which devices get that policy; trust.toml asks for it",
            )
        names = names_of(endorsement)
        if self.names and not any(fits(pattern, name) for pattern in self.names for name in names):
            called = ", ".join(names) or "nothing"
            raise PeerNotVerified(
                f"the peer is called {called}, and only {', '.join(self.names)} may come here",
                code="peer-name",
                hint="trust.toml says who may; was the invite sent to the right person?",
            )


@dataclass(frozen=True, slots=True)
class Organisations:
    """All that are believed here.

    Attributes:
        members: In the order of the file.
        members_only: Take nobody whom none of them vouches for.
        rules: What has to be known about revocation.
        skew: How far two clocks may be apart.
    """

    members: tuple[Organisation, ...] = ()
    members_only: bool = False
    rules: RevocationRules = RevocationRules()  # noqa: RUF009 - frozen
    skew: timedelta = timedelta(0)

    @property
    def anchors(self) -> tuple[TrustAnchor, ...]:
        """The authorities of all of them."""
        return tuple(anchor for one in self.members for anchor in one.anchors)

    def of(self, anchor: TrustAnchor) -> Organisation:
        """The organisation whose authority that is."""
        return next(one for one in self.members if anchor in one.anchors)


NOBODY: Final = Organisations()


def names_of(endorsement: Endorsement) -> tuple[str, ...]:
    """The names of a device that people read: addresses and hosts, as they stand in the certificate."""
    return tuple(map(_text, (name for name in endorsement.names if name.kind in SHOWN)))


def fits(pattern: str, name: str) -> bool:
    """``*@example.org`` fits every address there, ``*.example.org`` every host below it; anything else itself.

    Not an address at a host below it: who may hand out addresses is not who names hosts.
    """
    if not pattern.startswith("*"):
        return pattern.lower() == name.lower()
    if ("@" in pattern) != ("@" in name):
        return False
    return name.lower().endswith(pattern[1:].lower()) and len(name) >= len(pattern)


def load_organisations(home: Path | None = None) -> Organisations:
    """Read ``trust.toml``; without the file nobody is believed.

    Raises:
        UsageError: ``trust-file``; something in it is not what it should be.
    """
    path = (home or config_dir()) / FILE
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
        return _organisations(path.parent, fields)
    except FileNotFoundError:
        return NOBODY
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError, TypeError, Misuse) as problem:
        raise _unusable(str(problem)) from None
    except CertificateRefused as problem:
        raise _unusable(problem.message) from None


def add_organisation(
    file: Path, name: str | None, names: tuple[str, ...] = (), *, attested: bool = False, home: Path | None = None
) -> tuple[TrustAnchor, Path]:
    """Believe an organisation from now on: its certificate is copied beside ``trust.toml``, which gets an entry.

    Raises:
        UsageError: It is no authority's certificate, a pattern is none, or the organisation is there already.
        LocalError: ``disk``; nothing was changed.
    """
    base = home or config_dir()
    known = load_organisations(base)
    anchor, *more = _anchors((file,), name)
    if more:
        raise UsageError(f"{file} holds more than one authority", code="trust-ca", hint="trust them one by one")
    if any(one.certificate.spki == anchor.certificate.spki for one in known.anchors):
        raise UsageError(f"{anchor.name} is trusted already", code="trusted", hint=f"see {base / FILE}")
    copy = f"authority-{sha256(anchor.certificate.der).hexdigest()[:16]}.pem"
    fields: dict[str, object] = {"name": anchor.name, "certificates": [copy]}
    if names:
        fields["names"] = list(names)
    if attested:
        fields["attested"] = True
    try:
        _patterns(fields)
    except ValueError as problem:
        raise UsageError(f"--members: {problem}", hint="*@example.org, *.example.org, or one name") from None
    # A JSON text, list or truth value is one of TOML as well.
    entry = "".join(f"{key} = {json.dumps(value)}\n" for key, value in fields.items())
    path = base / FILE
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        write_private(base / copy, pem.to_pem(pem.CERTIFICATE, anchor.certificate.der).encode())
        write_private(path, f"{before}{'' if not before else chr(10)}[[organisation]]\n{entry}".encode())
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise LocalError(f"{path} cannot be written: {reason}", code="disk", hint="make room there") from None
    return anchor, path


def with_authorities(
    known: Organisations, files: tuple[Path, ...], *, members_only: bool = False, mode: str | None = None
) -> Organisations:
    """The same for one line, with what the command line said.

    Args:
        known: From the file.
        files: Certificates of authorities to believe as well.
        members_only: Take nobody else.
        mode: ``require``, ``prefer`` or ``off``; None as in the file.

    Raises:
        UsageError: One of the files is no authority's certificate.
    """
    more = tuple(Organisation(_anchors((path,), None)) for path in files)
    rules = known.rules if mode is None else replace(known.rules, mode=RevocationMode(mode))
    return replace(known, members=known.members + more, members_only=known.members_only or members_only, rules=rules)


def _text(name: GeneralName) -> str:
    return name.value.decode("ascii")


def _unusable(why: str) -> UsageError:
    return UsageError(
        f"{FILE} cannot be used: {why}",
        code="trust-file",
        hint="the guide docs/guides/organisation.md has an example; move the file away to go on without",
    )


def _organisations(base: Path, fields: Mapping[str, object]) -> Organisations:
    _require_known(fields, _FILE_KEYS)
    listed = fields.get("organisation", [])
    if not isinstance(listed, list):
        raise TypeError("organisation is written [[organisation]]")
    members = tuple(_organisation(base, cast("Mapping[str, object]", one)) for one in listed)
    days = fields.get("max_age_days")
    made = Organisations(
        members,
        _truth(fields, "members_only"),
        RevocationRules(
            RevocationMode(fields.get("revocation", "prefer")), None if days is None else timedelta(days=_number(days))
        ),
        timedelta(seconds=_number(fields.get("clock_skew_seconds", 0))),
    )
    if len(made.anchors) > MAX_ANCHORS:
        raise ValueError(f"at most {MAX_ANCHORS} authorities are believed")
    return made


def _organisation(base: Path, fields: Mapping[str, object]) -> Organisation:
    _require_known(fields, _ORGANISATION_KEYS)
    name = fields.get("name")
    if name is not None and not isinstance(name, str):
        raise TypeError("name is a text")
    files = tuple(base / text for text in _texts(fields, "certificates"))
    if not files:
        raise ValueError("an organisation has certificates")
    patterns, policies = _patterns(fields)
    level = fields.get("level")
    if level is not None and level not in {one.name.lower() for one in Level}:
        raise ValueError(f"there is no level {level!r}: software, claimed, attested")
    return Organisation(
        _anchors(files, name),
        patterns,
        None if level is None else Level[str(level).upper()],
        frozenset(policies),
        _truth(fields, "attested"),
    )


def _patterns(fields: Mapping[str, object]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names and policies."""
    patterns, policies = _texts(fields, "names"), _texts(fields, "policies")
    for text, form in [(one, _PATTERN) for one in patterns] + [(one, _OID) for one in policies]:
        if not form.fullmatch(text):
            raise ValueError(f"{text!r} is no name, pattern or policy")
    return patterns, policies


def _anchors(files: tuple[Path, ...], name: str | None) -> tuple[TrustAnchor, ...]:
    found = []
    for path in files:
        for der in pem.only(path, pem.CERTIFICATE):
            try:
                found.append(trust_anchor(der, name))
            except CertificateRefused as problem:
                raise UsageError(
                    f"{path}: {problem.message}",
                    code="trust-ca",
                    hint="name the certificate of an organisation's authority",
                ) from None
    return tuple(found)


def _require_known(fields: Mapping[str, object], known: frozenset[str]) -> None:
    strange = sorted(fields.keys() - known)
    if strange:
        raise ValueError(f"there is no {strange[0]}")


def _texts(fields: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = fields.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError(f"{name} is a list of texts")
    return tuple(value)


def _truth(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise TypeError(f"{name} is true or false")
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 36_500:  # noqa: PLR2004 - a century of days
        raise ValueError(f"{value!r} is no number of that kind")
    return value
