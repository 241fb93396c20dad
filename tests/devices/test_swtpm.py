# SPDX-License-Identifier: Apache-2.0
"""Traps of TPMs, on swtpm."""

import base64
import contextlib
import struct
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import (
    DeviceFailed,
    DeviceFull,
    DeviceMissing,
    EllipticCurveHardwareKey,
    KeyExists,
    KeyMissing,
    KeyNotAsAsked,
    PinLocked,
    PinNeeded,
    PinRefused,
    PinState,
    PinWrong,
    StaticPrompter,
    Unsupported,
    UriError,
    WrongDevice,
    delete_key,
    generate_key,
    list_devices,
    open_key,
)
from hwkeys.tpm.public import SIGNING, decode_public
from hwkeys.tpm.tss2 import decode_key_file
from support.hwbench import Asked, SwTpmBench, right
from support.swtpm import SwTpm
from support.tpmrelay import TpmRelay

pytestmark = pytest.mark.device("swtpm")

SHA256 = ec.ECDSA(hashes.SHA256())
START_SESSION = 0x176
PIN_OCTETS = b"correct horse 7"


@pytest.fixture
def tpm(swtpm: SwTpmBench) -> SwTpm:
    return swtpm.tpm


@pytest.fixture
def key(swtpm: SwTpmBench) -> EllipticCurveHardwareKey:
    return generate_key(swtpm.uri("alice"), prompter=right(swtpm))


@pytest.fixture
def relay(tpm: SwTpm) -> Iterator[TpmRelay]:
    with TpmRelay(tpm.socket, tpm.directory) as relay:
        yield relay


def through(relay: TpmRelay, tpm: SwTpm, name: str = "wired") -> str:
    return f"tpm:file={tpm.directory}/{name}.tss2?tcti={relay.tcti}"


# The wires


def test_the_pin_is_never_on_the_wires(tpm, relay):
    key = generate_key(through(relay, tpm), prompter=StaticPrompter(PIN_OCTETS.decode()))
    key.sign(b"x", SHA256)
    with pytest.raises(PinWrong):
        open_key(key.uri, prompter=StaticPrompter("a wrong PIN"))
    key.unlock()
    key.sign(b"y", SHA256)
    open_key(key.uri, prompter=StaticPrompter(PIN_OCTETS.decode())).sign(b"z", SHA256)
    heard = relay.heard()
    assert len(heard) > 5000
    assert PIN_OCTETS not in heard
    assert b"a wrong PIN" not in heard
    # And the relay would have heard it: the digests, which are no secret, are encrypted too, but a TPM's name is not.
    assert b"IBM\0" in heard


def test_the_relay_hears_a_pin_that_is_sent_in_clear(tpm, relay, monkeypatch):
    # What the test above looks for is what a password session does.
    import tpm2_pytss as tss

    with tss.ESAPI(tss.TCTILdr("swtpm", relay.tcti.partition(":")[2])) as esys:
        sensitive = tss.TPM2B_SENSITIVE_CREATE(tss.TPMS_SENSITIVE_CREATE(userAuth=PIN_OCTETS))
        handle, *_ = esys.create_primary(sensitive, "ecc256")
        esys.flush_context(handle)
    assert PIN_OCTETS in relay.heard()


def test_every_operation_has_a_session_of_its_own(tpm, key):
    before = tpm.commands().count(START_SESSION)
    for _ in range(3):
        key.sign(b"x", SHA256)
    assert tpm.commands().count(START_SESSION) == before + 3


def test_the_digest_is_encrypted_too(tpm, relay):
    # After a failure as well: libtss2 3.2.1 would go on in clear on the same session.
    key = generate_key(through(relay, tpm), prompter=StaticPrompter("pin"))
    text = b"the digest of this"
    digest = hashes.Hash(hashes.SHA256())
    digest.update(text)
    wanted = digest.finalize()
    with pytest.raises(PinWrong):
        open_key(key.uri, prompter=StaticPrompter("wrong"))
    key.sign(text, SHA256)
    assert wanted not in relay.heard()


