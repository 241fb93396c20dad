# SPDX-License-Identifier: Apache-2.0
"""The PIV application of a YubiKey 5.4.3, command by command (NIST SP 800-73-5 part 2, and Yubico's extensions).

Its keys are software. OpenSC, ykcs11 and yubikit take it for a YubiKey. ``Card.apdu`` is the whole interface to the
outside; ``place`` and the counters are for whoever owns the card.
"""

import os
import threading
import time
from collections.abc import Callable
from typing import Final, NoReturn

from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from virtualpiv.keys import (
    ALWAYS,
    KINDS,
    NEVER,
    ONCE,
    SLOT_OBJECTS,
    Maker,
    SlotKey,
    attestation,
    der,
    imported,
    new_private,
    self_signed,
)
from virtualpiv.tlv import read, tlv

ATR: Final = bytes.fromhex("3bfd1300008131fe158073c021c057597562694b657940")
VERSION: Final = bytes((5, 4, 3))
PIN: Final = b"123456"
PUK: Final = b"12345678"
MANAGEMENT_KEY: Final = bytes.fromhex("0102030405060708" * 3)
TRIES: Final = 3

_OK, _MORE = 0x9000, 0x6100
_WRONG, _NOT_NOW, _LOCKED = 0x63C0, 0x6982, 0x6983
_BAD_DATA, _NO_FILE, _NO_REFERENCE, _NO_COMMAND = 0x6A80, 0x6A82, 0x6A88, 0x6D00
_AUTHENTICATE, _GET_RESPONSE = 0x87, 0xC0
_PIV = bytes.fromhex("a000000308")
_CHUID = 0x5FC102
_PRINTED = 0x5FC109
_DEFAULT_POLICY = {0x9C: ALWAYS, 0x9E: NEVER}
_GIVES_UP: Final = 1.2
"""Seconds that the card waits for a touch; a real one has the patience of fifteen."""
_3DES, _AES = 0x03, (0x08, 0x0A, 0x0C)


