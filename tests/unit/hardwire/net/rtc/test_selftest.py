# SPDX-License-Identifier: Apache-2.0
import importlib.metadata
import tomllib
from pathlib import Path

import aioice
import aiortc
import pytest
from OpenSSL import _util as openssl_util

from hardwire.errors import LocalError
from hardwire.net.rtc import dtls, fasttest, selftest
from hardwire.net.rtc.selftest import KNOWN_VERSIONS, self_test
from support.links import fresh_secrets, gather


@pytest.fixture(autouse=True)
def asked_anew():
    self_test.cache_clear()
    yield
    self_test.cache_clear()


def fails(words: str):
    with pytest.raises(LocalError, match=words) as caught:
        self_test()
    assert caught.value.code == "rtc-self-test"
    assert "reinstall" in caught.value.hint


def test_what_is_installed_is_known():
    self_test()


def test_the_pins_are_the_known_versions():
    project = tomllib.loads((Path(__file__).parents[5] / "pyproject.toml").read_text())["project"]
    for package, version in {**KNOWN_VERSIONS, "aiortc": fasttest.KNOWN_AIORTC}.items():
        assert f"{package}=={version}" in project["dependencies"]


@pytest.mark.parametrize("package", list(KNOWN_VERSIONS))
def test_another_version_is_refused(monkeypatch, package):
    plain = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "99.0" if name == package else plain(name))
    fails(f"{package} 99.0")


def test_a_name_that_is_gone_is_refused(monkeypatch):
    monkeypatch.delattr(aiortc.RTCDtlsTransport, "_validate_peer_identity")
    fails("_validate_peer_identity is not what it was")


def test_a_name_with_other_parameters_is_refused(monkeypatch):
    monkeypatch.setattr(aioice.Connection, "get_component_candidates", lambda self, component: None)
    fails("get_component_candidates is not what it was")


def test_an_attribute_that_is_gone_is_refused(monkeypatch):
    def init(self):
        pass

    monkeypatch.setattr(aiortc.RTCDtlsTransport, "__init__", init)
    fails("RTCDtlsTransport has no _ssl")


def test_a_binding_that_tells_nothing_of_ems_is_refused(monkeypatch):
    monkeypatch.setattr(openssl_util, "lib", object())
    fails("extended master secret")


def test_a_library_without_a_common_exporter_is_refused(monkeypatch):
    values = iter(range(100))
    monkeypatch.setattr(
        selftest.SSL.Connection, "export_keying_material", lambda *args: bytes([next(values)]) * 32, raising=True
    )
    fails("common exporter")


def test_a_handshake_that_never_ends_is_refused(monkeypatch):
    monkeypatch.setattr(selftest, "_move", lambda one, other: None)
    fails("does not complete")


async def test_no_line_is_opened_after_a_failed_self_test(monkeypatch):
    monkeypatch.setattr(selftest, "KNOWN_VERSIONS", {"aioice": "0.0"})
    with pytest.raises(LocalError):
        await gather(offerer=True, secrets=fresh_secrets())


def test_the_exporter_is_the_one_of_the_rfc():
    assert dtls.EXPORTER_LABEL == b"EXPORTER-Channel-Binding"
    assert dtls.EXPORTER_CONTEXT == b""
