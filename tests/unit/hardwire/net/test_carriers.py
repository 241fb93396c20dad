# SPDX-License-Identifier: Apache-2.0
import base64
import io
import stat
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardwire.errors import InviteRefused, LocalError, UsageError
from hardwire.net import carriers
from support.netsamples import sample_answer, sample_offer, value_or_code

OFFER = sample_offer().encode()
ANSWER = sample_answer(OFFER).encode()


def test_text_is_short_and_goes_round():
    text = carriers.to_text(OFFER)
    assert text == "hw:" + base64.urlsafe_b64encode(OFFER).decode().rstrip("=")
    assert len(text) == 111
    assert "=" not in text
    assert carriers.from_text(text) == OFFER
    assert carriers.from_text(carriers.qr_text(OFFER)) == OFFER


@pytest.mark.parametrize(
    "dress",
    [
        "{code}\n",
        "  {code}  ",
        '"{code}"',
        "“{code}”",
        "`{code}`",
        "<{code}>",
        "code> {code}",
        "paste the code: {code}",
        "your code is {code}.",
        "> {code}",
        "> > {code}",
        "$ {code}",
        "\ufeff{code}\r\n",
        "hw: {bare}",
        "{bare}",
    ],
)
def test_what_a_clipboard_adds_does_not_matter(dress):
    code = carriers.to_text(OFFER)
    assert carriers.from_text(dress.format(code=code, bare=code[3:])) == OFFER


def test_wrapped_and_quoted_lines_do_not_matter():
    code = carriers.to_text(OFFER)
    lines = [code[start : start + 40] for start in range(0, len(code), 40)]
    assert carriers.from_text("\r\n".join(lines)) == OFFER
    assert carriers.from_text("\n".join("> " + line for line in lines)) == OFFER
    assert carriers.from_text("you wrote:\n" + "\n".join("> " + line for line in lines)) == OFFER


def test_capitals_that_a_telephone_puts_in_do_not_matter():
    assert carriers.from_text("Hw:" + carriers.to_text(OFFER)[3:]) == OFFER
    assert carriers.from_text(carriers.qr_text(OFFER)[3:]) == OFFER


@pytest.mark.parametrize(
    "text", ["", "hw:", "   \n", "hello there, how are you?", "hw:A", "hw:AB", "hw:ÄÖÜ", "x" * 20_000, "HW:0189"]
)
def test_something_else_is_refused_with_a_hint(text):
    with pytest.raises(InviteRefused) as caught:
        carriers.from_text(text)
    assert caught.value.code == "invite-malformed"
    assert "hw:" in caught.value.hint


def test_one_code_has_one_spelling():
    assert carriers.from_text("hw:AAA") == b"\x00\x00"
    with pytest.raises(InviteRefused):
        carriers.from_text("hw:AAB")
    with pytest.raises(InviteRefused):
        carriers.from_text("HW:AB")


@given(st.text(max_size=400))
def test_any_text_is_octets_or_refused(text):
    octets = value_or_code(carriers.from_text, text)
    if isinstance(octets, bytes):
        assert carriers.from_text(carriers.to_text(octets)) == octets
    else:
        assert octets == "invite-malformed"


@given(st.binary(min_size=1, max_size=400))
def test_any_octets_go_round_both_ways(octets):
    assert carriers.from_text(carriers.to_text(octets)) == octets
    assert carriers.from_text(carriers.qr_text(octets)) == octets


def picture(drawn: str, *, inverted: bool = False):
    from PIL import Image

    lit = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
    rows: list[list[int]] = []
    for line in drawn.split("\n"):
        rows.append([lit[mark][0] for mark in line])
        rows.append([lit[mark][1] for mark in line])
    image = Image.new("L", (len(rows[0]), len(rows)))
    image.putdata([(255 if bit != inverted else 0) for row in rows for bit in row])
    return image.resize((image.width * 6, image.height * 6), Image.Resampling.NEAREST)


@pytest.mark.parametrize("blob", [OFFER, ANSWER], ids=["offer", "answer"])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_terminal_qr_fits_and_reads_back(blob, inverted):
    import zxingcpp

    drawn = carriers.qr_terminal(blob, inverted=inverted)
    lines = drawn.split("\n")
    assert len({len(line) for line in lines}) == 1
    assert len(lines[0]) <= 80
    assert len(lines) <= 23
    found = zxingcpp.read_barcodes(picture(drawn, inverted=inverted))
    assert [carriers.from_text(result.text) for result in found] == [blob]


def test_the_largest_code_still_makes_a_qr():
    assert carriers.qr_terminal(bytes(359))


def test_a_text_file_goes_round_and_belongs_to_its_owner(tmp_path):
    path = tmp_path / "code.txt"
    carriers.to_file(OFFER, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == carriers.to_text(OFFER) + "\n"
    assert carriers.from_file(path) == OFFER


def test_a_picture_file_goes_round(tmp_path):
    path = tmp_path / "code.png"
    carriers.to_file(OFFER, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert carriers.from_file(path) == OFFER


def test_a_vector_file_is_an_svg(tmp_path):
    path = tmp_path / "code.SVG"
    carriers.to_file(OFFER, path)
    assert b"<svg" in path.read_bytes()


def test_a_file_is_never_overwritten(tmp_path):
    path = tmp_path / "code.txt"
    path.write_text("mine")
    with pytest.raises(UsageError) as caught:
        carriers.to_file(OFFER, path)
    assert caught.value.code == "file-exists"
    assert path.read_text() == "mine"


def test_files_that_cannot_be(tmp_path):
    with pytest.raises(LocalError, match="cannot write"):
        carriers.to_file(OFFER, tmp_path / "no" / "code.txt")
    with pytest.raises(LocalError, match="cannot read"):
        carriers.from_file(tmp_path / "none.txt")


def a_picture_without_code() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (60, 60), 255).save(buffer, "PNG")
    return buffer.getvalue()


def a_picture_of_something_else() -> bytes:
    import segno

    buffer = io.BytesIO()
    segno.make_qr("https://example.org").save(buffer, kind="png", scale=6)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG broken", b"\xff\xfe\x00\x01", a_picture_without_code(), a_picture_of_something_else()],
    ids=["broken-picture", "neither", "blank", "other-qr"],
)
def test_files_without_a_code(tmp_path, content):
    path = tmp_path / "thing"
    path.write_bytes(content)
    with pytest.raises(InviteRefused) as caught:
        carriers.from_file(path)
    assert caught.value.code == "invite-malformed"


def test_a_file_too_large(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(21 * 1024 * 1024)
    with pytest.raises(InviteRefused, match="larger"):
        carriers.from_file(path)


def test_without_the_extra_a_picture_gets_a_hint(tmp_path, monkeypatch):
    path = tmp_path / "code.png"
    carriers.to_file(OFFER, path)
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    with pytest.raises(LocalError) as caught:
        carriers.from_file(path)
    assert caught.value.code == "scan-missing"
    assert "hardwire[scan]" in caught.value.hint
