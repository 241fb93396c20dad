# SPDX-License-Identifier: Apache-2.0
"""Verification of a self-signed device certificate, as a numbered list of checks.

Each check raises :class:`~hardwire.errors.CertificateRefused` with a code of its own; none returns a verdict.
What is left to the caller afterwards: that the peer holds the private key (the handshake), and that it is the
person or machine that was meant (a pin, a comparison, a contact card).
"""

from datetime import datetime, timedelta
from typing import Final

from hardwire.certs import rules
from hardwire.certs.checklist import Checklist
from hardwire.certs.did import did_key
from hardwire.certs.gate import GatedCertificate
from hardwire.certs.identity import VerifiedIdentity, prove
from hardwire.certs.profile import DEVICE
from hardwire.certs.seat import Seat
from hardwire.certs.validity import EXIT_EXPIRED, NO_SKEW, check_begun, check_not_over, require_clock

__all__ = ["EXIT_EXPIRED", "SELF_SIGNED_CHECKS", "verify_self_signed"]

SELF_SIGNED_CHECKS: Final = (
    "issued by itself",
    "a key that can sign a handshake",
    "signed with the algorithm of its key",
    "the extensions of a device",
    "not an authority",
    "key usage",
    "purpose",
    "the did:key names this key",
    "its own signature",
    "valid already",
    "not expired",
)


def verify_self_signed(
    gated: GatedCertificate, *, at: datetime, skew: timedelta = NO_SKEW, checklist: Checklist | None = None
) -> VerifiedIdentity:
    """Verify a device certificate that vouches for itself.

    Args:
        gated: What :func:`~hardwire.certs.gate.open_gate` returned.
        at: The time now, aware.
        skew: How far the two clocks may be apart; nothing by default: the first and the last second are inside.
        checklist: Of :data:`SELF_SIGNED_CHECKS`, for whoever wants to see the walk.

    Raises:
        CertificateRefused: The first of the checks below that says no, under its code.
        Misuse: ``at`` has no time zone, or ``skew`` is negative or more than a day.
    """
    require_clock(at, skew)
    seat = Seat(gated, DEVICE)
    steps = checklist or Checklist(SELF_SIGNED_CHECKS)
    did = did_key(gated.public_key)
    with steps.check(1):
        _check_self_issued(seat)
    with steps.check(2):
        rules.check_key(seat)
    with steps.check(3):
        _check_algorithm(seat)
    with steps.check(4):
        rules.check_extensions(seat)
    with steps.check(5):
        rules.check_not_an_authority(seat)
    with steps.check(6):
        rules.check_key_usage(seat)
    with steps.check(7):
        rules.check_purpose(seat, alone=True)
    with steps.check(8):
        rules.check_names(seat, did)
    with steps.check(9):
        _check_signature(seat)
    with steps.check(10):
        check_begun(seat, at, skew)
    with steps.check(11):
        check_not_over(seat, at, skew)
    return prove(gated, did)


def _check_self_issued(seat: Seat) -> None:
    """``cert-not-self-issued``: issuer and subject are the same name, octet for octet."""
    if not seat.gated.self_issued:
        raise seat.no("cert-not-self-issued", "was issued by somebody else, and no authority is trusted here")


def _check_algorithm(seat: Seat) -> None:
    """``cert-profile-algorithm``: the signature is of the key's own family."""
    if not seat.gated.shape.algorithm.fits(seat.gated.key_kind):
        raise seat.no("cert-profile-algorithm", "is signed with an algorithm that does not belong to its key")


def _check_signature(seat: Seat) -> None:
    """``cert-self-signature``: its own key signed it."""
    try:
        seat.gated.parsed.verify_directly_issued_by(seat.gated.parsed)
    except Exception as error:
        # InvalidSignature is the declared one; whatever else a library throws at hostile octets means no.
        raise seat.no("cert-self-signature", "is not signed by its own key: it was altered") from error
