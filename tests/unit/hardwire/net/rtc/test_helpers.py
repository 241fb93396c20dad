# SPDX-License-Identifier: Apache-2.0
"""What needs no real server; with coturn: tests/net/test_turn.py."""

from aioice import stun
from aioice.ice import StunProtocol

from hardwire.net.rtc import helpers
from hardwire.net.rtc.helpers import Helpers
from hardwire.net.servers import NO_SERVERS, IceServers
from support.coturn import free_port


def test_a_servers_words_cannot_steer_a_terminal():
    answer = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.ERROR)
    answer.attributes["ERROR-CODE"] = (401, "no\x1b[2J\u202e" + "a" * 1000)
    words = helpers.reason(stun.TransactionFailed(answer))
    assert words.isprintable()
    assert len(words) == helpers._MAX_REASON


async def test_nobody_is_asked_without_servers():
    problems, found = [], []
    nobody = Helpers(NO_SERVERS, problems)
    await nobody.ask_stun([], found)
    assert await nobody.ask_turn(1, lambda: StunProtocol(None), found) is None
    await nobody.keep_mappings([])
    assert (problems, found, nobody.seen) == ([], [], {})


async def test_a_turn_server_that_is_not_there_is_told():
    problems, found = [], []
    servers = IceServers(turn=f"turn:127.0.0.1:{free_port()}?transport=tcp", username="u", password="p")
    assert await Helpers(servers, problems).ask_turn(1, lambda: StunProtocol(None), found) is None
    assert problems[0].startswith("the TURN server 127.0.0.1 gave no relay (")
    assert found == []
