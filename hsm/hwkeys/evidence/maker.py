# SPDX-License-Identifier: Apache-2.0
"""Who made a TPM: three attributes in the subjectAltName of its certificates (TCG EK Credential Profile §3.2.9)."""

import string
from dataclasses import dataclass

from cryptography import x509

_MANUFACTURER, _MODEL, _VERSION = (x509.ObjectIdentifier(f"2.23.133.2.{last}") for last in (1, 2, 3))
_ID_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Maker:
    """As the certificate says.

    Attributes:
        manufacturer: The four letters of the TCG's registry ("INTC", "IFX"), or as written when it is not that.
        model: The part.
        version: Of the firmware it was made with.
    """

    manufacturer: str
    model: str
    version: str


def maker_of(certificate: x509.Certificate) -> Maker | None:
    """What the certificate says; None when it does not say all three, each once."""
    names = [
        name
        for extension in certificate.extensions
        if isinstance(extension.value, x509.SubjectAlternativeName)
        for name in extension.value.get_values_for_type(x509.DirectoryName)
    ]
    found = [
        [str(item.value) for name in names for item in name if item.oid == oid]
        for oid in (_MANUFACTURER, _MODEL, _VERSION)
    ]
    if any(len(values) != 1 or not values[0].isprintable() for values in found):
        return None
    (manufacturer,), (model,), (version,) = found
    return Maker(_letters(manufacturer), model, version)


def general_name(maker: Maker) -> x509.DirectoryName:
    """The same for a certificate's subjectAltName."""
    values = zip((_MANUFACTURER, _MODEL, _VERSION), (maker.manufacturer, maker.model, maker.version), strict=True)
    return x509.DirectoryName(x509.Name([x509.NameAttribute(oid, value) for oid, value in values]))


def _letters(text: str) -> str:
    digits = text.removeprefix("id:")
    if len(digits) != _ID_DIGITS or digits == text or not set(digits) <= set(string.hexdigits):
        return text
    letters = bytes.fromhex(digits).rstrip(b"\0").decode("ascii", "replace").rstrip()
    return letters if letters.isprintable() and letters.isascii() else text
