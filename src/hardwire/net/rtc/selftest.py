# SPDX-License-Identifier: Apache-2.0
"""Are the libraries below the ones this adapter was written for? Asked once per process, before the first line.

The adapter overrides underscore names of aiortc and aioice and reads two of pyOpenSSL. A release that renamed one
would not fail: the override would simply never be called, and with it a limit or a check would be gone. So the
versions must be the known ones, each name must be where it was, and a DTLS handshake in memory must show the
extended master secret, an AEAD cipher and equal exporters on both ends. What only the faster transports need is asked
in :mod:`hardwire.net.rtc.fasttest`: without it a line is slower, and not closed.
"""

import functools
import importlib.metadata
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import aioice
import aioice.candidate
import aioice.ice
import aiortc
import aiortc.rtcdtlstransport
import aiortc.rtcsctptransport
from OpenSSL import SSL
from OpenSSL import _util as openssl_util

from hardwire.errors import LocalError
from hardwire.net.rtc.dtls import EXPORTER_CONTEXT, EXPORTER_LABEL, EXPORTER_SIZE, LineCertificate
from hardwire.net.rtc.parameters import is_installed

KNOWN_VERSIONS: Final[Mapping[str, str]] = MappingProxyType({"aioice": "0.13.0", "pyOpenSSL": "26.4.0"})

Signatures = tuple[tuple[Any, str, tuple[str, ...]], ...]
Attributes = tuple[tuple[Any, tuple[str, ...]], ...]

# Each function that is overridden or called below its public surface, with the parameters it must take.
_SIGNATURES: Final[Signatures] = (
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
    (aioice.Connection, "_emit_event", ("self", "event")),
    (aioice.Connection, "query_consent", ("self",)),
    (aioice.Connection, "build_request", ("self", "pair", "nominate")),
    (aioice.Connection, "recvfrom", ("self",)),
    (aioice.Connection, "protocol_lost", ("self", "protocol")),
    (aioice.Connection, "request_received", ("self", "message", "addr", "protocol")),
    (aioice.ice.StunProtocol, "datagram_received", ("self", "data", "addr")),
    (aioice.ice.StunProtocol, "request", ("self", "request", "addr", "integrity_key", "retransmissions")),
    (aioice.candidate, "candidate_foundation", ("candidate_type", "candidate_transport", "base_address")),
    (aioice.candidate, "candidate_priority", ("candidate_component", "candidate_type", "local_pref")),
    (aiortc.RTCCertificate, "_create_ssl_context", ("self", "srtp_profiles")),
    (aiortc.RTCDtlsTransport, "_setup_srtp", ("self",)),
    (aiortc.RTCDtlsTransport, "_set_role", ("self", "role")),
    (aiortc.RTCDtlsTransport, "_validate_peer_identity", ("self", "remoteParameters")),
    (aiortc.rtcsctptransport, "decode_params", ("body",)),
)

# Attributes that the constructors of the libraries must set: looked for in their source, since no object is there yet.
_ATTRIBUTES: Final[Attributes] = (
    (
        aioice.Connection,
        (
            *(
                "_check_list",
                "_closed",
                "_closing",
                "_early_checks",
                "_early_checks_done",
                "_local_candidates",
                "_nominated",
            ),
            *("_protocols", "_queue"),
            *("_remote_candidates", "remote_username"),
        ),
    ),
    (aiortc.RTCIceGatherer, ("_connection",)),
    (aiortc.RTCCertificate, ("_cert",)),
    (aiortc.RTCDtlsTransport, ("_ssl", "_state", "_task", "_transport", "_role")),
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


def changed_name(signatures: Signatures, attributes: Attributes) -> str | None:
    """The first name that is not what it was, in words; ``None`` when all are.

    Args:
        signatures: Owner and name of a function, and the parameters it must take.
        attributes: A class, and what its constructor must set.
    """
    for owner, name, parameters in signatures:
        function = getattr(owner, name, None)
        if function is None or tuple(inspect.signature(function).parameters) != parameters:
            return f"{owner.__name__}.{name} is not what it was"
    for owner, names in attributes:
        source = inspect.getsource(owner.__init__)
        missing = next((name for name in names if f"self.{name}" not in source), None)
        if missing is not None:
            return f"{owner.__name__} has no {missing} any more"
    return None


def _check_versions(known: Mapping[str, str]) -> None:
    for package, version in known.items():
        found = importlib.metadata.version(package)
        if found != version:
            raise _failed(f"{package} {found} is installed, and {version} is the one that was examined")


def _check_names() -> None:
    changed = changed_name(_SIGNATURES, _ATTRIBUTES)
    if changed is not None:
        raise _failed(changed)
    if not is_installed():
        raise _failed("aiortc reads SCTP parameters by itself")
    if not hasattr(openssl_util.lib, "SSL_get_extms_support"):
        raise _failed("pyOpenSSL does not tell about the extended master secret any more")


def connected_pair() -> tuple[SSL.Connection, SSL.Connection]:
    """Client and server of a DTLS connection between two certificates of ours, in memory.

    Raises:
        LocalError: ``rtc-self-test``: it does not come about.
    """
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
    return client, server


def _check_dtls() -> None:
    """What the binding of a line needs."""
    done = connected_pair()
    exporters = {one.export_keying_material(EXPORTER_LABEL, EXPORTER_SIZE, EXPORTER_CONTEXT) for one in done}
    extended = all(openssl_util.lib.SSL_get_extms_support(one._ssl) == 1 for one in done)  # noqa: SLF001
    cipher = done[0].get_cipher_name() or ""
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
