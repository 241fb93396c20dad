# SPDX-License-Identifier: Apache-2.0
"""A second reader of hbi1.json: top to bottom, from docs/protocol.md alone, without a line of hardwire.

HKDF is written out with the standard library's hmac, ML-KEM, X25519, AES-GCM and signatures are cryptography's.
Run it by hand: ``python tests/vectors/verify_hbi1.py``.
"""

import hashlib
import hmac
import json
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def sha(data):
    return hashlib.sha256(data).digest()


def hm(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def xl(secret, label, context, size):
    full = b"hbi1 " + label
    info = size.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context
    out, block = b"", b""
    while len(out) < size:
        block = hm(secret, block + info + bytes([len(out) // 32 + 1]))
        out += block
    return out[:size]


def nonce(iv, counter):
    return iv[:-1] + bytes([iv[-1] ^ counter])


def check(v):
    def raw(name):
        return bytes.fromhex(v[name])

    def equal(name, value):
        if value != raw(name):
            sys.exit(f"{v['name']}: {name} differs")

    # what both sides saw
    blobs = sha(b"HBI1 offer" + raw("offer_blob")) + sha(b"HBI1 answer" + raw("answer_blob"))
    th0 = sha(b"HBI1" + b"\x00\x01" + blobs + raw("fp_offer") + raw("fp_answer") + raw("cb"))
    equal("th0", th0)
    es = hm(bytes(32), (bytes.fromhex(v["contact_psk"]) if v["contact_psk"] else bytes(32)) + raw("inv_secret"))

    # M1
    kem = MLKEM768PrivateKey.from_seed_bytes(raw("mlkem_seed"))
    dh = X25519PrivateKey.from_private_bytes(raw("x25519_sk"))
    dh_public = dh.public_key().public_bytes_raw()
    m1 = b"\x01" + kem.public_key().public_bytes_raw() + dh_public
    m1 += sha(b"HBI1 commit" + raw("n_I") + sha(raw("cred_I")))
    tag_i = hm(xl(es, b"tag i", b"", 32), sha(th0 + m1)) if v["contact_psk"] else raw("m1")[-32:]
    m1 += tag_i
    equal("m1", m1)
    th1 = sha(th0 + m1)
    equal("th1", th1)

    # the key encapsulation
    ct = raw("kem_ct")
    ss = kem.decapsulate(ct[:1088]) + dh.exchange(X25519PublicKey.from_public_bytes(ct[1088:]))
    ss = hashlib.sha3_256(ss + ct[1088:] + dh_public + bytes.fromhex("5c2e2f2f5e5c")).digest()
    equal("kem_ss", ss)

    # M2 up to its tag, and the keys
    m2 = b"\x02" + ct + raw("n_R")
    tag_r = hm(xl(es, b"tag r", b"", 32), sha(th1 + m2)) if v["contact_psk"] else raw("m2")[1153:1185]
    m2 += tag_r
    th2c = sha(th1 + m2)
    equal("th2c", th2c)
    hs = hm(xl(es, b"derived", th0, 32), ss)
    equal("hs", hs)
    r, i = xl(hs, b"r hs", th2c, 32), xl(hs, b"i hs", th2c, 32)
    rk, riv, ik, iiv = xl(r, b"key", b"", 32), xl(r, b"iv", b"", 12), xl(i, b"key", b"", 32), xl(i, b"iv", b"", 12)
    for name, value in (("rk", rk), ("riv", riv), ("ik", ik), ("iiv", iiv)):
        equal(name, value)
    ms = hm(xl(hs, b"derived", th2c, 32), bytes(32))
    equal("ms", ms)

    # inside M2: rebuild everything around the recorded signature
    auth_r = AESGCM(rk).decrypt(nonce(riv, 0), raw("m2")[len(m2) + 2 :], th2c)
    auth_r = proof(auth_r, b"", raw("cred_R"), (b"HBI1 responder signature", xl(r, b"finished", b"", 32), th2c), th2c)
    sealed = AESGCM(rk).encrypt(nonce(riv, 0), auth_r, th2c)
    equal("m2", m2 + len(sealed).to_bytes(2, "big") + sealed)
    th2 = sha(th2c + auth_r)
    equal("th2", th2)

    # inside M3
    auth_i = AESGCM(ik).decrypt(nonce(iiv, 0), raw("m3")[3:], th2)
    finished = xl(i, b"finished", b"", 32)
    auth_i = proof(auth_i, raw("n_I"), raw("cred_I"), (b"HBI1 initiator signature", finished, th2), th2c)
    sealed = AESGCM(ik).encrypt(nonce(iiv, 0), auth_i, th2)
    equal("m3", b"\x03" + len(sealed).to_bytes(2, "big") + sealed)
    th3 = sha(th2 + auth_i)
    equal("th3", th3)

    # M4, and what is left when it is over
    done = AESGCM(rk).encrypt(nonce(riv, 1), hm(xl(r, b"done", b"", 32), th3), th3)
    equal("m4", b"\x04" + len(done).to_bytes(2, "big") + done)
    sas = xl(ms, b"sas", sha(th2 + raw("n_I") + sha(raw("cred_I"))), 6)
    equal("sas", sas)
    bits = "".join(f"{octet:08b}" for octet in sas)
    if [1000 + int(bits[n : n + 13], 2) for n in (0, 13, 26)] != v["sas_decimal"]:
        sys.exit(f"{v['name']}: sas_decimal differs")
    if [int(bits[n : n + 6], 2) for n in range(0, 42, 6)] != v["sas_emoji"]:
        sys.exit(f"{v['name']}: sas_emoji differs")
    equal("epoch0", xl(ms, b"epoch", th3, 32))
    equal("exporter", xl(ms, b"exp", th3, 32))
    equal("next_contact_psk", xl(ms, b"contact psk", th3, 32))
    equal("sid", xl(ms, b"sid", th3, 16))


def proof(found, reveal, credential, keyed, th2c):
    """The padded plaintext as it must be, given only the recorded scheme and signature."""
    context, finished_key, transcript = keyed
    at = len(reveal) + 2 + len(credential)
    scheme, size = found[at : at + 2], int.from_bytes(found[at + 2 : at + 4], "big")
    signature = found[at + 4 : at + 4 + size]
    leaf = x509.load_der_x509_certificate(credential[4 : 4 + int.from_bytes(credential[2:4], "big")])
    digest = {b"\x04\x03": hashes.SHA256(), b"\x05\x03": hashes.SHA384()}[scheme]
    leaf.public_key().verify(signature, b" " * 64 + context + b"\x00" + th2c + sha(credential), ec.ECDSA(digest))
    head = reveal + len(credential).to_bytes(2, "big") + credential
    head += scheme + size.to_bytes(2, "big") + signature
    whole = head + hm(finished_key, sha(transcript + head))
    return whole + bytes(4096 - len(whole))


def main():
    vectors = json.loads(Path(__file__).with_name("hbi1.json").read_text())
    for vector in vectors:
        check(vector)
    print(f"hbi1.json: {len(vectors)} vectors, all values agree")
    return len(vectors)


if __name__ == "__main__":
    main()
