# SPDX-License-Identifier: Apache-2.0
"""libdatachannel and libwebrtc, as their packages for node have them, over our transport by the SDP bridge."""

from contextlib import AsyncExitStack

import pytest

from bench.frame import Pair, python, running
from support.nativepeers import STACKS, native_or_skip

SIZE = 20_000_000

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("we_offer", [True, False], ids=["we-offer", "they-offer"])
async def test_twenty_megabytes_each_way(stack, we_offer, tmp_path):
    commands = [python("bench.ends", "bridge"), native_or_skip(stack)]
    async with AsyncExitStack() as opened:
        ends = [await opened.enter_async_context(running(command, tmp_path)) for command in commands]
        pair = Pair(*(ends if we_offer else ends[::-1]))
        await pair.open()
        for up in (True, False):
            await pair.prove(SIZE, up=up)
        assert len((await pair.offerer.ask("ping", count=10, seconds=5))["times"]) == 10
        await pair.close()
