# SPDX-License-Identifier: Apache-2.0
"""Files of certificates, requests and lists: PEM (any mixture, in order) or one DER value."""

import base64
import binascii
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509 import ocsp

from hardwire.errors import LocalError, UsageError

MAX_FILE: Final = 8 << 20
"""Octets; a list of a hundred thousand certificates."""
CERTIFICATE: Final = "CERTIFICATE"
REQUEST: Final = "CERTIFICATE REQUEST"
CRL: Final = "X509 CRL"
OCSP: Final = "OCSP RESPONSE"
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\s]*?)-----END \1-----")
_LABELS: Final = {"NEW CERTIFICATE REQUEST": REQUEST}
_WIDTH: Final = 64
_SEQUENCE: Final = 0x30

_READERS: Final[Mapping[str, Callable[[bytes], object]]] = {
    CERTIFICATE: x509.load_der_x509_certificate,
    REQUEST: x509.load_der_x509_csr,
    CRL: x509.load_der_x509_crl,
    OCSP: ocsp.load_der_ocsp_response,
}


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a file: which of the four it is, and its DER."""

    label: str
    der: bytes


def read_items(path: Path) -> tuple[Item, ...]:
    """What a file holds, in its order; ``-`` is stdin.

    Raises:
        UsageError: ``file``; it cannot be read, or holds nothing of the kind, or a block of another kind.
    """
    try:
        data = sys.stdin.buffer.read(MAX_FILE + 1) if str(path) == "-" else _bounded(path)
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {(problem.strerror or str(problem)).lower()}", code="file") from None
    if len(data) > MAX_FILE:
        raise UsageError(f"{path} is larger than {MAX_FILE} octets", code="file")
    items = _der(data) if data[:1] == bytes([_SEQUENCE]) else _pem(data)
    if not items:
        raise UsageError(
            f"{path} holds no certificate, request or list",
            code="file",
            hint="PEM or DER is wanted: -----BEGIN CERTIFICATE-----, CERTIFICATE REQUEST, X509 CRL or OCSP RESPONSE",
        )
    return items


def only(path: Path, label: str) -> tuple[bytes, ...]:
    """The DER values of a file that holds one kind of thing and nothing else.

    Raises:
        UsageError: ``file``.
    """
    items = read_items(path)
    other = {item.label for item in items} - {label}
    if other:
        raise UsageError(f"{path} holds a {other.pop().lower()}, and a {label.lower()} is wanted", code="file")
    return tuple(item.der for item in items)


def to_pem(label: str, der: bytes) -> str:
    """PEM (RFC 7468), with its final newline."""
    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def write_public(path: Path, text: str, *, replace: bool = False) -> None:
    """Write a file that everybody may read, whole or not at all.

    Raises:
        UsageError: ``file-exists``.
        LocalError: ``disk``.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        if not replace and path.exists():
            raise UsageError(f"{path} exists already", code="file-exists", hint="choose another name")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        raise LocalError(f"{path} cannot be written: {reason}", code="disk", hint="choose another place") from None


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE + 1)


def _pem(data: bytes) -> tuple[Item, ...]:
    items = []
    for match in _BLOCK.finditer(data.decode("utf-8", "replace")):
        label = _LABELS.get(match[1], match[1])
        if label not in _READERS:
            raise UsageError(f"a block of another kind is in that file: {label.lower()}", code="file")
        try:
            items.append(Item(label, base64.b64decode("".join(match[2].split()), validate=True)))
        except binascii.Error:
            raise UsageError("a block in that file is damaged", code="file") from None
    return tuple(items)


def _der(data: bytes) -> tuple[Item, ...]:
    for label, reader in _READERS.items():
        try:
            reader(data)
        except Exception:  # noqa: BLE001, S112 - whatever a library says: it is not of this kind
            continue
        return (Item(label, data),)
    return ()
