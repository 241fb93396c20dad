# SPDX-License-Identifier: Apache-2.0
import io
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from hardwire.app import pem
from hardwire.app.pem import CERTIFICATE, CRL, REQUEST, only, read_items, to_pem, write_public
from hardwire.certs import make_request
from hardwire.errors import LocalError, UsageError

DER = make_request(ec.generate_private_key(ec.SECP256R1()))
TEXT = to_pem(REQUEST, DER)


def refusal(path) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_items(path)
    assert (caught.value.code, caught.value.exit_code) == ("file", 2)
    return caught.value


def test_text_and_octets_are_read(tmp_path):
    for name, data in (("pem", TEXT.encode()), ("der", DER), ("talk", b"before\n" + TEXT.encode() + b"after")):
        (tmp_path / name).write_bytes(data)
        assert only(tmp_path / name, REQUEST) == (DER,)
    (tmp_path / "new").write_text(TEXT.replace("BEGIN ", "BEGIN NEW ").replace("END ", "END NEW "))
    assert only(tmp_path / "new", REQUEST) == (DER,)


def test_lines_have_64_characters():
    assert max(map(len, TEXT.splitlines())) == 64
    assert TEXT.endswith("-----END CERTIFICATE REQUEST-----\n")


def test_several_in_their_order(tmp_path):
    (tmp_path / "all").write_text(to_pem(CRL, b"0\x01") + TEXT + to_pem(CERTIFICATE, b"0\x02"))
    assert [item.label for item in read_items(tmp_path / "all")] == [CRL, REQUEST, CERTIFICATE]
    with pytest.raises(UsageError):
        only(tmp_path / "all", REQUEST)


def test_stdin(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    from pathlib import Path

    assert only(Path("-"), REQUEST) == (DER,)


@pytest.mark.parametrize("data", [b"", b"hello", b"0\x03abc", TEXT.encode()[:100],
    b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", TEXT.replace("MI", "M=", 1).encode()])  # fmt: skip
def test_what_cannot_be_used(tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    refusal(tmp_path / "file")


def test_no_file_and_a_large_one(tmp_path, monkeypatch):
    assert "no such file" in refusal(tmp_path / "none").message
    monkeypatch.setattr(pem, "MAX_FILE", 10)
    (tmp_path / "large").write_text(TEXT)
    assert "larger" in refusal(tmp_path / "large").message


def test_what_is_there_stays_unless_it_may_go(tmp_path):
    write_public(tmp_path / "a", "one")
    with pytest.raises(UsageError) as caught:
        write_public(tmp_path / "a", "two")
    assert caught.value.code == "file-exists"
    write_public(tmp_path / "a", "three", replace=True)
    assert (tmp_path / "a").read_text() == "three"
    with pytest.raises(LocalError):
        write_public(tmp_path / "none" / "a", "four")
