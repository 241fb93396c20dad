# SPDX-License-Identifier: Apache-2.0
"""Parameters of SCTP chunks (RFC 9260 §3.2.1), read by somebody who looks where the next one begins.

aiortc 1.16 goes on by the length that a parameter names. Zero leads to the same place for ever, and each round adds
to a list: one packet of 20 octets, from a peer that has proved nothing yet, would take the whole process. So its
function is replaced by this one; the self-test sees that it is.
"""

import struct
from typing import Any, Final, cast

import aiortc.rtcsctptransport

_HEAD: Final = struct.Struct("!HH")


def decode_params(body: bytes) -> list[tuple[int, bytes]]:
    """Type and value of each parameter, in order.

    Raises:
        ValueError: A length that is shorter than its own field, or reaches over the end; aiortc's and our reader of
            packets take that for a packet that is none.
    """
    params: list[tuple[int, bytes]] = []
    pos = 0
    while pos <= len(body) - _HEAD.size:
        kind, length = _HEAD.unpack_from(body, pos)
        end = pos + length
        if length < _HEAD.size or end > len(body):
            raise ValueError(f"an SCTP parameter of {length} octets")
        params.append((kind, body[pos + _HEAD.size : end]))
        pos = end + -length % 4
    return params


def install() -> None:
    """Put it in the place of aiortc's."""
    cast("Any", aiortc.rtcsctptransport).decode_params = decode_params


def is_installed() -> bool:
    """Whether aiortc reads parameters with it."""
    return cast("Any", aiortc.rtcsctptransport).decode_params is decode_params
