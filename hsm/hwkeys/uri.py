# SPDX-License-Identifier: Apache-2.0
"""Names of keys and devices: ``pkcs11:`` (RFC 7512) and, in the same manner, ``tpm:``.

Stricter than RFC 7512 §2.3 asks, on purpose:

* ``pin-value`` is refused. A URI is written into shell histories, configuration files and logs.
* ``pin-source`` is an absolute ``file:`` path or the name of a systemd ``credential:``, and nothing is ever executed to
  get a PIN.
* ``slot-id`` and its kin are refused: a slot number names another token after the next restart.
* An attribute that is not known, or given twice, or empty, is refused and named.

``str()`` of a parsed URI is canonical: fixed order, minimal escaping; parsing it gives an equal value.
"""

import re
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hwkeys.errors import UriError

_UNRESERVED = frozenset((string.ascii_letters + string.digits + "-._~").encode())
# RFC 7512 §2.3: pk11-res-avail, without "&" in a path attribute; "/" and "|" may stand in a query attribute.
_PATH_SAFE = _UNRESERVED | frozenset(b":[]@!$'()*+,=&")
_QUERY_SAFE = _UNRESERVED | frozenset(b":[]@!$'()*+,=/?|")
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_HANDLE = re.compile(r"0x81[0-9A-Fa-f]{6}\Z")
_NAME = re.compile(r"[0-9a-f]{68}\Z")
_CREDENTIAL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}\Z")

_PKCS11_PATH = ("token", "manufacturer", "serial", "model", "object", "id", "type")
_PKCS11_QUERY = ("module-path", "pin-source")
_TPM_PATH = ("file", "handle")
_TPM_QUERY = ("tcti", "pin-source", "parent", "srk-name", "auth")
_REFUSED = {
    "pin-value": "a URI ends up in histories and logs: use pin-source=file:… or a prompter",
    "slot-id": "a slot number is not stable: use the token's serial",
    "slot-description": "a slot is not a token: use the token's serial",
    "slot-manufacturer": "a slot is not a token: use the token's serial",
    "library-manufacturer": "use module-path",
    "library-description": "use module-path",
    "library-version": "use module-path",
    "module-name": "use module-path, the whole path of the module",
}
_MAX_URI = 4096


@dataclass(frozen=True, slots=True)
class Credential:
    """``pin-source=credential:NAME``: what systemd gave to the service under that name.

    Args:
        name: 1 to 128 of the letters, digits and ``_ . @ -``, the first a letter, digit or ``_``: never a path.

    Raises:
        UriError: It is another name.
    """

    name: str

    def __post_init__(self) -> None:
        if not _CREDENTIAL.match(self.name):
            raise UriError("a credential's name is 1 to 128 letters, digits and _ . @ -, and begins with none of . @ -")

    def __str__(self) -> str:
        return f"credential:{self.name}"


@dataclass(frozen=True, slots=True)
class Pkcs11Uri:
    """A ``pkcs11:`` URI; None means "any".

    Attributes:
        token: Token label.
        manufacturer: Token manufacturer.
        serial: Token serial number.
        model: Token model.
        object: Key label (CKA_LABEL).
        id: Key id (CKA_ID), 1 to 255 octets.
        type: "private" or "public"; hwkeys opens pairs, so it only has to be one of the two.
        module_path: The vendor's module, an absolute path.
        pin_source: A file or a systemd credential that holds the PIN.
    """

    token: str | None = None
    manufacturer: str | None = None
    serial: str | None = None
    model: str | None = None
    object: str | None = None
    id: bytes | None = None
    type: str | None = None
    module_path: Path | None = None
    pin_source: Path | Credential | None = None

    def __str__(self) -> str:
        path = [
            (name, getattr(self, name).encode())
            for name in _PKCS11_PATH
            if name != "id" and getattr(self, name) is not None
        ]
        parts = [f"{name}={_escape(value, _PATH_SAFE)}" for name, value in path]
        if self.id is not None:
            # RFC 7512 §2.3: an id is octets, so all of it is escaped.
            parts.append("id=" + "".join(f"%{octet:02X}" for octet in self.id))
        return _join("pkcs11", parts, (("module-path", self.module_path), ("pin-source", _source(self.pin_source))))


