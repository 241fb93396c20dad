# SPDX-License-Identifier: Apache-2.0
import time
from dataclasses import replace

from hardwire.net.config import SYSTEM_CLOCK, LineConfig, Stage
from hardwire.net.servers import NO_SERVERS, IceServers
from support.lines import config_for_test


def test_nothing_is_asked_of_anybody_by_default():
    config = config_for_test()
    plain = LineConfig(config.credential, config.sign, config.verify, config.entropy)
    assert plain.servers is NO_SERVERS
    assert plain.loopback is False
    assert plain.life == 600
    plain.on_stage(Stage.OPEN)


def test_the_clocks_are_the_systems():
    assert abs(SYSTEM_CLOCK.wall() - time.time()) < 1
    # Not time.monotonic(), which stands still while the machine sleeps: a line is closed after 24 hours all the same.
    assert abs(SYSTEM_CLOCK.monotonic() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 1


def test_who_may_be_called_for_on_the_network():
    relayed = IceServers(None, "turn:192.0.2.1", "alice", "secret")
    assert config_for_test(loopback=False).announces
    assert config_for_test(loopback=False, servers=relayed).announces
    assert not config_for_test(loopback=False, servers=replace(relayed, relay_only=True)).announces
    assert not config_for_test(loopback=True).announces
