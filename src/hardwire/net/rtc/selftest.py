# SPDX-License-Identifier: Apache-2.0
"""Are the libraries below the ones this adapter was written for? Asked once per process, before the first line.

The adapter overrides underscore names of aiortc and aioice and reads two of pyOpenSSL. A release that renamed one
would not fail: the override would simply never be called, and with it a limit or a check would be gone. So the
versions must be the known ones, each name must be where it was, and a DTLS handshake in memory must show the
extended master secret, an AEAD cipher and equal exporters on both ends.
"""

import functools
import importlib.metadata
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import aioice
import aioice.ice
import aiortc
import aiortc.rtcdtlstransport
import aiortc.rtcsctptransport
from OpenSSL import SSL
from OpenSSL import _util as openssl_util

from hardwire.errors import LocalError
from hardwire.net.rtc.dtls import EXPORTER_CONTEXT, EXPORTER_LABEL, EXPORTER_SIZE, LineCertificate
from hardwire.net.rtc.parameters import is_installed

KNOWN_VERSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"aiortc": "1.16.0", "aioice": "0.13.0", "pyOpenSSL": "26.4.0"}
)

# Each function that is overridden or called below its public surface, with the parameters it must take.
_SIGNATURES: Final[tuple[tuple[Any, str, tuple[str, ...]], ...]] = (
    (aioice.Connection, "get_component_candidates", ("self", "component", "addresses", "timeout")),
    (aioice.Connection, "get_event", ("self",)),
    (aioice.Connection, "check_incoming", ("self", "message", "addr", "protocol")),
    (aioice.Connection, "check_start_task", ("self", "pair")),
    (aioice.Connection, "check_state", ("self", "pair", "state")),
    (aioice.Connection, "_check_list_maybe_fail", ("self",)),
    (aioice.Connection, "_find_pair", ("self", "protocol", "remote_candidate")),
    (aioice.Connection, "data_received", ("self", "data", "component")),
    (aioice.Connection, "_pair_remote_candidate", ("self", "remote_candidate")),
    (aioice.Connection, "sort_check_list", ("self",)),
    (aioice.Connection, "query_consent", ("self",)),
    (aioice.Connection, "build_request", ("self", "pair", "nominate")),
    (aioice.Connection, "recvfrom", ("self",)),
    (aioice.Connection, "protocol_lost", ("self", "protocol")),
    (aioice.Connection, "request_received", ("self", "message", "addr", "protocol")),
    (aioice.ice.StunProtocol, "datagram_received", ("self", "data", "addr")),
    (aioice.ice, "server_reflexive_candidate", ("protocol", "stun_server")),
    (aiortc.RTCCertificate, "_create_ssl_context", ("self", "srtp_profiles")),
    (aiortc.RTCDtlsTransport, "_setup_srtp", ("self",)),
    (aiortc.RTCDtlsTransport, "_recv_next", ("self",)),
    (aiortc.RTCDtlsTransport, "_send_data", ("self", "data")),
    (aiortc.RTCDtlsTransport, "_set_role", ("self", "role")),
    (aiortc.RTCDtlsTransport, "_set_state", ("self", "state")),
    (aiortc.RTCDtlsTransport, "_validate_peer_identity", ("self", "remoteParameters")),
    (aiortc.RTCSctpTransport, "_abort", ("self",)),
    (aiortc.RTCSctpTransport, "_data_channel_flush", ("self",)),
    (aiortc.RTCSctpTransport, "_handle_data", ("self", "data")),
    (aiortc.RTCSctpTransport, "_receive", ("self", "stream_id", "pp_id", "data")),
    (aiortc.RTCSctpTransport, "_receive_chunk", ("self", "chunk")),
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
    (aiortc.rtcsctptransport, "parse_packet", ("data",)),
    (aiortc.rtcsctptransport, "decode_params", ("body",)),
)

