# SPDX-License-Identifier: Apache-2.0
"""One way to say no to a certificate: a stable code, a sentence, a hint."""

from collections.abc import Mapping
from typing import Final

from hardwire.errors import CertificateRefused

REMAKE_HINT: Final = "it was damaged, or made by other software; its owner can make a new one with `hardwire init`"


def refused(
    code: str,
    why: str,
    *,
    hint: str = REMAKE_HINT,
    exit_code: int | None = None,
    evidence: Mapping[str, str] | None = None,
) -> CertificateRefused:
    """The error to raise; ``why`` continues the words "the certificate"."""
    return CertificateRefused(f"the certificate {why}", code=code, hint=hint, exit_code=exit_code, evidence=evidence)
