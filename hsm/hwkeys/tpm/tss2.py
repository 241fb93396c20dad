# SPDX-License-Identifier: Apache-2.0
"""TSS2 PRIVATE KEY files: the public area and the TPM-encrypted private part of a key, in PEM.

The ASN.1 is that of draft-bottomley-tpm2-keys (the form tpm2-openssl, tpm2-tss-engine and OpenConnect share), all
optional fields included, so that a file is never misread for lack of knowing a field. What asks for something this
storey cannot do (a policy, an import secret, an RSA parent) is refused by name.

hwkeys adds one line *above* the PEM block, where RFC 7468 §2 allows explanatory text and other readers skip it::

    hwkeys parent-name: 000b…

It is the Name of the storage key the key was made under. Before the PIN's session is set up, the TPM's answer is
compared with it: without that, whoever sits on the bus could offer a storage key of its own.
"""

import base64
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from asn1crypto import core

from hwkeys.errors import DeviceFailed, KeyExists, KeyMissing, KeyNotAsAsked

LOADABLE_KEY = "2.23.133.10.1.3"
SEALED_DATA = "2.23.133.10.1.5"
OWNER = 0x40000001
MAX_FILE = 64 * 1024
"""Octets; a key file has about 600."""

_LABEL = "TSS2 PRIVATE KEY"
_PEM = re.compile(
    rb"^-----BEGIN TSS2 PRIVATE KEY-----\s([^-]*)^-----END TSS2 PRIVATE KEY-----\s*\Z",
    re.MULTILINE,
)
_PARENT_NAME = re.compile(rb"^hwkeys parent-name: ([0-9a-f]{68})\r?$", re.MULTILINE)
_PERSISTENT = range(0x81000000, 0x82000000)
_LINE = 64


