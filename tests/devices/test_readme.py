# SPDX-License-Identifier: Apache-2.0
"""The examples of the hwkeys README, run in their own words on every device, and judged by OpenSSL."""

import base64
import json
import re

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import hwkeys
from support.budgets import ROOT
from support.hwbench import right, run

README = (ROOT / "hsm" / "hwkeys" / "README.md").read_text(encoding="utf-8")
# The first example makes a key; it is the conformance suite's.
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)[1:]


@pytest.fixture
def names(bench):
    """What the examples leave behind, run in their order."""
    peer = ec.generate_private_key(ec.SECP256R1())
    with bench.agreeing(right(bench)) as agreeing:
        agreed = agreeing.public_key()
    known = {"hashes": hashes, "ec": ec, "open_key": hwkeys.open_key, "PROMPTER": right(bench)}
    known |= {"peer_public_key": peer.public_key(), "peer": peer, "agreed": agreed}
    with bench.make("alice", right(bench)) as key:
        known["key"] = key
        for example in EXAMPLES:
            words = example.replace("TerminalPrompter()", "PROMPTER")
            exec(words.replace("pkcs11:token=alice;object=agreeing", bench.uri("agree")), known)
        yield known


def test_the_examples_are_what_they_say(names, tmp_path):
    assert len(EXAMPLES) == 6
    assert names["secret"] == names["peer"].exchange(ec.ECDH(), names["agreed"])

    for kind in ("csr", "client_csr", "authority", "issued", "crl"):
        (tmp_path / kind).write_bytes(names[kind].public_bytes(Encoding.PEM))
    for kind in ("csr", "client_csr"):
        assert "verify OK" in run("openssl", "req", "-in", tmp_path / kind, "-noout", "-verify")
    shown = run("openssl", "req", "-in", tmp_path / "client_csr", "-noout", "-text")
    assert "TLS Web Client Authentication" in shown
    assert "email:alice@example.org" in shown

    chain = ("openssl", "verify", "-CAfile", tmp_path / "authority")
    assert "OK" in run(*chain, tmp_path / "issued")
    refused = run(*chain, "-crl_check", "-CRLfile", tmp_path / "crl", tmp_path / "issued", ok=False)
    assert "certificate revoked" in refused
    assert "verify OK" in run("openssl", "crl", "-in", tmp_path / "crl", "-CAfile", tmp_path / "authority", "-noout")


def test_the_jwt_is_one_for_those_who_do_not_know_the_library(names, tmp_path):
    head, body, signature = names["token"].split(".")
    parts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in (head, body, signature)]
    assert json.loads(parts[0]) == {"alg": "ES256", "typ": "JWT"}
    assert json.loads(parts[1]) == names["claims"] == {"sub": "alice"}
    # RFC 7518 §3.4: r ‖ s, which OpenSSL wants as DER.
    r, s = (int.from_bytes(parts[2][half : half + 32]) for half in (0, 32))
    (tmp_path / "signature").write_bytes(utils.encode_dss_signature(r, s))
    (tmp_path / "signed").write_text(f"{head}.{body}")
    public = names["key"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public").write_bytes(public)
    words = ("-verify", tmp_path / "public", "-signature", tmp_path / "signature", tmp_path / "signed")
    assert "Verified OK" in run("openssl", "dgst", "-sha256", *words)
