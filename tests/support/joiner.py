# SPDX-License-Identifier: Apache-2.0
"""The other process of a two-process test: joins the offer on stdin, does one thing, talks JSON on stdout.

Modes: ``chat`` echoes messages until the line closes; ``ponder`` says when it is asked about the peer and never
answers.
"""

import asyncio
import json
import sys

from hardwire.channel import ChatReceived, LineClosed
from hardwire.net.pending import join
from support.lines import config_for_test


def say(**values) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


async def ponder(credential, leaf, role):
    say(asked=True)
    await asyncio.sleep(600)


async def main(mode: str) -> None:
    config = config_for_test(verify=ponder) if mode == "ponder" else config_for_test()
    offer = await asyncio.to_thread(sys.stdin.readline)
    pending = await join(config, offer)
    say(answer=pending.text)
    line = await pending.connect()
    say(sas=line.done.sas.decimal)
    async for event in line:
        if isinstance(event, ChatReceived):
            line.send_chat(event.text.upper())
        elif isinstance(event, LineClosed):
            say(closed=event.by_peer)
    await line.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
