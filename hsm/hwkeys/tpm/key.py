# SPDX-License-Identifier: Apache-2.0
"""A key in a TPM: it signs, or it agrees.

The TPM cannot be logged in to: each use brings the PIN's proof along. So the PIN is kept here while the key is open,
and is forgotten when it is closed, or when the TPM refuses it. A PIN is first used without signing (see
``Tpm.check_pin``), so opening a key tells at once whether the PIN is right and makes no signature.
"""

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from cryptography.hazmat.primitives import hashes

from hwkeys.capabilities import MAX_NONCE, Attester, Enrollable, KeyAgreement, Sealer
from hwkeys.devices import DeviceInfo, PinState
from hwkeys.errors import KeyClosed, KeyNotAsAsked, PinLocked, PinNeeded, PinRefused, PinWrong, Unsupported
from hwkeys.evidence.enrolment import Challenge
from hwkeys.evidence.values import TpmEvidence
from hwkeys.key import EllipticCurveHardwareKey
from hwkeys.prompt import PinOctets, PinRequest, Prompter, ask_pin
from hwkeys.purpose import Purpose
from hwkeys.tpm import sealing
from hwkeys.tpm.attestation import activated, attestation_key, certified, endorsements, keep_certificates
from hwkeys.tpm.binding import Handle, Tpm
from hwkeys.tpm.public import PublicArea, refuse_unfit
from hwkeys.tpm.session import Conversation, Place, conversation, key_at
from hwkeys.tpm.state import TpmState, read_state
from hwkeys.uri import TpmUri, parse_uri
from hwkeys.worker import Worker, worker_for

_T = TypeVar("_T")

_JUST_NOW = 0.5
"""Seconds."""

MAX_PIN = 32
"""Octets: a TPM key's authorisation is no longer than its name algorithm's digest."""


def worker_of(place: Place) -> Worker:
    """The worker of the place's TPM."""
    return worker_for(place.tcti)


def probe(place: Place) -> tuple[TpmState, PublicArea, bytes]:
    """Reach for the key without its PIN. Runs on the worker.

    Returns:
        The TPM's state, the key's public area, and the Name of the storage key.

    Raises:
        HwKeyError: The TPM, the storage key or the key is not what it should be.
    """
    with Tpm(place.tcti) as tpm:
        state = read_state(tpm)
        with conversation(tpm, place.parent, place.storage_name) as talk, key_at(place, talk) as (_handle, area):
            refuse_unfit(area)
            return state, area, talk.storage_name


def pin_octets(pin: str) -> PinOctets:
    """A PIN as the TPM takes it.

    Raises:
        PinRefused: It is longer than a TPM takes, or ends in a zero octet, which a TPM would drop.
    """
    octets = pin.encode()
    if len(octets) > MAX_PIN or octets.endswith(b"\0"):
        raise PinRefused(f"a TPM key's PIN has at most {MAX_PIN} octets", hint="choose a shorter one")
    return PinOctets(octets)


def _name(uri: str) -> str:
    """What a person calls the key: its file, or its handle; the rest of the URI is for machines."""
    found = parse_uri(uri)
    return str(found.file) if isinstance(found, TpmUri) and found.file is not None else uri