class _Policy(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    _fields = [  # noqa: RUF012 - asn1crypto's way
        ("command_code", core.Integer, {"explicit": 0}),
        ("command_policy", core.OctetString, {"explicit": 1}),
    ]


class _Policies(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _Policy


class _AuthPolicy(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("name", core.UTF8String, {"explicit": 0, "optional": True}),
        ("policy", _Policies, {"explicit": 1}),
    ]


class _AuthPolicies(core.SequenceOf):  # type: ignore[misc]
    _child_spec = _AuthPolicy


class _TpmKey(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("type", core.ObjectIdentifier),
        ("empty_auth", core.Boolean, {"explicit": 0, "optional": True}),
        ("policy", _Policies, {"explicit": 1, "optional": True}),
        ("secret", core.OctetString, {"explicit": 2, "optional": True}),
        ("auth_policy", _AuthPolicies, {"explicit": 3, "optional": True}),
        ("description", core.UTF8String, {"explicit": 4, "optional": True}),
        ("rsa_parent", core.Boolean, {"explicit": 5, "optional": True}),
        ("parent", core.Integer),
        ("public", core.OctetString),
        ("private", core.OctetString),
    ]


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A loadable key.

    Attributes:
        public: TPM2B_PUBLIC, its size included.
        private: TPM2B_PRIVATE, its size included; encrypted by the TPM.
        empty_auth: The key has no PIN.
        parent: The owner hierarchy, or the persistent handle of the storage key it was made under.
        parent_name: The Name of that storage key, 34 octets; None when the file does not tell.
        description: What a person called it.
        kind: A loadable key, or sealed data.
        policy: For sealed data: the policy's commands (TPM_CC) with their parameters, in order.
    """

    public: bytes
    private: bytes = field(repr=False)
    empty_auth: bool
    parent: int = OWNER
    parent_name: bytes | None = None
    description: str | None = None
    kind: str = LOADABLE_KEY
    policy: tuple[tuple[int, bytes], ...] = ()

    def encode(self) -> bytes:
        """The file's octets."""
        fields = {
            "type": self.kind,
            # Said even when false: tpm2-openssl 1.1.1 takes a missing field for "no PIN", and spends a try on it.
            "empty_auth": self.empty_auth,
            **({"policy": [_step(*each) for each in self.policy]} if self.policy else {}),
            **({"description": self.description} if self.description is not None else {}),
            "parent": self.parent,
            "public": self.public,
            "private": self.private,
        }
        text = base64.b64encode(_TpmKey(fields).dump(force=True))
        lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
        head = [] if self.parent_name is None else [b"hwkeys parent-name: " + self.parent_name.hex().encode()]
        return b"\n".join([*head, f"-----BEGIN {_LABEL}-----".encode(), *lines, f"-----END {_LABEL}-----\n".encode()])


def _step(code: int, parameters: bytes) -> dict[str, object]:
    return {"command_code": code, "command_policy": parameters}


def decode_key_file(octets: bytes, kind: str = LOADABLE_KEY) -> KeyFile:
    """Read a key file.

    Args:
        octets: The file's.
        kind: What it must hold.

    Raises:
        KeyNotAsAsked: It is no key file, or needs what this storey cannot do; the message names it.
    """
    try:
        return _decode(octets, kind)
    except (ValueError, TypeError, KeyError) as error:
        raise KeyNotAsAsked("this is not a TSS2 PRIVATE KEY file", hint="look at its first lines") from error


def _decode(octets: bytes, kind: str) -> KeyFile:
    block = _PEM.search(octets)
    if block is None:
        raise ValueError(_LABEL)
    key = _TpmKey.load(base64.b64decode(b"".join(block[1].split()), validate=True), strict=True)
    # asn1crypto parses lazily: touching every field is what checks it.
    fields = {name: value for name, value in key.native.items() if value is not None}
    if fields["type"] != kind:
        word = "a loadable key" if kind == LOADABLE_KEY else "sealed data"
        raise KeyNotAsAsked(f"the key file holds an object of type {fields['type']}, not {word}")
    for name in ("policy", "secret", "auth_policy"):
        if name in fields and (name != "policy" or kind == LOADABLE_KEY):
            raise KeyNotAsAsked(f"the key file has the field {name}, which hwkeys cannot honour")
    if fields.get("rsa_parent", False):
        raise KeyNotAsAsked("the key was made under an RSA storage key", hint="generate it anew with hwkeys")
    parent = fields["parent"]
    if parent != OWNER and parent not in _PERSISTENT:
        raise KeyNotAsAsked("the key's parent is neither the owner hierarchy nor a persistent key")
    names = _PARENT_NAME.findall(octets[: block.start()])
    if len(names) > 1:
        raise KeyNotAsAsked("the key file names its parent twice")
    return KeyFile(
        public=fields["public"],
        private=fields["private"],
        empty_auth=fields.get("empty_auth", False),
        parent=parent,
        parent_name=bytes.fromhex(names[0].decode()) if names else None,
        description=fields.get("description"),
        kind=kind,
        policy=tuple((step["command_code"], step["command_policy"]) for step in fields.get("policy", ())),
    )


def read_key_file(path: Path) -> KeyFile:
    """Read a key file from the disk.

    Raises:
        KeyMissing: There is none, or it may not be read.
        KeyNotAsAsked: It is something else.
    """
    try:
        with path.open("rb") as file:
            octets = file.read(MAX_FILE + 1)
    except FileNotFoundError as error:
        raise KeyMissing(f"there is no key file {path}") from error
    except OSError as error:
        raise KeyMissing(f"the key file {path} cannot be read: {error.strerror}", hint="check its owner") from error
    if len(octets) > MAX_FILE:
        raise KeyNotAsAsked(f"{path} is too large for a key file")
    return decode_key_file(octets)


def write_key_file(path: Path, key: KeyFile) -> None:
    """Write a new key file: whole or not at all, for the owner only, never over an old one.

    Raises:
        KeyExists: Something is there already.
        DeviceFailed: The disk would not.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600 from the start
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(key.encode())
                file.flush()
                os.fsync(file.fileno())
            # A link fails when the name is taken; a rename would replace it.
            os.link(name, path)
        finally:
            with suppress(OSError):
                Path(name).unlink()
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except FileExistsError as error:
        raise KeyExists(f"{path} exists already") from error
    except OSError as error:
        raise DeviceFailed(f"{path} cannot be written: {error.strerror}", hint="check the directory") from error
