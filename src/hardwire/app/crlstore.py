# SPDX-License-Identifier: Apache-2.0
"""The lists of revoked certificates that this machine holds, and the highest number it has seen of each series.

One file a series (an issuer's key and scope), the signed octets as they came; beside them ``numbers.json``, which
outlives the lists: a list that goes backwards is refused even when the newer one was deleted. All of it is public.
Nothing enters without the signature of an authority that is believed at that moment, and an authority that has gone bad
cannot crowd out the others: it gets so many files and no more, and a root, which alone could take it back, always gets
its own. One program at a time changes the numbers, so that none of two lines that end together is forgotten.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from hardwire.app.paths import state_dir, write_private
from hardwire.certs import CrlMemory, GatedCertificate, RevocationFact, SignedCrl, read_crl
from hardwire.errors import CertificateRefused, LocalError

MAX_FILES: Final = 64
"""Series that are held of authorities below a root."""
MAX_SERIES: Final = 8
"""Series that are held of one authority."""
_HEAD: Final = 8192
"""Octets at the beginning of a list; the issuer's name is in there."""
_NUMBERS: Final = "numbers.json"
_LOCK: Final = ".lock"
_NAME: Final = re.compile(r"[0-9a-f]{64}\.crl")


@dataclass(frozen=True, slots=True)
class Kept:
    """One list that was taken, or was there already.

    Attributes:
        crl: The list.
        new: It was not held before.
    """

    crl: SignedCrl
    new: bool


class CrlStore:
    """The store in a directory; nothing is written before :meth:`keep`.

    Args:
        directory: When not the usual one.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or state_dir() / "revocation"

    def lists(self) -> tuple[SignedCrl, ...]:
        """Everything held; a file that is damaged is left out, its number is still remembered."""
        return self._lists(None)

    def _lists(self, names: frozenset[bytes] | None) -> tuple[SignedCrl, ...]:
        found = []
        for path in self._files():
            try:
                with path.open("rb") as file:
                    head = file.read(_HEAD)
                    if names is None or any(name in head for name in names):
                        found.append(read_crl(head + file.read()))
            except (CertificateRefused, OSError):
                continue
        return tuple(found)

    def _files(self) -> list[Path]:
        try:
            return sorted(path for path in self.directory.iterdir() if _NAME.fullmatch(path.name))
        except FileNotFoundError:
            return []

    def memory(self) -> CrlMemory:
        """The highest number of each series.

        Raises:
            LocalError: ``numbers-damaged``; going on without would let an old list come back.
        """
        path = self.directory / _NUMBERS
        try:
            fields = json.loads(path.read_bytes())
            return CrlMemory({str(name): int(cast("int", value)) for name, value in fields.items()})
        except FileNotFoundError:
            return CrlMemory()
        except (OSError, ValueError, AttributeError, TypeError):
            raise LocalError(
                f"{path} is damaged",
                code="numbers-damaged",
                hint="it tells old lists of revoked certificates from new ones: restore it, or remove it and install "
                "the newest list of each organisation",
            ) from None

    def of_issuers(self, names: Iterable[bytes]) -> tuple[SignedCrl, ...]:
        """What is held of the issuers with these names (DER), the newest of each series."""
        wanted = frozenset(names)
        return tuple(one for one in self._lists(wanted) if one.issuer in wanted)

    def keep(self, crl: SignedCrl, issuer: GatedCertificate) -> Kept:
        """Take a list that ``issuer`` signed, unless it is older than what was seen before.

        Raises:
            CertificateRefused: ``crl-issuer``, ``crl-signature``, ``crl-rolled-back`` or ``crl-many``.
            LocalError: ``disk``; the store is as it was.
        """
        crl.check_signature(issuer)
        with self._locked():
            return self._keep(crl, issuer)

    def _keep(self, crl: SignedCrl, issuer: GatedCertificate) -> Kept:
        series = crl.series(issuer)
        memory = self.memory()
        highest = memory.highest.get(series, -1)
        path = self.directory / f"{series}.crl"
        if crl.number < highest:
            raise CertificateRefused(
                f"the CRL goes backwards: it has number {crl.number}, and number {highest} was seen before",
                code="crl-rolled-back",
                hint="ask the organisation for its newest list; if it is the newest, the authority was restored from a "
                "backup: it has to go on with higher numbers",
                evidence={"number": str(crl.number), "seen": str(highest)},
            )
        if crl.number == highest and _number(path) == highest:
            return Kept(crl, new=False)
        if not path.exists():
            self._require_room(issuer)
        try:
            # The number first: a kill in between leaves an older list than the number says, and never the reverse.
            self._remember({**memory.highest, series: crl.number})
            write_private(path, crl.der)
        except OSError as problem:
            raise _disk(path, problem) from None
        return Kept(crl, new=True)

    def learn(self, facts: Iterable[RevocationFact]) -> None:
        """Remember the numbers that a verification has seen.

        Raises:
            LocalError: ``disk``.
        """
        known = tuple(facts)
        memory = self.memory()
        if memory.after(known).highest == memory.highest:
            return
        with self._locked():
            try:
                self._remember(self.memory().after(known).highest)
            except OSError as problem:
                raise _disk(self.directory / _NUMBERS, problem) from None

    def _require_room(self, issuer: GatedCertificate) -> None:
        """``crl-many``: an authority fills the store."""
        own = sum(_signed_by(one, issuer) for one in self.of_issuers((issuer.shape.subject,)))
        if own >= MAX_SERIES or (not issuer.self_issued and len(self._files()) >= MAX_FILES):
            raise CertificateRefused(
                "the CRL is one of too many",
                code="crl-many",
                hint=f"{self.directory} is full: remove the *.crl files there, and install the newest list of each "
                "organisation; no authority needs that many",
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One program at a time."""
        path = self.directory / _LOCK
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as problem:
            raise _disk(path, problem) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _remember(self, numbers: Mapping[str, int]) -> None:
        write_private(self.directory / _NUMBERS, json.dumps(dict(numbers), indent=1).encode())


def signer_of(crl: SignedCrl, known: Iterable[GatedCertificate]) -> GatedCertificate | None:
    """Which of the authorities signed the list; two may have one name (another organisation, or a new key).

    Returns:
        None when nobody has the issuer's name.

    Raises:
        CertificateRefused: ``crl-issuer`` or ``crl-signature``: those of that name did not sign it.
    """
    refusal = None
    for one in known:
        if one.shape.subject == crl.issuer:
            try:
                crl.check_signature(one)
            except CertificateRefused as error:
                refusal = error
            else:
                return one
    if refusal is not None:
        raise refusal
    return None


def _number(path: Path) -> int | None:
    """Of the list that is in the file; None when that is damaged, or was never written."""
    try:
        return read_crl(path.read_bytes()).number
    except (CertificateRefused, OSError):
        return None


def _signed_by(crl: SignedCrl, issuer: GatedCertificate) -> bool:
    try:
        return signer_of(crl, (issuer,)) is not None
    except CertificateRefused:
        return False


def _disk(path: Path, problem: OSError) -> LocalError:
    reason = (problem.strerror or str(problem)).lower()
    return LocalError(f"{path} cannot be written: {reason}", code="disk", hint="make room there")
