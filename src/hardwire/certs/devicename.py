# SPDX-License-Identifier: Apache-2.0
"""What an organisation calls a device: the names beside the ``did:key`` in subjectAltName.

Four kinds, written by people as one word: an address (``alice@example.org``, rfc822Name), a host
(``pump7.example.org``, dNSName), a permanent identifier (``id:4711``, RFC 4043), and a hardware module
(``module:1.3.6.1.4.1.41482.1:0a1b2c``, RFC 4108 §5; type and serial number in hex). The last two make a device easy to
follow from place to place, so nothing sets them unasked.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cryptography import x509

from hardwire.certs import der
from hardwire.certs.encode import oid, sequence, tlv
from hardwire.errors import UsageError

PERMANENT_IDENTIFIER: Final = "1.3.6.1.5.5.7.8.3"
HARDWARE_MODULE: Final = "1.3.6.1.5.5.7.8.4"
MAX_NAMES: Final = 8
"""Beside the did:key."""
MAX_NAME: Final = 128
"""Characters of one."""

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_MAIL: Final = re.compile(rf"[A-Za-z0-9._+-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+")
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MODULE: Final = re.compile(r"([0-2](?:\.(?:0|[1-9][0-9]{0,9})){2,12}):((?:[0-9a-f]{2}){1,32})")


class NameKind(Enum):
    """The kinds; the value is what a person reads."""

    MAIL = "address"
    HOST = "host"
    PERMANENT = "id"
    MODULE = "module"


@dataclass(frozen=True, slots=True)
class DeviceName:
    """One name, as :func:`parse_name` found it well formed."""

    kind: NameKind
    text: str
    """As a person writes it, kind included where it is not plain."""

    @property
    def general(self) -> x509.GeneralName:
        """For the builders of ``cryptography``."""
        match self.kind:
            case NameKind.MAIL:
                return x509.RFC822Name(self.text)
            case NameKind.HOST:
                return x509.DNSName(self.text)
            case NameKind.PERMANENT:
                value = sequence(tlv(der.UTF8_STRING, self.text.removeprefix("id:").encode()))
                return x509.OtherName(x509.ObjectIdentifier(PERMANENT_IDENTIFIER), value)
            case _:
                _, kind, serial = self.text.split(":")
                value = sequence(oid(kind), tlv(der.OCTET_STRING, bytes.fromhex(serial)))
                return x509.OtherName(x509.ObjectIdentifier(HARDWARE_MODULE), value)


def parse_name(text: str) -> DeviceName:
    """The name that a person wrote.

    Raises:
        UsageError: ``name``; none of the four kinds, or a host or domain with capitals, a wildcard, or an empty label.
    """
    if len(text) <= MAX_NAME:
        for kind, (prefix, pattern) in _FORMS.items():
            if text.startswith(prefix) and pattern.fullmatch(text.removeprefix(prefix)):
                return DeviceName(kind, text)
    raise UsageError(
        f"{text[:MAX_NAME]!r} cannot be the name of a device",
        code="name",
        hint="write alice@example.org, pump7.example.org (small letters, no *), id:4711 or module:OID:HEX",
    )


def name_of(general: x509.GeneralName) -> DeviceName | None:
    """The name in a certificate or request; None for one of another kind, or of a form that is not written here."""
    text = None
    if isinstance(general, x509.RFC822Name | x509.DNSName):
        text = general.value
    elif isinstance(general, x509.OtherName):
        text = _other(general)
    try:
        found = parse_name(text or "")
    except UsageError:
        return None
    return found if found.general == general else None


def _other(general: x509.OtherName) -> str:
    """A name of this module reads its own encoding only: name_of compares."""
    try:
        parts = [child.content for child in der.parse(general.value).children]
        if general.type_id.dotted_string == PERMANENT_IDENTIFIER and len(parts) == 1:
            return "id:" + parts[0].decode("ascii")
        if general.type_id.dotted_string == HARDWARE_MODULE and len(parts) == 2:  # noqa: PLR2004 - type and serial
            return f"module:{der.dotted(der.parse(general.value).children[0])}:{parts[1].hex()}"
    except (ValueError, IndexError):
        return ""
    return ""


_FORMS: Final[Mapping[NameKind, tuple[str, re.Pattern[str]]]] = {
    NameKind.PERMANENT: ("id:", _IDENTIFIER),
    NameKind.MODULE: ("module:", _MODULE),
    NameKind.MAIL: ("", _MAIL),
    NameKind.HOST: ("", _HOST),
}
