# SPDX-License-Identifier: Apache-2.0
"""What a device says about where its key lives: a claim, believed by nobody, shown as such.

It travels as one of the attestation blobs of the credential (docs/protocol.md §8): blob = u16 type ‖ body. Type
0x0001 is the device's claim, its body one octet: 0 software, 1 token, 2 TPM. Other types are evidence for
other readers and are skipped here.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from hardwire.errors import Misuse, WireError
from hardwire.wire import Reader, Writer

CLAIM_TYPE: Final = 0x0001


class Assurance(Enum):
    """How well it is known that the key is in hardware; the value is what a person reads."""

    SOFTWARE_TOKEN = "SOFTWARE TOKEN"  # noqa: S105 - a token that is no secret
    TOKEN_CLAIMED = "token, unproven"  # noqa: S105 - the same
    TPM_CLAIMED = "TPM, unproven"
    UNPROVEN = "unproven"


_LEVELS: Final[Mapping[int, Assurance]] = {
    0: Assurance.SOFTWARE_TOKEN,
    1: Assurance.TOKEN_CLAIMED,
    2: Assurance.TPM_CLAIMED,
}


def encode_claim(assurance: Assurance) -> bytes:
    """The attestation blob, 3 octets, that claims ``assurance``.

    Raises:
        Misuse: ``UNPROVEN`` is what a device is that claims nothing; there is no blob for it.
    """
    for level, known in _LEVELS.items():
        if known is assurance:
            return Writer().u16(CLAIM_TYPE).u8(level).getvalue()
    raise Misuse("a device that claims nothing sends no claim")


def assurance_of(blobs: tuple[bytes, ...]) -> Assurance:
    """What the attestation blobs of a credential claim; ``UNPROVEN`` when they claim nothing.

    Raises:
        WireError: A blob too short for its type; a claim that is malformed, of an unknown level, or made twice.
    """
    claimed: Assurance | None = None
    for blob in blobs:
        reader = Reader(blob, "attestation")
        if reader.u16() != CLAIM_TYPE:
            continue
        level = reader.u8()
        reader.end()
        if level not in _LEVELS:
            raise WireError(f"attestation: the unknown level {level} is claimed", code="assurance")
        if claimed is not None:
            raise WireError("attestation: two claims", code="assurance")
        claimed = _LEVELS[level]
    return claimed or Assurance.UNPROVEN
