# SPDX-License-Identifier: Apache-2.0
"""General names (RFC 5280 §4.2.1.6), read strictly, and the words a person sees for them.

Host names are letters, digits and hyphens; a wildcard is a whole leftmost label, which the gate lets through for
authorities of the public kind and the device profile refuses. A name that two readers could take for two different
hosts (a trailing dot, an underscore, a NUL) has no way in.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from hardwire.certs import der
from hardwire.certs.der import Node
from hardwire.certs.refusal import refused
from hardwire.errors import CertificateRefused

PERMANENT_IDENTIFIER: Final = "1.3.6.1.5.5.7.8.3"
"""otherName for a device's lasting number (RFC 4043)."""
HARDWARE_MODULE: Final = "1.3.6.1.5.5.7.8.4"
"""otherName for the type and serial number of a hardware module (RFC 4108 §5)."""


class NameKind(Enum):
    """The kinds of general name; the value is the identifier octet."""

    OTHER = 0xA0
    EMAIL = 0x81
    DNS = 0x82
    DIRECTORY = 0xA4
    URI = 0x86
    IP = 0x87
    REGISTERED = 0x88


@dataclass(frozen=True, slots=True)
class GeneralName:
    """One name.

    Attributes:
        kind: What it is.
        value: The octets that count: the text, the address, the DER Name, or for ``OTHER`` the DER value.
        type_id: For ``OTHER``, which kind of other name; empty otherwise.
    """

    kind: NameKind
    value: bytes
    type_id: str = ""

    def text(self) -> str:
        """For people and logs; printable ASCII."""
        label = self.kind.name.lower()
        match self.kind:
            case NameKind.EMAIL | NameKind.DNS | NameKind.URI:
                return f"{label}:{self.value.decode('ascii')}"
            case NameKind.OTHER:
                return f"{_OTHER_NAMES.get(self.type_id, self.type_id)}:{self.value.hex()}"
            case _:
                return f"{label}:{self.value.hex()}"


_OTHER_NAMES: Final = {PERMANENT_IDENTIFIER: "permanent-identifier", HARDWARE_MODULE: "hardware-module"}
_HOST: Final = re.compile(
    rb"(?:\*\.)?(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*"
    rb"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_MAX_HOST: Final = 253
_EMAIL: Final = re.compile(rb"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9.-]+)")
_URI: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+")
_ADDRESSES: Final = frozenset({4, 16})
_KINDS: Final = {kind.value: kind for kind in NameKind}


def read_general_names(node: Node, *, most: int) -> tuple[GeneralName, ...]:
    """A non-empty list of general names, none of them twice.

    Args:
        node: The SEQUENCE.
        most: How many are allowed.

    Raises:
        CertificateRefused: ``cert-extension`` or ``cert-name``.
    """
    if node.tag != der.SEQUENCE or not node.children:
        raise _bad("has alternative names that are not a list, or an empty one")
    if len(node.children) > most:
        raise _bad(f"has {len(node.children)} alternative names, {most} are allowed")
    if len({child.raw for child in node.children}) != len(node.children):
        raise _bad("has the same alternative name twice")
    return tuple(map(read_general_name, node.children))


def read_general_name(node: Node) -> GeneralName:
    """One general name.

    Raises:
        CertificateRefused: ``cert-extension`` or ``cert-name``.
    """
    kind = _KINDS.get(node.tag)
    match kind:
        case None:
            raise _bad("has an alternative name of a kind that is not accepted")
        case NameKind.OTHER:
            return _other(node)
        case NameKind.DIRECTORY:
            return GeneralName(kind, _directory(node))
        case NameKind.REGISTERED:
            der.parse(bytes([der.OBJECT_IDENTIFIER, len(node.content)]) + node.content)
        case _:
            fits, what = _TEXTS[kind]
            if not fits(node.content):
                raise _bad(f"has {what} that is not well formed")
    return GeneralName(kind, node.content)


def is_host(text: bytes) -> bool:
    """Whether this is a host name, or one with a wildcard as its whole first label."""
    return len(text) <= _MAX_HOST and _HOST.fullmatch(text) is not None


def _is_mailbox(text: bytes) -> bool:
    found = _EMAIL.fullmatch(text)
    return found is not None and is_host(found[1])


_TEXTS: Final[Mapping[NameKind, tuple[Callable[[bytes], object], str]]] = {
    NameKind.EMAIL: (_is_mailbox, "a mail address"),
    NameKind.DNS: (is_host, "a host name"),
    NameKind.URI: (_URI.fullmatch, "a URI"),
    NameKind.IP: (lambda octets: len(octets) in _ADDRESSES, "a network address"),
}


def read_name(node: Node, *, may_be_empty: bool) -> bytes:
    """The DER of a distinguished name whose form is right (RFC 5280 §4.1.2.4).

    Raises:
        CertificateRefused: ``cert-name``.
    """
    if node.tag != der.SEQUENCE or (not node.children and not may_be_empty):
        raise refused("cert-name", "has an empty issuer, or a name that is none")
    for relative in node.children:
        if relative.tag != der.SET or not relative.children:
            raise refused("cert-name", "has a name part that is not a set of attributes")
        for attribute in relative.children:
            tags = [child.tag for child in attribute.children]
            if attribute.tag != der.SEQUENCE or len(tags) != 2 or tags[0] != der.OBJECT_IDENTIFIER:  # noqa: PLR2004
                raise refused("cert-name", "has a name attribute that is not a pair of type and value")
            if tags[1] not in _NAME_TEXTS:
                raise refused("cert-name", "has a name in an outdated character set")
    return node.raw


_NAME_TEXTS: Final = frozenset({der.UTF8_STRING, der.PRINTABLE_STRING, der.IA5_STRING})


def _directory(node: Node) -> bytes:
    if len(node.children) != 1:
        raise _bad("has a directory name that is not one name")
    return read_name(node.children[0], may_be_empty=False)


def _other(node: Node) -> GeneralName:
    tags = tuple(child.tag for child in node.children)
    if tags != (der.OBJECT_IDENTIFIER, 0xA0) or len(node.children[1].children) != 1:
        raise _bad("has an other name that is not a type and one value")
    return GeneralName(NameKind.OTHER, node.children[1].content, der.dotted(node.children[0]))


def _bad(why: str) -> CertificateRefused:
    return refused("cert-extension", why)
