# SPDX-License-Identifier: Apache-2.0
"""What a TPM sealed is worth nothing elsewhere, nor later, nor without the PIN."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import (
    HwKeyError,
    PinWrong,
    Purpose,
    Sealer,
    SealRefused,
    StaticPrompter,
    Unsupported,
    WrongDevice,
    capability,
    generate_key,
    open_key,
)
from support.hwbench import SwTpmBench, right
from support.swtpm import SwTpm
from support.tpmrelay import TpmRelay

pytestmark = pytest.mark.device("swtpm")

PIN = "correct horse 7"
SECRET = b"what shall not be read elsewhere"
REGISTERS = (0, 7, 16, 23)


@pytest.fixture
def tpm(swtpm: SwTpmBench) -> SwTpm:
    return swtpm.tpm


@pytest.fixture
def key(swtpm: SwTpmBench):
    return generate_key(swtpm.uri("alice"), prompter=right(swtpm))


@pytest.mark.parametrize("pcrs", [(), REGISTERS, range(24)], ids=["PIN", "four", "all"])
@pytest.mark.parametrize("secret", [b"x", SECRET, bytes(128)], ids=len)
def test_what_was_sealed_opens(swtpm, key, secret, pcrs):
    before = swtpm.residue()
    sealed = key.seal(secret, pcrs=pcrs)
    key.close()
    with open_key(key.uri, prompter=right(swtpm)) as again:
        assert capability(again, Sealer).unseal(sealed) == secret
    assert secret not in sealed or len(secret) == 1
    assert swtpm.residue() == before


def test_every_kind_of_key_seals(swtpm, tpm):
    for uri, purpose in ((swtpm.uri("bob"), Purpose.AGREE), (f"tpm:handle=0x81010101?tcti={tpm.tcti}", Purpose.SIGN)):
        key = capability(generate_key(uri, prompter=right(swtpm), purpose=purpose), Sealer)
        assert key.unseal(key.seal(SECRET)) == SECRET
    open_one = generate_key(tpm.uri("open", extra="&auth=none"))
    assert open_one.unseal(open_one.seal(SECRET, pcrs=[0])) == SECRET


def test_another_tpm_does_not_open_it(swtpm, key, short_dir):
    sealed = [key.seal(SECRET), key.seal(SECRET, pcrs=REGISTERS)]
    (short_dir / "other").mkdir()
    with SwTpm(short_dir / "other", other=True) as other:
        theirs = generate_key(other.uri("bob"), prompter=StaticPrompter(PIN))
        for each in sealed:
            with pytest.raises(SealRefused, match="another TPM"):
                theirs.unseal(each)
            # Nor when nothing tells which storage key it was.
            with pytest.raises(SealRefused, match="another TPM"):
                theirs.unseal(each[each.index(b"-----BEGIN") :])


def test_a_cleared_tpm_opens_neither_keys_nor_secrets(swtpm, tpm, key):
    sealed = key.seal(SECRET)
    tpm.tool("tpm2_clear", "-c", "p")
    for use in (lambda: key.unseal(sealed), lambda: key.sign(b"x", ec.ECDSA(hashes.SHA256()))):
        with pytest.raises(WrongDevice, match="storage key") as wrong:
            use()
        assert "cleared" in wrong.value.hint
    fresh = generate_key(swtpm.uri("bob"), prompter=right(swtpm))
    with pytest.raises(SealRefused, match="cleared"):
        fresh.unseal(sealed)


def test_a_machine_in_another_state_does_not_open_it(tpm, key):
    sealed, other = key.seal(SECRET, pcrs=REGISTERS), key.seal(SECRET, pcrs=(0, 7))
    tpm.tool("tpm2_pcrextend", f"23:sha256={'11' * 32}")
    with pytest.raises(SealRefused, match="state"):
        key.unseal(sealed)
    assert key.unseal(other) == SECRET
    tpm.tool("tpm2_pcrreset", "23")
    assert key.unseal(sealed) == SECRET


@pytest.mark.parametrize("pcrs", [(), (0,)], ids=["PIN", "PIN and state"])
def test_another_pin_does_not_open_it(swtpm, key, pcrs):
    sealed = key.seal(SECRET, pcrs=pcrs)
    before = swtpm.devices()[0].tries_left
    other = generate_key(swtpm.uri("bob"), prompter=StaticPrompter("another PIN"))
    with pytest.raises(PinWrong):
        other.unseal(sealed)
    assert swtpm.devices()[0].tries_left == before - 1
    assert key.unseal(sealed) == SECRET


def test_what_was_altered(key):
    sealed = key.seal(SECRET, pcrs=(0,))
    body = sealed.index(b"TSS2 PRIVATE KEY-----\n") + 30
    for at in range(body, len(sealed) - 40, 23):
        turned = sealed[:at] + (b"A" if sealed[at : at + 1] != b"A" else b"B") + sealed[at + 1 :]
        with pytest.raises(HwKeyError):
            key.unseal(turned)


def test_what_is_not_sealed(tpm, key):
    for octets in (b"", b"x", (tpm.directory / "alice.tss2").read_bytes()):
        with pytest.raises(SealRefused):
            key.unseal(octets)
    for secret, pcrs in ((b"", ()), (bytes(129), ()), (b"x", (24,)), (b"x", (-1,))):
        with pytest.raises(Unsupported):
            key.seal(secret, pcrs=pcrs)


def test_neither_pin_nor_secret_is_on_the_wires_also_after_a_failure(tpm):
    with TpmRelay(tpm.socket, tpm.directory) as relay:
        key = generate_key(f"tpm:file={tpm.directory}/wired.tss2?tcti={relay.tcti}", prompter=StaticPrompter(PIN))
        plain, stated = key.seal(SECRET), key.seal(SECRET, pcrs=REGISTERS)
        assert key.unseal(plain) == key.unseal(stated) == SECRET
        tpm.tool("tpm2_pcrextend", f"23:sha256={'11' * 32}")
        with pytest.raises(SealRefused):
            key.unseal(stated)
        tpm.tool("tpm2_pcrreset", "23")
        assert key.unseal(plain) == key.unseal(stated) == SECRET
        heard = relay.heard()
    assert SECRET not in heard
    assert PIN.encode() not in heard
