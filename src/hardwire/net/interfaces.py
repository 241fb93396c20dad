# SPDX-License-Identifier: Apache-2.0
"""Which of this machine's addresses an invite may name.

An address in an invite is told to the peer and to whoever carries the code, and each one costs the peer packets.
So: no container or virtual-machine networks (never reachable), no VPN (the path would leave through a third party
that nobody asked for), no link-local (needs a scope that does not travel), no loopback unless asked.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import ifaddr

from hardwire.net.candidate import IPAddress

DEFAULT_LIMIT: Final = 8
_IPV6_EACH: Final = 2
_NO_SCOPE: Final = 0

# Names by which containers, virtual machines, overlays and tunnels call their interfaces. A plain "br0" stays:
# on many home servers it is the bridge that owns the machine's only address.
_VIRTUAL: Final = re.compile(
    r"""^(?:
        docker | br-[0-9a-f] | veth | virbr | vnet | vmnet | vboxnet | vethernet | lxc | lxdbr | podman | cni | cali
        | flannel | kube | nerdctl | hyper-v | tun | tap | utun | wg | tailscale | zt | nebula | nordlynx | proton
        | ipsec | gre | sit | ip6tnl | ifb | dummy | awdl | llw | p2p | bluetooth
    )""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class InterfaceAddress:
    """One address on one interface, as the operating system lists it."""

    interface: str
    address: IPAddress


def usable_addresses(*, loopback: bool = False, limit: int = DEFAULT_LIMIT) -> tuple[IPAddress, ...]:
    """The addresses to bind and to put into an invite, best first.

    Args:
        loopback: Only this machine's own loopback addresses: both ends of the line are here, and no other address
            is told to anybody.
        limit: At most so many.
    """
    return choose(system_addresses(), loopback=loopback, limit=limit)


def usable_interfaces(limit: int = DEFAULT_LIMIT) -> tuple[InterfaceAddress, ...]:
    """One usable address of each interface and IP version, best first: where an announcement can be made."""
    found: dict[tuple[str, int], InterfaceAddress] = {}
    for entry in sorted(filter(_is_usable, system_addresses()), key=_preference):
        found.setdefault((entry.interface, entry.address.version), entry)
    return tuple(found.values())[:limit]


def system_addresses() -> tuple[InterfaceAddress, ...]:
    """Everything the operating system lists, unfiltered; scoped IPv6 addresses left out."""
    found: list[InterfaceAddress] = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            if isinstance(ip.ip, str):
                found.append(InterfaceAddress(adapter.nice_name, ipaddress.IPv4Address(ip.ip)))
            elif ip.ip[2] == _NO_SCOPE:
                found.append(InterfaceAddress(adapter.nice_name, ipaddress.IPv6Address(ip.ip[0])))
    return tuple(found)


def choose(
    listed: Iterable[InterfaceAddress], *, loopback: bool = False, limit: int = DEFAULT_LIMIT
) -> tuple[IPAddress, ...]:
    """The pure half of :func:`usable_addresses`: the same list always gives the same choice."""
    if loopback:
        own = {entry.address for entry in listed if entry.address.is_loopback and _is_canonical_loopback(entry.address)}
        return tuple(sorted(own, key=lambda address: address.version))[:limit]
    kept = sorted((entry for entry in listed if _is_usable(entry)), key=_preference)
    chosen: list[IPAddress] = []
    ipv6_taken: dict[str, int] = {}
    for entry in kept:
        if isinstance(entry.address, ipaddress.IPv6Address):
            # Privacy extensions leave many addresses on one interface; two of them are enough.
            ipv6_taken[entry.interface] = ipv6_taken.get(entry.interface, 0) + 1
            if ipv6_taken[entry.interface] > _IPV6_EACH:
                continue
        if entry.address not in chosen:
            chosen.append(entry.address)
    return tuple(chosen[:limit])


def _is_canonical_loopback(address: IPAddress) -> bool:
    return str(address) in {"127.0.0.1", "::1"}


def _is_usable(entry: InterfaceAddress) -> bool:
    address = entry.address
    useless = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    mapped = isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None
    return not (useless or mapped or _VIRTUAL.match(entry.interface))


def _preference(entry: InterfaceAddress) -> tuple[int, bool, bool, str, bytes]:
    """IPv4 first (shortest in a code), then global before private, and no hardware address before one with it."""
    address = entry.address
    carries_mac = isinstance(address, ipaddress.IPv6Address) and address.packed[11:13] == b"\xff\xfe"
    return address.version, carries_mac, address.is_private, entry.interface, address.packed
