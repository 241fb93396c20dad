# SPDX-License-Identifier: Apache-2.0
"""One way to say no to a certificate: a stable code, a sentence, a hint."""

from collections.abc import Mapping
from typing import Final

from hardwire.errors import CertificateRefused

REMAKE_HINT: Final = "it was damaged, or made by other software; its owner can make a new one with `hardwire init`"
ISSUER_HINT: Final = "the organisation that issued it has to issue another; `hardwire cert check` shows every check"


def refused(
    code: str,
    why: str,
    *,
    who: str = "the certificate",
    hint: str = REMAKE_HINT,
    exit_code: int | None = None,
    evidence: Mapping[str, str] | None = None,
) -> CertificateRefused:
    """The error to raise; ``why`` continues the words of ``who``."""
    return CertificateRefused(f"{who} {why}", code=code, hint=hint, exit_code=exit_code, evidence=evidence)
