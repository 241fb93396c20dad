# SPDX-License-Identifier: Apache-2.0
"""Verification of a self-signed device certificate, as a numbered list of checks.

Each check raises :class:`~hardwire.errors.CertificateRefused` with a code of its own; none returns a verdict.
What is left to the caller afterwards: that the peer holds the private key (the handshake), and that it is the
person or machine that was meant (a pin, a comparison, a contact card).
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from hardwire.certs.did import did_key
from hardwire.certs.gate import GatedCertificate
from hardwire.certs.identity import VerifiedIdentity, prove
from hardwire.certs.profile import ANY_PURPOSE, DEVICE, KeyKind
from hardwire.certs.refusal import REMAKE_HINT, refused
from hardwire.certs.shape import URI_NAME
from hardwire.errors import CertificateRefused, Misuse

EXIT_EXPIRED: Final = 50

_CLOCK_HINT: Final = "one of the two clocks is probably wrong: compare `date -u` on both machines"
_RENEW_HINT: Final = (
    "its owner makes a new certificate for the same key with `hardwire init`; "
    "if it should still be good, compare `date -u` on both machines"
)


def verify_self_signed(gated: GatedCertificate, *, at: datetime) -> VerifiedIdentity:
    """Verify a device certificate that vouches for itself.

    Args:
        gated: What :func:`~hardwire.certs.gate.open_gate` returned.
        at: The time now, aware. There is no tolerance: the first and the last second are inside.

    Raises:
        CertificateRefused: The first of the checks below that says no, under its code.
        Misuse: ``at`` has no time zone.
    """
    if at.utcoffset() is None:
        raise Misuse("the time of a verification needs a time zone")
    did = did_key(gated.public_key)
    _check_01_self_issued(gated)
    _check_02_key(gated)
    _check_03_algorithm(gated)
    _check_04_extensions(gated)
    _check_05_not_an_authority(gated)
    _check_06_key_usage(gated)
    _check_07_purpose(gated)
    _check_08_name_is_key(gated, did)
    _check_09_signature(gated)
    _check_10_begun(gated, at)
    _check_11_not_over(gated, at)
    return prove(gated, did)


def _check_01_self_issued(gated: GatedCertificate) -> None:
    """``cert-not-self-issued``: issuer and subject are the same name, octet for octet."""
    if gated.shape.issuer != gated.shape.subject:
        raise _no(gated, "cert-not-self-issued", "was issued by somebody else, and no authority is trusted here")


def _check_02_key(gated: GatedCertificate) -> None:
    """``cert-profile-key``: a key that the handshake has a signature scheme for."""
    if gated.key_kind is KeyKind.RSA and gated.public_key.key_size not in DEVICE.rsa_bits:
        raise _no(gated, "cert-profile-key", f"has an RSA key of {gated.public_key.key_size} bits, 4096 are the most")


def _check_03_algorithm(gated: GatedCertificate) -> None:
    """``cert-profile-algorithm``: the signature is of the key's own family."""
    if gated.shape.algorithm.elliptic == (gated.key_kind is KeyKind.RSA):
        raise _no(gated, "cert-profile-algorithm", "is signed with an algorithm that does not belong to its key")


def _check_04_extensions(gated: GatedCertificate) -> None:
    """``cert-profile-extension``: all that are required, none that is unknown, each as critical as it must be."""
    found = {extension.oid: extension.critical for extension in gated.extensions}
    for rule in DEVICE.extensions:
        critical = found.pop(rule.oid, None)
        if critical is None and rule.required:
            raise _no(gated, "cert-profile-extension", f"has no {rule.name}")
        if critical not in {None, rule.critical}:
            raise _no(gated, "cert-profile-extension", f"marks {rule.name} wrongly as critical or not critical")
    if found:
        unknown = ", ".join(sorted(found))
        raise _no(gated, "cert-profile-extension", f"has extensions that a device does not have: {unknown}")


