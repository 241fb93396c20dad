# SPDX-License-Identifier: Apache-2.0
"""The one adapter to aiortc, aioice and pyOpenSSL (docs/adr/0002-ortc-adapter.md).

Nothing outside this package imports them, and nothing inside it knows what the messages mean.
"""

from hardwire.net.rtc import parameters
from hardwire.net.rtc.bridge import BridgeSettings, SdpBridge
from hardwire.net.rtc.channels import ChannelEvents, Channels
from hardwire.net.rtc.dtls import DtlsFacts
from hardwire.net.rtc.fasttest import fast_problem
from hardwire.net.rtc.link import RtcLink
from hardwire.net.rtc.roam import RoamEvents
from hardwire.net.rtc.selftest import self_test
from hardwire.net.rtc.terms import LinkEvents, LinkSettings

__all__ = [
    "BridgeSettings",
    "ChannelEvents",
    "Channels",
    "DtlsFacts",
    "LinkEvents",
    "LinkSettings",
    "RoamEvents",
    "RtcLink",
    "SdpBridge",
    "fast_problem",
    "self_test",
]

parameters.install()
