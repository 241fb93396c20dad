# SPDX-License-Identifier: Apache-2.0
"""The protected conversation with a TPM, and the key loaded in it.

Threat: somebody who reads, or writes, the wires between processor and TPM. So: an HMAC session for each operation,
salted to the storage key, AES-128-CFB on the first parameter both ways. The PIN itself is never a parameter except
when a key is created, and then it is encrypted. Salting helps only if the storage key is the TPM's own: its Name is
recorded when a key is made and compared each time, before the salt is sent.
"""

import hashlib
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hwkeys.errors import KeyNotAsAsked, WrongDevice
from hwkeys.tpm.binding import Handle, Tpm
from hwkeys.tpm.public import PublicArea, decode_public
from hwkeys.tpm.tss2 import OWNER, KeyFile

_SHA256 = 0x000B


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key is, and what protects the way to it.

    Attributes:
        tcti: How to reach the TPM.
        blob: The key's file, for a key that is loaded for each use.
        handle: Its persistent handle, for one that stays in the TPM.
        parent: The storage key: the owner hierarchy's primary, or a persistent handle.
        storage_name: The Name the storage key must have; None when nothing tells, then the first one seen counts.
        file: Where the blob was read from; the attestation key stands beside it.
    """

    tcti: str
    blob: KeyFile | None = field(default=None, repr=False)
    handle: int | None = None
    parent: int = OWNER
    storage_name: bytes | None = None
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A TPM, its storage key and one session, for one operation.

    Attributes:
        storage_name: The Name of the storage key that salted the session, 34 octets.
    """

    tpm: Tpm
    storage: Handle
    session: Handle
    storage_name: bytes


@contextmanager
def conversation(tpm: Tpm, parent: int, expected: bytes | None) -> Iterator[Conversation]:
    """Open a session salted by the storage key.

    Raises:
        WrongDevice: The storage key's Name is not the expected one; nothing secret was sent.
    """
    with tpm.primary() if parent == OWNER else tpm.persistent(parent) as (storage, public):
        name = name_of(public)
        if expected is not None and name != expected:
            raise WrongDevice("the TPM's storage key is not the one the key was made under")
        with tpm.session(storage) as session:
            yield Conversation(tpm, storage, session, name)


@contextmanager
def key_at(place: Place, talk: Conversation) -> Iterator[tuple[Handle, PublicArea]]:
    """Load the key, or reach for it at its handle; flush it afterwards.

    Raises:
        WrongDevice: Another TPM made the key file.
        KeyMissing: Nothing is at the handle.
        KeyNotAsAsked: Something else is there.
    """
    if place.blob is not None:
        area = area_of(place.blob.public)
        with talk.tpm.loaded(talk.storage, talk.session, place.blob.private, place.blob.public) as handle:
            yield handle, area
    elif place.handle is not None:
        with talk.tpm.persistent(place.handle) as (handle, public):
            yield handle, decode_public(public)
    else:
        raise KeyNotAsAsked("the URI names a TPM, not a key", hint="add file=… or handle=…")


def area_of(public: bytes) -> PublicArea:
    """The public area in a TPM2B_PUBLIC.

    Raises:
        KeyNotAsAsked: The size is wrong, or it is not a P-256 key.
    """
    if len(public) < 2 or struct.unpack_from(">H", public)[0] != len(public) - 2:  # noqa: PLR2004 - the size field
        raise KeyNotAsAsked("the public area's size is wrong")
    return decode_public(public[2:])


def name_of(public: bytes) -> bytes:
    """The Name of any TPMT_PUBLIC whose name algorithm is SHA-256, 34 octets.

    Raises:
        KeyNotAsAsked: It is named by another hash.
    """
    if public[2:4] != struct.pack(">H", _SHA256):
        raise KeyNotAsAsked("the storage key is not named by SHA-256")
    return struct.pack(">H", _SHA256) + hashlib.sha256(public).digest()