@dataclass(frozen=True, slots=True)
class TpmUri:
    """A ``tpm:`` URI: a key file, a persistent handle, or neither (the TPM itself).

    Attributes:
        file: A TSS2 PRIVATE KEY file, an absolute path.
        handle: A persistent handle, 0x81000000 to 0x81ffffff.
        tcti: How to reach the TPM, as tpm2-tss spells it (``device:/dev/tpmrm0``, ``swtpm:path=…``).
        pin_source: A file or a systemd credential that holds the PIN.
        parent: For a new key: the persistent handle of the storage key to make it under; None for the owner's
            primary key of the standard template.
        srk_name: The Name the storage key must have, 34 octets; for a key file it stands in the file.
        no_auth: ``auth=none``: the key at the handle has no PIN; nothing else tells, and guessing would cost a try.
    """

    file: Path | None = None
    handle: int | None = None
    tcti: str | None = None
    pin_source: Path | Credential | None = None
    parent: int | None = None
    srk_name: bytes | None = None
    no_auth: bool = False

    def __str__(self) -> str:
        parts = []
        if self.file is not None:
            parts.append(f"file={_escape(str(self.file).encode(), _PATH_SAFE | {0x2F})}")
        if self.handle is not None:
            parts.append(f"handle=0x{self.handle:08x}")
        query = (
            ("tcti", self.tcti),
            ("pin-source", _source(self.pin_source)),
            ("parent", None if self.parent is None else f"0x{self.parent:08x}"),
            ("srk-name", None if self.srk_name is None else self.srk_name.hex()),
            ("auth", "none" if self.no_auth else None),
        )
        return _join("tpm", parts, query)


KeyUri = Pkcs11Uri | TpmUri


def parse_uri(text: str) -> KeyUri:
    """Read a URI.

    Args:
        text: At most 4096 characters of ASCII.

    Raises:
        UriError: It is not one of ours, or one of its attributes is refused; the message names which.
    """
    if len(text) > _MAX_URI or not text.isascii() or any(c.isspace() or not c.isprintable() for c in text):
        raise UriError("a key URI is at most 4096 printable ASCII characters without blanks")
    scheme, colon, rest = text.partition(":")
    parser = _SCHEMES.get(scheme.lower()) if colon else None
    if parser is None:
        raise UriError(f"{text[:40]!r} does not start with pkcs11: or tpm:")
    return parser(rest)


def _parse_pkcs11(rest: str) -> Pkcs11Uri:
    path, query = _attributes(rest, _PKCS11_PATH, _PKCS11_QUERY)
    key_id = path.pop("id", None)
    if key_id is not None and not 1 <= len(key_id) <= 255:  # noqa: PLR2004 - CKA_ID of real tokens
        raise UriError("id must have 1 to 255 octets")
    words = {name: _text(name, value) for name, value in path.items()}
    if words.get("type", "private") not in ("private", "public"):
        raise UriError("type must be private or public: hwkeys opens key pairs")
    return Pkcs11Uri(
        **words,
        id=key_id,
        module_path=_absolute("module-path", query.get("module-path")),
        pin_source=_pin_source(query.get("pin-source")),
    )


def _parse_tpm(rest: str) -> TpmUri:
    path, query = _attributes(rest, _TPM_PATH, _TPM_QUERY)
    if len(path) > 1:
        raise UriError("a tpm: URI names a file or a handle, not both")
    name = query.get("srk-name")
    if name is not None and not _NAME.match(_text("srk-name", name)):
        raise UriError("srk-name must be 68 lower-case hexadecimal digits")
    if query.get("auth", b"none") != b"none":
        raise UriError("auth can only be none", hint="leave it out for a key with a PIN")
    return TpmUri(
        file=_absolute("file", path.get("file")),
        handle=_handle("handle", path.get("handle")),
        tcti=None if "tcti" not in query else _text("tcti", query["tcti"]),
        pin_source=_pin_source(query.get("pin-source")),
        parent=_handle("parent", query.get("parent")),
        srk_name=None if name is None else bytes.fromhex(name.decode()),
        no_auth="auth" in query,
    )


