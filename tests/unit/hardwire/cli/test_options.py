# SPDX-License-Identifier: Apache-2.0
import getpass
import inspect
import io
import sys

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
        "turn_ca",
        "relay_only",
        "loopback",
    }
    for module in (chat, join, send, receive):
        assert shared <= set(inspect.signature(module.command).parameters)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_relays_password_is_asked_for_at_a_terminal(monkeypatch):
    said = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal("me\n"))
    monkeypatch.setattr(sys, "stderr", said)
    monkeypatch.setattr(getpass, "getpass", lambda prompt, stream: "secret")
    servers = ice_servers(None, "turn:t.example", None, relay_only=False, ask=True)
    assert (servers.username, servers.password) == ("me", "secret")
    assert "turn:t.example" in said.getvalue()


def test_nobody_is_asked_where_nobody_is(monkeypatch):
    monkeypatch.setattr(getpass, "getpass", lambda *_: pytest.fail("asked"))
    monkeypatch.setattr(sys, "stderr", Terminal())
    for stdin, ask in ((io.StringIO("me\n"), True), (Terminal("me\n"), False)):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(UsageError) as caught:
            ice_servers(None, "turn:t.example", None, relay_only=False, ask=ask)
        assert caught.value.code == "server-credentials"


def test_the_authority_of_a_tls_relay_comes_from_a_file(tmp_path):
    (tmp_path / "turn").write_text("me\nsecret\n")
    (tmp_path / "ca.pem").write_text("nothing")
    with pytest.raises(UsageError) as caught:
        ice_servers(None, "turns:t", tmp_path / "turn", turn_ca=tmp_path / "ca.pem", relay_only=False)
    assert caught.value.code == "server-authority"
    with pytest.raises(UsageError, match=r"none\.pem"):
        ice_servers(None, "turns:t", tmp_path / "turn", turn_ca=tmp_path / "none.pem", relay_only=False)
