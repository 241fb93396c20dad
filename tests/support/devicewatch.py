# SPDX-License-Identifier: Apache-2.0
"""Keeps count of what ran on which device, so that a run in which a device was left out can be failed."""

from collections import Counter
from collections.abc import Iterable


class DeviceWatch:
    """Counts outcomes per device. Fed by the hooks in ``tests/conftest.py``; knows nothing of pytest.

    Args:
        required: Names of the devices that must have been used.
    """

    def __init__(self, required: Iterable[str]) -> None:
        self.required = tuple(required)
        self._devices: dict[str, tuple[str, ...]] = {}
        self._passed: Counter[str] = Counter()
        self._other: Counter[str] = Counter()

    def expect(self, test: str, *devices: str) -> None:
        """``test`` was collected and uses ``devices``."""
        self._devices[test] = (*self._devices.get(test, ()), *devices)

    def forget(self, test: str) -> None:
        """``test`` was chosen not to run."""
        self._devices.pop(test, None)

    def note(self, test: str, phase: str, outcome: str) -> None:
        """One phase of ``test`` ended. A pass is a pass of the test itself; anything else counts in any phase."""
        for device in self._devices.get(test, ()):
            if outcome != "passed":
                self._other[device] += 1
            elif phase == "call":
                self._passed[device] += 1

    def summary(self) -> list[str]:
        """One line for each required device."""
        return [f"device {name:<10} {self._passed[name]} passed, {self._other[name]} not" for name in self.required]

    def complaints(self) -> list[str]:
        """What is wrong with the run; empty when nothing is."""
        return [
            *(f"no test of device {name} passed" for name in self.required if not self._passed[name]),
            *(
                f"{self._other[name]} tests of device {name} were skipped or failed"
                for name in self.required
                if self._other[name]
            ),
        ]
