# SPDX-License-Identifier: Apache-2.0
"""One side of ``bench keys``, in a process of its own: hwkeys, or the bare binding.

The first line on standard input says which device (see ``keys.Device``); each further one is ``{"do": VERB, "count":
N}`` and is answered by the seconds each of N operations took, and by what the last one gave. The verbs: make, open,
close, public, sign, ecdh, cycle (open, sign, close).

The bare side is what a careful program without hwkeys would write. On a token: log in once, hash in software, sign,
encode as DER. On a TPM: for each operation a connection, the storage key made and its Name compared, a salted and
encrypted session, the key loaded, used and flushed.

Open-sign-close takes the same safe steps on both sides. On a token: exactly one token and one key of that name, the
flags of the PIN read before it is spent, a session of its own for the login, the public half read, and what protects
the private half. On a TPM: the key is known to be this TPM's before anybody would be asked, the dictionary-attack
counter is read before the PIN is spent, the PIN is proved without a signature; then the signature.
"""

import hashlib
import importlib
import json
import sys
import time
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

DATA = b"what is signed" * 10
# The same in both processes: both must come to the same secret.
PEER = ec.derive_private_key(0x5EED, ec.SECP256R1()).public_key()
POINT = PEER.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
ECDSA = ec.ECDSA(hashes.SHA256())
_CURVES = {bytes.fromhex("06082a8648ce3d030107"): ec.SECP256R1()}


class Ours:
    """hwkeys."""

    def __init__(self, device: dict) -> None:
        import hwkeys

        self._hwkeys = hwkeys
        self._uris = device["uris"]
        self._prompter = hwkeys.StaticPrompter(device["pin"])

    def make(self) -> None:
        for role, purpose in (("sign", self._hwkeys.Purpose.SIGN), ("agree", self._hwkeys.Purpose.AGREE)):
            self._hwkeys.generate_key(self._uris[role], prompter=self._prompter, purpose=purpose).close()

    def open(self) -> None:
        self._key, self._agreeing = (
            self._hwkeys.open_key(self._uris[role], prompter=self._prompter) for role in ("sign", "agree")
        )

    def close(self) -> None:
        self._key.close()
        self._agreeing.close()

    def public(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign(self) -> bytes:
        return self._key.sign(DATA, ECDSA)

    def ecdh(self) -> bytes:
        return self._agreeing.exchange(ec.ECDH(), PEER)

    def cycle(self) -> bytes:
        with self._hwkeys.open_key(self._uris["sign"], prompter=self._prompter) as key:
            return key.sign(DATA, ECDSA)


class BareToken:
    """python-pkcs11."""

    def __init__(self, device: dict) -> None:
        import pkcs11
        from pkcs11.util.ec import encode_ecdsa_signature

        self._p = pkcs11
        self._encode = encode_ecdsa_signature
        self._library = pkcs11.lib(device["module"])
        self._device = device
        # ykcs11 says that no key derives, and python-pkcs11 then gives it no method for that.
        self._derive = importlib.import_module("pkcs11._pkcs11").DeriveMixin.derive_key

    def open(self) -> None:
        self._session, self._key = self._opened("sign")
        self._agreeing = self._found(self._session, "agree")

    def close(self) -> None:
        self._session.close()

    def sign(self) -> bytes:
        return self._signature(self._key)

    def ecdh(self) -> bytes:
        attribute, key = self._p.Attribute, self._agreeing
        secret = getattr(key, "derive_key", partial(self._derive, key))(
            self._p.KeyType.GENERIC_SECRET,
            256,
            mechanism=self._p.Mechanism.ECDH1_DERIVE,
            mechanism_param=(self._p.KDF.NULL, None, POINT),
            template={attribute.SENSITIVE: False, attribute.EXTRACTABLE: True, attribute.TOKEN: False},
        )
        value = bytes(secret[attribute.VALUE])
        secret.destroy()
        return value

    def cycle(self) -> bytes:
        p = self._p
        name, kinds = self._device["keys"]["sign"], (p.ObjectClass.PUBLIC_KEY, p.ObjectClass.PRIVATE_KEY)
        wanted = {p.Attribute.ID: bytes.fromhex(name["id"])} if "id" in name else {p.Attribute.LABEL: name["label"]}
        reader = self._token().open()
        token = self._token()
        if token.flags & (p.TokenFlag.USER_PIN_LOCKED | p.TokenFlag.USER_PIN_FINAL_TRY):
            raise RuntimeError("a PIN would lock it")
        login = token.open(user_pin=self._device["pin"])
        (public,), (key,) = (list(reader.get_objects({p.Attribute.CLASS: kind, **wanted})) for kind in kinds)
        for half in (public, key):
            half[p.Attribute.ID], half[p.Attribute.LABEL], half[p.Attribute.KEY_TYPE], half[p.Attribute.EC_PARAMS]
        curve, point = public[p.Attribute.EC_PARAMS], public[p.Attribute.EC_POINT]
        ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[bytes(curve)], bytes(point)[2:])
        if not key[p.Attribute.SENSITIVE] or key[p.Attribute.EXTRACTABLE]:
            raise RuntimeError("the key could leave the token")
        key[p.Attribute.DERIVE], key[p.Attribute.ALWAYS_AUTHENTICATE]
        signature = self._signature(key)
        login.close()
        reader.close()
        return signature

    def _opened(self, role: str):
        session = self._token().open(user_pin=self._device["pin"])
        return session, self._found(session, role)

    def _token(self):
        (token,) = (one for one in self._library.get_tokens() if _text(one.serial) == self._device["serial"])
        return token

    def _found(self, session, role: str):
        name = self._device["keys"][role]
        wanted = {"id": bytes.fromhex(name["id"])} if "id" in name else {"label": name["label"]}
        return session.get_key(object_class=self._p.ObjectClass.PRIVATE_KEY, **wanted)

    def _signature(self, key) -> bytes:
        return self._encode(key.sign(hashlib.sha256(DATA).digest(), mechanism=self._p.Mechanism.ECDSA))


