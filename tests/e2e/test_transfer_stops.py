# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C at each stage of an errand, at two real terminals: the exit code, what is left, and that it goes on."""

import pytest

from hardwire.app.files import SIDE_DIRECTORY

pytestmark = [pytest.mark.device("softhsm"), pytest.mark.device("swtpm")]

MB = 1_000_000
CODE = r"^(hw:[\w-]+)"


def large(alice, name="large.bin", size=1500 * MB):
    with (alice.home / name).open("wb") as file:
        file.truncate(size)
    return name


def opened(stage, alice, bob, what, inbox, *words):
    """A sender and a receiver with a line; the receiver is asked before each file."""
    host = stage(alice.terminal("send", what, "--loopback", "--unverified"))
    invite = host.expect(CODE).group(1)
    guest = stage(bob.terminal("receive", "--dir", str(inbox), "--loopback", "--unverified", *words))
    guest.see("paste the invite here:")
    guest.paste(invite)
    answer = guest.expect(CODE).group(1)
    host.see("paste the answer here:")
    host.paste(answer)
    return host, guest


def under_way(stage, alice, bob, what, inbox):
    host, guest = opened(stage, alice, bob, what, inbox)
    guest.see(rf"^take '{what}' ")
    guest.enter("y")
    guest.expect(r"large.bin' +[1-9]")
    host.enter("pause")
    guest.expect(r"paused \(your peer\)")
    return host, guest


def left(inbox):
    return [path.name for path in inbox.iterdir()]


def clean(*windows):
    for window in windows:
        assert "Traceback" not in window.text
        assert "never retrieved" not in window.text


def test_while_it_is_read(alice, stage, inbox):
    host = stage(alice.terminal("send", large(alice, "huge.bin", 60_000 * MB), "--loopback", "--unverified"))
    host.see("reading huge.bin: ")
    host.press("c")
    assert host.finished() == 130
    host = stage(alice.terminal("send", "huge.bin", "--loopback", "--unverified"))
    host.see("paste the answer here:")  # and it is read on
    host.press("c")
    assert host.finished() == 130
    clean(host)


def test_before_the_line(bob, stage, inbox):
    guest = stage(bob.terminal("receive", "--dir", str(inbox), "--loopback"))
    guest.see("paste the invite here:")
    guest.press("c")
    assert guest.finished() == 130
    assert left(inbox) == []
    clean(guest)


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_before_it_is_answered(alice, bob, stage, inbox, who):
    host, guest = opened(stage, alice, bob, large(alice, size=5), inbox)
    guest.see(r"^take 'large.bin' ")
    host.expect("waiting for your peer to accept")
    leaver, other, code = (host, guest, 40) if who == "sender" else (guest, host, 40)
    leaver.press("c")
    assert leaver.finished() == 130
    assert other.finished() == code
    assert left(inbox) == []
    clean(host, guest)


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_in_the_middle(alice, bob, stage, inbox, who):
    host, guest = under_way(stage, alice, bob, large(alice), inbox)
    leaver, other = (host, guest) if who == "sender" else (guest, host)
    leaver.press("c")
    assert leaver.finished() == 130
    assert other.finished() == 40
    assert ("if your peer kept what arrived" if other is host else "what arrived is kept") in other.text
    assert left(inbox) == [SIDE_DIRECTORY]
    clean(host, guest)
    host, guest = opened(stage, alice, bob, "large.bin", inbox, "--yes")
    guest.expect("goes on at")
    assert (host.finished(60), guest.finished(60)) == (0, 0)
    assert left(inbox) == ["large.bin"]
    clean(host, guest)
