# SPDX-License-Identifier: Apache-2.0
"""Traps of PKCS#11 modules, on SoftHSM."""

import gc
import re
import shutil

import pkcs11
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import (
    Ambiguous,
    DeviceFailed,
    DeviceMissing,
    KeyExists,
    KeyNotAsAsked,
    ModuleMissing,
    PinNeeded,
    PinWrong,
    TokenRemoved,
    UriError,
    delete_key,
    generate_key,
    list_devices,
    open_key,
)
from hwkeys.pkcs11 import binding, objects
from hwkeys.pkcs11.modules import Module, module_for
from hwkeys.pkcs11.tokens import find_token
from hwkeys.software import spied_signatures
from hwkeys.uri import Pkcs11Uri, parse_uri
from support.hwbench import Asked, SoftHsmBench, python, right, run
from support.softhsm import SoftHsm, calls, in_process, pkcs11_tool, spy_path

pytestmark = pytest.mark.device("softhsm")

SHA256 = ec.ECDSA(hashes.SHA256())


def test_somebody_with_the_pin_cannot_read_the_value(softhsm):
    key = generate_key(softhsm.uri("alice"), prompter=right(softhsm))

    def value(module: Module) -> object:
        attached = key._held.login.attach(module)
        (found,) = binding.find(attached.reader, private=True, label="alice", key_id=None)
        return found.object[pkcs11.Attribute.VALUE]

    with pytest.raises(pkcs11.AttributeSensitive):
        module_for(softhsm.token.module).call(value)


def test_somebody_with_the_pin_cannot_make_the_key_readable(softhsm):
    key = generate_key(softhsm.uri("alice"), prompter=right(softhsm))

    def loosen(module: Module) -> None:
        key._held.login.attach(module)
        writer = binding.open_session(key._held.login.record, rw=True)
        (found,) = binding.find(writer, private=True, label="alice", key_id=None)
        try:
            found.object[pkcs11.Attribute.EXTRACTABLE] = True
        finally:
            binding.close(writer)

    with pytest.raises(pkcs11.PKCS11Error):
        module_for(softhsm.token.module).call(loosen)


def test_other_tools_see_a_protected_signing_pair(tmp_path):
    hsm = SoftHsm(tmp_path)
    token = hsm.create_token("alice")
    made = python(GENERATED, token.uri("alice", pin_source=True), env=hsm.env).strip()
    seen = pkcs11_tool(hsm, token, "--login", "--pin", token.pin, "--list-objects", "--type", "privkey")
    assert "sensitive, always sensitive, never extractable, local" in seen
    (usage,) = re.findall(r"Usage: +(.*)$", seen, re.MULTILINE)
    assert "sign" in usage
    assert not {"decrypt", "unwrap", "derive"} & set(re.split(r"[ ,]+", usage))
    # p11tool takes the exact URI that hwkeys prints.
    told = run("p11tool", "--provider", token.module, "--list-all", made.partition("?")[0], env=hsm.env)
    assert "EC/ECDSA-SECP256R1" in told


def test_pkcs11_tool_verifies_and_signs_with_the_same_key(softhsm, tmp_path):
    key = generate_key(softhsm.uri("alice"), prompter=right(softhsm))
    digest = hashes.Hash(hashes.SHA256())
    digest.update(b"x")
    (tmp_path / "digest").write_bytes(digest.finalize())
    pkcs11_tool(
        softhsm.hsm, softhsm.token, "--login", "--pin", softhsm.pin, "--sign", "--mechanism", "ECDSA", "--label", "alice",
        "--signature-format", "openssl", "--input-file", str(tmp_path / "digest"), "--output-file", str(tmp_path / "sig"),
    )  # fmt: skip
    key.public_key().verify((tmp_path / "sig").read_bytes(), b"x", SHA256)


GENERATED = """
import sys
from hwkeys import generate_key
print(generate_key(sys.argv[1]).uri)
"""
SPIED = """
import sys
from hwkeys import open_key
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
with open_key(sys.argv[1]) as key:
    for _ in range(int(sys.argv[2])):
        key.sign(b"x", ec.ECDSA(hashes.SHA256()))
"""


@pytest.mark.parametrize("wanted", [0, 1, 3])
def test_the_device_counts_as_many_signatures_as_were_asked_for(softhsm, tmp_path, wanted):
    generate_key(softhsm.uri("alice"), prompter=right(softhsm)).close()
    log = tmp_path / "spy"
    uri = softhsm.token.uri("alice", pin_source=True, module=spy_path())
    python(SPIED, uri, str(wanted), env=softhsm.hsm.spied(log))
    assert spied_signatures(log) == wanted
    assert calls(log).count("C_Login") == 1
    assert calls(log).count("C_Initialize") == 1


