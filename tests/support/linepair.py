# SPDX-License-Identifier: Apache-2.0
"""Two lines, open, over links in memory: for what a real network cannot be told to do."""

import asyncio
from dataclasses import replace

from hardwire.channel import Limits
from hardwire.errors import ConnectionLost
from hardwire.net.config import Clock
from hardwire.net.inbox import Inbox
from hardwire.net.line import Line
from support.lines import config_for_test
from support.memorylink import Hand, MemoryLink, deliver


class Pair:
    """Two open lines over links in memory; ``hand`` is their clock, unless it is to be the ``real`` one."""

    def __init__(self, proofs, hand=None, limits=None, real=False, **changes):
        self.hand = hand or Hand()
        clock = Clock(wall=self.hand) if real else Clock(monotonic=self.hand)
        config = config_for_test(clock=clock, limits=replace(limits or Limits(), ack_delay=0.0), **changes)
        self.links = [MemoryLink(), MemoryLink()]
        self.lines = [Line(done, link, Inbox(), config) for done, link in zip(proofs, self.links, strict=True)]

    def settle(self):
        while deliver(self.links[0], self.lines[1]) + deliver(self.links[1], self.lines[0]):
            pass

    async def end(self):
        await asyncio.gather(*(line.abort(ConnectionLost("end of test")) for line in self.lines))
