# SPDX-License-Identifier: Apache-2.0
"""DTLS under the line, and what this side observed of it (docs/protocol.md §7).

DTLS is not trusted: HBI/1 inside proves who is there. But the handshake is tied to this very DTLS connection by the
exporter and both certificates, and that only means something when the session hash is extended (RFC 7627) and the
exporter is the right one. Each fact is read from OpenSSL, never taken from the peer's words, and a fact that is
missing or other than expected ends the line.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Self

from aiortc import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport, RTCIceTransport
from aiortc.rtcdtlstransport import SRTPProtectionProfile, State
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from OpenSSL import SSL
from OpenSSL._util import lib as openssl_lib

from hardwire.errors import HandshakeRefused, NetworkFailed
from hardwire.net.rtc.fastdtls import FastDtls
from hardwire.net.rtc.ice import LineConnection

EXPORTER_LABEL: Final = b"EXPORTER-Channel-Binding"
# RFC 9266 §4: an empty context, which is another value than no context at all.
EXPORTER_CONTEXT: Final = b""
EXPORTER_SIZE: Final = 32
_CIPHERS: Final = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"
_VERSIONS: Final = frozenset({"DTLSv1.2", "DTLSv1.3"})


@dataclass(frozen=True, slots=True)
class DtlsFacts:
    """What this side saw of the DTLS connection.

    Args:
        version: OpenSSL's name of the protocol version.
        extended_master_secret: RFC 7627 was negotiated.
        cipher: OpenSSL's name of the cipher suite.
        exporter: 32 octets under :data:`EXPORTER_LABEL` with an empty context (RFC 9266).
        own_fingerprint: SHA-256 of the certificate this side showed.
        peer_fingerprint: SHA-256 of the certificate the peer showed and proved.
    """

    version: str
    extended_master_secret: bool
    cipher: str
    exporter: bytes = field(repr=False)
    own_fingerprint: bytes
    peer_fingerprint: bytes


class LineCertificate(RTCCertificate):
    """A P-256 DTLS certificate for one line, with a random subject; make it by :meth:`of`."""

    @classmethod
    def of(cls, shown: tuple[EllipticCurvePrivateKey, Certificate] | None) -> Self:
        """This key and certificate, which follow from a one-way invite; fresh ones without."""
        return cls.generateCertificate() if shown is None else cls(*shown)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 over the DER certificate, 32 octets."""
        return hashlib.sha256(self._cert.public_bytes(Encoding.DER)).digest()

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(_CIPHERS)
        context.set_options(SSL.OP_NO_RENEGOTIATION)
        return context


class LineRules(RTCDtlsTransport):
    """What a line asks of DTLS, whichever transport carries it: fixed roles, the right certificate, a supervised task.

    Attributes:
        peer_mismatch: The peer's certificate is not the one that its code names.
        connection: The ICE agent of the path in use.
    """

    peer_mismatch: bool
    connection: LineConnection

    def _obey(self, connection: LineConnection, *, server: bool, on_closed: Callable[[], None]) -> None:
        self._set_role("server" if server else "client")
        self.connection = connection
        self._on_closed = on_closed
        self._receiving: asyncio.Future[None] | None = None
        self.peer_mismatch = False

    async def start_towards(self, fingerprint: bytes) -> None:
        """Handshake with a peer whose certificate must hash to ``fingerprint``; ends in a state, never raises."""
        await self.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", fingerprint.hex(":"))]))
        if self._task is not None:
            self._receiving = self._task
            self._receiving.add_done_callback(self._receiving_ended)

    async def stop(self) -> None:
        """Say close_notify and wait until the receiving task is gone.

        aiortc leaves a peer that it refused without a word, and that peer would wait for its own timeout.
        """
        if self._state is State.FAILED and self.encrypted:
            self._set_state(State.CONNECTING)
        await super().stop()
        if self._receiving is not None:
            await asyncio.wait({self._receiving})

    def move_to(self, transport: RTCIceTransport, connection: LineConnection) -> None:
        """Go on over another path, the association as it is: nothing is negotiated, only the way changes.

        Args:
            transport: The ICE transport of the new path, completed.
            connection: Its agent. What the old one still receives arrives here as well, until it is closed.
        """
        connection.take_over(self.connection)
        self._transport = transport
        self.connection = connection

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:  # noqa: N803  (aiortc's name)
        super()._validate_peer_identity(remoteParameters)
        self.peer_mismatch = self.state == "failed"

    def _receiving_ended(self, task: asyncio.Future[None]) -> None:
        # Retrieving the exception is what keeps it from being reported as lost.
        if not task.cancelled():
            task.exception()
        self._on_closed()