def test_two_tokens_with_one_label_are_both_listed():
    one, two = in_process().twins()
    for verb in (open_key, generate_key, delete_key):
        with pytest.raises(Ambiguous) as both:
            verb(f"pkcs11:token=twin;object=k?module-path={one.module}")
        assert len(both.value.candidates) == 2
        assert all(token.serial in str(both.value) for token in (one, two))
    # Each candidate is precise enough to be used.
    for candidate in both.value.candidates:
        find_token(parse_uri(candidate))


def test_two_keys_with_one_label_are_both_listed(softhsm):
    for number in ("01", "02"):
        generate_key(softhsm.uri("k").replace(";object=k", f";id=%{number}"), prompter=right(softhsm)).close()
    with pytest.raises(Ambiguous) as both:
        open_key(softhsm.token.uri(), prompter=right(softhsm))
    public = [open_key(uri).public_key() for uri in both.value.candidates]
    assert len(public) == 2
    assert public[0] != public[1]


def test_two_keys_under_one_id_are_both_listed(softhsm):
    # Another program's doing: hwkeys wants a free id.
    for label in ("one", "other"):
        pkcs11_tool(
            softhsm.hsm, softhsm.token, "--login", "--pin", softhsm.pin, "--keypairgen", "--key-type", "EC:prime256v1",
            "--label", label, "--id", "07", "--usage-sign", "--sensitive",
        )  # fmt: skip
    by_id = softhsm.sourced("x").replace(";object=x", ";id=%07")
    said = python(SIGN_ONCE, by_id, env=softhsm.env())
    assert said.startswith("Ambiguous 2 keys answer")
    assert "object=one" in said
    assert "object=other" in said
    for label in ("one", "other"):
        assert python(SIGN_ONCE, softhsm.sourced(label), env=softhsm.env()).strip() == "signed"


def test_a_label_and_an_id_must_each_be_free(softhsm):
    generate_key(softhsm.uri("k").replace("object=k", "object=k;id=%01"), prompter=right(softhsm)).close()
    for words in ("object=k;id=%02", "object=other;id=%01"):
        with pytest.raises(KeyExists):
            generate_key(softhsm.uri("k").replace("object=k", words), prompter=right(softhsm))


def test_a_new_key_needs_a_name(softhsm):
    for verb in (generate_key, delete_key):
        with pytest.raises(UriError):
            verb(softhsm.token.uri(), prompter=right(softhsm))


def test_one_login_serves_all_keys_until_the_last_is_closed(softhsm):
    first = generate_key(softhsm.uri("first"), prompter=right(softhsm))
    asked = Asked("not the PIN")
    second = generate_key(softhsm.uri("second"), prompter=asked)
    assert asked.requests == []
    first.close()
    second.sign(b"still logged in", SHA256)
    second.close()
    with open_key(softhsm.uri("second")) as third, pytest.raises(PinNeeded):
        third.sign(b"logged out", SHA256)


def test_a_key_that_was_dropped_without_closing_logs_out(softhsm):
    key = generate_key(softhsm.uri("k"), prompter=right(softhsm))
    del key
    gc.collect()
    with open_key(softhsm.uri("k")) as again, pytest.raises(PinNeeded):
        again.sign(b"x", SHA256)


def test_a_pulled_token_is_told_and_does_not_hang(softhsm):
    key = generate_key(softhsm.sourced("k"))
    shutil.rmtree(softhsm.token.directory)
    with pytest.raises(TokenRemoved) as removed:
        key.sign(b"x", SHA256)
    assert "insert it again" in removed.value.hint
    with pytest.raises(DeviceMissing):
        key.sign(b"x", SHA256)
    key.close()


def test_after_its_session_was_lost_the_key_is_found_again_in_a_new_one(softhsm):
    key = generate_key(softhsm.sourced("k"))
    key.sign(b"x", SHA256)

    def pull_the_session(module: Module) -> None:
        attached = key._held.login.attach(module)
        for session in (attached.holder, attached.reader):
            session.close()

    module_for(softhsm.token.module).call(pull_the_session)
    key.public_key().verify(key.sign(b"x", SHA256), b"x", SHA256)


def test_an_extractable_key_is_refused(softhsm):
    pkcs11_tool(
        softhsm.hsm, softhsm.token, "--login", "--pin", softhsm.pin, "--keypairgen", "--key-type", "EC:prime256v1",
        "--label", "loose", "--id", "07", "--usage-sign", "--extractable",
    )  # fmt: skip
    bench = _in_new_process(softhsm, "loose")
    assert "KeyNotAsAsked" in bench
    assert "EXTRACTABLE" in bench


def test_a_key_made_elsewhere_is_opened_when_it_cannot_leave(softhsm):
    pkcs11_tool(
        softhsm.hsm, softhsm.token, "--login", "--pin", softhsm.pin, "--keypairgen", "--key-type", "EC:prime256v1",
        "--label", "tight", "--id", "08", "--usage-sign", "--sensitive",
    )  # fmt: skip
    assert _in_new_process(softhsm, "tight").strip() == "signed"


