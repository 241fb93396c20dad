# SPDX-License-Identifier: Apache-2.0
"""Secrets that open in this TPM only: data sealed under the storage key, with the key's PIN, and by choice a state.

What is stored is a TSS2 file with sealed data (2.23.133.10.1.5); the PCR policy stands in it as the draft has it. The
state is that of the platform configuration registers, which hold what firmware and boot loader measured: after an
update they may differ, and then the secret must be sealed anew from wherever else it is.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from hwkeys.errors import KeyNotAsAsked, SealRefused, Unsupported, WrongDevice
from hwkeys.tpm import commands
from hwkeys.tpm.binding import Tpm
from hwkeys.tpm.session import Conversation, Place, conversation
from hwkeys.tpm.tss2 import SEALED_DATA, KeyFile, decode_key_file

MAX_SECRET = 128
"""Octets: what every TPM seals (part 2 §11.1.14, MAX_SYM_DATA)."""

_POLICY_PCR, _POLICY_AUTH_VALUE = 0x17F, 0x16B
_SHA256_BANK = struct.pack(">IHB", 1, 0x000B, 3)
_SELECTION = 10
_REGISTERS = 24
_NO_DIGEST = b"\0\0"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to seal, and under which registers (TPML_PCR_SELECTION, or nothing)."""

    secret: bytes = field(repr=False)
    selection: bytes


def plan(secret: bytes, pcrs: Sequence[int]) -> Plan:
    """Judge what was asked.

    Raises:
        Unsupported: The secret's size, or a register there is not.
    """
    if not 1 <= len(secret) <= MAX_SECRET:
        raise Unsupported(f"a TPM seals 1 to {MAX_SECRET} octets", hint="seal a key, and encrypt the rest with it")
    if not all(0 <= pcr < _REGISTERS for pcr in pcrs):
        raise Unsupported(f"the registers are 0 to {_REGISTERS - 1}")
    bits = sum(1 << pcr for pcr in set(pcrs))
    return Plan(secret, _SHA256_BANK + bits.to_bytes(3, "little") if pcrs else b"")


def seal(place: Place, pin: bytes, wanted: Plan) -> bytes:
    """Seal. Runs on the worker.

    Raises:
        WrongDevice: The storage key is not the one the key was made under.
    """
    with Tpm(place.tcti) as tpm, conversation(tpm, place.parent, place.storage_name) as talk:
        policy = commands.pcr_policy(tpm, wanted.selection) if wanted.selection else b""
        private, public = commands.seal(tpm, talk.storage, talk.session, secret=wanted.secret, pin=pin, policy=policy)
        steps = ((_POLICY_PCR, _NO_DIGEST + wanted.selection), (_POLICY_AUTH_VALUE, b"")) if policy else ()
        blob = KeyFile(
            public,
            private,
            empty_auth=not pin,
            parent=place.parent,
            parent_name=talk.storage_name,
            kind=SEALED_DATA,
            policy=steps,
        )
    return blob.encode()


def read(sealed: bytes) -> KeyFile:
    """Read what ``seal`` returned.

    Raises:
        SealRefused: It is something else, or asks for what hwkeys does not do.
    """
    try:
        blob = decode_key_file(sealed, SEALED_DATA)
    except KeyNotAsAsked as error:
        raise SealRefused(error.message) from error
    if blob.policy and not _ours(blob.policy):
        raise SealRefused("what was sealed opens under a policy that hwkeys does not know")
    return blob


def unseal(talk: Conversation, pin: bytes, blob: KeyFile) -> bytes:
    """Unseal, in a conversation of this operation. Runs on the worker.

    Raises:
        SealRefused: Another TPM sealed it, the registers differ, or it was altered.
        PinWrong: It was sealed with another PIN.
    """
    tpm = talk.tpm
    if blob.parent_name is not None and blob.parent_name != talk.storage_name:
        raise SealRefused("another TPM sealed it, or this one was cleared since")
    try:
        with tpm.loaded(talk.storage, talk.session, blob.private, blob.public) as handle:
            tpm.authorise(handle, pin)
            if not blob.policy:
                return commands.unseal(tpm, handle, talk.session)
            with tpm.session(talk.storage, policy=True) as way:
                commands.require_pcrs(tpm, way, blob.policy[0][1][len(_NO_DIGEST) :])
                return commands.unseal(tpm, handle, way)
    except WrongDevice as error:
        raise SealRefused("another TPM sealed it, this one was cleared since, or it was altered") from error


def _ours(policy: tuple[tuple[int, bytes], ...]) -> bool:
    pcr, parameters = policy[0]
    return (
        len(policy) == 2  # noqa: PLR2004 - the registers, and the PIN
        and policy[1] == (_POLICY_AUTH_VALUE, b"")
        and pcr == _POLICY_PCR
        and len(parameters) == len(_NO_DIGEST) + _SELECTION
        and parameters.startswith(_NO_DIGEST + _SHA256_BANK)
    )
