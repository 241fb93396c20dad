# SPDX-License-Identifier: Apache-2.0
"""A third machine on the network, in a process of its own: hears what is announced, and says it again when told so.

Each announcement is told with its octets, its source, and the hops that it may still go. ``!again`` sends all of them once more, ``!noise N`` N that are none.
"""

import asyncio
import os
import socket
import sys
import time

from hardwire.channel.announcement import ANNOUNCEMENT_SIZE
from hardwire.net import multicast
from hardwire.net.interfaces import usable_interfaces
from support.mover import tell, words

IP_RECVTTL = 12
"""Linux's; Python has no name for it."""


async def main() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tell(ready=True)
    await words(reader)  # the card is plugged in now
    heard: list[bytes] = []

    def hear(ear: socket.socket) -> None:
        datagram, [(_, _, hops)], _, source = ear.recvmsg(65_536, 64)
        heard.append(datagram)
        tell(announced=datagram.hex(), source=source[0], hops=int.from_bytes(hops, sys.byteorder), at=time.monotonic())

    for entry in usable_interfaces():
        ear = multicast.listener(entry)
        if ear.family == socket.AF_INET:
            ear.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        else:
            ear.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        loop.add_reader(ear, hear, ear)
    tell(listening=True)
    while text := await words(reader):
        sent = list(heard) if text == "!again" else [os.urandom(ANNOUNCEMENT_SIZE)] * int(text.split()[1])
        for datagram in sent:
            for entry in usable_interfaces():
                multicast.send(datagram, entry)
        tell(sent=len(sent))


if __name__ == "__main__":
    asyncio.run(main())
