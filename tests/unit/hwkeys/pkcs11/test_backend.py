# SPDX-License-Identifier: Apache-2.0
import pytest

from hwkeys import KeyMissing, ModuleMissing, PinNeeded, UriError
from hwkeys.pkcs11 import backend, modules
from hwkeys.uri import parse_uri
from support.hwbench import SoftHsmBench, right

pytestmark = pytest.mark.device("softhsm")


def test_what_cannot_be_seen_may_want_a_pin():
    bench = SoftHsmBench()
    with pytest.raises(PinNeeded):
        backend.open_key(parse_uri(bench.uri("k")), None)
    with pytest.raises(KeyMissing):
        backend.open_key(parse_uri(bench.uri("k")), right(bench))


def test_nothing_stays_logged_in_after_a_failure():
    bench = SoftHsmBench()
    for verb in (backend.open_key, backend.delete_key):
        with pytest.raises(KeyMissing):
            verb(parse_uri(bench.uri("k")), right(bench))
    with pytest.raises(PinNeeded):
        backend.generate_key(parse_uri(bench.uri("k")), None)


def test_a_name_is_wanted():
    for verb in (backend.generate_key, backend.delete_key):
        with pytest.raises(UriError):
            verb(parse_uri("pkcs11:token=x"), None)


def test_listing_without_any_module_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(modules, "_DIRECTORIES", (str(tmp_path),))
    monkeypatch.setattr(modules, "_REGISTRIES", ())
    told: list[Exception] = []
    assert backend.list_devices(None, told.append) == []
    assert [type(error) for error in told] == [ModuleMissing]
