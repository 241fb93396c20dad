# SPDX-License-Identifier: Apache-2.0
"""A signing key on a token.

Opening asks no PIN when the token shows the public half to everybody. ``unlock`` logs in. The order is always: look
on the worker, ask the person on the caller's thread, log in on the worker; so nobody's thinking time blocks a token.

After a failed signature all sessions of the token are dropped: some cards keep a session broken after one error, and
a pulled token leaves nothing valid anyway. The next use looks for the token by its serial, logs in again, and finds
the key by its id.
"""

import threading
import weakref

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from hwkeys.devices import DeviceInfo
from hwkeys.errors import HwKeyError, KeyClosed, KeyMissing, KeyNotAsAsked, PinNeeded, PinWrong
from hwkeys.key import EllipticCurveHardwareKey
from hwkeys.pkcs11 import binding, objects, session, tokens
from hwkeys.pkcs11.binding import ObjectRecord, TokenRecord
from hwkeys.pkcs11.modules import Module
from hwkeys.pkcs11.session import TokenSession
from hwkeys.prompt import PinRequest, Prompter, ask_pin
from hwkeys.uri import Pkcs11Uri


class Login:
    """A hold on one token, shared logins included: attach, ask, log in, let go.

    Args:
        module: The token's module.
        record: The token.
        prompter: Whom to ask; None means nobody.
        purpose: What the PIN is for, as the person is told.
    """

    def __init__(self, module: Module, record: TokenRecord, prompter: Prompter | None, purpose: str) -> None:
        self.module = module
        self.record = record
        self._prompter = prompter
        self._purpose = purpose
        self._session: TokenSession | None = None

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask."""
        return self._prompter is not None

    def attach(self, module: Module) -> TokenSession:
        """The token's session, opened again if it was dropped. Runs on the worker."""
        if self._session is None or self._session.dead:
            self._session = None
            self.record = tokens.again(module, self.record)
            self._session = module.sessions.attach(self.record)
        return self._session

    def ensure(self) -> None:
        """Log in, unless that is done or not wanted.

        Raises:
            PinError: No PIN, a wrong one, or a locked token.
            DeviceMissing: The token is gone.
        """
        request = self.module.call(self._question)
        if request is None:
            return
        if self._prompter is None:
            raise PinNeeded(f"a PIN is needed for {request.describe()}")
        pin = ask_pin(self._prompter, request)
        self.module.call(self._answer, pin, last_try_allowed=request.final_try)

    def release(self) -> None:
        """Let go; the last one logs out."""
        self.module.call(self._release)

    def abandon(self) -> None:
        """Let go without waiting."""
        self.module.worker.post(lambda: self._release(self.module))

    def drop(self, module: Module) -> None:
        """Close all sessions of the token after a failure. Runs on the worker."""
        if self._session is not None:
            module.sessions.drop(self._session)
            self._session = None

    def _question(self, module: Module) -> PinRequest | None:
        if self.attach(module).logged_in:
            return None
        self.record = tokens.again(module, self.record)
        device = tokens.device_info(module, self.record)
        # Whether the last try may be used is asked later; a locked token is told at once, before anybody types.
        session.refuse_unspendable(self.record, last_try_allowed=True)
        return PinRequest(device=device, key=self._purpose)

    def _answer(self, module: Module, pin: str, *, last_try_allowed: bool) -> None:
        attached = self.attach(module)
        now = tokens.again(module, self.record)
        try:
            session.log_in(attached, now, pin, last_try_allowed=last_try_allowed)
        except PinWrong as error:
            left = tokens.matching(module, tokens.device_uri(module, now))
            raise session.wrong_pin(left[0] if left else None) from error

    def _release(self, module: Module) -> None:
        if self._session is not None:
            module.sessions.release(self._session)
            self._session = None


class Pkcs11Key(EllipticCurveHardwareKey):
    """Made by ``hwkeys.pkcs11.backend``; see there."""

    def __init__(self, login: Login, pair: objects.Pair, public_key: ec.EllipticCurvePublicKey) -> None:
        where = tokens.device_uri(login.module, login.record)
        self._exact: Pkcs11Uri = objects.exact(where, pair)
        super().__init__(public_key=public_key, uri=str(self._exact))
        self._login = login
        self._private: ObjectRecord | None = None
        self._seen_in: TokenSession | None = None
        self._closed = False
        # Held while asking for a PIN, so that two threads do not ask one person twice for one key.
        self._lock = threading.Lock()
        # A key that was dropped without close() must not keep the token logged in.
        weakref.finalize(self, login.abandon).atexit = False

    @property
    def device(self) -> DeviceInfo:
        """The token as it was seen last."""
        return tokens.device_info(self._login.module, self._login.record)

    def unlock(self) -> None:
        """Log in and find the private half. Makes no signature.

        Raises:
            PinError: No PIN, a wrong one, or a locked token.
            DeviceMissing: The token is gone.
            KeyMissing: The key is not on it any more.
            KeyNotAsAsked: The token says that the key could leave it, or it is another key now.
        """
        with self._lock:
            if self._closed:
                raise KeyClosed("the key was closed")
            self._login.module.worker.refuse_fork()
            self._login.ensure()
            self._login.module.call(self._find)

    def close(self) -> None:
        """Let go of the token; the last key on it logs out."""
        with self._lock:
            if not self._closed:
                self._login.release()
                self._closed = True
                self._private = None
                self._seen_in = None

    def _sign_digest(self, digest: bytes, algorithm: hashes.HashAlgorithm) -> bytes:  # noqa: ARG002 - raw CKM_ECDSA
        self.unlock()
        raw = self._login.module.call(self._sign, digest)
        half = (self.key_size + 7) // 8
        if len(raw) != 2 * half:
            raise KeyNotAsAsked(f"the token gave a signature of {len(raw)} octets instead of {2 * half}")
        return utils.encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))

    def _find(self, module: Module) -> None:
        attached = self._login.attach(module)
        if self._private is not None and self._seen_in is attached:
            return
        found = [pair for pair in objects.pairs(attached.reader, self._exact) if pair.private is not None]
        pair = objects.the_one(found, self._exact, self._exact)
        if pair.private is None:
            raise KeyMissing(f"the private half of {self._uri} is not there")
        objects.refuse_unprotected(pair.private, just_made=False)
        public = objects.public_key(pair)
        if public is not None and public != self._public_key:
            raise KeyNotAsAsked("another key has taken the place of the one that was opened")
        self._private, self._seen_in = pair.private, attached

    def _sign(self, module: Module, digest: bytes) -> bytes:
        try:
            self._find(module)
            if self._private is None:
                raise KeyClosed("the key was closed")
            return binding.sign(self._private, digest)
        except HwKeyError:
            self._private = None
            self._login.drop(module)
            raise