def test_a_storage_key_of_another_name_gets_no_salt(tpm, key):
    path = tpm.directory / "alice.tss2"
    name = decode_key_file(path.read_bytes()).parent_name
    path.write_bytes(path.read_bytes().replace(name.hex().encode(), name[:-1].hex().encode() + b"00"))
    before = tpm.commands().count(START_SESSION)
    with pytest.raises(WrongDevice):
        open_key(key.uri, prompter=StaticPrompter(PIN_OCTETS.decode()))
    assert tpm.commands().count(START_SESSION) == before


def test_another_tpm_does_not_take_the_key(swtpm, key, tmp_path_factory, short_dir):
    (short_dir / "other").mkdir()
    with SwTpm(short_dir / "other", other=True) as other:
        path = short_dir / "alice.tss2"
        uri = f"tpm:file={path}?tcti={other.tcti}"
        with pytest.raises(WrongDevice):
            open_key(uri, prompter=right(swtpm))
        # Nor when nothing tells which storage key it must be.
        octets = path.read_bytes()
        path.write_bytes(octets[octets.index(b"-----BEGIN") :])
        with pytest.raises(WrongDevice):
            open_key(uri, prompter=right(swtpm))


def test_the_uri_can_say_which_storage_key_it_must_be(swtpm, tpm, key):
    name = key.storage_name.hex()
    open_key(swtpm.uri("alice") + f"&srk-name={name}", prompter=right(swtpm)).sign(b"x", SHA256)
    with pytest.raises(WrongDevice):
        open_key(swtpm.uri("alice") + f"&srk-name={name[:-2]}00", prompter=right(swtpm))


# The key


def test_the_key_is_what_was_asked_for(tpm, key):
    blob = decode_key_file((tpm.directory / "alice.tss2").read_bytes())
    area = decode_public(blob.public[2:])
    assert area.attributes == SIGNING
    assert "noda" not in tpm.tool("tpm2_print", "-t", "TPM2B_PUBLIC", _write(tpm, "pub", blob.public)).lower()


def test_the_tpm_does_not_give_the_private_half_away(tpm, key):
    blob = decode_key_file((tpm.directory / "alice.tss2").read_bytes())
    _write(tpm, "pub", blob.public)
    _write(tpm, "priv", blob.private)
    tpm.tool("tpm2_createprimary", "-C", "o", "-G", "ecc", "-c", "srk.ctx", "-a", STORAGE_WORDS)
    tpm.tool("tpm2_load", "-C", "srk.ctx", "-u", "pub", "-r", "priv", "-c", "key.ctx")
    tpm.tool("tpm2_flushcontext", "-t")
    # TPM2_ReadPublic gives the public half.
    tpm.tool("tpm2_readpublic", "-c", "key.ctx", "-f", "pem", "-o", "pub.pem")
    read = serialization.load_pem_public_key((tpm.directory / "pub.pem").read_bytes())
    assert read == key.public_key()
    tpm.tool("tpm2_flushcontext", "-t")
    # TPM2_Duplicate is forbidden by fixedTPM, with the PIN too.
    duplicated = tpm.tool(
        "tpm2_duplicate", "-C", "null", "-c", "key.ctx", "-G", "null", "-p", PIN_OCTETS.decode(), "-r", "out", "-s", "seed",
        ok=False,
    )  # fmt: skip
    assert "ttributes" in duplicated or "auth" in duplicated.lower()
    assert not (tpm.directory / "out").exists()
    tpm.tool("tpm2_flushcontext", "-t")
    # TPM2_ObjectChangeAuth gives a new blob of the same key, and wants the old PIN.
    tpm.tool("tpm2_changeauth", "-C", "srk.ctx", "-c", "key.ctx", "-r", "new.priv", "-p", "guess", "mine", ok=False)
    assert not (tpm.directory / "new.priv").exists()


