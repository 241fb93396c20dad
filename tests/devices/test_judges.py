# SPDX-License-Identifier: Apache-2.0
"""What tools say that know nothing of hwkeys. More of them speak where what they judge is tested."""

import datetime as dt
import re
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from hwkeys import StaticPrompter, generate_key, open_key
from hwkeys.evidence import TpmEvidence, read_attestation_key, verify_tpm_attestation
from hwkeys.evidence.tpm import ATTESTATION_PURPOSE
from hwkeys.tpm.tss2 import decode_key_file
from support.evidence import Authority, der
from support.hwbench import SoftHsmBench, SwTpmBench, python, right, run
from support.hwpiv import MODULES, PivBench
from support.softhsm import SoftHsm
from support.swtpm import SwTpm

SHA256 = ec.ECDSA(hashes.SHA256())
DAY = dt.timedelta(days=1)
STORAGE = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"


# ---- tokens


@pytest.fixture(
    params=[
        pytest.param("softhsm", marks=pytest.mark.device("softhsm")),
        pytest.param("opensc", marks=pytest.mark.device("piv-opensc")),
        pytest.param("ykcs11", marks=pytest.mark.device("piv-ykcs11")),
    ]
)
def token(request: pytest.FixtureRequest) -> Iterator[SoftHsmBench | PivBench]:
    if request.param == "softhsm":
        yield SoftHsmBench()
        return
    bench = PivBench(request.param)
    yield bench
    bench.card.pull()


def module_of(token: SoftHsmBench | PivBench) -> str:
    return str(token.token.module if isinstance(token, SoftHsmBench) else token.module)


def test_pkcs11_tool_finds_no_fault_with_a_token_that_hwkeys_used(token):
    with token.make("alice", right(token)) as key, token.agreeing(right(token)) as agreeing:
        key.sign(b"x", SHA256)
        agreeing.exchange(ec.ECDH(), ec.generate_private_key(ec.SECP256R1()).public_key())
        label = ("--token-label", token.token.label) if isinstance(token, SoftHsmBench) else ()
        words = ("--module", module_of(token), *label, "--login", "--pin", token.pin, "--test")
        said = run("pkcs11-tool", *words, env=token.env())
        key.sign(b"y", SHA256)
    assert "No errors" in said


def p11tool_signs(module: str, uri: str, pin: str, env: dict[str, str]) -> None:
    # The label hwkeys prints may be the public half's; the id is of both.
    exact = re.sub(";object=[^;?]*", "", uri.partition("?")[0]) + ";type=private"
    words = ("--provider", module, "--login", "--test-sign", exact)
    said = run("p11tool", *words, env={**env, "GNUTLS_PIN": pin})
    assert "Verifying against public key in the token... ok" in said


@pytest.mark.parametrize("module", [pytest.param(each, marks=pytest.mark.device(f"piv-{each}")) for each in MODULES])
def test_p11tool_signs_with_a_cards_key_by_hwkeys_uri(module):
    piv = PivBench(module)
    with piv.make("alice", right(piv)) as key:
        key.sign(b"x", SHA256)
        p11tool_signs(str(piv.module), key.uri, piv.pin, piv.env())
    piv.card.pull()


GENERATED = """
import sys
from hwkeys import generate_key
print(generate_key(sys.argv[1]).uri)
"""


@pytest.mark.device("softhsm")
def test_p11tool_signs_with_a_tokens_key_by_hwkeys_uri(tmp_path):
    hsm = SoftHsm(tmp_path)
    token = hsm.create_token("alice")
    made = python(GENERATED, token.uri("alice", pin_source=True), env=hsm.env).strip()
    p11tool_signs(str(token.module), made, token.pin, hsm.env)


def test_certtool_reads_and_verifies_what_the_key_signed(bench, tmp_path):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "device")])
    now = dt.datetime.now(dt.UTC)
    with bench.make("alice", right(bench)) as key:
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(7)
            .not_valid_before(now - DAY)
            .not_valid_after(now + DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        crl = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(name)
            .last_update(now - DAY)
            .next_update(now + DAY)
            .sign(key, hashes.SHA256())
        )
    for kind, made in (("request", request), ("certificate", certificate), ("crl", crl)):
        (tmp_path / kind).write_bytes(made.public_bytes(Encoding.PEM))
    assert "Self signature: verified" in run("certtool", "--crq-info", "--infile", "request", cwd=tmp_path)
    trusted = ("--load-ca-certificate", "certificate", "--infile")
    assert "Verified" in run("certtool", "--verify", *trusted, "certificate", cwd=tmp_path)
    assert "Verified" in run("certtool", "--verify-crl", *trusted, "crl", cwd=tmp_path)


