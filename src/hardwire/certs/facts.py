# SPDX-License-Identifier: Apache-2.0
"""What every reader of a certificate must see alike."""

from datetime import datetime
from typing import NamedTuple

from hardwire.certs.refusal import refused


class Facts(NamedTuple):
    """One reader's view. Names and key are DER; times are aware; extensions are (OID, critical, value)."""

    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    spki: bytes
    extensions: tuple[tuple[str, bool, bytes], ...]


def require_agreement(*views: Facts) -> None:
    """Refuse a certificate that two readers read differently.

    Raises:
        CertificateRefused: ``cert-ambiguous``.
    """
    if any(view != views[0] for view in views):
        raise refused("cert-ambiguous", "reads differently to different software")