def _check_05_not_an_authority(gated: GatedCertificate) -> None:
    """``cert-profile-ca``: a device issues nothing."""
    if gated.shape.authority:
        raise _no(gated, "cert-profile-ca", "is an authority's, not a device's")


def _check_06_key_usage(gated: GatedCertificate) -> None:
    """``cert-profile-key-usage``: the key may sign, and may nothing that a device key must not."""
    usages = gated.shape.key_usage or frozenset()
    if not DEVICE.usages_required <= usages <= DEVICE.usages_allowed:
        raise _no(gated, "cert-profile-key-usage", "does not limit its key to signatures (and key agreement)")


def _check_07_purpose(gated: GatedCertificate) -> None:
    """``cert-profile-eku``: for hardwire, by name; "any purpose" is not a name."""
    purposes = gated.shape.purposes or ()
    if ANY_PURPOSE in purposes:
        raise _no(gated, "cert-profile-eku", "claims to be good for any purpose, which is good for none")
    if purposes != (DEVICE.purpose,):
        raise _no(gated, "cert-profile-eku", "was made for another purpose than hardwire")


def _check_08_name_is_key(gated: GatedCertificate, did: str) -> None:
    """``cert-profile-san`` and ``cert-did-mismatch``: one name, the did:key URI of the very key."""
    names = gated.shape.alt_names or ()
    if len(names) != 1 or names[0][0] != URI_NAME or not names[0][1].startswith(b"did:key:"):
        raise _no(gated, "cert-profile-san", "does not carry exactly one name, a did:key")
    if names[0][1] != did.encode("ascii"):
        raise _no(gated, "cert-did-mismatch", "names another key than the one it holds")


def _check_09_signature(gated: GatedCertificate) -> None:
    """``cert-self-signature``: its own key signed it."""
    try:
        gated.parsed.verify_directly_issued_by(gated.parsed)
    except Exception as error:
        # InvalidSignature is the declared one; whatever else a library throws at hostile octets means no.
        raise _no(gated, "cert-self-signature", "is not signed by its own key: it was altered") from error


def _check_10_begun(gated: GatedCertificate, at: datetime) -> None:
    """``cert-not-yet-valid``."""
    if at < gated.not_before:
        early = gated.not_before - at
        raise _no(
            gated,
            "cert-not-yet-valid",
            f"becomes valid at {_moment(gated.not_before)}, "
            f"but the clock here says {_moment(at)}, {_span(early)} earlier",
            hint=_CLOCK_HINT,
            evidence=_times(at, -early),
        )


def _check_11_not_over(gated: GatedCertificate, at: datetime) -> None:
    """``cert-expired``; the process's exit code is 50."""
    if at > gated.not_after:
        late = at - gated.not_after
        raise _no(
            gated,
            "cert-expired",
            f"expired at {_moment(gated.not_after)}, and the clock here says {_moment(at)}, {_span(late)} later",
            hint=_RENEW_HINT,
            exit_code=EXIT_EXPIRED,
            evidence=_times(at, late),
        )


def _no(
    gated: GatedCertificate,
    code: str,
    why: str,
    *,
    hint: str = REMAKE_HINT,
    exit_code: int | None = None,
    evidence: dict[str, str] | None = None,
) -> CertificateRefused:
    facts = {
        "serial": f"{gated.serial:x}",
        "subject": gated.parsed.subject.rfc4514_string(),
        "not_before": _moment(gated.not_before),
        "not_after": _moment(gated.not_after),
    }
    return refused(code, why, hint=hint, exit_code=exit_code, evidence=facts | (evidence or {}))


def _times(at: datetime, offset: timedelta) -> dict[str, str]:
    """``clock_offset``: seconds that the clock here lies outside the validity, negative when before it."""
    return {"clock": _moment(at), "clock_offset": f"{offset.total_seconds():+.0f} s"}


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s"
