# SPDX-License-Identifier: Apache-2.0
import dataclasses
import stat

import pytest
from asn1crypto import pem
from hypothesis import given
from hypothesis import strategies as st

from hwkeys import DeviceFailed, KeyExists, KeyMissing, KeyNotAsAsked
from hwkeys.tpm import tss2
from hwkeys.tpm.tss2 import KeyFile, decode_key_file, read_key_file, write_key_file

KEY = KeyFile(b"\0\x03pub", b"\0\x04priv", empty_auth=False, parent_name=b"\0\x0b" + bytes(32))


def armoured(**fields) -> bytes:
    """A file with any of the format's fields."""
    values = {"type": tss2.LOADABLE_KEY, "parent": tss2.OWNER, "public": b"pub", "private": b"priv", **fields}
    return pem.armor("TSS2 PRIVATE KEY", tss2._TpmKey(values).dump())


@pytest.mark.parametrize(
    "changes",
    [{}, {"empty_auth": True}, {"parent": 0x81000001}, {"parent_name": None}, {"description": "Älter"}],
)
def test_reading_gives_back_what_was_written(changes):
    key = dataclasses.replace(KEY, **changes)
    assert decode_key_file(key.encode()) == key


def test_whether_there_is_a_pin_is_always_said():
    # tpm2-openssl 1.1.1 takes silence for "no PIN" and spends a try.
    for empty in (True, False):
        der = pem.unarmor(dataclasses.replace(KEY, empty_auth=empty).encode())[2]
        assert bytes.fromhex("a0030101ff" if empty else "a003010100") in der


def test_silence_of_other_programs_means_a_pin():
    assert decode_key_file(armoured()).empty_auth is False
    assert decode_key_file(armoured(empty_auth=True)).empty_auth is True


def test_optional_fields_are_read():
    key = decode_key_file(armoured(empty_auth=True, description="mine", rsa_parent=False))
    assert (key.description, key.parent_name) == ("mine", None)


POLICY = [{"command_code": 1, "command_policy": b"x"}]


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"policy": POLICY}, "policy"),
        ({"secret": b"x"}, "secret"),
        ({"auth_policy": [{"name": "a", "policy": POLICY}]}, "auth_policy"),
        ({"rsa_parent": True}, "RSA"),
        ({"type": "2.23.133.10.1.4"}, "2.23.133.10.1.4"),
        ({"parent": 0x40000007}, "parent"),
        ({"parent": 0x80000000}, "parent"),
    ],
)
def test_what_cannot_be_honoured_is_named(fields, named):
    with pytest.raises(KeyNotAsAsked, match=named):
        decode_key_file(armoured(**fields))


def test_what_is_no_key_file():
    good = KEY.encode()
    wrong = (
        b"",
        b"text",
        good.replace(b"TSS2 ", b""),
        good[: len(good) // 2],
        good.replace(b"-\nM", b"-\n!"),
        pem.armor("TSS2 PRIVATE KEY", b"\x30\x00"),
        pem.armor("TSS2 PRIVATE KEY", tss2._TpmKey.load(pem.unarmor(good)[2]).dump() + b"\0"),
    )
    for octets in wrong:
        with pytest.raises(KeyNotAsAsked):
            decode_key_file(octets)


def test_the_parents_name_is_one_exact_line():
    line = b"hwkeys parent-name: " + b"00" * 34 + b"\n"
    body = armoured()
    assert decode_key_file(line + body).parent_name == bytes(34)
    assert decode_key_file(b"a note\n" + line.replace(b"\n", b"\r\n") + body).parent_name == bytes(34)
    with pytest.raises(KeyNotAsAsked):
        decode_key_file(body + line)
    assert decode_key_file(line.replace(b"00\n", b"\n") + body).parent_name is None
    with pytest.raises(KeyNotAsAsked, match="twice"):
        decode_key_file(line + line + body)


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda der: pem.armor("TSS2 PRIVATE KEY", der)))
def test_any_octets_are_a_key_file_or_are_refused(octets):
    with pytest.raises(KeyNotAsAsked):
        decode_key_file(octets)


@given(st.data())
def test_a_changed_octet_is_read_or_refused(data):
    octets = bytearray(KEY.encode())
    at = data.draw(st.integers(0, len(octets) - 1))
    octets[at] = data.draw(st.integers(0, 255))
    try:
        key = decode_key_file(bytes(octets))
    except KeyNotAsAsked:
        return
    assert key.parent == tss2.OWNER or key.parent in tss2._PERSISTENT


def test_a_file_is_for_its_owner_and_never_replaces_one(tmp_path):
    path = tmp_path / "k.tss2"
    write_key_file(path, KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key_file(path) == KEY
    with pytest.raises(KeyExists):
        write_key_file(path, dataclasses.replace(KEY, description="another"))
    assert read_key_file(path) == KEY
    assert [p.name for p in tmp_path.iterdir()] == ["k.tss2"]


def test_a_dangling_link_is_not_followed(tmp_path):
    (tmp_path / "k.tss2").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyExists):
        write_key_file(tmp_path / "k.tss2", KEY)
    assert not (tmp_path / "elsewhere").exists()


def test_files_that_cannot_be_used(tmp_path):
    with pytest.raises(KeyMissing):
        read_key_file(tmp_path / "none")
    with pytest.raises(KeyMissing):
        read_key_file(tmp_path)
    with pytest.raises(DeviceFailed):
        write_key_file(tmp_path / "no" / "where", KEY)
    (tmp_path / "large").write_bytes(bytes(tss2.MAX_FILE + 1))
    with pytest.raises(KeyNotAsAsked, match="too large"):
        read_key_file(tmp_path / "large")


def test_the_private_part_is_printed_by_nothing():
    assert "secret" not in repr(dataclasses.replace(KEY, private=b"secret"))
