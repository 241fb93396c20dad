# SPDX-License-Identifier: Apache-2.0
import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from hardwire.errors import HandshakeRefused
from hardwire.net.rtc.dtls import DtlsFacts, LineCertificate, LineDtls, check_facts, read_facts
from support.links import open_pair

OWN, PEER = bytes(range(32)), bytes(range(32, 64))
GOOD = DtlsFacts(
    version="DTLSv1.2",
    extended_master_secret=True,
    cipher="ECDHE-ECDSA-AES128-GCM-SHA256",
    exporter=bytes(range(64, 96)),
    own_fingerprint=OWN,
    peer_fingerprint=PEER,
)


@pytest.mark.parametrize(
    "change",
    [{}, {"version": "DTLSv1.3"}, {"cipher": "ECDHE-ECDSA-CHACHA20-POLY1305"}, {"cipher": "TLS_AES_256_GCM_SHA384"}],
)
def test_facts_that_may_be_bound_to(change):
    check_facts(replace(GOOD, **change), own=OWN, peer=PEER)


@pytest.mark.parametrize(
    "change, code",
    [
        ({"version": "DTLSv1"}, "binding-version"),
        ({"version": "TLSv1.2"}, "binding-version"),
        ({"extended_master_secret": False}, "binding-ems"),
        ({"extended_master_secret": False, "version": "DTLSv1.3"}, "binding-ems"),
        ({"cipher": ""}, "binding-cipher"),
        ({"cipher": "ECDHE-ECDSA-AES256-SHA"}, "binding-cipher"),
        ({"exporter": b""}, "binding-exporter"),
        ({"exporter": bytes(32)}, "binding-exporter"),
        ({"exporter": bytes(range(33))}, "binding-exporter"),
        ({"own_fingerprint": PEER}, "binding-fingerprint"),
        ({"peer_fingerprint": OWN}, "binding-fingerprint"),
        ({"peer_fingerprint": b""}, "binding-fingerprint"),
    ],
)
def test_facts_that_may_not(change, code):
    with pytest.raises(HandshakeRefused) as caught:
        check_facts(replace(GOOD, **change), own=OWN, peer=PEER)
    assert caught.value.code == code
    assert caught.value.exit_code == 20


def test_each_line_has_a_certificate_of_its_own():
    one, other = LineCertificate.generateCertificate(), LineCertificate.generateCertificate()
    assert one.fingerprint != other.fingerprint
    assert one.fingerprint == hashlib.sha256(one._cert.public_bytes(Encoding.DER)).digest()
    assert one._cert.subject != other._cert.subject
    assert one._cert.not_valid_after_utc == one.expires


async def test_both_ends_see_the_same_connection():
    async with open_pair() as (first, second):
        assert first.facts.exporter == second.facts.exporter
        assert first.facts.own_fingerprint == second.facts.peer_fingerprint == first.link.fingerprint
        assert second.facts.own_fingerprint == first.facts.peer_fingerprint == second.link.fingerprint
        assert first.facts.extended_master_secret
        assert second.facts.version == "DTLSv1.2"
        assert "GCM" in first.facts.cipher
        assert first.facts.exporter.hex() not in repr(first.facts)
        # An empty context is another value than none (RFC 9266 wants the empty one).
        plain = first.link._dtls._ssl.export_keying_material(b"EXPORTER-Channel-Binding", 32)
        assert plain != first.facts.exporter


async def test_the_offerer_is_always_the_server():
    async with open_pair() as (first, second):
        assert first.link._dtls._role == "server"
        assert second.link._dtls._role == "client"
        assert first.link._dtls._rx_srtp is None


async def test_nothing_can_be_read_before_there_is_a_connection():
    async with open_pair() as (first, _):
        link = first.link
        fresh = LineDtls(
            link._path.transport, link._path.connection, link._certificate, server=True, on_closed=lambda: None
        )
        with pytest.raises(HandshakeRefused) as caught:
            read_facts(fresh)
        assert caught.value.code == "binding-incomplete"
        with pytest.raises(ConnectionError):
            fresh.seal(1)


async def test_an_old_peer_without_aead_is_not_talked_to():
    server = SSL.Connection(LineCertificate.generateCertificate()._create_ssl_context([_profile()]))
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_cipher_list(b"ECDHE-ECDSA-AES128-SHA")
    client = SSL.Connection(context)
    client.set_connect_state()
    server.set_accept_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    server.bio_write(client.bio_read(65_536))
    with pytest.raises(SSL.Error, match="no shared cipher"):
        server.do_handshake()


def _profile():
    from aiortc.rtcdtlstransport import SRTP_PROFILES

    return SRTP_PROFILES[0]