STORAGE_WORDS = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"


def test_the_key_file_is_for_its_owner_only_and_nothing_lies_beside_it(tpm, key):
    assert (tpm.directory / "alice.tss2").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tpm.directory.iterdir() if "alice" in path.name] == ["alice.tss2"]


def test_a_refused_generation_leaves_no_file(swtpm, tpm):
    for uri, error in (
        (f"tpm:file={tpm.directory}/no/where.tss2?tcti={tpm.tcti}", DeviceFailed),
        (swtpm.uri("bob") + f"&srk-name=000b{'00' * 32}", WrongDevice),
    ):
        with pytest.raises(error):
            generate_key(uri, prompter=right(swtpm))
    with pytest.raises(PinNeeded):
        generate_key(swtpm.uri("bob"))
    with pytest.raises(PinRefused):
        generate_key(swtpm.uri("bob"), prompter=StaticPrompter("x" * 33))
    assert not list(tpm.directory.glob("*.tss2*"))


def test_a_key_without_a_pin(tpm):
    uri = tpm.uri("open", extra="&auth=none")
    generate_key(uri).sign(b"x", SHA256)
    # The file itself says so.
    open_key(tpm.uri("open")).sign(b"x", SHA256)
    assert decode_key_file((tpm.directory / "open.tss2").read_bytes()).empty_auth


# The counter


def test_the_counter_is_shown_before_a_pin_is_spent(swtpm, key):
    (device,) = swtpm.devices()
    most = device.tries_left
    assert most >= 3
    for spent in range(1, most - 1):
        with pytest.raises(PinWrong) as wrong:
            open_key(key.uri, prompter=StaticPrompter("wrong"))
        assert wrong.value.tries_left == most - spent
        (device,) = swtpm.devices()
        assert device.tries_left == most - spent
        assert device.pin_state is (PinState.COUNT_LOW if most - spent > 1 else PinState.FINAL_TRY)


def test_the_last_try_is_spent_only_after_an_explicit_yes_and_a_locked_tpm_is_not_asked(swtpm, tpm, key):
    most = swtpm.devices()[0].tries_left
    for _ in range(most - 1):
        with pytest.raises(PinWrong):
            open_key(key.uri, prompter=StaticPrompter("wrong"))
    asked = Asked(PIN_OCTETS.decode())
    with pytest.raises(PinRefused):
        open_key(key.uri, prompter=asked)
    assert asked.requests == []
    assert swtpm.devices()[0].pin_state is PinState.FINAL_TRY
    # The last one, wrong, with leave.
    with pytest.raises(PinLocked):
        open_key(key.uri, prompter=Asked("wrong", last_try=True))
    asked = Asked(PIN_OCTETS.decode(), last_try=True)
    with pytest.raises(PinLocked) as locked:
        open_key(key.uri, prompter=asked)
    assert asked.requests == []
    assert "tpm2_dictionarylockout" in locked.value.hint
    with pytest.raises(PinLocked):
        key.sign(b"x", SHA256)
    tpm.tool("tpm2_dictionarylockout", "-c")
    open_key(key.uri, prompter=right(swtpm)).sign(b"x", SHA256)


def test_opening_and_unlocking_make_no_signature(tpm, key):
    before = tpm.signatures()
    with open_key(key.uri, prompter=StaticPrompter(PIN_OCTETS.decode())) as again:
        again.unlock()
        assert tpm.signatures() == before
        again.sign(b"x", SHA256)
        assert tpm.signatures() == before + 1
        again.sign(b"x", SHA256)
        assert tpm.signatures() == before + 2


def test_a_clean_stop_costs_no_try(swtpm, tpm, key):
    before = swtpm.devices()[0].tries_left
    for _ in range(3):
        key.sign(b"x", SHA256)
        tpm.stop()
        tpm.start()
    assert swtpm.devices()[0].tries_left == before


# The device


