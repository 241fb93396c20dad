# SPDX-License-Identifier: Apache-2.0
"""tpm2-pytss, wrapped: few verbs, octets in and out, our errors. Runs on the TPM's worker thread only.

A connection is opened for each operation and closed after it. Through the kernel's resource manager that costs
nothing and leaves nothing behind; an emulator serves one connection at a time, and others want their turn.

Every object and session is given out by a context manager that flushes it: a TPM has three slots of each, and closing
a connection without a resource manager does not empty them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

# tpm2-tss writes its own account of every error to standard error, which belongs to the program. What it knows is in
# the exception too. Whoever wants the log sets TSS2_LOG before.
os.environ.setdefault("TSS2_LOG", "all+NONE")

import tpm2_pytss as tss

from hwkeys.errors import DeviceFailed, WrongDevice
from hwkeys.tpm.faults import fault
from hwkeys.tpm.public import STORAGE_TEMPLATE, PublicArea
from hwkeys.tpm.tcti import missing

Handle = Any
"""An ESYS_TR."""

_HASHES = {"sha256": tss.TPM2_ALG.SHA256, "sha384": tss.TPM2_ALG.SHA384}
_PROPERTIES = 127
_HANDLES = 254


@contextmanager
def faults(doing: str) -> Iterator[None]:
    """Let no TSS2_Exception out of the block.

    Raises:
        HwKeyError: In place of the library's own.
    """
    try:
        yield
    except tss.TSS2_Exception as error:
        raise fault(int(error.rc), doing) from error


class Tpm:
    """One connection to a TPM; a context manager. ``commands`` holds more of what can be done with it.

    Args:
        tcti: In the words of tpm2-tss, already checked.

    Raises:
        DeviceMissing: Nothing answers there.
    """

    def __init__(self, tcti: str) -> None:
        name, _, conf = tcti.partition(":")
        try:
            self._tcti = tss.TCTILdr(name, conf or None)
            try:
                self.esys = tss.ESAPI(self._tcti)
            except BaseException:
                self._tcti.close()
                raise
        except tss.TSS2_Exception as error:
            raise missing(tcti) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.esys.close()
        self._tcti.close()

    def properties(self, first: int) -> dict[int, int]:
        """TPM2_GetCapability(TPM_PROPERTIES): the group that starts at ``first``."""
        with faults("asking the TPM for its properties"):
            _more, data = self.esys.get_capability(tss.TPM2_CAP.TPM_PROPERTIES, first, _PROPERTIES)
            return {int(item.property): int(item.value) for item in data.data.tpmProperties}

    def handles(self, first: int) -> list[int]:
        """TPM2_GetCapability(HANDLES): what is there of the kind of handle that ``first`` begins."""
        with faults("asking the TPM for its handles"):
            _more, data = self.esys.get_capability(tss.TPM2_CAP.HANDLES, first, _HANDLES)
            found = [int(handle) for handle in data.data.handles]
        return [handle for handle in found if handle >> 24 == first >> 24]

    @contextmanager
    def primary(self) -> Iterator[tuple[Handle, bytes]]:
        """The owner's storage key, made anew from its template: the handle, and its TPMT_PUBLIC."""
        template = tss.TPM2B_PUBLIC(publicArea=_unmarshal_area(STORAGE_TEMPLATE))
        with faults("making the storage key"):
            handle, public, *_ = self.esys.create_primary(None, template, tss.ESYS_TR.OWNER)
        with flushed(self, handle):
            self._require_one_answer(handle, public)
            yield handle, bytes(public.publicArea.marshal())

    @contextmanager
    def persistent(self, tpm_handle: int) -> Iterator[tuple[Handle, bytes]]:
        """A key at a persistent handle: the handle, and its TPMT_PUBLIC."""
        with faults(f"reading 0x{tpm_handle:08x}"):
            handle = self.esys.tr_from_tpmpublic(tpm_handle)
            public, *_ = self.esys.read_public(handle)
        try:
            self._require_one_answer(handle, public)
            yield handle, bytes(public.publicArea.marshal())
        finally:
            with suppress(tss.TSS2_Exception):
                self.esys.tr_close(handle)

    def public_key_at(self, tpm_handle: int) -> bytes:
        """The SubjectPublicKeyInfo of the key at a persistent handle, of any kind; DER."""
        with faults(f"reading 0x{tpm_handle:08x}"):
            handle = self.esys.tr_from_tpmpublic(tpm_handle)
            public, *_ = self.esys.read_public(handle)
            self.esys.tr_close(handle)
            return bytes(public.publicArea.to_der())

    def _require_one_answer(self, handle: Handle, public: Any) -> None:
        """The public area that is judged is the one that tpm2-tss holds, and encrypts the salt to.

        It asks a persistent handle for itself, before we do: whoever sits on the bus could give the two of us two
        answers.

        Raises:
            WrongDevice: They differ.
        """
        with faults("reading the key's name"):
            held = bytes(self.esys.tr_get_name(handle))
        if held != bytes(public.publicArea.get_name()):
            raise WrongDevice("the TPM gave two different answers about one key")

    @contextmanager
    def session(self, storage: Handle, *, policy: bool = False) -> Iterator[Handle]:
        """A new session, salted by the storage key, that encrypts the first parameter both ways: HMAC, or policy.

        It is for one operation. libtss2 3.2.1 stops encrypting on a session after one failed command without saying
        so; so the first error must end the block.
        """
        with faults("starting a session"):
            session = self.esys.start_auth_session(
                tpm_key=storage,
                bind=tss.ESYS_TR.NONE,
                session_type=tss.TPM2_SE.POLICY if policy else tss.TPM2_SE.HMAC,
                symmetric=tss.TPMT_SYM_DEF(
                    algorithm=tss.TPM2_ALG.AES,
                    keyBits=tss.TPMU_SYM_KEY_BITS(sym=128),
                    mode=tss.TPMU_SYM_MODE(sym=tss.TPM2_ALG.CFB),
                ),
                auth_hash=tss.TPM2_ALG.SHA256,
            )
        with flushed(self, session):
            attributes = tss.TPMA_SESSION.DECRYPT | tss.TPMA_SESSION.ENCRYPT | tss.TPMA_SESSION.CONTINUESESSION
            with faults("starting a session"):
                self.esys.trsess_set_attributes(session, attributes, 0xFF)
            yield session

    def create(self, storage: Handle, session: Handle, template: PublicArea, pin: bytes) -> tuple[bytes, bytes]:
        """TPM2_Create.

        Returns:
            TPM2B_PRIVATE and TPM2B_PUBLIC.
        """
        sensitive = tss.TPM2B_SENSITIVE_CREATE(tss.TPMS_SENSITIVE_CREATE(userAuth=pin))
        public = tss.TPM2B_PUBLIC(publicArea=_unmarshal_area(template))
        with faults("generating a key"):
            made_private, made_public, *_ = self.esys.create(storage, sensitive, public, session1=session)
            return bytes(made_private.marshal()), bytes(made_public.marshal())

    @contextmanager
    def loaded(self, storage: Handle, session: Handle, private: bytes, public: bytes) -> Iterator[Handle]:
        """TPM2_Load."""
        with faults("loading the key"):
            handle = self.esys.load(storage, _unmarshal_private(private), _unmarshal_public(public), session1=session)
        with flushed(self, handle):
            yield handle

    def authorise(self, key: Handle, pin: bytes) -> None:
        """Remember the PIN for the commands that follow. It goes into their HMAC and never onto the bus."""
        with faults("authorising"):
            self.esys.tr_set_auth(key, pin)

    def check_pin(self, key: Handle, session: Handle) -> None:
        """Use the PIN without making a signature: TPM2_PolicySecret on a trial session wants the key's authorisation.

        Raises:
            PinWrong: And the dictionary-attack counter went up.
        """
        with faults("starting a trial session"):
            trial = self.esys.start_auth_session(
                tss.ESYS_TR.NONE, tss.ESYS_TR.NONE, tss.TPM2_SE.TRIAL, None, tss.TPM2_ALG.SHA256
            )
        with flushed(self, trial), faults("checking the PIN"):
            self.esys.policy_secret(key, trial, b"", b"", b"", 0, session1=session)

    def sign(self, key: Handle, session: Handle, digest: bytes, hash_algorithm: str) -> bytes:
        """TPM2_Sign, ECDSA.

        Args:
            key: A signing key.
            session: Of this operation.
            digest: As long as the hash is.
            hash_algorithm: "sha256" or "sha384".

        Returns:
            DER Ecdsa-Sig-Value.
        """
        scheme = tss.TPMT_SIG_SCHEME(
            scheme=tss.TPM2_ALG.ECDSA,
            # The union's own member for ECDSA does not take what it should (tpm2-pytss 3.0.0); "any" does.
            details=tss.TPMU_SIG_SCHEME(any=tss.TPMS_SCHEME_HASH(hashAlg=_HASHES[hash_algorithm])),
        )
        ticket = tss.TPMT_TK_HASHCHECK(tag=tss.TPM2_ST.HASHCHECK, hierarchy=tss.TPM2_RH.NULL)
        with faults("signing"):
            signature = self.esys.sign(key, tss.TPM2B_DIGEST(digest), scheme, ticket, session1=session)
            return bytes(signature)

    def agree(self, key: Handle, session: Handle, point: bytes) -> bytes:
        """TPM2_ECDH_ZGen.

        Args:
            key: A key for key agreement.
            session: Of this operation; it encrypts the point on the way in, and the secret on the way out.
            point: Uncompressed, SEC 1 §2.3.3, known to be on the key's curve.

        Returns:
            The shared x coordinate, as many octets as the curve has.
        """
        size = len(point) // 2
        theirs = tss.TPM2B_ECC_POINT(tss.TPMS_ECC_POINT(x=point[1 : 1 + size], y=point[1 + size :]))
        with faults("agreeing on a secret"):
            # Bound to a name before anything is read from it: tpm2-pytss 3.0.0 frees what `bytes(….point.x)` reads, and
            # kilobytes of the heap come back in its place.
            shared = self.esys.ecdh_zgen(key, theirs, session1=session)
            secret = bytes(shared.point.x)
        if len(secret) > size:
            raise DeviceFailed("the TPM gave a secret that is longer than its curve")
        return secret.rjust(size, b"\0")

    def persist(self, key: Handle, tpm_handle: int) -> None:
        """TPM2_EvictControl: keep a loaded key at a persistent handle."""
        with faults("storing the key"):
            kept = self.esys.evict_control(tss.ESYS_TR.OWNER, key, tpm_handle)
            self.esys.tr_close(kept)

    def evict(self, key: Handle) -> None:
        """TPM2_EvictControl: delete a persistent key."""
        with faults("deleting the key"):
            self.esys.evict_control(tss.ESYS_TR.OWNER, key, 0)


@contextmanager
def flushed(tpm: Tpm, handle: Handle) -> Iterator[None]:
    """Let the object or session out of the TPM at the end of the block, whatever happened in it."""
    try:
        yield
    finally:
        # After a transport error there is no way to flush; the first error is the one that tells.
        with suppress(tss.TSS2_Exception):
            tpm.esys.flush_context(handle)


def _unmarshal_area(area: PublicArea) -> Any:
    return tss.TPMT_PUBLIC.unmarshal(area.encode())[0]


def _unmarshal_public(octets: bytes) -> Any:
    return tss.TPM2B_PUBLIC.unmarshal(octets)[0]


def _unmarshal_private(octets: bytes) -> Any:
    return tss.TPM2B_PRIVATE.unmarshal(octets)[0]
