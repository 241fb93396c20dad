# SPDX-License-Identifier: Apache-2.0
import ipaddress

import pytest

from hardwire.net.lane.path import LanePath


@pytest.mark.parametrize(
    "peer, source, may",
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("127.0.0.1", "127.0.0.2", False),
        ("::1", "::1", True),
        ("::1", "::2", False),
        ("2001:db8::1", "2001:db8::dead:beef", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("2001:db8::1", "192.0.2.7", False),
        ("2001:db8::1", "fe80::1%eth0", False),
        ("192.0.2.7", "nonsense", False),
    ],
)
def test_who_may_be_the_peer(peer, source, may):
    address = ipaddress.ip_address(peer)
    assert LanePath(address, address).may_be_peer(source) is may
