# SPDX-License-Identifier: Apache-2.0
"""A plain aiortc peer that knows nothing of hardwire's limits: an honest one for interop, or a hostile one."""

import asyncio
import ipaddress
from dataclasses import replace

import aioice
from aiortc import (
    RTCCertificate,
    RTCDataChannel,
    RTCDataChannelParameters,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    RTCIceCandidate,
    RTCIceGatherer,
    RTCIceParameters,
    RTCIceTransport,
    RTCSctpCapabilities,
    RTCSctpTransport,
)
from cryptography.hazmat.primitives import hashes

from hardwire.net.candidate import Candidate, CandidateKind
from hardwire.net.invite import InviteSecrets
from hardwire.net.rtc import RtcLink
from support.links import End, fresh_secrets, gather, open_towards


class RawPeer:
    """The answerer of one link, made of unmodified aiortc objects."""

    def __init__(self, secrets: InviteSecrets) -> None:
        self.secrets = secrets
        self.gatherer = RTCIceGatherer([], local_username=secrets.answer.ufrag, local_password=secrets.answer.password)
        connection = self.gatherer._connection
        plain = aioice.Connection.get_component_candidates
        connection.get_component_candidates = lambda component, addresses: plain(connection, component, ["127.0.0.1"])
        self.ice = RTCIceTransport(self.gatherer)
        self.certificate = RTCCertificate.generateCertificate()
        self.dtls = RTCDtlsTransport(self.ice, [self.certificate])
        self.dtls._set_role("client")
        self.sctp = RTCSctpTransport(self.dtls)
        self.channels = [
            RTCDataChannel(self.sctp, RTCDataChannelParameters(label=str(number), negotiated=True, id=number))
            for number in (0, 1)
        ]
        self.got: list[tuple[int, bytes]] = []
        self._changed = asyncio.Event()
        for number, channel in enumerate(self.channels):
            channel.on("message", lambda data, number=number: self._took(number, data))
            channel.on("open", self._changed.set)

    @property
    def fingerprint(self) -> bytes:
        return self.certificate._cert.fingerprint(hashes.SHA256())

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(CandidateKind.HOST, ipaddress.ip_address(one.ip), one.port)
            for one in self.gatherer.getLocalCandidates()
        )

    async def open(self, link: RtcLink) -> None:
        for number, one in enumerate(link.candidates):
            await self.ice.addRemoteCandidate(
                RTCIceCandidate(1, str(number), str(one.address), one.port, 2**31 - number, "udp", "host")
            )
        await self.ice.addRemoteCandidate(None)
        await self.ice.start(RTCIceParameters(self.secrets.offer.ufrag, self.secrets.offer.password))
        await self.dtls.start(RTCDtlsParameters([RTCDtlsFingerprint("sha-256", link.fingerprint.hex(":"))]))
        await self.sctp.start(RTCSctpCapabilities(0), 5000)
        await self.until(lambda: self.channels[0].readyState != "connecting")

    async def until(self, condition, within: float = 10.0) -> None:
        async with asyncio.timeout(within):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _took(self, number: int, data: bytes) -> None:
        self.got.append((number, data))
        self._changed.set()

    async def stop(self) -> None:
        await self.sctp.stop()
        await self.dtls.stop()
        await self.ice.stop()


async def open_with_raw() -> tuple[End, RawPeer]:
    secrets = fresh_secrets()
    link = await gather(offerer=True, secrets=secrets)
    peer = RawPeer(replace(secrets))
    await peer.gatherer.gather()
    events, _ = await asyncio.gather(open_towards(link, peer), peer.open(link))
    return events, peer
