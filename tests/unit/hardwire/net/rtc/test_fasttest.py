# SPDX-License-Identifier: Apache-2.0
import importlib.metadata

import aiortc
import pytest
from OpenSSL import _util as openssl_util

from hardwire.net.rtc import fasttest
from hardwire.net.rtc.fasttest import fast_problem, is_fast
from hardwire.net.rtc.plain import PlainSctp
from hardwire.net.rtc.sctp import LineSctp
from support.links import open_pair


@pytest.fixture(autouse=True)
def asked_anew():
    fast_problem.cache_clear()
    yield
    fast_problem.cache_clear()


def test_what_is_installed_is_fast():
    assert fast_problem() is None
    assert is_fast()


def test_another_aiortc_is_slower(monkeypatch):
    plain = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9" if name == "aiortc" else plain(name))
    assert "aiortc 9.9" in fast_problem()
    assert not is_fast()


@pytest.mark.parametrize("name", ["_reset_deferred_streams", "_set_extensions", "_transmit_reconfig"])
def test_a_name_that_is_gone_is_told(monkeypatch, name):
    monkeypatch.delattr(aiortc.RTCSctpTransport, name)
    assert f"{name} is not what it was" in fast_problem()


def test_an_attribute_that_is_gone_is_told(monkeypatch):
    def init(self):
        pass

    monkeypatch.setattr(aiortc.RTCDtlsTransport, "__init__", init)
    assert "no _data_receiver" in fast_problem()


def test_a_binding_without_the_calls_is_told(monkeypatch):
    class Without:
        def __getattr__(self, name):
            if name == "BIO_read":
                raise AttributeError(name)
            return getattr(plain, name)

    plain = openssl_util.lib
    monkeypatch.setattr(openssl_util, "lib", Without())
    assert "no BIO_read" in fast_problem()


def test_records_that_are_not_one_for_each_packet_are_told(monkeypatch):
    monkeypatch.setattr(fasttest, "_read", lambda connection: b"a" * 1188)
    assert "give back" in fast_problem()
    fast_problem.cache_clear()
    monkeypatch.setattr(fasttest, "_HANDLES", ("_ssl", "_elsewhere"))
    assert "elsewhere" in fast_problem()


async def test_a_line_is_slower_and_not_closed(monkeypatch):
    async with open_pair() as (first, _):
        assert isinstance(first.link._sctp, LineSctp)
    fast_problem.cache_clear()
    monkeypatch.setattr(fasttest, "KNOWN_AIORTC", "0.0")
    async with open_pair() as (first, second):
        assert isinstance(first.link._sctp, PlainSctp)
        first.link.send(0, b"slower")
        await second.events.until(lambda: second.events.messages == [(0, b"slower")])
