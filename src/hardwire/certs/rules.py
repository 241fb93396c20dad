# SPDX-License-Identifier: Apache-2.0
"""The profile's rules, one function each, over the data in :mod:`hardwire.certs.profile`.

Each raises :class:`~hardwire.errors.CertificateRefused` with a code of its own; none returns a verdict.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from hardwire.certs.names import HARDWARE_MODULE, PERMANENT_IDENTIFIER, GeneralName, NameKind
from hardwire.certs.profile import ANY_PURPOSE, DEVICE_PURPOSE, LIMIT_KINDS, MAX_DEVICE_NAMES, KeyUsage
from hardwire.certs.seat import Seat

_DID: Final = b"did:key:"


def check_key(seat: Seat) -> None:
    """``cert-profile-key``: a key of a kind and size that has a use in this place."""
    key = seat.gated.public_key
    if seat.gated.key_kind not in seat.profile.key_kinds:
        raise seat.no("cert-profile-key", f"has an {seat.gated.key_kind.value} key, which is not for authorities here")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size not in seat.profile.rsa_bits:
        most = seat.profile.rsa_bits[-1]
        raise seat.no("cert-profile-key", f"has an RSA key of {key.key_size} bits, {most} are the most")


def check_extensions(seat: Seat) -> None:
    """``cert-profile-extension``: all that are required, none that must not be, each as critical as it must be."""
    found = {extension.oid: extension.critical for extension in seat.gated.extensions}
    for rule in seat.profile.extensions:
        critical = found.pop(rule.oid, None)
        if critical is None and rule.required:
            raise seat.no("cert-profile-extension", f"has no {rule.name}")
        if rule.critical is not None and critical not in {None, rule.critical}:
            raise seat.no("cert-profile-extension", f"marks {rule.name} wrongly as critical or not critical")
    known = seat.profile
    strange = [oid for oid, critical in found.items() if critical or not known.strangers or oid in known.absent]
    if strange:
        unknown = ", ".join(sorted(strange))
        raise seat.no("cert-profile-extension", f"has extensions that a {seat.profile.title} does not have: {unknown}")


def check_not_an_authority(seat: Seat) -> None:
    """``cert-profile-ca``: a device issues nothing."""
    if seat.gated.values.authority:
        raise seat.no("cert-profile-ca", "is an authority's, not a device's")


def check_an_authority(seat: Seat) -> None:
    """``cert-profile-ca``: only an authority issues."""
    if not seat.gated.values.authority:
        raise seat.no("cert-profile-ca", "is not an authority's")


def check_key_usage(seat: Seat) -> None:
    """``cert-profile-key-usage``: the key may do what this place needs, and nothing that it must not."""
    usages = seat.gated.values.key_usage or frozenset()
    if not seat.profile.usages_required <= usages <= seat.profile.usages_allowed:
        issues = KeyUsage.KEY_CERT_SIGN in seat.profile.usages_required
        wanted = "certificates and CRLs" if issues else "signatures (and key agreement)"
        raise seat.no("cert-profile-key-usage", f"does not limit its key to {wanted}")


def check_purpose(seat: Seat, *, alone: bool) -> None:
    """``cert-profile-eku``: for hardwire, by name; "any purpose" is not a name.

    Args:
        seat: Of a device.
        alone: Whether no other purpose may stand beside it.
    """
    purposes = seat.gated.values.purposes or ()
    if ANY_PURPOSE in purposes:
        raise seat.no("cert-profile-eku", "claims to be good for any purpose, which is good for none")
    if DEVICE_PURPOSE not in purposes or (alone and len(purposes) > 1):
        raise seat.no("cert-profile-eku", "was made for another purpose than hardwire")


def check_may_issue(seat: Seat) -> None:
    """``cert-profile-eku``: an authority that is limited to some purposes must be allowed this one."""
    purposes = seat.gated.values.purposes
    if purposes is not None and not {DEVICE_PURPOSE, ANY_PURPOSE} & set(purposes):
        raise seat.no("cert-profile-eku", "may issue for other purposes only, not for hardwire")


def check_limits(seat: Seat) -> None:
    """``cert-profile-limits``: an authority limits host names and mail addresses, nothing else."""
    limits = seat.gated.values.limits
    if limits is not None and not limits.kinds <= LIMIT_KINDS:
        raise seat.no("cert-profile-limits", "limits names of other kinds than host names and mail addresses")


def check_names(seat: Seat, did: str) -> tuple[GeneralName, ...]:
    """``cert-profile-san`` and ``cert-did-mismatch``: the did:key URI of the very key, once; and allowed names.

    Returns:
        The names beside the did:key.
    """
    names = seat.gated.values.alt_names or ()
    uris = [name for name in names if name.kind is NameKind.URI]
    others = tuple(name for name in names if name.kind is not NameKind.URI)
    if len(uris) != 1 or not uris[0].value.startswith(_DID):
        raise seat.no("cert-profile-san", "does not carry exactly one name that is a did:key")
    if len(names) > MAX_DEVICE_NAMES:
        raise seat.no("cert-profile-san", f"carries {len(names)} names, {MAX_DEVICE_NAMES} are allowed")
    for name in others:
        if _word(name) not in (seat.profile.names or ()):
            raise seat.no("cert-profile-san", "carries names that a device does not have")
        if name.kind is NameKind.DNS and b"*" in name.value:
            raise seat.no("cert-profile-san", "carries a name with a wildcard")
    if uris[0].value != did.encode("ascii"):
        raise seat.no("cert-did-mismatch", "names another key than the one it holds")
    return others


def _word(name: GeneralName) -> str:
    if name.kind is NameKind.OTHER:
        return _OTHERS.get(name.type_id, "")
    return _WORDS.get(name.kind, "")


_WORDS: Final = {NameKind.EMAIL: "rfc822Name", NameKind.DNS: "dNSName"}
_OTHERS: Final = {PERMANENT_IDENTIFIER: "permanentIdentifier", HARDWARE_MODULE: "hardwareModuleName"}
