# SPDX-License-Identifier: Apache-2.0
"""Public suites through the public API. Every difference stands in the table of docs/certificates.md, and no other."""

import re
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.certs import CertificateRefused, did_key, load_spki, parse_did_key
from hardwire.errors import HandshakeRefused, WireError
from hardwire.handshake import SignatureScheme
from hardwire.handshake.signatures import verify
from support.budgets import ROOT
from support.certparts import ec_algorithm, ec_spki
from support.suites import limbo, wycheproof

TABLE = re.compile(r"^\| (`[^|]+) \| (accepted|refused) \| ([^|]+) \|$", re.MULTILINE)
DOCUMENT = ROOT / "docs" / "certificates.md"
P384 = bytes.fromhex("06052b81040022")
P256 = bytes.fromhex("06082a8648ce3d030107")


def _written(prefix: str) -> dict[str, str]:
    """Case and our verdict, of the cases whose names begin so."""
    rows = TABLE.findall(DOCUMENT.read_text(encoding="utf-8"))
    found = {name: verdict for names, verdict, _ in rows for name in re.findall(r"`([^`]+)`", names)}
    return {name: verdict for name, verdict in found.items() if name.startswith(prefix)}


def _differences(name: str) -> dict[str, str]:
    found, accepted, refused = {}, 0, 0
    for case in limbo(name):
        begun = time.process_time()
        verdict = case.verdict()
        assert time.process_time() - begun < 5, f"{case.name} does not end in any reasonable time"
        ok = verdict == "ok"
        accepted, refused = accepted + ok, refused + (not ok)
        if ok != case.wanted:
            found[case.name] = "accepted" if ok else "refused"
    assert accepted
    assert refused
    return found


def test_limbo() -> None:
    found = _differences("limbo-core.json.xz")
    assert "accepted" not in found.values(), "a false accept"
    assert found == {
        name: verdict for name, verdict in _written("").items() if not name.startswith(("bettertls", "wycheproof"))
    }


@pytest.mark.slow
def test_bettertls() -> None:
    found = _differences("bettertls-sample.json.xz")
    assert "accepted" not in found.values(), "a false accept"
    assert found == _written("bettertls")


CURVES = {"secp256r1": (ec.SECP256R1(), P256, 32), "secp384r1": (ec.SECP384R1(), P384, 48)}


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("form", ["", "_ecpoint"])
def test_peer_points(curve: str, form: str) -> None:
    """Peer keys as SubjectPublicKeyInfo and as bare points: what loads agrees on the right secret, the rest is refused."""
    kind, algorithm, size = CURVES[curve]
    loaded, odd = 0, set()
    for _, test in wycheproof(f"ecdh_{curve}{form}_test.json"):
        octets = bytes.fromhex(test["public"])
        try:
            peer = load_spki(ec_spki(ec_algorithm(algorithm), octets) if form else octets)
        except CertificateRefused:
            if test["result"] == "valid":
                odd.update(test["flags"])
            continue
        private = ec.derive_private_key(int(test["private"], 16), kind)
        if not isinstance(peer, ec.EllipticCurvePublicKey) or peer.curve.name != kind.name:
            assert test["result"] == "invalid", test
            continue  # a key of another kind, which agrees with nothing here
        assert test["result"] != "invalid", test
        assert private.exchange(ec.ECDH(), peer) == bytes.fromhex(test["shared"]).rjust(size, b"\0")
        assert parse_did_key(did_key(peer)) == peer
        loaded += 1
    assert loaded > 100
    assert odd <= {"CompressedPoint", "CompressedPublic"}


@pytest.mark.parametrize("curve", CURVES)
def test_compressed_points_of_strangers(curve: str) -> None:
    """The one place where a compressed point is read: a did:key."""
    from hardwire.certs.did import _base58

    codec = {"secp256r1": b"\x80\x24", "secp384r1": b"\x81\x24"}[curve]
    read = 0
    for _, test in wycheproof(f"ecdh_{curve}_ecpoint_test.json"):
        octets = bytes.fromhex(test["public"])
        try:
            key = parse_did_key("did:key:z" + _base58(codec + octets))
        except WireError:
            continue
        assert octets[0] in {2, 3}
        assert test["result"] != "invalid"
        assert isinstance(key, ec.EllipticCurvePublicKey)
        read += 1
    assert read


@pytest.mark.parametrize(
    "name, scheme",
    [
        ("ecdsa_secp256r1_sha256_test.json", SignatureScheme.ECDSA_SECP256R1_SHA256),
        ("ecdsa_secp384r1_sha384_test.json", SignatureScheme.ECDSA_SECP384R1_SHA384),
    ],
)
def test_signatures(name: str, scheme: SignatureScheme) -> None:
    good = 0
    for group, test in wycheproof(name):
        key = load_spki(bytes.fromhex(group["publicKeyDer"]))
        try:
            verify(key, scheme, bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"]))
        except HandshakeRefused:
            assert test["result"] != "valid", test
            continue
        assert test["result"] == "valid", test
        good += 1
    assert good > 100


def test_other_kinds_of_keys_are_refused() -> None:
    refused = 0
    for _, test in wycheproof("x25519_asn_test.json"):
        try:
            load_spki(bytes.fromhex(test["public"]))
        except CertificateRefused:
            refused += 1
            continue
        assert test["result"] == "invalid", test  # a key of our kinds where an X25519 one was wanted
    assert refused > 500
