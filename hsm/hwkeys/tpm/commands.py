# SPDX-License-Identifier: Apache-2.0
"""The TPM's commands for attestation and sealing: the second half of ``binding``, and bound by its rules.

Each function is for one command, on the TPM's worker thread, and raises ``hwkeys`` errors only.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tpm2_pytss as tss

from hwkeys.tpm.binding import Handle, Tpm, faults, flushed
from hwkeys.tpm.endorsement import EndorsementTemplate

_SEALED = struct.Struct(">HHI")
_KEYED_HASH, _SHA256, _NULL = 0x0008, 0x000B, 0x0010
_FIXED, _WITH_AUTH = 1 << 1 | 1 << 4, 1 << 6
_NV_CHUNK = 512
_ALGORITHMS = {"sha256": tss.TPM2_ALG.SHA256, "sha384": tss.TPM2_ALG.SHA384}


def certify(tpm: Tpm, key: Handle, attestation: Handle, session: Handle, nonce: bytes) -> tuple[bytes, bytes]:
    """TPM2_Certify. The session carries the key's PIN; the attestation key has none.

    Returns:
        TPMS_ATTEST and TPMT_SIGNATURE.
    """
    scheme = tss.TPMT_SIG_SCHEME(scheme=tss.TPM2_ALG.NULL)
    with faults("certifying the key"):
        attest, signature = tpm.esys.certify(
            key, attestation, nonce, scheme, session1=session, session2=tss.ESYS_TR.PASSWORD
        )
        # TPM2B_ATTEST has a size in front; bytes() of a signature would be DER.
        return bytes(attest.marshal())[2:], bytes(signature.marshal())


def read_nv(tpm: Tpm, index: int) -> bytes:
    """TPM2_NV_Read of a whole index that everybody may read."""
    with faults(f"reading 0x{index:08x}"):
        handle = tpm.esys.tr_from_tpmpublic(index)
        public, _name = tpm.esys.nv_read_public(handle)
        size, octets = int(public.nvPublic.dataSize), b""
        while len(octets) < size:
            part = tpm.esys.nv_read(handle, min(_NV_CHUNK, size - len(octets)), len(octets))
            octets += bytes(part.buffer)
        tpm.esys.tr_close(handle)
    return octets


@contextmanager
def endorsement_primary(tpm: Tpm, template: EndorsementTemplate) -> Iterator[tuple[Handle, bytes]]:
    """The endorsement key of a template, made again: the handle, and its TPMT_PUBLIC."""
    public = tss.TPM2B_PUBLIC(publicArea=tss.TPMT_PUBLIC.unmarshal(template.public)[0])
    with faults("making the endorsement key"):
        handle, made, *_ = tpm.esys.create_primary(None, public, tss.ESYS_TR.ENDORSEMENT)
    with flushed(tpm, handle):
        yield handle, bytes(made.publicArea.marshal())


@contextmanager
def endorsement_session(tpm: Tpm, template: EndorsementTemplate) -> Iterator[Handle]:
    """A policy session that may use the endorsement key once."""
    with faults("starting a policy session"):
        session = tpm.esys.start_auth_session(
            tss.ESYS_TR.NONE, tss.ESYS_TR.NONE, tss.TPM2_SE.POLICY, None, _ALGORITHMS[template.hash_name]
        )
    with flushed(tpm, session):
        with faults("using the endorsement hierarchy"):
            tpm.esys.policy_secret(tss.ESYS_TR.ENDORSEMENT, session, b"", b"", b"", 0)
            if template.branches:
                tpm.esys.policy_or(session, tss.TPML_DIGEST([tss.TPM2B_DIGEST(each) for each in template.branches]))
        yield session


def activate(
    tpm: Tpm, attestation: Handle, endorsement: Handle, sessions: tuple[Handle, Handle], challenge: tuple[bytes, bytes]
) -> bytes:
    """TPM2_ActivateCredential.

    Args:
        tpm: Where.
        attestation: The attestation key.
        endorsement: The endorsement key.
        sessions: The first encrypts what comes back, the second may use the endorsement key.
        challenge: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET.
    """
    credential = tss.TPM2B_ID_OBJECT.unmarshal(challenge[0])[0]
    secret = tss.TPM2B_ENCRYPTED_SECRET.unmarshal(challenge[1])[0]
    with faults("activating a credential"):
        found = tpm.esys.activate_credential(
            attestation, endorsement, credential, secret, session1=sessions[0], session2=sessions[1]
        )
        return bytes(found.buffer)


def seal(
    tpm: Tpm, storage: Handle, session: Handle, *, secret: bytes, pin: bytes, policy: bytes
) -> tuple[bytes, bytes]:
    """TPM2_Create of a sealed object. The session encrypts the secret and the PIN.

    Args:
        tpm: Where.
        storage: Its parent.
        session: Of this operation.
        secret: At most 128 octets.
        pin: Its authorisation.
        policy: The policy digest it opens under; empty when the PIN alone opens it.

    Returns:
        TPM2B_PRIVATE and TPM2B_PUBLIC.
    """
    attributes = _FIXED if policy else _FIXED | _WITH_AUTH
    area = _SEALED.pack(_KEYED_HASH, _SHA256, attributes) + struct.pack(">H", len(policy)) + policy
    public = tss.TPM2B_PUBLIC(publicArea=tss.TPMT_PUBLIC.unmarshal(area + struct.pack(">HH", _NULL, 0))[0])
    sensitive = tss.TPM2B_SENSITIVE_CREATE(tss.TPMS_SENSITIVE_CREATE(userAuth=pin, data=secret))
    with faults("sealing"):
        made_private, made_public, *_ = tpm.esys.create(storage, sensitive, public, session1=session)
        return bytes(made_private.marshal()), bytes(made_public.marshal())


def unseal(tpm: Tpm, sealed: Handle, session: Handle) -> bytes:
    """TPM2_Unseal; the session encrypts what comes back."""
    with faults("unsealing"):
        found = tpm.esys.unseal(sealed, session1=session)
        return bytes(found.buffer)


def require_pcrs(tpm: Tpm, session: Handle, selection: bytes) -> None:
    """TPM2_PolicyPCR with the values of now, then TPM2_PolicyAuthValue: the PIN as well.

    Args:
        tpm: Where.
        session: A policy session.
        selection: TPML_PCR_SELECTION.
    """
    with faults("comparing the state of the machine"):
        tpm.esys.policy_pcr(session, None, tss.TPML_PCR_SELECTION.unmarshal(selection)[0])
        tpm.esys.policy_auth_value(session)


def pcr_policy(tpm: Tpm, selection: bytes) -> bytes:
    """The digest of the policy that ``require_pcrs`` satisfies, 32 octets.

    The TPM tells the values; the digest is computed here, so that what was asked for is what it is made of.
    """
    values = b""
    with faults("reading the state of the machine"):
        for part in _pieces(selection):
            _count, _selection, digests = tpm.esys.pcr_read(tss.TPML_PCR_SELECTION.unmarshal(part)[0])
            values += b"".join(bytes(digest) for digest in digests)
    first = hashlib.sha256(
        bytes(32) + struct.pack(">I", tss.TPM2_CC.PolicyPCR) + selection + hashlib.sha256(values).digest()
    )
    return hashlib.sha256(first.digest() + struct.pack(">I", tss.TPM2_CC.PolicyAuthValue)).digest()


def _pieces(selection: bytes) -> Sequence[bytes]:
    """One selection for each register: TPM2_PCR_Read gives eight at most, and says so only between the lines."""
    head, bits = selection[:7], int.from_bytes(selection[7:], "little")
    size = len(selection) - 7
    return [head + (1 << pcr).to_bytes(size, "little") for pcr in range(8 * size) if bits >> pcr & 1]