_SCHEMES: dict[str, Callable[[str], KeyUri]] = {"pkcs11": _parse_pkcs11, "tpm": _parse_tpm}


def _attributes(
    rest: str, path_names: Iterable[str], query_names: Iterable[str]
) -> tuple[dict[str, bytes], dict[str, bytes]]:
    path, question, query = rest.partition("?")
    if question and not query:
        raise UriError("the URI ends in a question mark")
    return (
        dict(_pairs(path, ";", frozenset(path_names), frozenset(query_names), _PATH_SAFE | {0x2F})),
        dict(_pairs(query, "&", frozenset(query_names), frozenset(path_names), _QUERY_SAFE)),
    )


def _pairs(
    text: str, separator: str, known: frozenset[str], elsewhere: frozenset[str], safe: frozenset[int]
) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if name not in known:
            _refuse_name(name, elsewhere)
        if name in seen:
            raise UriError(f"{name} is given twice")
        seen.add(name)
        if not equals or not value:
            raise UriError(f"{name} is empty")
        yield name, _unescape(name, value, safe)


def _refuse_name(name: str, elsewhere: frozenset[str]) -> NoReturn:
    if name in elsewhere:
        raise UriError(f"{name} stands on the wrong side of the question mark")
    if name in _REFUSED:
        raise UriError(f"{name} is refused in a key URI", hint=_REFUSED[name])
    raise UriError(f"{name[:40]!r} is not an attribute of a key URI")


def _unescape(name: str, value: str, safe: frozenset[int]) -> bytes:
    octets = value.encode("ascii")
    bare = _PERCENT.sub(b"", octets)
    if not safe.issuperset(bare):
        raise UriError(f"{name} holds a character that must be percent-encoded")
    return _PERCENT.sub(lambda match: bytes([int(match.group()[1:], 16)]), octets)


def _text(name: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise UriError(f"{name} is not UTF-8") from None
    if not text.isprintable():
        raise UriError(f"{name} holds a control character")
    return text


def _absolute(name: str, value: bytes | None) -> Path | None:
    if value is None:
        return None
    path = Path(_text(name, value))
    if not path.is_absolute():
        raise UriError(f"{name} must be an absolute path")
    return path


def _pin_source(value: bytes | None) -> Path | Credential | None:
    if value is None:
        return None
    text = _text("pin-source", value)
    if text.startswith("credential:"):
        return Credential(text.removeprefix("credential:"))
    if not text.startswith("file:"):
        raise UriError(
            "pin-source must be file:/an/absolute/path or credential:name", hint="nothing is executed to get a PIN"
        )
    return _absolute("pin-source", text.removeprefix("file:").removeprefix("//").encode())


def _handle(name: str, value: bytes | None) -> int | None:
    if value is None:
        return None
    text = _text(name, value)
    if not _HANDLE.match(text):
        raise UriError(f"{name} must be a persistent handle, 0x81000000 to 0x81ffffff")
    return int(text, 16)


def _escape(value: bytes, safe: frozenset[int]) -> str:
    return "".join(chr(octet) if octet in safe else f"%{octet:02X}" for octet in value)


def _source(source: Path | Credential | None) -> str | None:
    return f"file:{source}" if isinstance(source, Path) else None if source is None else str(source)


def _join(scheme: str, path: list[str], query: Iterable[tuple[str, object]]) -> str:
    asked = [f"{name}={_escape(str(value).encode(), _QUERY_SAFE)}" for name, value in query if value is not None]
    return f"{scheme}:{';'.join(path)}" + (f"?{'&'.join(asked)}" if asked else "")
