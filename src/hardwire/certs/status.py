# SPDX-License-Identifier: Apache-2.0
"""The status of certificates, as values: what is at hand, what a policy asks for, and what is known in the end.

:mod:`hardwire.certs.revocation` comes from the first two to the last.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType
from typing import Final

from hardwire.certs.crl import SignedCrl
from hardwire.certs.seat import span
from hardwire.errors import Misuse


class RevocationMode(Enum):
    """What a policy asks for."""

    OFF = "off"
    PREFER = "prefer"
    REQUIRE = "require"


class Source(Enum):
    """Where the knowledge about one certificate comes from."""

    CRL = "CRL"
    OCSP = "OCSP"
    NOTHING = "nothing fresh"


@dataclass(frozen=True, slots=True)
class CrlMemory:
    """The highest number seen of each series of lists; a value, to be kept by the caller between verifications.

    Attributes:
        highest: By series (:meth:`SignedCrl.series <hardwire.certs.crl.SignedCrl.series>`, 64 hex digits).
    """

    highest: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "highest", MappingProxyType(dict(self.highest)))

    def after(self, facts: Iterable["RevocationFact"]) -> "CrlMemory":
        """The memory with these facts in it; numbers only grow."""
        grown = dict(self.highest)
        for fact in facts:
            for series, number in fact.seen:
                grown[series] = max(number, grown.get(series, number))
        return CrlMemory(grown)


@dataclass(frozen=True, slots=True)
class RevocationMaterial:
    """What is at hand.

    Attributes:
        crls: Lists, DER or read already; at most 16, 1.5 MiB together.
        ocsp: Answers, DER; at most 8.
        memory: Of the lists seen before.
    """

    crls: tuple[bytes | SignedCrl, ...] = ()
    ocsp: tuple[bytes, ...] = ()
    memory: CrlMemory = field(default_factory=CrlMemory)


NO_MATERIAL: Final = RevocationMaterial()


@dataclass(frozen=True, slots=True)
class RevocationRules:
    """What a policy asks for.

    Attributes:
        mode: Whether anything is asked for.
        max_age: Of the knowledge; None leaves it to the issuer's own next update.
    """

    mode: RevocationMode = RevocationMode.PREFER
    max_age: timedelta | None = None

    def __post_init__(self) -> None:
        if self.max_age is not None and self.max_age < timedelta(0):
            raise Misuse("knowledge cannot be younger than nothing")


PREFER: Final = RevocationRules()


@dataclass(frozen=True, slots=True)
class RevocationFact:
    """What is known of one certificate: it is not revoked, says this source of this age; or nobody fresh says so.

    Attributes:
        who: Which certificate.
        source: Who says so.
        this_update: When that was known; of the youngest stale statement when the source is ``NOTHING``.
        next_update: Until when it is supposed to hold.
        age: From ``this_update`` to the verification.
        number: CRLNumber, of a list.
        problem: Why there is nothing fresh, in words.
        seen: Numbers of the authentic lists that were looked at, for the memory.
    """

    who: str
    source: Source
    this_update: datetime | None = None
    next_update: datetime | None = None
    age: timedelta | None = None
    number: int | None = None
    problem: str = ""
    seen: tuple[tuple[str, int], ...] = field(default=(), repr=False)

    def text(self) -> str:
        """For people."""
        if self.source is Source.NOTHING:
            return f"{self.who}: {self.problem}"
        age = "" if self.age is None else f", {span(max(self.age, timedelta(0)))} old"
        return f"{self.who}: not revoked, says {self.source.value}{age}"
