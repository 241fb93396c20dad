# SPDX-License-Identifier: Apache-2.0
import ipaddress
import random

import pytest

from hardwire.net import interfaces as module
from hardwire.net.interfaces import (
    InterfaceAddress,
    choose,
    system_addresses,
    usable_addresses,
    usable_interfaces,
)


def listed(*pairs):
    return [InterfaceAddress(name, ipaddress.ip_address(address)) for name, address in pairs]


def texts(found):
    return [str(address) for address in found]


@pytest.mark.parametrize(
    "name",
    ["docker0", "br-1a2b3c4d", "veth9f0", "virbr0", "tun0", "tap3", "wg0", "tailscale0", "ztabc", "vmnet8", "vboxnet0",
     "lxcbr0", "podman1", "cni0", "flannel.1", "cali12", "utun4", "vEthernet (WSL)", "ifb0", "dummy0"],
)  # fmt: skip
def test_a_network_that_leads_nowhere_is_dropped(name):
    assert texts(choose(listed((name, "10.1.2.3"), ("eth0", "192.168.1.5")))) == ["192.168.1.5"]


@pytest.mark.parametrize("name", ["eth0", "enp3s0", "wlp2s0", "br0", "bond0", "ppp0", "en0", "wwan0", "Ethernet"])
def test_a_real_network_is_kept(name):
    assert texts(choose(listed((name, "192.168.1.5")))) == ["192.168.1.5"]


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "169.254.3.3", "fe80::1", "::", "0.0.0.0", "224.0.0.1", "::ffff:1.2.3.4"]
)
def test_an_address_that_nobody_can_reach_is_dropped(address):
    assert choose(listed(("eth0", address))) == ()


def test_loopback_means_loopback_alone():
    found = listed(("lo", "127.0.0.1"), ("lo", "::1"), ("lo", "127.0.0.2"), ("eth0", "192.168.1.5"))
    assert texts(choose(found, loopback=True)) == ["127.0.0.1", "::1"]
    assert texts(choose(found)) == ["192.168.1.5"]


def test_the_order_does_not_depend_on_the_system():
    found = listed(
        ("eth0", "2001:db8:0:0:2ff:feff:fe00:1"), ("eth0", "2001:db8::77"), ("eth0", "fd00::5"), ("eth0", "192.168.1.5"),
        ("wlan0", "10.0.0.9"), ("wlan0", "8.8.4.4"), ("wlan0", "2606:4700::5"), ("eth0", "192.168.1.5"),
    )  # fmt: skip
    first = choose(found)
    assert texts(first) == ["8.8.4.4", "192.168.1.5", "10.0.0.9", "2606:4700::5", "2001:db8::77", "fd00::5"]
    for seed in range(20):
        shuffled = found[:]
        random.Random(seed).shuffle(shuffled)
        assert choose(shuffled) == first
    assert len(choose(found, limit=2)) == 2


def test_no_more_than_two_ipv6_addresses_of_one_interface():
    found = listed(*(("eth0", f"2606:4700::{number}") for number in range(1, 9)), ("wlan0", "2606:4700::a0"))
    assert texts(choose(found)) == ["2606:4700::1", "2606:4700::2", "2606:4700::a0"]


def test_this_machine_has_a_loopback():
    assert "127.0.0.1" in texts(entry.address for entry in system_addresses())
    assert texts(usable_addresses(loopback=True))[0] == "127.0.0.1"
    assert not any(address.is_loopback for address in usable_addresses())


def test_where_something_can_be_said_to_a_whole_network(monkeypatch):
    found = listed(
        ("eth0", "192.168.1.5"), ("eth0", "192.168.1.6"), ("eth0", "2001:db8::1"), ("eth0", "2001:db8::2"),
        ("wlan0", "10.0.0.9"), ("docker0", "172.17.0.1"), ("lo", "127.0.0.1"), ("eth1", "fe80::1"),
    )  # fmt: skip
    monkeypatch.setattr(module, "system_addresses", lambda: found)
    assert [(entry.interface, entry.address.version) for entry in usable_interfaces()] == [
        ("eth0", 4), ("wlan0", 4), ("eth0", 6),
    ]  # fmt: skip
    assert len(usable_interfaces(limit=2)) == 2
