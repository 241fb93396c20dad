# SPDX-License-Identifier: Apache-2.0
"""Trust anchors: the certificates of the organisations that are believed here.

An anchor is believed because a person said so, and still has to keep its own word: its dates, its path length and
its name constraints count like those of any other authority in the chain.
"""

from dataclasses import InitVar, dataclass
from typing import Final

from cryptography.x509.oid import NameOID

from hardwire.certs import rules
from hardwire.certs.gate import GatedCertificate, open_gate
from hardwire.certs.profile import ANCHOR
from hardwire.certs.seat import Seat
from hardwire.errors import Misuse

_SEAL: Final = object()
_MAX_NAME: Final = 64
_SPEAKING: Final = (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME)


@dataclass(frozen=True, slots=True)
class TrustAnchor:
    """An organisation's authority that is trusted here; only :func:`trust_anchor` makes one."""

    certificate: GatedCertificate
    name: str
    """The organisation, as people here call it; at most 64 characters, none of them a control character."""
    seal: InitVar[object] = None

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise Misuse("a trust anchor is made by trust_anchor only")


def trust_anchor(der: bytes, name: str | None = None) -> TrustAnchor:
    """An anchor from a DER certificate that a person decided to trust.

    Args:
        der: At most 8192 octets.
        name: How people here call the organisation; None takes it from the certificate: the organizationName,
            else the commonName, else the whole name.

    Raises:
        CertificateRefused: It does not pass the gate, or is not an authority's certificate of the profile
            ``ANCHOR``; the dates are not looked at here.
    """
    gated = open_gate(der)
    seat = Seat(gated, ANCHOR, "the trust anchor")
    check_authority(seat)
    return TrustAnchor(gated, name or _organisation(seat), _SEAL)


def check_authority(seat: Seat) -> None:
    """Everything that the profile of an authority asks, dates aside.

    Raises:
        CertificateRefused: ``cert-profile-key``, ``-extension``, ``-ca``, ``-key-usage``, ``-eku``, ``-limits``.
    """
    rules.check_key(seat)
    rules.check_extensions(seat)
    rules.check_an_authority(seat)
    rules.check_key_usage(seat)
    rules.check_may_issue(seat)
    rules.check_limits(seat)


def _organisation(seat: Seat) -> str:
    subject = seat.gated.parsed.subject
    for oid in _SPEAKING:
        for attribute in subject.get_attributes_for_oid(oid):
            # The gate let text through only, free of control characters.
            return str(attribute.value)[:_MAX_NAME]
    return seat.subject[:_MAX_NAME]
