# SPDX-License-Identifier: Apache-2.0
"""One end of a line in a process of its own: told what to do by lines on stdin, tells what happens by lines on stdout.

``python -m support.mover host|join|listen|dial [PATIENCE [TURN]]``: a host prints its offer and is given the answer; a joiner is given
the offer and prints its answer. A listener prints one-way invites, and a dialler is given the last of them. With a TURN server
the line goes over that and nothing else. Then each line of input is said to the peer; ``!move`` asks for another path.
"""

import asyncio
import json
import sys

from hardwire.channel import ChatDelivered, ChatReceived, LineFailed
from hardwire.errors import NetworkFailed
from hardwire.net.listening import listen, take
from hardwire.net.paths import PathFound, PathLost
from hardwire.net.pending import host, join
from hardwire.net.reline import NextLine
from hardwire.net.servers import NO_SERVERS, IceServers
from support.coturn import PASSWORD, USER
from support.lines import config_for_test


def tell(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


async def words(reader: asyncio.StreamReader) -> str:
    return (await reader.readline()).decode().strip()


def relays_only(turn: str) -> IceServers:
    return IceServers(None, turn, USER, PASSWORD, relay_only=True)


async def talk(lines, reader: asyncio.StreamReader) -> None:
    while text := await words(reader):
        if text == "!move":
            lines[-1].change_path()
        else:
            lines[-1].send_chat(text)


async def watch_spares(line) -> None:
    """Tell when the peer has said where it can be found next, each time."""
    roamer, known = line._link._roamer, None
    while True:
        now = (roamer.generation + 1, roamer._peer.get(roamer.generation + 1))
        if now[1] and now != known:
            known = now
            tell(spare=True, generation=now[0], addresses=[str(one.address) for one in now[1]])
        await asyncio.sleep(0.05)


async def main(mode: str, patience: str = "120", turn: str = "") -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tell(ready=True)
    await words(reader)  # the cards are plugged in now
    config = config_for_test(
        loopback=False, patience=float(patience), servers=relays_only(turn) if turn else NO_SERVERS
    )
    line = await {"listen": listening, "dial": dialling}.get(mode, by_two_codes)(config, reader, mode)
    tell(open=True)
    lines = [line]
    talking = asyncio.create_task(talk(lines, reader))
    while lines:
        following = NextLine(lines[-1], lambda: config)
        agreeing = asyncio.create_task(tell_agreed(following))
        if await carry(lines[-1], following) == "path-lost":
            lines.append(await following.open(60.0))
            tell(again=lines[-1].done.sas.decimal)
        else:
            lines.clear()
        agreeing.cancel()
        await following.close()
    talking.cancel()


async def by_two_codes(config, reader: asyncio.StreamReader, mode: str):
    pending = await host(config) if mode == "host" else await join(config, await words(reader))
    tell(code=pending.text)
    return await (pending.accept(await words(reader)) if mode == "host" else pending.connect())


async def listening(config, _reader: asyncio.StreamReader, _mode: str):
    while True:
        made = await listen(config)
        tell(code=made.text, at=[str(one.address) for one in made.candidates])
        try:
            return await made.accept()
        except NetworkFailed as moved:
            tell(moved=moved.code)


async def dialling(config, reader: asyncio.StreamReader, _mode: str):
    return await (await take(config, await words(reader))).connect()


async def tell_agreed(following: NextLine) -> None:
    while not following.agreed:  # noqa: ASYNC110 (both ends have a part in it)
        await asyncio.sleep(0.05)
    tell(agreed=True)


async def carry(line, following: NextLine) -> str:
    """Tell what happens on a line, to its end; the code of that end."""
    spares = asyncio.create_task(watch_spares(line))
    code = ""
    async for event in line:
        match event:
            case ChatReceived(text=text):
                tell(heard=text)
            case ChatDelivered():
                tell(delivered=True)
            case PathLost():
                tell(path="lost")
            case PathFound(moved=moved, seconds=seconds):
                tell(path="moved" if moved else "back", seconds=seconds, address=line._link._path.local_address)
            case LineFailed(error=error):
                code = error.code
                tell(failed=code)
            case _:
                pass
        following.handle(event)
    spares.cancel()
    await line.close()
    return code


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