def test_a_tpm_that_went_away(tpm, key):
    tpm.stop()
    with pytest.raises(DeviceMissing):
        key.sign(b"x", SHA256)
    tpm.start()
    key.public_key().verify(key.sign(b"x", SHA256), b"x", SHA256)


def test_a_full_tpm_says_so_and_is_not_made_fuller(tpm, key):
    with raw_objects(tpm, 3):
        with pytest.raises(DeviceFull) as full:
            key.sign(b"x", SHA256)
        assert "/dev/tpmrm0" in full.value.hint
    key.sign(b"x", SHA256)


def test_a_failed_operation_leaves_nothing_behind(swtpm, tpm, key):
    before = swtpm.residue()
    with pytest.raises(PinWrong):
        open_key(key.uri, prompter=StaticPrompter("wrong"))
    path = tpm.directory / "alice.tss2"
    path.write_bytes(_tampered(path.read_bytes()))
    with pytest.raises(WrongDevice):
        open_key(key.uri, prompter=right(swtpm))
    assert swtpm.residue() == before


@pytest.mark.parametrize("pin", ["", "1234"])
def test_a_key_at_a_persistent_handle(swtpm, tpm, pin):
    uri = f"tpm:handle=0x81010101?tcti={tpm.tcti}"
    made = generate_key(uri, prompter=StaticPrompter(pin))
    made.sign(b"x", SHA256)
    assert "srk-name=000b" in made.uri
    with pytest.raises(KeyExists):
        generate_key(uri, prompter=StaticPrompter(pin))
    (info,) = swtpm.devices()[0].keys
    with open_key(info.uri) as listed:
        assert listed.public_key() == made.public_key()
    with open_key(made.uri, prompter=StaticPrompter(pin) if pin else None) as again:
        again.sign(b"x", SHA256)
    delete_key(made.uri)
    with pytest.raises(KeyMissing):
        made.sign(b"x", SHA256)


def test_what_is_not_ours_is_neither_opened_nor_deleted(tpm):
    before = tpm.tool("tpm2_getcap", "handles-persistent")
    endorsement = int(before.split()[1], 16)
    for verb in (open_key, delete_key):
        with pytest.raises(KeyNotAsAsked):
            verb(f"tpm:handle=0x{endorsement:08x}?tcti={tpm.tcti}")
    assert tpm.tool("tpm2_getcap", "handles-persistent") == before


def test_a_key_under_a_persistent_parent(tpm):
    tpm.tool("tpm2_createprimary", "-C", "o", "-G", "rsa2048", "-c", "srk.ctx")
    tpm.tool("tpm2_evictcontrol", "-C", "o", "-c", "srk.ctx", "0x81000001")
    tpm.tool("tpm2_flushcontext", "-t")
    uri = tpm.uri("child", extra="&parent=0x81000001")
    generate_key(uri, prompter=StaticPrompter("1234")).sign(b"x", SHA256)
    open_key(tpm.uri("child"), prompter=StaticPrompter("1234")).sign(b"x", SHA256)


def test_a_storage_key_that_was_replaced_is_noticed_before_the_pin_is_used(tpm):
    def keep(kind: str) -> None:
        tpm.tool("tpm2_createprimary", "-C", "o", "-G", kind, "-c", "srk.ctx")
        tpm.tool("tpm2_evictcontrol", "-C", "o", "-c", "srk.ctx", "0x81000001")
        tpm.tool("tpm2_flushcontext", "-t")

    keep("rsa2048")
    key = generate_key(tpm.uri("child", extra="&parent=0x81000001"), prompter=StaticPrompter("1234"))
    key.sign(b"x", SHA256)
    tpm.tool("tpm2_evictcontrol", "-C", "o", "-c", "0x81000001")
    keep("ecc")
    before = tpm.commands().count(START_SESSION)
    asked = Asked("1234")
    for use in (lambda: key.sign(b"x", SHA256), lambda: open_key(tpm.uri("child"), prompter=asked)):
        with pytest.raises(WrongDevice, match="storage key") as wrong:
            use()
        assert "cleared or replaced" in wrong.value.hint
    assert (asked.requests, tpm.commands().count(START_SESSION)) == ([], before)