class _Refused(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(f"{status:04x}")
        self.status = status


class Card:
    """One card. Not for threads: a card answers one command at a time.

    Attributes:
        tries: Wrong PINs until the lock-out.
        spent: How often a PIN was presented, right or wrong.
        signed: Private operations done, by slot.
        touch: Seconds until somebody touches it; None for nobody, ever.
        go_on: While it is cleared, the private operation hangs.
    """

    def __init__(self, maker: Maker, serial: int) -> None:
        self.serial = serial
        self.pin, self.puk = PIN, PUK
        self.tries, self.puk_tries, self.most_tries = TRIES, TRIES, TRIES
        self.spent = 0
        self.used: dict[int, int] = {}
        self.touch: float | None = 0.0
        self.go_on = threading.Event()
        self.go_on.set()
        self.keys: dict[int, SlotKey] = {}
        self._management = (_3DES, MANAGEMENT_KEY)
        self._f9, self._f9_certificate = maker.attestation_key(VERSION)
        self._objects = {_CHUID: _chuid()}
        self._store(SLOT_OBJECTS[0xF9], der(self._f9_certificate))
        self.power_cycle()

    def power_cycle(self) -> None:
        """What a reset forgets."""
        self._verified = self._just_verified = self._managed = False
        self._challenge: bytes | None = None
        self._chained = b""
        self._waiting = b""

    def place(
        self,
        slot: int,
        kind: str,
        *,
        pin_policy: int = 0,
        touch_policy: int = NEVER,
        name: str = "",
        generated: bool = True,
    ) -> None:
        """Put a key into a slot, with a certificate when it has a name."""
        pin_policy = pin_policy or _DEFAULT_POLICY.get(slot, ONCE)
        key = SlotKey(new_private(KINDS[kind]), KINDS[kind], pin_policy, touch_policy, generated=generated)
        self.keys[slot] = key
        if name:
            self._store(SLOT_OBJECTS[slot], self_signed(name, key.private))

    def attested(self, slot: int) -> tuple[x509.Certificate, x509.Certificate]:
        """What the card says of a key, and the certificate of the key that says it."""
        said = attestation(self._f9, slot, self.keys[slot], serial=self.serial, version=VERSION)
        return said, self._f9_certificate

    def apdu(self, command: bytes) -> bytes:
        """One command as it comes from the reader; the response with its status."""
        cla, ins, p1, p2 = command[:4]
        data, extended = _body(command[4:])
        if cla & 0x10:
            self._chained += data
            return _OK.to_bytes(2)
        if ins != _GET_RESPONSE:
            data, self._chained = self._chained + data, b""
            try:
                self._waiting = self._answer(ins, p1, p2, data)
            except _Refused as refused:
                self._waiting = b""
                return refused.status.to_bytes(2)
            except (ValueError, KeyError, IndexError):
                self._waiting = b""
                return _BAD_DATA.to_bytes(2)
        most = len(self._waiting) if extended else 256
        now, self._waiting = self._waiting[:most], self._waiting[most:]
        left = len(self._waiting)
        # 6100: 256 octets or more are left (ISO/IEC 7816-4, 5.3.4).
        return now + (_MORE | (left if left < 256 else 0) if left else _OK).to_bytes(2)

    def _answer(self, ins: int, p1: int, p2: int, data: bytes) -> bytes:
        fresh, self._just_verified = self._just_verified, False
        if ins == _AUTHENTICATE:
            return self._authenticate(p1, p2, data, fresh=fresh)
        known: dict[int, Callable[[int, int, bytes], bytes]] = {
            0xA4: self._select,
            0x20: self._verify,
            0x24: self._change,
            0x2C: self._change,
            0xCB: self._get_data,
            0xDB: self._put_data,
            0x47: self._generate,
            0xF7: self._metadata,
            0xF8: lambda _p1, _p2, _data: self.serial.to_bytes(4),
            0xF9: self._attest,
            0xFA: self._set_tries,
            0xFB: self._reset,
            0xFD: lambda _p1, _p2, _data: VERSION,
            0xFE: self._import,
            0xFF: self._set_management,
        }
        if ins not in known:
            raise _Refused(_NO_COMMAND)
        return known[ins](p1 if ins != 0x2C else -1, p2, data)

    def _select(self, _p1: int, _p2: int, data: bytes) -> bytes:
        self.power_cycle()
        if len(data) < len(_PIV) or not (_PIV + bytes.fromhex("000010000100")).startswith(data):
            raise _Refused(_NO_FILE)
        return tlv(0x61, tlv(0x4F, bytes.fromhex("000010000100")) + tlv(0x79, tlv(0x4F, _PIV)))

    # ---- PIN and PUK

    def _verify(self, p1: int, _p2: int, data: bytes) -> bytes:
        if p1 == 0xFF:
            self._verified = False
            return b""
        if not data:
            if not self._verified:
                raise _Refused(_WRONG | self.tries if self.tries else _LOCKED)
            return b""
        self.spent += 1
        self._verified = False
        self._check_pin(data)
        self._verified = self._just_verified = True
        return b""

    def _check_pin(self, octets: bytes) -> None:
        if not self.tries:
            raise _Refused(_LOCKED)
        if octets.rstrip(b"\xff") != self.pin:
            self.tries -= 1
            raise _Refused(_WRONG | self.tries if self.tries else _LOCKED)
        self.tries = self.most_tries

    def _check_puk(self, octets: bytes) -> None:
        if not self.puk_tries:
            raise _Refused(_LOCKED)
        if octets.rstrip(b"\xff") != self.puk:
            self.puk_tries -= 1
            raise _Refused(_WRONG | self.puk_tries if self.puk_tries else _LOCKED)
        self.puk_tries = TRIES

    def _change(self, p1: int, p2: int, data: bytes) -> bytes:
        old, new = data[:8], data[8:16].rstrip(b"\xff")
        unblock = p1 < 0
        if unblock or p2 == 0x81:
            self._check_puk(old)
        else:
            self._check_pin(old)
        if p2 == 0x81:
            self.puk = new
        else:
            self.pin, self.tries = new, self.most_tries
        return b""

    def _set_tries(self, p1: int, p2: int, _data: bytes) -> bytes:
        if not (self._managed and self._verified):
            self._refuse()
        self.pin, self.puk = PIN, PUK
        self.most_tries = self.tries = p1
        self.puk_tries = p2
        return b""

    def _reset(self, _p1: int, _p2: int, _data: bytes) -> bytes:
        if self.tries or self.puk_tries:
            self._refuse()
        self.pin, self.puk, self.most_tries, self.tries, self.puk_tries = PIN, PUK, TRIES, TRIES, TRIES
        self._management = (_3DES, MANAGEMENT_KEY)
        self.keys.clear()
        self._objects = {_CHUID: _chuid(), SLOT_OBJECTS[0xF9]: self._objects[SLOT_OBJECTS[0xF9]]}
        return b""

    # ---- data objects

    def _get_data(self, _p1: int, _p2: int, data: bytes) -> bytes:
        tag = int.from_bytes(read(data)[0x5C])
        if tag == 0x7E:
            return tlv(0x7E, tlv(0x4F, _PIV + bytes.fromhex("000010000100")) + tlv(0x5F2F, b"\x40\x00"))
        if tag == _PRINTED and not self._verified:
            self._refuse()
        if tag not in self._objects:
            raise _Refused(_NO_FILE)
        return self._objects[tag]

    def _put_data(self, _p1: int, _p2: int, data: bytes) -> bytes:
        self._need_management()
        found = read(data)
        tag, value = int.from_bytes(found[0x5C]), found[0x53]
        if value:
            self._objects[tag] = tlv(0x53, value)
        else:
            self._objects.pop(tag, None)
        return b""

    def _store(self, tag: int, certificate: bytes) -> None:
        self._objects[tag] = tlv(0x53, tlv(0x70, certificate) + tlv(0x71, b"\0") + tlv(0xFE, b""))

    # ---- keys

    def _generate(self, _p1: int, p2: int, data: bytes) -> bytes:
        self._need_management()
        wanted = read(read(data)[0xAC])
        key = _slot_key(p2, wanted[0x80][0], wanted, None)
        self.keys[p2] = key
        return tlv(0x7F49, key.public_tlv())

    def _import(self, p1: int, p2: int, data: bytes) -> bytes:
        self._need_management()
        self.keys[p2] = _slot_key(p2, p1, read(data), read(data))
        return b""

    def _attest(self, p1: int, _p2: int, _data: bytes) -> bytes:
        key = self.keys[p1]
        if not key.generated:
            raise _Refused(_BAD_DATA)
        return der(self.attested(p1)[0])

    def _metadata(self, _p1: int, p2: int, _data: bytes) -> bytes:
        if p2 in (0x80, 0x81):
            default, left = (self.pin == PIN, self.tries) if p2 == 0x80 else (self.puk == PUK, self.puk_tries)
            most = self.most_tries if p2 == 0x80 else TRIES
            return tlv(0x05, bytes([default])) + tlv(0x06, bytes([most, left]))
        if p2 == 0x9B:
            algorithm, secret = self._management
            return tlv(0x01, bytes([algorithm])) + tlv(0x02, b"\0\1") + tlv(0x05, bytes([secret == MANAGEMENT_KEY]))
        key = SlotKey(self._f9, KINDS["P256"], NEVER, NEVER, generated=False) if p2 == 0xF9 else self.keys.get(p2)
        if key is None:
            raise _Refused(_NO_REFERENCE)
        origin = b"\1" if key.generated else b"\2"
        policy = bytes([key.pin_policy, key.touch_policy])
        what = tlv(0x01, bytes([key.algorithm])) + tlv(0x02, policy) + tlv(0x03, origin)
        return what + tlv(0x04, key.public_tlv())

    def _authenticate(self, p1: int, p2: int, data: bytes, *, fresh: bool) -> bytes:
        asked = read(read(data)[0x7C])
        if p2 == 0x9B:
            return self._authenticate_management(asked)
        key = self.keys[p2]
        if key.algorithm != p1:
            raise _Refused(_BAD_DATA)
        if (key.pin_policy == ONCE and not self._verified) or (key.pin_policy == ALWAYS and not fresh):
            self._refuse()
        if key.touch_policy != NEVER:
            self._wait_for_touch()
        self.go_on.wait()
        result = key.agree(asked[0x85]) if 0x85 in asked else key.sign(asked[0x81])
        self.used[p2] = self.used.get(p2, 0) + 1
        return tlv(0x7C, tlv(0x82, result))

    def _wait_for_touch(self) -> None:
        time.sleep(_GIVES_UP if self.touch is None else self.touch)
        if self.touch is None:
            self._refuse()

    # ---- the management key

    def _set_management(self, _p1: int, _p2: int, data: bytes) -> bytes:
        self._need_management()
        self._management = (data[0], data[3 : 3 + data[2]])
        return b""

    def _authenticate_management(self, asked: dict[int, bytes]) -> bytes:
        algorithm, key = self._management
        cipher = Cipher(TripleDES(key) if algorithm == _3DES else algorithms.AES(key), modes.ECB())  # noqa: S305 - PIV's challenge and response
        size = 8 if algorithm == _3DES else 16
        challenge, self._challenge = self._challenge, None
        if asked.get(0x80) == b"":  # both sides prove themselves: the witness
            self._challenge = os.urandom(size)
            return tlv(0x7C, tlv(0x80, _encrypt(cipher, self._challenge)))
        if asked.get(0x81) == b"":  # only the host does
            self._challenge = os.urandom(size)
            return tlv(0x7C, tlv(0x81, self._challenge))
        if challenge is None:
            raise _Refused(_BAD_DATA)
        if 0x80 in asked:
            if asked[0x80] != challenge:
                self._refuse()
            self._managed = True
            return tlv(0x7C, tlv(0x82, _encrypt(cipher, asked[0x81])))
        if asked[0x82] != _encrypt(cipher, challenge):
            self._refuse()
        self._managed = True
        return b""

    def _need_management(self) -> None:
        if not self._managed:
            self._refuse()

    def _refuse(self) -> NoReturn:
        raise _Refused(_NOT_NOW)


def _slot_key(slot: int, algorithm: int, wanted: dict[int, bytes], parts: dict[int, bytes] | None) -> SlotKey:
    pin = wanted.get(0xAA, b"\0")[0] or _DEFAULT_POLICY.get(slot, ONCE)
    touch = wanted.get(0xAB, b"\0")[0] or NEVER
    private = new_private(algorithm) if parts is None else imported(algorithm, parts)
    return SlotKey(private, algorithm, pin, touch, generated=parts is None)


def _chuid() -> bytes:
    agency = bytes.fromhex("d4e739da739ced39ce739d836858210842108421c84210c3eb")
    parts = tlv(0x30, agency) + tlv(0x34, os.urandom(16)) + tlv(0x35, b"20300101") + tlv(0x3E, b"") + tlv(0xFE, b"")
    return tlv(0x53, parts)


def _encrypt(cipher: Cipher[modes.ECB], block: bytes) -> bytes:
    encryptor = cipher.encryptor()
    return encryptor.update(block) + encryptor.finalize()


def _body(octets: bytes) -> tuple[bytes, bool]:
    """The data of a command, and whether its lengths are the extended ones."""
    if len(octets) >= 3 and octets[0] == 0:
        size = int.from_bytes(octets[1:3])
        return (octets[3 : 3 + size] if len(octets) > 3 else b""), True
    return (octets[1 : 1 + octets[0]] if len(octets) > 1 else b""), False
