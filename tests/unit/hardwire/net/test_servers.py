# SPDX-License-Identifier: Apache-2.0
import ssl

import pytest

from hardwire.errors import UsageError
from hardwire.net.servers import NO_SERVERS, IceServers, ServerAddress, parse_server


@pytest.mark.parametrize(
    "url, expected",
    [
        ("stun:example.org", ServerAddress("example.org", 3478, "udp", tls=False)),
        ("stun:192.0.2.1:1000", ServerAddress("192.0.2.1", 1000, "udp", tls=False)),
        ("turn:example.org", ServerAddress("example.org", 3478, "udp", tls=False)),
        ("turn:[2001:db8::1]:99?transport=tcp", ServerAddress("2001:db8::1", 99, "tcp", tls=False)),
        ("turns:example.org", ServerAddress("example.org", 5349, "tcp", tls=True)),
        ("turns:example.org:443", ServerAddress("example.org", 443, "tcp", tls=True)),
    ],
)
def test_urls_that_are_servers(url, expected):
    assert parse_server(url, url[:4]) == expected


@pytest.mark.parametrize(
    "url, family",
    [
        ("example.org", "stun"),
        ("stun:", "stun"),
        ("stuns:example.org", "stun"),
        ("turn:example.org", "stun"),
        ("stun:example.org", "turn"),
        ("stun:example.org?transport=udp", "stun"),
        ("turns:example.org?transport=udp", "turn"),
        ("turn:example.org:0", "turn"),
        ("turn:example.org:65536", "turn"),
        ("turn:user@example.org", "turn"),
        ("turn://example.org", "turn"),
        ("turn:example.org?transport=sctp", "turn"),
    ],
)
def test_urls_that_are_none(url, family):
    with pytest.raises(UsageError) as caught:
        parse_server(url, family)
    assert caught.value.code == "server-url"
    assert family in caught.value.hint


def test_nothing_is_built_in():
    assert IceServers() == NO_SERVERS
    assert NO_SERVERS.stun_address is None
    assert NO_SERVERS.turn_address is None


def test_mistakes_are_found_before_anybody_is_asked():
    with pytest.raises(UsageError, match="needs a TURN server"):
        IceServers(relay_only=True)
    with pytest.raises(UsageError, match="username") as caught:
        IceServers(turn="turn:example.org")
    assert "--turn-credentials" in caught.value.hint
    with pytest.raises(UsageError):
        IceServers(stun="http://example.org")
    with pytest.raises(UsageError):
        IceServers(turn="stun:example.org", username="u", password="p")


def test_the_password_is_not_shown():
    assert "hunter2" not in repr(IceServers(turn="turn:example.org", username="u", password="hunter2"))


def test_an_authority_is_for_turn_over_tls_and_must_be_one():
    given = {"username": "u", "password": "p"}
    for turn in ("turn:t.example", "turn:t.example?transport=tcp", None):
        with pytest.raises(UsageError, match="TURN over TLS") as caught:
            IceServers(turn=turn, turn_ca="x", **given)
        assert caught.value.code == "server-authority"
    for text in ("", "\n", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        with pytest.raises(UsageError, match="no PEM certificate"):
            IceServers(turn="turns:t.example", turn_ca=text, **given)


def test_a_tls_server_is_judged_strictly():
    context = IceServers(turn="turns:t.example", username="u", password="p").tls_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