def test_an_owner_password_is_named(tpm, swtpm):
    tpm.tool("tpm2_changeauth", "-c", "owner", "secret")
    with pytest.raises(Unsupported, match="owner hierarchy has a password") as owner:
        generate_key(swtpm.uri("alice"), prompter=right(swtpm))
    assert "parent=0x81" in owner.value.hint


def test_a_uri_that_names_no_key(tpm):
    for verb in (open_key, generate_key, delete_key):
        with pytest.raises(UriError):
            verb(f"tpm:?tcti={tpm.tcti}")


def test_a_tpm_that_is_not_there():
    told: list[Exception] = []
    assert list_devices(modules=[], tctis=["swtpm:path=/nowhere/tpm.sock"], on_error=told.append) == []
    assert [type(error) for error in told] == [DeviceMissing]


# Other programs


PROVIDER = ("-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2")


def test_openssl_signs_with_the_same_key_file(tpm, key):
    _write(tpm, "text", b"for openssl")
    word = f"pass:{PIN_OCTETS.decode()}"
    tpm.tool(
        "openssl", "dgst", "-sha256", "-sign", "alice.tss2", *PROVIDER, "-passin", word, "-out", "sig", "text"
    )  # fmt: skip
    key.public_key().verify((tpm.directory / "sig").read_bytes(), b"for openssl", SHA256)


def test_a_key_without_guessing_protection_is_refused(tpm):
    # tpm2-openssl makes its keys with noDA.
    tpm.tool("openssl", "genpkey", *PROVIDER[:4], "-algorithm", "EC", "-pkeyopt", "group:P-256", "-out", "theirs.tss2")
    assert decode_key_file((tpm.directory / "theirs.tss2").read_bytes()).empty_auth
    with pytest.raises(KeyNotAsAsked) as refused:
        open_key(tpm.uri("theirs"))
    assert "no da" in str(refused.value) or "decrypt" in str(refused.value)


@contextlib.contextmanager
def raw_objects(tpm: SwTpm, number: int) -> Iterator[None]:
    """Fill object slots as a program does that ends without flushing."""
    template = bytes.fromhex("001a0023000b00030472000000060080004300100003001000000000")
    body = (
        struct.pack(">I", 0x40000001)
        + struct.pack(">IIHBH", 9, 0x40000009, 0, 0, 0)
        + struct.pack(">HHH", 4, 0, 0)
        + template
        + struct.pack(">HI", 0, 0)
    )
    handles = []
    for _ in range(number):
        response = tpm.command(struct.pack(">HII", 0x8002, 10 + len(body), 0x131) + body)
        assert response[6:10] == bytes(4)
        handles.append(response[10:14])
    yield
    for handle in handles:
        tpm.command(struct.pack(">HII", 0x8001, 14, 0x165) + handle)


def _write(tpm: SwTpm, name: str, octets: bytes) -> str:
    (tpm.directory / name).write_bytes(octets)
    return name


def _tampered(text: bytes) -> bytes:
    """The file with one bit of the encrypted private part turned."""
    name, begin, *body, end = text.strip().split(b"\n")
    der = bytearray(base64.b64decode(b"".join(body)))
    der[-5] ^= 1
    return b"\n".join([name, begin, base64.b64encode(bytes(der)), end, b""])


def test_a_new_pin_is_chosen_once_and_not_asked_for_again(tpm):
    asked = Asked("4711")
    with generate_key(tpm.uri("chosen"), prompter=asked) as key:
        key.sign(b"data", ec.ECDSA(hashes.SHA256()))
        assert [request.new for request in asked.requests] == [True]
    with pytest.raises(PinWrong):
        open_key(tpm.uri("chosen"), prompter=StaticPrompter("0815"))
