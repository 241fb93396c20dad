# SPDX-License-Identifier: Apache-2.0
"""Between which two addresses a direct lane may be made (docs/protocol.md §14.8, docs/adr/0020).

One answer: those of the path that the line uses. ICE has made the peer prove, with the password of the invite, that it
is at the far one; the near one is this machine's own, and the way between them is known to work. So a hostile peer
cannot point this machine at a third host, at a service on its loopback or its network: it chooses a port, of its own
address, and what arrives there is noise. With a relay at either end there is no such pair, and no lane.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final

from hardwire.net.candidate import IPAddress

_IPV6_PREFIX: Final = 64


@dataclass(frozen=True, slots=True)
class LanePath:
    """Both ends of a path without a relay.

    Args:
        own: An address of this machine.
        peer: Where ICE found the peer; of the same family.
    """

    own: IPAddress
    peer: IPAddress

    def may_be_peer(self, source: str) -> bool:
        """Whether a connection from ``source`` may be the peer's: its address or, in IPv6, one of its network.

        A host has several IPv6 addresses, and chooses for each connection which to come from (RFC 6724).
        """
        try:
            address = ipaddress.ip_address(source)
        except ValueError:
            return False  # an address with a scope: link-local, which no path here uses
        if self.peer.is_loopback or isinstance(self.peer, ipaddress.IPv4Address):
            return address == self.peer
        return address in ipaddress.ip_network((self.peer, _IPV6_PREFIX), strict=False)