class BareTpm:
    """tpm2-pytss: the safe cycle, with nothing around it."""

    def __init__(self, device: dict) -> None:
        import tpm2_pytss as tss

        from hwkeys.tpm.public import STORAGE_TEMPLATE

        self._t = tss
        self._device = device
        # The storage key that the keys were made under, or they could not be loaded.
        self._template = STORAGE_TEMPLATE.encode()

    def open(self) -> None:
        self._read()

    def close(self) -> None:
        del self._blobs

    def sign(self) -> bytes:
        tss = self._t
        scheme = tss.TPMT_SIG_SCHEME(
            scheme=tss.TPM2_ALG.ECDSA,
            details=tss.TPMU_SIG_SCHEME(any=tss.TPMS_SCHEME_HASH(hashAlg=tss.TPM2_ALG.SHA256)),
        )
        ticket = tss.TPMT_TK_HASHCHECK(tag=tss.TPM2_ST.HASHCHECK, hierarchy=tss.TPM2_RH.NULL)
        digest = tss.TPM2B_DIGEST(hashlib.sha256(DATA).digest())
        return self._used(
            "sign", lambda esys, key, session: bytes(esys.sign(key, digest, scheme, ticket, session1=session))
        )

    def ecdh(self) -> bytes:
        tss = self._t
        theirs = tss.TPM2B_ECC_POINT(tss.TPMS_ECC_POINT(x=POINT[1:33], y=POINT[33:]))

        def agree(esys, key, session) -> bytes:
            shared = esys.ecdh_zgen(key, theirs, session1=session)
            return bytes(shared.point.x)

        return self._used("agree", agree)

    def cycle(self) -> bytes:
        self._read()
        self._state()
        self._used("sign", lambda _esys, _key, _session: b"")
        self._state()
        self._used("sign", self._proved)
        return self.sign()

    def _state(self) -> None:
        """The maker's words and the counter."""
        tss = self._t
        name, _, conf = self._device["tcti"].partition(":")
        with tss.TCTILdr(name, conf) as tcti, tss.ESAPI(tcti) as esys:
            for group in (0x100, 0x200):
                esys.get_capability(tss.TPM2_CAP.TPM_PROPERTIES, group, 127)

    def _proved(self, esys, key, session) -> bytes:
        tss = self._t
        trial = esys.start_auth_session(
            tss.ESYS_TR.NONE, tss.ESYS_TR.NONE, tss.TPM2_SE.TRIAL, None, tss.TPM2_ALG.SHA256
        )
        esys.policy_secret(key, trial, b"", b"", b"", 0, session1=session)
        esys.flush_context(trial)
        return b""

    def _read(self) -> None:
        from hwkeys.tpm.tss2 import read_key_file

        self._blobs = {role: read_key_file(Path(path)) for role, path in self._device["keys"].items()}

    def _used(self, role: str, action) -> bytes:
        tss, blob = self._t, self._blobs[role]
        name, _, conf = self._device["tcti"].partition(":")
        with tss.TCTILdr(name, conf) as tcti, tss.ESAPI(tcti) as esys:
            template = tss.TPM2B_PUBLIC(publicArea=tss.TPMT_PUBLIC.unmarshal(self._template)[0])
            storage, *_ = esys.create_primary(None, template, tss.ESYS_TR.OWNER)
            if bytes(esys.tr_get_name(storage)) != blob.parent_name:
                raise RuntimeError("another storage key")
            aes = tss.TPMU_SYM_KEY_BITS(sym=128), tss.TPMU_SYM_MODE(sym=tss.TPM2_ALG.CFB)
            session = esys.start_auth_session(
                tpm_key=storage,
                bind=tss.ESYS_TR.NONE,
                session_type=tss.TPM2_SE.HMAC,
                symmetric=tss.TPMT_SYM_DEF(algorithm=tss.TPM2_ALG.AES, keyBits=aes[0], mode=aes[1]),
                auth_hash=tss.TPM2_ALG.SHA256,
            )
            wanted = tss.TPMA_SESSION.DECRYPT | tss.TPMA_SESSION.ENCRYPT | tss.TPMA_SESSION.CONTINUESESSION
            esys.trsess_set_attributes(session, wanted, 0xFF)
            private = tss.TPM2B_PRIVATE.unmarshal(blob.private)[0]
            public = tss.TPM2B_PUBLIC.unmarshal(blob.public)[0]
            key = esys.load(storage, private, public, session1=session)
            esys.tr_set_auth(key, self._device["pin"].encode())
            result = action(esys, key, session)
            for handle in (key, session, storage):
                esys.flush_context(handle)
            return result


def _text(value: object) -> str:
    return (value.decode() if isinstance(value, bytes) else str(value)).strip()


def main(variant: str) -> int:
    device = json.loads(sys.stdin.readline())
    bare = BareToken if device["kind"] == "pkcs11" else BareTpm
    side = Ours(device) if variant == "ours" else bare(device)
    for line in sys.stdin:
        order = json.loads(line)
        times, last = [], None
        try:
            for _ in range(order.get("count", 1)):
                started = time.perf_counter()
                last = getattr(side, order["do"])()
                times.append(time.perf_counter() - started)
            answer = {"times": times, "last": (last or b"").hex()}
        except Exception as problem:  # noqa: BLE001 - told to whoever asked
            answer = {"error": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
