# SPDX-License-Identifier: Apache-2.0
"""A TURN server as a machine of :mod:`support.netlab`: ``python -m support.turner ADDRESS`` tells its port."""

import asyncio
import sys

from support.coturn import coturn
from support.mover import tell, words


async def main(address: str) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tell(ready=True)
    await words(reader)  # the card is plugged in now
    async with coturn(address) as port:
        tell(port=port)
        await words(reader)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
