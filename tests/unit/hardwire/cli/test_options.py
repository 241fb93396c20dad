# SPDX-License-Identifier: Apache-2.0
import inspect

import pytest

from hardwire.cli import chat, join, receive, send
from hardwire.cli.options import ice_servers, listening
from hardwire.errors import UsageError


def test_no_servers_unless_asked_for():
    servers = ice_servers(None, None, None, relay_only=False)
    assert (servers.stun, servers.turn, servers.relay_only) == (None, None, False)


def test_the_relays_password_comes_from_a_file(tmp_path):
    (tmp_path / "turn").write_text("me\nsecret\n")
    servers = ice_servers("stun:s.example", "turn:t.example", tmp_path / "turn", relay_only=True)
    assert (servers.username, servers.password) == ("me", "secret")
    assert "secret" not in repr(servers)


@pytest.mark.parametrize("content", ["", "me\n", "me\n\n", "me\nsecret\nmore\n"])
def test_two_lines_are_wanted(tmp_path, content):
    (tmp_path / "turn").write_text(content)
    with pytest.raises(UsageError, match="two lines are wanted"):
        ice_servers(None, "turn:t.example", tmp_path / "turn", relay_only=False)


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "octets").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none", tmp_path / "octets", tmp_path):
        with pytest.raises(UsageError):
            ice_servers(None, "turn:t.example", path, relay_only=False)


def test_urls_are_checked():
    for stun, turn in (("http://x", None), (None, "stun:x")):
        with pytest.raises(UsageError):
            ice_servers(stun, turn, None, relay_only=False)


def test_listening_is_asked_for():
    assert listening(False, None, None) is None
    plain = listening(True, None, None)
    assert (plain.port, plain.announced) == (0, ())
    for port, addresses in ((4000, None), (None, ["192.0.2.7:1"])):
        with pytest.raises(UsageError, match="go with --one-way"):
            listening(False, port, addresses)


def test_a_forwarded_port_is_the_same_here_unless_told():
    outside = ["192.0.2.7:4000", "[2001:db8::7]:4001", "192.0.2.7:4000"]
    same = listening(True, None, outside)
    assert same.port == 4000
    assert [str(one) for one in same.announced] == outside[:2]
    assert listening(True, 50_000, outside).port == 50_000


@pytest.mark.parametrize(
    "text", ["192.0.2.7", "home.example:4000", "192.0.2.7:0", "192.0.2.7:x", "224.0.0.1:4000", ":1"]
)
def test_an_address_that_nobody_can_dial(text):
    with pytest.raises(UsageError):
        listening(True, None, [text])


def test_those_who_invite_can_listen():
    for module in (chat, send, receive):
        assert {"one_way", "port", "address"} <= set(inspect.signature(module.command).parameters)


def test_all_four_commands_have_the_same_options_for_a_line():
    shared = {
        "peer",
        "require_attested",
        "qr",
        "out_file",
        "code_file",
        "stun",
        "turn",
        "turn_credentials",
        "relay_only",
        "loopback",
    }
    for module in (chat, join, send, receive):
        assert shared <= set(inspect.signature(module.command).parameters)
