# SPDX-License-Identifier: Apache-2.0
"""On networks that the test makes; nothing is sent on those of this machine."""

import asyncio
import ipaddress

import pytest

from hardwire.channel.announcement import ANNOUNCEMENT_SIZE
from hardwire.net import multicast
from hardwire.net.interfaces import InterfaceAddress
from support.netlab import lab

NOWHERE = [InterfaceAddress("none0", ipaddress.ip_address(address)) for address in ("192.0.2.1", "2001:db8::1")]


@pytest.mark.parametrize("version", [4, 6])
async def test_everybody_on_the_network_hears_it_and_nobody_beyond(version):
    async with lab(version) as made:
        here, there, elsewhere = await asyncio.gather(
            *(made.machine(name, "", "support.bystander", eth0=host) for name, host in (("a", 2), ("b", 3), ("c", 4)))
        )
        await asyncio.gather(*(machine.until(listening=True) for machine in (here, there, elsewhere)))
        await elsewhere.cable("eth0", "out")
        here.say("!noise 3")
        for _ in range(3):
            heard = await there.until(announced=...)
            assert len(heard["announced"]) == 2 * ANNOUNCEMENT_SIZE
            assert heard["hops"] == 1
        # Other programs on the same machine hear it as well; a network that it does not reach does not.
        await here.until(announced=...)
        assert not elsewhere.all("announced")


@pytest.mark.parametrize("entry", NOWHERE, ids=["ipv4", "ipv6"])
def test_where_there_is_no_network_it_is_an_oserror(entry):
    with pytest.raises(OSError, match=r"."):
        multicast.listener(entry)
    with pytest.raises(OSError, match=r"."):
        multicast.send(b"", entry)


def test_the_groups_stay_on_the_network():
    four, six = ipaddress.IPv4Address(multicast.GROUP_4), ipaddress.IPv6Address(multicast.GROUP_6)
    assert four in ipaddress.ip_network("239.255.0.0/16")  # RFC 2365 §6.1: local scope
    assert six.packed[:2] == b"\xff\x12"  # RFC 4291 §2.7: transient, link-local scope
    assert 1024 < multicast.PORT < 32_768  # below the ports that systems give to anybody
