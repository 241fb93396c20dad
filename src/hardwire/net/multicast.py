# SPDX-License-Identifier: Apache-2.0
"""Datagrams to everybody on the networks that this machine is on, and to nobody beyond: TTL or hop limit 1.

The groups are of link-local scope in IPv6 (RFC 4291 §2.7) and of local scope in IPv4 (RFC 2365 §6.1); neither is
forwarded. What is sent leaves from a port of the system's choice. What comes in is anybody's.
"""

import ipaddress
import socket
import struct
from typing import Final

from hardwire.net.interfaces import InterfaceAddress

GROUP_4: Final = "239.255.72.66"
GROUP_6: Final = "ff12::4842"
PORT: Final = 18_498


def send(datagram: bytes, entry: InterfaceAddress) -> None:
    """Send it out of that interface. Raises OSError where that is not possible (right now)."""
    with socket.socket(_family(entry), socket.SOCK_DGRAM) as sender:
        sender.settimeout(0.0)
        if isinstance(entry.address, ipaddress.IPv4Address):
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, entry.address.packed)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sender.bind((str(entry.address), 0))
            sender.sendto(datagram, (GROUP_4, PORT))
        else:
            index = socket.if_nametoindex(entry.interface)
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
            sender.sendto(datagram, (GROUP_6, PORT, 0, index))


def listener(entry: InterfaceAddress) -> socket.socket:
    """A socket that hears the group at that interface, beside those of other programs; non-blocking, close it.

    Bound to the group and not to an address of this machine: what is sent to the port from elsewhere never gets here.

    Raises:
        OSError: There is no multicast there.
    """
    made = socket.socket(_family(entry), socket.SOCK_DGRAM)
    try:
        made.settimeout(0.0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        index = socket.if_nametoindex(entry.interface)
        if isinstance(entry.address, ipaddress.IPv4Address):
            made.bind((GROUP_4, PORT))
            request = struct.pack("=4s4si", socket.inet_aton(GROUP_4), bytes(4), index)
            made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        else:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((GROUP_6, PORT, 0, index))
            request = struct.pack("=16si", socket.inet_pton(socket.AF_INET6, GROUP_6), index)
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    except OSError:
        made.close()
        raise
    return made


def _family(entry: InterfaceAddress) -> socket.AddressFamily:
    return socket.AF_INET if entry.address.version == 4 else socket.AF_INET6  # noqa: PLR2004  (the IP version)