def test_keys_of_another_kind_are_named(softhsm):
    for kind, label, number in (("rsa:1024", "rsa", "09"), ("EC:secp256k1", "koblitz", "0a")):
        pkcs11_tool(
            softhsm.hsm, softhsm.token, "--login", "--pin", softhsm.pin, "--keypairgen", "--key-type", kind,
            "--label", label, "--id", number, "--usage-sign", "--sensitive",
        )  # fmt: skip
    assert "KeyNotAsAsked" in _in_new_process(softhsm, "rsa")
    assert "KeyNotAsAsked" in _in_new_process(softhsm, "koblitz")


def test_what_was_just_made_is_read_back(softhsm, monkeypatch):
    # A module that makes keys its own way: here, told to make an extractable one.
    true_generate = binding.generate

    def careless(session, **words):
        private, public = true_generate(session, **words)
        monkeypatch.setattr(objects, "BORN_HERE", ((pkcs11.Attribute.LOCAL, False),))
        return private, public

    monkeypatch.setattr(binding, "generate", careless)
    with pytest.raises(KeyNotAsAsked):
        generate_key(softhsm.uri("k"), prompter=right(softhsm))
    monkeypatch.undo()
    # And nothing of it stays.
    generate_key(softhsm.uri("k"), prompter=right(softhsm)).close()


def test_two_names_of_one_module_are_one_module(softhsm, tmp_path):
    link = tmp_path / "module.so"
    link.symlink_to(softhsm.token.module)
    assert module_for(link) is module_for(softhsm.token.module)
    key = generate_key(softhsm.token.uri("k", pin_source=True, module=link))
    assert key.sign(b"x", SHA256)
    key.close()


def test_a_module_that_is_not_there_names_its_package():
    with pytest.raises(ModuleMissing) as missing:
        open_key("pkcs11:token=x?module-path=/nowhere/libykcs11.so")
    assert "ykcs11" in missing.value.hint


def test_a_file_that_is_no_module(tmp_path):
    (tmp_path / "module.so").write_text("not a library")
    with pytest.raises(DeviceFailed):
        open_key(f"pkcs11:token=x?module-path={tmp_path}/module.so")


def test_no_such_token():
    in_process()
    with pytest.raises(DeviceMissing) as missing:
        open_key("pkcs11:token=nobody")
    assert "scdaemon" in missing.value.hint


def test_listing_goes_on_past_a_broken_module(softhsm, tmp_path):
    told: list[Exception] = []
    found = list_devices(modules=[tmp_path / "none.so", softhsm.token.module], tctis=[], on_error=told.append)
    assert softhsm.token.serial in {device.serial for device in found}
    assert [type(error) for error in told] == [ModuleMissing]


def test_listing_shows_public_keys_without_a_pin(softhsm):
    key = generate_key(softhsm.uri("k"), prompter=right(softhsm))
    key.close()
    (device,) = softhsm.devices()
    (info,) = device.keys
    assert (info.label, info.kind, info.uri) == ("k", "EC P-256", key.uri)
    with open_key(info.uri) as again:
        assert again.public_key() == key.public_key()


def test_softhsm_never_locks_and_says_nothing(softhsm):
    # The reason why lock-out is tested elsewhere; if SoftHSM learns it, this says so.
    generate_key(softhsm.uri("k"), prompter=right(softhsm)).close()
    for _ in range(12):
        with pytest.raises(PinWrong) as wrong:
            open_key(softhsm.uri("k"), prompter=Asked("000000"))
        assert wrong.value.tries_left is None
    open_key(softhsm.uri("k"), prompter=right(softhsm)).close()


def test_the_public_point_is_read_from_what_the_token_says(softhsm):
    generate_key(softhsm.uri("k"), prompter=right(softhsm)).close()
    module = module_for(softhsm.token.module)

    def points(module: Module) -> list[objects.Pair]:
        session = binding.open_session(find_token(parse_uri(softhsm.token.uri()))[1])
        found = objects.pairs(session, Pkcs11Uri(object="k"))
        binding.close(session)
        return found

    (pair,) = module.call(points)
    assert objects.public_key(pair).curve.name == "secp256r1"


SIGN_ONCE = """
import sys
from hwkeys import HwKeyError, open_key
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
try:
    open_key(sys.argv[1]).sign(b"x", ec.ECDSA(hashes.SHA256()))
    print("signed")
except HwKeyError as error:
    print(type(error).__name__, error)
"""


def _in_new_process(bench: SoftHsmBench, label: str) -> str:
    # What another process stored after the module was loaded here is not always seen here.
    return python(SIGN_ONCE, bench.sourced(label), env=bench.env())
