# SPDX-License-Identifier: Apache-2.0
"""Assurance levels as certificate policies: what an authority found out about a key's home before it issued.

A level in a certificate is the issuer's word, and as good as the issuer. The OIDs stand below the device purpose's, so
that no other software gives them a meaning. Levels are ordered: who asks for one accepts the higher ones.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from hardwire.certs.profile import DEVICE_PURPOSE

_ARC: Final = f"{DEVICE_PURPOSE}.1"


class Level(IntEnum):
    """Ordered; the policy's last arc."""

    SOFTWARE = 1
    """A program holds the key."""
    CLAIMED = 2
    """The device says that it holds the key; nobody proved it."""
    ATTESTED = 3
    """The issuer has verified an attestation: the key was made in hardware and stays there."""

    @property
    def policy(self) -> str:
        """The certificate policy, dotted."""
        return f"{_ARC}.{self.value}"

    @property
    def words(self) -> str:
        """For people."""
        return {1: "software token", 2: "token, unproven", 3: "attested hardware"}[self.value]


def level_of(policies: Iterable[str]) -> Level | None:
    """The level that a certificate's policies name; None when they name none, or more than one."""
    by_policy = {level.policy: level for level in Level}
    found = [by_policy[policy] for policy in policies if policy in by_policy]
    return found[0] if len(found) == 1 else None
