# SPDX-License-Identifier: Apache-2.0
"""How a code travels between two people: as text, as a QR picture, or in a file.

Two spellings of the same octets. Text is ``hw:`` and base64url without padding (RFC 4648 §5), short to paste. A QR
picture holds ``HW:`` and base32 without padding (§6): the alphanumeric mode of QR packs it more tightly than
base64url, it survives being typed by hand, and an ordinary offer fits a terminal of 80 by 24. Reading accepts
either, with whatever a mail program, a chat window or a prompt has put around it.
"""

import base64
import binascii
import importlib
import io
import os
import re
from pathlib import Path
from typing import Any, Final

import segno

from hardwire.errors import InviteRefused, LocalError, UsageError

TEXT_PREFIX: Final = "hw:"
QR_PREFIX: Final = "HW:"
_QUIET_ZONE: Final = 4
_TERMINAL_QUIET_ZONE: Final = 4
_MAX_TEXT: Final = 16_384
_MAX_FILE: Final = 20 * 1024 * 1024
_MAX_PIXELS: Final = 50_000_000
_PIXELS_PER_MODULE: Final = 8
_PICTURE_SUFFIXES: Final = frozenset({".png", ".svg"})
_IMAGE_MAGIC: Final = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"BM")

# What stands at the start of a quoted or prompted line, and what stands around a code in prose.
_LINE_MARKS: Final = re.compile(r"^[\s>|$#%]+", re.MULTILINE)
_AROUND: Final = re.compile(r"[\s\"'`<>()\[\]“”‘’„«»*\u200b\u200e\u200f\ufeff]+")
_PREFIX: Final = re.compile(r"(?<![A-Za-z0-9_-])hw:", re.IGNORECASE)


def to_text(blob: bytes) -> str:
    """The code to paste: ``hw:`` and base64url, one line."""
    return TEXT_PREFIX + base64.urlsafe_b64encode(blob).decode().rstrip("=")


def from_text(text: str) -> bytes:
    """The octets of a pasted or scanned code; whitespace, line breaks, quotes and prompts do not matter.

    Raises:
        InviteRefused: ``invite-malformed``: nothing in the text can be a code. Whether the octets are a code that may
            be used is for :mod:`hardwire.net.invite` to say.
    """
    if len(text) > _MAX_TEXT:
        raise _not_a_code(f"{len(text)} characters are too many")
    text = _LINE_MARKS.sub("", text)
    prefix = QR_PREFIX if text.isupper() else ""
    if found := list(_PREFIX.finditer(text)):
        prefix = found[-1].group()
        text = text[found[-1].end() :]
    body = _AROUND.sub("", text).rstrip(".,;")
    if not body:
        raise _not_a_code("there is nothing in it")
    try:
        return _from_base32(body) if prefix == QR_PREFIX else _from_base64url(body)
    except (binascii.Error, ValueError) as error:
        raise _not_a_code("it has characters that no code has, or some are missing") from error


def qr_text(blob: bytes) -> str:
    """What a QR picture of this code holds: ``HW:`` and base32."""
    return QR_PREFIX + base64.b32encode(blob).decode().rstrip("=")


def qr_terminal(blob: bytes, *, inverted: bool = False) -> str:
    """A QR picture made of half blocks, two modules to a character, for a dark terminal.

    Args:
        blob: The packed offer or answer.
        inverted: For a terminal with dark letters on a light ground.

    Returns:
        Lines of equal length; an offer with one IPv4 and one IPv6 address takes 45 columns and 23 rows.
    """
    rows = [[bool(module) for module in row] for row in _qr(blob).matrix_iter(border=_TERMINAL_QUIET_ZONE)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    # A light module is a lit half of the cell, so the quiet zone is drawn too and needs no colour codes.
    blocks = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}
    if inverted:
        blocks = {(not upper, not lower): block for (upper, lower), block in blocks.items()}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(blocks[pair] for pair in zip(upper, lower, strict=True)) for upper, lower in pairs)


def to_file(blob: bytes, path: Path) -> None:
    """Write the code: a QR picture for ``.png`` and ``.svg``, one line of text for anything else.

    The file is readable by its owner only, and an existing one is never overwritten.

    Raises:
        UsageError: ``file-exists``.
        LocalError: ``file-failed``, when the file cannot be made.
    """
    suffix = path.suffix.lower()
    if suffix in _PICTURE_SUFFIXES:
        buffer = io.BytesIO()
        _qr(blob).save(buffer, kind=suffix[1:], border=_QUIET_ZONE, scale=_PIXELS_PER_MODULE)
        content = buffer.getvalue()
    else:
        content = (to_text(blob) + "\n").encode()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123  (an open descriptor, not a path)
            file.write(content)
    except FileExistsError as error:
        raise UsageError(f"{path} exists already", code="file-exists", hint="choose another name") from error
    except OSError as error:
        raise LocalError(f"cannot write {path}: {error.strerror}", code="file-failed") from error


def from_file(path: Path) -> bytes:
    """Read a code from a text file or, with the ``scan`` extra, from a picture of its QR.

    Raises:
        InviteRefused: ``invite-malformed``: there is no code in it.
        LocalError: ``file-failed`` or ``scan-missing``.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise LocalError(f"cannot read {path}: {error.strerror}", code="file-failed") from error
    if len(content) > _MAX_FILE:
        raise _not_a_code(f"the file is larger than {_MAX_FILE // 1024 // 1024} MiB")
    if content.startswith(_IMAGE_MAGIC):
        return from_text(_scan(content))
    try:
        return from_text(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _not_a_code("the file is neither text nor a picture") from error


def _scan(content: bytes) -> str:
    """The text of the first hardwire QR in a picture."""
    try:
        image_module: Any = importlib.import_module("PIL.Image")
        reader: Any = importlib.import_module("zxingcpp")
    except ImportError as error:
        raise LocalError(
            "reading a picture needs two more packages", code="scan-missing", hint="install `hardwire[scan]`"
        ) from error
    try:
        texts = _read_picture(content, image_module, reader)
    except Exception as error:  # the decoders raise whatever a broken picture makes them raise
        raise _not_a_code("the picture cannot be read") from error
    for text in texts:
        if _PREFIX.match(text):
            return text
    raise _not_a_code("there is no hardwire QR in the picture")


def _read_picture(content: bytes, image_module: Any, reader: Any) -> list[str]:
    image = image_module.open(io.BytesIO(content))
    if image.width * image.height > _MAX_PIXELS:
        raise ValueError("too many pixels")
    return [result.text for result in reader.read_barcodes(image.convert("L"))]


def _qr(blob: bytes) -> Any:
    return segno.make_qr(qr_text(blob), error="l", boost_error=True)


def _from_base64url(body: str) -> bytes:
    octets = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    # One spelling for each code: the unused bits of the last character are zero.
    if base64.urlsafe_b64encode(octets).decode().rstrip("=") != body:
        raise ValueError(body[-1])
    return octets


def _from_base32(body: str) -> bytes:
    octets = base64.b32decode(body.upper() + "=" * (-len(body) % 8))
    if base64.b32encode(octets).decode().rstrip("=") != body.upper():
        raise ValueError(body[-1])
    return octets


def _not_a_code(reason: str) -> InviteRefused:
    return InviteRefused(
        f"this is not a hardwire code: {reason}",
        code="invite-malformed",
        hint=f"copy the whole code; it begins with {TEXT_PREFIX}",
    )
