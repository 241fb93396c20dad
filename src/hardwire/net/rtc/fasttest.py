# SPDX-License-Identifier: Apache-2.0
"""Can lines use the faster transports? Asked once per process; without them lines run on aiortc's own (docs/adr/0014).

What is asked here is what :mod:`hardwire.net.rtc.fastdtls` and :mod:`hardwire.net.rtc.fastsctp` override, call and set
below aiortc's and pyOpenSSL's public surface: each name, and a train of packets through OpenSSL, in memory.
"""

import functools
import importlib.metadata
from typing import Final

import aiortc
from OpenSSL import SSL
from OpenSSL import _util as openssl_util

from hardwire.net.rtc.selftest import Attributes, Signatures, changed_name, connected_pair

KNOWN_AIORTC: Final = "1.16.0"

_SIGNATURES: Final[Signatures] = (
    (aiortc.RTCDtlsTransport, "_recv_next", ("self",)),
    (aiortc.RTCDtlsTransport, "_send_data", ("self", "data")),
    (aiortc.RTCDtlsTransport, "_set_state", ("self", "state")),
    (aiortc.RTCSctpTransport, "_abort", ("self",)),
    (aiortc.RTCSctpTransport, "_data_channel_flush", ("self",)),
    (aiortc.RTCSctpTransport, "_data_channel_receive", ("self", "stream_id", "pp_id", "data")),
    (aiortc.RTCSctpTransport, "_handle_data", ("self", "data")),
    (aiortc.RTCSctpTransport, "_receive", ("self", "stream_id", "pp_id", "data")),
    (aiortc.RTCSctpTransport, "_receive_chunk", ("self", "chunk")),
    (aiortc.RTCSctpTransport, "_receive_reconfig_param", ("self", "param")),
    (aiortc.RTCSctpTransport, "_reset_deferred_streams", ("self",)),
    (aiortc.RTCSctpTransport, "_send_chunk", ("self", "chunk")),
    (aiortc.RTCSctpTransport, "_send_sack", ("self",)),
    (aiortc.RTCSctpTransport, "_set_extensions", ("self", "params")),
    (aiortc.RTCSctpTransport, "_set_state", ("self", "state")),
    (aiortc.RTCSctpTransport, "_transmit", ("self",)),
    (aiortc.RTCSctpTransport, "_transmit_reconfig", ("self",)),
    (
        aiortc.RTCSctpTransport,
        "_send",
        ("self", "stream_id", "pp_id", "user_data", "expiry", "max_retransmits", "ordered"),
    ),
)

_ATTRIBUTES: Final[Attributes] = (
    (aiortc.RTCDtlsTransport, ("_data_receiver",)),
    (
        aiortc.RTCSctpTransport,
        (
            *("_advertised_rwnd", "_association_state", "_data_channel_inbound_reset", "_data_channel_queue"),
            *("_inbound_streams", "_reconfig_request"),
            *("_last_received_tsn", "_local_partial_reliability", "_local_port", "_local_tsn"),
            *("_local_verification_tag", "_outbound_queue", "_outbound_stream_seq", "_reconfig_deferred"),
            *("_reconfig_queue", "_reconfig_request_seq", "_reconfig_response_seq", "_remote_extensions"),
            *("_remote_partial_reliability", "_remote_port", "_remote_verification_tag"),
        ),
    ),
)

# Of OpenSSL, through pyOpenSSL's own binding.
_OPENSSL: Final = (
    *("BIO_read", "BIO_write", "ERR_clear_error", "SSL_ERROR_WANT_READ", "SSL_get_error", "SSL_read", "SSL_write"),
)

_PACKETS: Final = (b"a" * 1188, b"b" * 1188, b"c" * 16_000, b"d")


@functools.cache
def fast_problem() -> str | None:
    """Why lines have to use aiortc's own transports, in words for a person; ``None`` when they need not."""
    found = importlib.metadata.version("aiortc")
    if found != KNOWN_AIORTC:
        return f"aiortc {found} is installed, and {KNOWN_AIORTC} is the one that was examined"
    missing = next((name for name in _OPENSSL if not hasattr(openssl_util.lib, name)), None)
    if missing is not None:
        return f"pyOpenSSL has no {missing} any more"
    return changed_name(_SIGNATURES, _ATTRIBUTES) or _train_problem()


def is_fast() -> bool:
    """Lines use the faster transports."""
    return fast_problem() is None


def _train_problem() -> str | None:
    """Several records through one buffer, as :mod:`hardwire.net.rtc.fastdtls` moves them."""
    lib, ffi = openssl_util.lib, openssl_util.ffi
    one, other = connected_pair()
    if not all(isinstance(getattr(each, name, None), ffi.CData) for each in (one, other) for name in _HANDLES):
        return "pyOpenSSL keeps its connections elsewhere"
    buffer = ffi.new("char[]", 65_536)
    for packet in _PACKETS:
        lib.SSL_write(one._ssl, packet, len(packet))  # noqa: SLF001
    size = lib.BIO_read(one._from_ssl, buffer, 65_536)  # noqa: SLF001
    at = 0
    for packet in _PACKETS:
        length = 13 + int.from_bytes(ffi.buffer(buffer + at + 11, 2)[:])
        lib.BIO_write(other._into_ssl, buffer + at, length)  # noqa: SLF001
        at += length
        if _read(other) != packet:
            return "OpenSSL does not give back what was put in"
    return None if at == size else "OpenSSL makes other records than one for each packet"


_HANDLES: Final = ("_ssl", "_into_ssl", "_from_ssl")


def _read(connection: SSL.Connection) -> bytes:
    lib, ffi = openssl_util.lib, openssl_util.ffi
    buffer = ffi.new("char[]", 16_384)
    size = lib.SSL_read(connection._ssl, buffer, 16_384)  # noqa: SLF001
    return bytes(ffi.buffer(buffer, max(size, 0)))
