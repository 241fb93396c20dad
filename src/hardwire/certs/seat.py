# SPDX-License-Identifier: Apache-2.0
"""A certificate in its place of a chain, and how it is spoken of when it is refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hardwire.certs.gate import GatedCertificate
from hardwire.certs.profile import CertificateProfile
from hardwire.certs.refusal import REMAKE_HINT, refused
from hardwire.errors import CertificateRefused


@dataclass(frozen=True, slots=True)
class Seat:
    """One certificate, the profile of its place, and the words for it.

    Attributes:
        gated: The certificate.
        profile: What it has to be.
        who: How a sentence about it begins.
    """

    gated: GatedCertificate
    profile: CertificateProfile
    who: str = "the certificate"

    @property
    def subject(self) -> str:
        """The distinguished name, for people."""
        return self.gated.parsed.subject.rfc4514_string()

    def no(
        self,
        code: str,
        why: str,
        *,
        hint: str = REMAKE_HINT,
        exit_code: int | None = None,
        evidence: Mapping[str, str] | None = None,
    ) -> CertificateRefused:
        """The error to raise; ``why`` continues the sentence."""
        facts = {
            "serial": f"{self.gated.serial:x}",
            "subject": self.subject,
            "not_before": moment(self.gated.not_before),
            "not_after": moment(self.gated.not_after),
        }
        return refused(code, why, who=self.who, hint=hint, exit_code=exit_code, evidence=facts | dict(evidence or {}))


def moment(when: datetime) -> str:
    """A time as it is shown."""
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def span(length: timedelta) -> str:
    """A duration in its two largest units."""
    seconds = int(length.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s"
