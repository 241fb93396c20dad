# SPDX-License-Identifier: Apache-2.0
"""Codes that travel as pictures: from one terminal's screen, and as files."""

import re

import pytest
import zxingcpp
from PIL import Image

pytestmark = [pytest.mark.device("softhsm"), pytest.mark.device("swtpm")]

BLOCKS = {" ": (0, 0), "▀": (255, 0), "▄": (0, 255), "█": (255, 255)}
SCALE = 6


def photograph(rows):
    """The picture a camera takes of those rows of a dark terminal with light letters."""
    columns = max(map(len, rows))
    image = Image.new("L", (columns * SCALE, 2 * len(rows) * SCALE), 0)
    for number, row in enumerate(rows):
        for column, char in enumerate(row.ljust(columns)):
            for half, light in enumerate(BLOCKS[char]):
                place = (column * SCALE, (2 * number + half) * SCALE)
                image.paste(light, (*place, place[0] + SCALE, place[1] + SCALE))
    return image


def scanned(window):
    """What a scanner reads from the screen."""
    rows = [row for row in window.screen if row and set(row) <= set(BLOCKS)]
    assert len(rows) > 15
    found = zxingcpp.read_barcodes(photograph(rows))
    assert len(found) == 1
    return found[0].text


def test_a_line_over_two_pictures_from_the_screens(alice, bob, stage):
    host = stage(alice.terminal("chat", "--loopback", "--qr", size=(80, 24)))
    host.see("paste the answer here:")
    guest = stage(bob.terminal("join", "--loopback", "--qr", size=(80, 24)))
    guest.see("paste the invite here:")
    invite = scanned(host)
    assert re.fullmatch(r"HW:[A-Z2-7]+", invite)
    guest.paste(invite)
    guest.expect("the line opens when it is pasted there")
    guest.see(r"^█{20,}\s*\Z")
    host.paste(scanned(guest))
    guest.see(r"^go on\?")
    guest.enter("y")
    host.see("^you ")
    guest.see("^you ")
    host.enter("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)


def test_picture_files_both_ways(alice, bob, stage, inbox):
    invite, answer = inbox / "invite.png", inbox / "answer.png"
    host = stage(alice.json("chat", "--loopback", "--out-file", invite, "--code-file", answer))
    host.expect("question", name="answer")
    assert invite.read_bytes().startswith(b"\x89PNG")
    assert invite.stat().st_mode & 0o077 == 0
    guest = stage(bob.json("join", "--loopback", "--code-file", invite, "--out-file", answer, "--unverified"))
    assert host.expect("line-open")["sas"] == guest.expect("line-open")["sas"]
    host.say("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)
    assert host.out[0].count("hw:") == 1


def test_text_files_both_ways(alice, bob, stage, inbox):
    invite, answer = inbox / "invite.txt", inbox / "answer.txt"
    host = stage(alice.json("chat", "--loopback", "--out-file", invite, "--code-file", answer))
    host.expect("question", name="answer")
    guest = stage(bob.json("join", "--loopback", "--code-file", invite, "--out-file", answer, "--unverified"))
    host.expect("line-open")
    guest.say("/quit")
    assert (host.finished(), guest.finished()) == (0, 0)


def test_a_picture_without_a_code(alice, inbox):
    Image.new("L", (50, 50), 255).save(inbox / "white.png")
    code, out, err = alice.run("join", "--code-file", inbox / "white.png")
    assert (code, out) == (2, "")
    assert err.startswith("hardwire: this is not a hardwire code: there is no hardwire QR in the picture\nhint: ")
