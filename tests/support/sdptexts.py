# SPDX-License-Identifier: Apache-2.0
"""Session descriptions as Chromium 150 and aiortc 1.16 wrote them, and a way to change them."""

CHROMIUM_OFFER = """\
v=0
o=- 8318453254714897611 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS
m=application 47805 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.2
a=candidate:2309311147 1 udp 2113937151 192.0.2.2 47805 typ host generation 0 network-cost 999
a=candidate:1120111435 1 udp 2113942271 2001:db8::2 49167 typ host generation 0 network-cost 999
a=ice-ufrag:2sLN
a=ice-pwd:X389nYtBp0Ohgc/uRXgBBiXk
a=ice-options:trickle
a=fingerprint:sha-256 36:73:5B:03:AA:6A:31:D4:8F:9E:79:B2:04:E7:FD:9F:B1:F8:0A:5D:20:7D:86:FE:4C:C7:F0:04:9F:A2:E5:3A
a=setup:actpass
a=mid:0
a=sctp-port:5000
a=max-message-size:262144
""".replace("\n", "\r\n")

AIORTC_ANSWER = """\
v=0
o=- 3974356000 3974356000 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0
a=msid-semantic:WMS *
m=application 38121 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.9
a=mid:0
a=sctp-port:5000
a=max-message-size:65536
a=candidate:c9ae1ab8e4cd1f1dd7d1f4a58f4ee7b9 1 udp 2130706431 192.0.2.9 38121 typ host
a=end-of-candidates
a=ice-ufrag:qbPO
a=ice-pwd:yxWlLBGBGHlzd3o3hPLTSV
a=fingerprint:sha-256 11:73:5B:03:AA:6A:31:D4:8F:9E:79:B2:04:E7:FD:9F:B1:F8:0A:5D:20:7D:86:FE:4C:C7:F0:04:9F:A2:E5:3A
a=fingerprint:sha-384 11:73:5B:03:AA:6A:31:D4
a=setup:active
""".replace("\n", "\r\n")


def line_of(name: str, text: str = CHROMIUM_OFFER) -> str:
    """The one line that begins so, without its end."""
    (found,) = [line for line in text.splitlines() if line.startswith(name)]
    return found


def without(name: str, text: str = CHROMIUM_OFFER) -> str:
    """The text without the line that begins so."""
    return text.replace(f"{line_of(name, text)}\r\n", "")


def instead(name: str, line: str, text: str = CHROMIUM_OFFER) -> str:
    """Another line (or several, or a longer text) in the place of the one that begins so."""
    return text.replace(line_of(name, text), line)


def twice(name: str, line: str | None = None, text: str = CHROMIUM_OFFER) -> str:
    """The line that begins so, and once more, or another one behind it."""
    first = line_of(name, text)
    return text.replace(first, f"{first}\r\n{line or first}")
