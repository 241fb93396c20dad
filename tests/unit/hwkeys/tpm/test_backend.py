# SPDX-License-Identifier: Apache-2.0
import pytest

from hwkeys import DeviceFailed, DeviceMissing, KeyExists, KeyMissing, UriError
from hwkeys.tpm import backend
from hwkeys.uri import parse_uri


def test_a_key_needs_a_place():
    for verb in (backend.open_key, backend.generate_key, backend.delete_key):
        with pytest.raises(UriError):
            verb(parse_uri("tpm:"), None)


def test_files_are_looked_at_before_the_tpm_is(tmp_path):
    (tmp_path / "k").touch()
    with pytest.raises(KeyExists):
        backend.generate_key(parse_uri(f"tpm:file={tmp_path}/k"), None)
    with pytest.raises(DeviceFailed):
        backend.generate_key(parse_uri(f"tpm:file={tmp_path}/no/k"), None)
    with pytest.raises(KeyMissing):
        backend.open_key(parse_uri(f"tpm:file={tmp_path}/none"), None)


def test_a_tcti_that_starts_a_program_is_refused(tmp_path):
    for verb in (backend.open_key, backend.generate_key, backend.delete_key):
        with pytest.raises(UriError):
            verb(parse_uri("tpm:handle=0x81000000?tcti=cmd:true"), None)


def test_listing_tells_and_goes_on():
    told: list[Exception] = []
    assert backend.list_devices(["cmd:true", "swtpm:path=/nowhere", "swtpm:path=/nor/here"], told.append) == []
    assert [type(error) for error in told] == [UriError, DeviceMissing, DeviceMissing]
