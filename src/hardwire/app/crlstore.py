# SPDX-License-Identifier: Apache-2.0
"""The lists of revoked certificates that this machine holds, and the highest number it has seen of each series.

One file a series (an issuer's key and scope), the signed octets as they came; beside them ``numbers.json``, which
outlives the lists: a list that goes backwards is refused even when the newer one was deleted. All of it is public.
Nothing enters without the signature of an authority that is believed at that moment.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from hardwire.app.paths import state_dir, write_private
from hardwire.certs import CrlMemory, GatedCertificate, RevocationFact, SignedCrl, read_crl
from hardwire.errors import CertificateRefused, LocalError

MAX_FILES: Final = 64
"""Series that are held; more are not read."""
_NUMBERS: Final = "numbers.json"
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
        found = []
        try:
            names = sorted(path for path in self.directory.iterdir() if _NAME.fullmatch(path.name))
        except FileNotFoundError:
            return ()
        for path in names[:MAX_FILES]:
            try:
                found.append(read_crl(path.read_bytes()))
            except (CertificateRefused, OSError):
                continue
        return tuple(found)

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
        wanted = set(names)
        if not wanted:
            return ()
        return tuple(one for one in self.lists() if one.issuer in wanted)

    def keep(self, crl: SignedCrl, issuer: GatedCertificate) -> Kept:
        """Take a list that ``issuer`` signed, unless it is older than what was seen before.

        Raises:
            CertificateRefused: ``crl-issuer``, ``crl-signature`` or ``crl-rolled-back``.
            LocalError: ``disk``; the store is as it was.
        """
        crl.check_signature(issuer)
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
        if crl.number == highest and path.exists():
            return Kept(crl, new=False)
        try:
            # The number first: a kill in between leaves an older list than the number says, and never the reverse.
            self._remember({**memory.highest, series: crl.number})
            write_private(path, crl.der)
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            raise LocalError(f"{path} cannot be written: {reason}", code="disk", hint="make room there") from None
        return Kept(crl, new=True)

    def learn(self, facts: Iterable[RevocationFact]) -> None:
        """Remember the numbers that a verification has seen."""
        memory = self.memory()
        grown = memory.after(facts)
        if grown.highest != memory.highest:
            self._remember(grown.highest)

    def _remember(self, numbers: Mapping[str, int]) -> None:
        write_private(self.directory / _NUMBERS, json.dumps(dict(numbers), indent=1).encode())