class TpmKey(EllipticCurveHardwareKey):
    """Made by ``hwkeys.tpm.backend``; see there."""

    def __init__(self, place: Place, prompter: Prompter | None, *, uri: str, has_pin: bool) -> None:
        self._worker = worker_of(place)
        self._state, self._area, name = self._worker.call(probe, place)
        self._read_at = time.monotonic()
        super().__init__(public_key=self._area.public_key(), uri=uri)
        # From here on the storage key that was seen first counts, even where nothing had told which it must be.
        self._place = replace(place, storage_name=name)
        self._prompter = prompter
        self._pin: bytes | None = None if has_pin else b""
        self._closed = False
        # Held while asking for a PIN, so that two threads do not ask one person twice for one key.
        self._lock = threading.Lock()

    @property
    def device(self) -> DeviceInfo:
        """The TPM as it was seen last."""
        return self._state.info(self._place.tcti)

    @property
    def capabilities(self) -> frozenset[object]:
        """What this key can do besides signing."""
        agrees = {KeyAgreement} if self._area.purpose is Purpose.AGREE else set()
        return frozenset({Sealer} | agrees | ({Attester, Enrollable} if self._place.file is not None else set()))

    @property
    def storage_name(self) -> bytes | None:
        """The Name of the storage key that protects the way to the TPM, 34 octets."""
        return self._place.storage_name

    def attest(self, nonce: bytes) -> TpmEvidence:
        """TPM2_Certify by the attestation key; see ``hwkeys.capabilities.Attester``."""
        if not 1 <= len(nonce) <= MAX_NONCE:
            raise Unsupported(f"a nonce has 1 to {MAX_NONCE} octets")
        self._open()
        attestation = self._worker.call(attestation_key, self._place)
        pin = self._unlocked()
        return self._use(pin, lambda talk, key: certified(self._place, talk, key, attestation, nonce))

    def endorsements(self) -> tuple[bytes, ...]:
        """The TPM maker's certificates; see ``hwkeys.capabilities.Enrollable``."""
        self._open()
        return self._worker.call(endorsements, self._place.tcti)

    def attestation_public(self) -> bytes:
        """TPMT_PUBLIC of the attestation key; see ``hwkeys.capabilities.Enrollable``."""
        self._open()
        return self._worker.call(attestation_key, self._place).public[2:]

    def activate(self, endorsement: bytes, challenge: Challenge) -> bytes:
        """TPM2_ActivateCredential; see ``hwkeys.capabilities.Enrollable``."""
        self._open()
        return self._worker.call(activated, self._place, endorsement, challenge)

    def keep_certificates(self, certificates: Sequence[bytes]) -> None:
        """Keep an authority's answer; see ``hwkeys.capabilities.Enrollable``."""
        self._open()
        self._worker.call(keep_certificates, self._place, certificates)

    def seal(self, secret: bytes, *, pcrs: Sequence[int] = ()) -> bytes:
        """Lock a secret up under the storage key; see ``hwkeys.capabilities.Sealer``.

        Args:
            secret: 1 to 128 octets.
            pcrs: Registers of the SHA-256 bank, 0 to 23, that must hold then what they hold now.

        Returns:
            A TSS2 file with sealed data, as text; the PIN of this key opens it.
        """
        plan = sealing.plan(secret, pcrs)
        pin = self._unlocked()
        return self._worker.call(sealing.seal, self._place, pin, plan)

    def unseal(self, sealed: bytes) -> bytes:
        """Open what ``seal`` returned, on this TPM and in the same state; see ``hwkeys.capabilities.Sealer``."""
        blob = sealing.read(sealed)
        pin = self._unlocked()
        # The PIN was right for the key. If the sealed data has another one, this costs a try of the whole TPM.
        return self._use(pin, lambda talk, _key: sealing.unseal(talk, pin, blob))

    def unlock(self) -> None:
        """Ask for the PIN and prove it to the TPM, without a signature.

        Raises:
            PinError: No PIN, a wrong one, or a TPM in lock-out.
            DeviceMissing: The TPM is gone.
        """
        self._unlocked()

    def close(self) -> None:
        """Forget the PIN. Nothing is in the TPM between two uses."""
        # Without the lock, which whoever is being asked for the PIN holds; and in a forked child, perhaps, nobody.
        self._closed = True
        self._pin = None

    def _sign_digest(self, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
        if self._area.purpose is not Purpose.SIGN:
            raise Unsupported("this is a key for key agreement: it does not sign", hint="use a key made for signing")
        if self._area.ecdsa and not isinstance(algorithm, hashes.SHA256):
            raise Unsupported("this TPM key signs SHA-256 only")
        pin = self._unlocked()
        return self._use(pin, lambda talk, key: talk.tpm.sign(key, talk.session, digest, algorithm.name))

    def _agree(self, point: bytes) -> bytes:
        if self._area.purpose is not Purpose.AGREE:
            return super()._agree(point)
        pin = self._unlocked()
        return self._use(pin, lambda talk, key: talk.tpm.agree(key, talk.session, point))

    def _open(self) -> None:
        if self._closed:
            raise KeyClosed("the key was closed")

    def _unlocked(self) -> bytes:
        # First of all: the lock may have been another thread's at the moment of the fork.
        self._worker.refuse_fork()
        with self._lock:
            self._open()
            pin = self._pin
            if pin is None:
                pin = self._ask()
                self._open()
                self._pin = pin
            return pin

    def _ask(self) -> bytes:
        # A moment after opening it is known, for one question: what a wrong PIN left behind may have changed since.
        # It is read again in any case just before the PIN is used.
        if time.monotonic() - self._read_at > _JUST_NOW:
            self._state = self._worker.call(_read, self._place.tcti)
        self._read_at = -math.inf
        request = PinRequest(device=self._state.info(self._place.tcti), key=_name(self._uri))
        if self._state.pin_state is PinState.LOCKED:
            raise self._state.locked()
        if self._prompter is None:
            raise PinNeeded(f"a PIN is needed for {request.describe()}")
        pin = pin_octets(ask_pin(self._prompter, request))
        self._use(pin, lambda talk, key: talk.tpm.check_pin(key, talk.session), last_try_allowed=request.final_try)
        return pin

    def _use(
        self, pin: bytes, action: Callable[[Conversation, Handle], _T], *, last_try_allowed: bool | None = None
    ) -> _T:
        try:
            return self._worker.call(self._run, pin, action, last_try_allowed=last_try_allowed)
        except (PinWrong, PinLocked):
            self._pin = None if self._pin else self._pin
            raise

    def _run(self, pin: bytes, action: Callable[[Conversation, Handle], _T], *, last_try_allowed: bool | None) -> _T:
        with Tpm(self._place.tcti) as tpm:
            # A PIN that was right before spends no try; a TPM in lock-out says so by itself.
            if last_try_allowed is not None:
                self._state = read_state(tpm)
                self._refuse_unspendable(pin, last_try_allowed=last_try_allowed)
            try:
                with (
                    conversation(tpm, self._place.parent, self._place.storage_name) as talk,
                    key_at(self._place, talk) as (key, area),
                ):
                    if area != self._area:
                        raise KeyNotAsAsked("another key has taken the place of the one that was opened")
                    tpm.authorise(key, pin)
                    return action(talk, key)
            except (PinWrong, PinLocked) as error:
                self._state = read_state(tpm)
                raise self._refusal() from error

    def _refuse_unspendable(self, pin: bytes, *, last_try_allowed: bool | None) -> None:
        # None: this very PIN was right before. Without a PIN there is nothing to spend, and the TPM does not count.
        if not pin:
            return
        if self._state.pin_state is PinState.LOCKED:
            raise self._state.locked()
        if self._state.pin_state is PinState.FINAL_TRY and last_try_allowed is False:
            raise PinRefused("one try is left on the TPM, and it was not explicitly allowed")

    def _refusal(self) -> PinLocked | PinWrong:
        if self._state.pin_state is PinState.LOCKED:
            return self._state.locked()
        left = self._state.tries_left
        return PinWrong(
            f"the TPM refused the PIN: {left} {'try is' if left == 1 else 'tries are'} left for all keys of this TPM",
            tries_left=left,
            final_try=left == 1,
            hint=f"one more is forgiven every {self._state.interval} s" if self._state.interval else None,
        )


def _read(tcti: str) -> TpmState:
    with Tpm(tcti) as tpm:
        return read_state(tpm)
