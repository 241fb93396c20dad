# SPDX-License-Identifier: Apache-2.0
"""The numbered checklist: what is checked, in which order, and what came of it.

A verifier walks through its list from the first number to the last and stops at the first no. Whoever wants to see
the walk hands a :class:`Checklist` in; the verdict itself is never read from it, it is the proof value or the error.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from hardwire.errors import CertificateRefused


class Verdict(Enum):
    """What came of a check."""

    PASSED = "passed"
    REFUSED = "refused"
    NOT_REACHED = "not reached"
    NOT_ASKED = "not asked for"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list.

    Attributes:
        number: From 1.
        name: What is checked, in a few words.
        verdict: What came of it.
        evidence: The facts it was decided on, in one line.
    """

    number: int
    name: str
    verdict: Verdict
    evidence: str = ""


class Checklist:
    """The walk through one list.

    Args:
        names: The names of the checks; the first is number 1.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._checks = [Check(number, name, Verdict.NOT_REACHED) for number, name in enumerate(names, 1)]

    @property
    def checks(self) -> tuple[Check, ...]:
        """All lines, reached or not."""
        return tuple(self._checks)

    def note(self, number: int, evidence: str, verdict: Verdict = Verdict.PASSED) -> None:
        """Write the evidence of a check."""
        check = self._checks[number - 1]
        self._checks[number - 1] = Check(number, check.name, verdict, evidence)

    @contextmanager
    def check(self, number: int) -> Iterator[None]:
        """Around the code of one check: passed unless it raises; a refusal is told its number.

        Raises:
            CertificateRefused: What the check raised, with ``check`` in its evidence.
        """
        check = self._checks[number - 1]
        try:
            yield
        except CertificateRefused as error:
            self.note(number, error.message, Verdict.REFUSED)
            error.evidence = MappingProxyType({**error.evidence, "check": f"{number} {check.name}"})
            raise
        if self._checks[number - 1].verdict is Verdict.NOT_REACHED:
            self.note(number, "")