class LineDtls(LineRules, FastDtls):
    """The fast DTLS transport under the rules of a line.

    Args:
        transport: The ICE transport below.
        connection: Its agent.
        certificate: This line's certificate.
        server: The offerer is the DTLS server (docs/protocol.md §4); never negotiated.
        on_closed: Called once when the receiving task ended, for whatever reason.
    """

    def __init__(
        self,
        transport: RTCIceTransport,
        connection: LineConnection,
        certificate: LineCertificate,
        *,
        server: bool,
        on_closed: Callable[[], None],
    ) -> None:
        super().__init__(transport, certificate, connection)
        self._obey(connection, server=server, on_closed=on_closed)

    def move_to(self, transport: RTCIceTransport, connection: LineConnection) -> None:
        """Like that of the rules, and datagrams leave that way."""
        super().move_to(transport, connection)
        self._path = connection


async def agree(dtls: LineRules, *, own: bytes, peer: bytes) -> DtlsFacts:
    """The handshake and all checks of it.

    Args:
        dtls: A transport that was not started.
        own: The fingerprint that this side told.
        peer: The fingerprint that the peer told.

    Raises:
        NetworkFailed: ``no-association``.
        HandshakeRefused: One of the ``binding-`` codes.
    """
    await dtls.start_towards(peer)
    if dtls.peer_mismatch:
        raise fingerprint_refusal()
    if dtls.state != "connected":
        raise NetworkFailed("DTLS did not come to an agreement", code="no-association")
    facts = read_facts(dtls)
    check_facts(facts, own=own, peer=peer)
    return facts


def read_facts(dtls: LineRules) -> DtlsFacts:
    """Ask OpenSSL; nothing is judged here.

    Raises:
        HandshakeRefused: ``binding-incomplete``: OpenSSL does not know one of them.
    """
    connection = dtls._ssl  # noqa: SLF001  (the only way to the exporter, see docs/adr/0002-ortc-adapter.md)
    own = connection and connection.get_certificate(as_cryptography=True)
    peer = connection and connection.get_peer_certificate(as_cryptography=True)
    if connection is None or own is None or peer is None:
        raise HandshakeRefused("the DTLS connection has no certificates to bind to", code="binding-incomplete")
    return DtlsFacts(
        version=connection.get_protocol_version_name(),
        extended_master_secret=openssl_lib.SSL_get_extms_support(connection._ssl) == 1,  # noqa: SLF001
        cipher=connection.get_cipher_name() or "",
        exporter=connection.export_keying_material(EXPORTER_LABEL, EXPORTER_SIZE, EXPORTER_CONTEXT),
        own_fingerprint=hashlib.sha256(own.public_bytes(Encoding.DER)).digest(),
        peer_fingerprint=hashlib.sha256(peer.public_bytes(Encoding.DER)).digest(),
    )


def check_facts(facts: DtlsFacts, *, own: bytes, peer: bytes) -> None:
    """The checks of docs/protocol.md §7; returns only when every one of them holds.

    Args:
        facts: From :func:`read_facts`.
        own: The fingerprint this side put into its invite or answer.
        peer: The fingerprint that the other's code names.

    Raises:
        HandshakeRefused: ``binding-version``, ``binding-ems``, ``binding-cipher``, ``binding-exporter`` or
            ``binding-fingerprint``.
    """
    if facts.version not in _VERSIONS:
        raise HandshakeRefused(f"DTLS came out as {facts.version}", code="binding-version")
    if not facts.extended_master_secret:
        raise HandshakeRefused("DTLS without the extended master secret cannot be bound to", code="binding-ems")
    if "GCM" not in facts.cipher and "CHACHA20" not in facts.cipher:
        raise HandshakeRefused(f"DTLS came out with the cipher {facts.cipher!r}", code="binding-cipher")
    if len(facts.exporter) != EXPORTER_SIZE or not any(facts.exporter):
        raise HandshakeRefused("DTLS gave no channel binding", code="binding-exporter")
    own_matches = hmac.compare_digest(facts.own_fingerprint, own)
    if not (hmac.compare_digest(facts.peer_fingerprint, peer) and own_matches):
        raise fingerprint_refusal()


def fingerprint_refusal() -> HandshakeRefused:
    """The peer at the other end of DTLS is not the one that the code names."""
    return HandshakeRefused(
        "whoever answered does not hold the key that the code names",
        code="binding-fingerprint",
        hint="somebody may have changed the code on its way: send a new one over another medium",
    )