# ---- TPMs


@pytest.fixture
def tpm(swtpm: SwTpmBench) -> SwTpm:
    return swtpm.tpm


def stored(tpm: SwTpm, file: str, name: str) -> str:
    """A key file's halves as tpm2-tools take them; the name of the loaded key's context."""
    blob = decode_key_file((tpm.directory / file).read_bytes())
    (tpm.directory / f"{name}.pub").write_bytes(blob.public)
    (tpm.directory / f"{name}.priv").write_bytes(blob.private)
    tpm.tool("tpm2_createprimary", "-C", "o", "-G", "ecc", "-c", "srk.ctx", "-a", STORAGE)
    tpm.tool("tpm2_load", "-C", "srk.ctx", "-u", f"{name}.pub", "-r", f"{name}.priv", "-c", f"{name}.ctx")
    tpm.tool("tpm2_flushcontext", "-t")
    return f"{name}.ctx"


@pytest.mark.device("swtpm")
def test_tpm2_certify_by_our_attestation_key_is_what_the_judge_takes(swtpm, tpm):
    with generate_key(swtpm.uri("alice"), prompter=right(swtpm)) as key:
        public = key.attestation_public()
        mine, theirs = stored(tpm, "alice.tss2", "key"), stored(tpm, "alice.tss2.ak", "ak")
        words = ("-c", mine, "-C", theirs, "-P", swtpm.pin, "-g", "sha256", "-f", "tss", "-o", "attest", "-s", "sig")
        tpm.tool("tpm2_certify", *words)
        attest, signature = ((tpm.directory / name).read_bytes() for name in ("attest", "sig"))
        authority = Authority.root("enrolment")
        purpose = x509.ExtendedKeyUsage([ATTESTATION_PURPOSE]), False
        leaf = authority.issue("ak", read_attestation_key(public).public_key(), [purpose])
        at = leaf.not_valid_before_utc + DAY / 2
        evidence = TpmEvidence(attest, signature, (tpm.directory / "key.pub").read_bytes()[2:], (der(leaf),))
        # The tool's nonce is what it is: 00 ff 55 aa.
        roots = [authority.certificate]
        nonce = b"\x00\xff\x55\xaa"
        assert verify_tpm_attestation(evidence, public_key=key.public_key(), nonce=nonce, roots=roots, at=at)


@pytest.mark.device("swtpm")
def test_tpm2_checkquote_takes_a_quote_of_our_attestation_key(swtpm, tpm):
    with generate_key(swtpm.uri("alice"), prompter=right(swtpm)) as key:
        public = read_attestation_key(key.attestation_public()).public_key()
        key.attest(b"nonce")
    context = stored(tpm, "alice.tss2.ak", "ak")
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tpm.directory / "ak.pem").write_bytes(pem)
    what = ("-l", "sha256:0,7,16", "-q", "c0ffee", "-g", "sha256")
    tpm.tool("tpm2_quote", "-c", context, *what, "-m", "quote", "-s", "sig", "-o", "pcrs")
    words = ("-u", "ak.pem", "-m", "quote", "-s", "sig", "-f", "pcrs", "-g", "sha256", "-q")
    tpm.tool("tpm2_checkquote", *words, "c0ffee")
    tpm.tool("tpm2_checkquote", *words, "c0ffef", ok=False)


@pytest.mark.device("swtpm")
def test_a_key_file_that_tpm2_tools_made_is_opened(swtpm, tpm):
    tpm.tool("tpm2_createprimary", "-C", "o", "-G", "ecc", "-c", "srk.ctx", "-a", STORAGE)
    words = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign"
    tpm.tool("tpm2_create", "-C", "srk.ctx", "-G", "ecc256", "-a", words, "-p", "4711", "-u", "pub", "-r", "priv")
    tpm.tool("tpm2_flushcontext", "-t")
    tpm.tool("tpm2_encodeobject", "-C", "srk.ctx", "-u", "pub", "-r", "priv", "-o", "theirs.tss2")
    tpm.tool("tpm2_flushcontext", "-t")
    uri = tpm.uri("theirs")
    with open_key(uri, prompter=StaticPrompter("4711")) as key:
        key.public_key().verify(key.sign(b"x", SHA256), b"x", SHA256)