# Attributes that the constructors of the libraries must set: looked for in their source, since no object is there yet.
_ATTRIBUTES: Final[tuple[tuple[Any, tuple[str, ...]], ...]] = (
    (
        aioice.Connection,
        (
            *("_check_list", "_closing", "_early_checks", "_early_checks_done", "_local_candidates", "_nominated"),
            *("_protocols", "_queue"),
            *("_remote_candidates", "remote_username"),
        ),
    ),
    (aiortc.RTCIceGatherer, ("_connection",)),
    (aiortc.RTCCertificate, ("_cert",)),
    (aiortc.RTCDtlsTransport, ("_data_receiver", "_ssl", "_state", "_task", "_transport", "_role")),
    (
        aiortc.RTCSctpTransport,
        (
            *("_advertised_rwnd", "_association_state", "_data_channel_queue", "_inbound_streams"),
            *("_last_received_tsn", "_last_sacked_tsn", "_local_partial_reliability", "_local_port", "_local_tsn"),
            *("_local_verification_tag", "_outbound_queue", "_outbound_stream_seq", "_reconfig_deferred"),
            *("_reconfig_queue", "_reconfig_response_seq", "_remote_partial_reliability", "_remote_port"),
            *("_remote_extensions", "_remote_verification_tag"),
        ),
    ),
)


# Of OpenSSL, through pyOpenSSL's own binding.
_OPENSSL: Final = (
    *("BIO_read", "BIO_write", "ERR_clear_error", "SSL_ERROR_WANT_READ", "SSL_ERROR_ZERO_RETURN", "SSL_get_error"),
    *("SSL_read", "SSL_write"),
)


@functools.cache
def self_test() -> None:
    """Return when everything is as it was when this adapter was written.

    Raises:
        LocalError: ``rtc-self-test``; no line is opened.
    """
    _check_versions(KNOWN_VERSIONS)
    _check_names()
    _check_dtls()


def _check_versions(known: Mapping[str, str]) -> None:
    for package, version in known.items():
        found = importlib.metadata.version(package)
        if found != version:
            raise _failed(f"{package} {found} is installed, and {version} is the one that was examined")


def _check_names() -> None:
    for owner, name, parameters in _SIGNATURES:
        function = getattr(owner, name, None)
        if function is None or tuple(inspect.signature(function).parameters) != parameters:
            raise _failed(f"{owner.__name__}.{name} is not what it was")
    for owner, attributes in _ATTRIBUTES:
        source = inspect.getsource(owner.__init__)
        for attribute in attributes:
            if f"self.{attribute}" not in source:
                raise _failed(f"{owner.__name__} has no {attribute} any more")
    if not is_installed():
        raise _failed("aiortc reads SCTP parameters by itself")
    if not hasattr(openssl_util.lib, "SSL_get_extms_support"):
        raise _failed("pyOpenSSL does not tell about the extended master secret any more")
    for name in _OPENSSL:
        if not hasattr(openssl_util.lib, name):
            raise _failed(f"pyOpenSSL has no {name} any more")


def _check_dtls() -> None:
    """A DTLS handshake between two certificates of ours, in memory."""
    client, server = (
        SSL.Connection(LineCertificate.generateCertificate()._create_ssl_context([_any_srtp_profile()]))  # noqa: SLF001
        for _ in range(2)
    )
    client.set_connect_state()
    server.set_accept_state()
    done: set[SSL.Connection] = set()
    for _ in range(12):
        for one, other in ((client, server), (server, client)):
            try:
                one.do_handshake()
                done.add(one)
            except SSL.WantReadError:
                pass
            _move(one, other)
    if len(done) != 2:  # noqa: PLR2004  (both)
        raise _failed("a DTLS handshake in memory does not complete")
    exporters = {one.export_keying_material(EXPORTER_LABEL, EXPORTER_SIZE, EXPORTER_CONTEXT) for one in done}
    extended = all(openssl_util.lib.SSL_get_extms_support(one._ssl) == 1 for one in done)  # noqa: SLF001
    cipher = client.get_cipher_name() or ""
    if len(exporters) != 1 or not extended or not ("GCM" in cipher or "CHACHA20" in cipher):
        raise _failed("DTLS in memory lacks the extended master secret, an AEAD cipher or a common exporter")


def _any_srtp_profile() -> aiortc.rtcdtlstransport.SRTPProtectionProfile:
    return aiortc.rtcdtlstransport.SRTP_PROFILES[0]


def _move(one: SSL.Connection, other: SSL.Connection) -> None:
    while True:
        try:
            other.bio_write(one.bio_read(65_536))
        except SSL.Error:
            return


def _failed(what: str) -> LocalError:
    return LocalError(
        f"the WebRTC libraries are not the ones that hardwire was checked with: {what}",
        code="rtc-self-test",
        hint="reinstall hardwire with the versions it pins",
    )
