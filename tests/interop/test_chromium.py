# SPDX-License-Identifier: Apache-2.0
"""Debian's Chromium, without a screen, over our transport by the SDP bridge: 200 MB each way, and what else a browser does."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from hardwire.errors import HandshakeRefused
from hardwire.net.rtc import SdpBridge
from hardwire.net.rtc import bridge as bridge_module
from hardwire.net.rtc.pmtu import CAUTIOUS
from support.chromium import BrowserError, chromium
from support.sdppeers import LOOPBACK, BridgePeer, connect, move
from support.sdptexts import line_of

SIZE = 200_000_000
LESS = 50_000_000
SMALL = 2_000_000
LARGEST = 262_144

pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser():
    async with chromium() as started:
        yield started


@asynccontextmanager
async def connected(browser, *, we_offer: bool = True, active: bool = True, **options):
    ours, theirs = BridgePeer(replace(LOOPBACK, active=active)), await browser.peer()
    try:
        async with asyncio.timeout(60):
            await connect(*((ours, theirs) if we_offer else (theirs, ours)), **options)
        yield ours, theirs
    finally:
        await ours.close()
        await theirs.leave()


@pytest.mark.slow
@pytest.mark.parametrize("we_offer, size", [(True, SIZE), (False, LESS)])
async def test_two_hundred_megabytes_each_way_and_less_with_the_other_role(browser, we_offer, size):
    async with connected(browser, we_offer=we_offer) as (ours, theirs):
        assert ours.label == "tested"
        async with asyncio.timeout(20):
            while ours.bridge._sctp.packet_size != max(CAUTIOUS):  # noqa: ASYNC110 (nothing tells it)
                await asyncio.sleep(0.01)
        for sender, receiver in ((ours, theirs), (theirs, ours)):
            rate = await move(sender, receiver, size)
            print(f"{type(sender).__name__} to {type(receiver).__name__}: {rate:.1f} MB/s")
        assert not ours.errors


@pytest.mark.parametrize("we_offer", [True, False])
async def test_the_passive_side_of_dtls_with_the_largest_messages(browser, we_offer):
    async with connected(browser, we_offer=we_offer, active=False) as (ours, theirs):
        assert ours.bridge._is_server
        assert (await theirs.call("opened"))["most"] == LARGEST
        await move(ours, theirs, SMALL, message=LARGEST)
        await move(theirs, ours, SMALL, message=LARGEST)


async def test_on_the_transports_of_aiortc(browser, monkeypatch):
    monkeypatch.setattr(bridge_module, "is_fast", lambda: False)
    async with connected(browser) as (ours, theirs):
        await move(ours, theirs, SMALL)
        await move(theirs, ours, SMALL)


async def test_an_agreed_channel_with_text_and_empty_messages(browser):
    async with connected(browser, we_offer=False, negotiated=True, id=7) as (ours, theirs):
        assert ours.channel == 7
        for text in ("grüße", "", "x" * 20_000):
            await ours.say(text)
            await theirs.call("say", text)
        ours.send_now(b"")
        assert await theirs.call("heard", 4) == ["grüße", "", "x" * 20_000, "0 octets"]
        assert await ours.heard(3) == ["grüße", "", "x" * 20_000]


async def test_candidates_that_come_late(browser):
    ours, theirs = BridgePeer(), await browser.peer()
    await theirs.call("create", "late", {})
    offer = await theirs.call("offer", True)
    assert "a=candidate" not in offer
    await theirs.call("accept", await ours.answer(offer))
    for text in await theirs.call("late"):
        await ours.bridge.add_candidate(text)
    await asyncio.gather(ours.call("opened"), theirs.call("opened"))
    assert ours.label == "late"
    await ours.close()


async def test_a_browser_with_another_certificate_than_the_one_that_was_described(browser):
    ours, theirs = BridgePeer(), await browser.peer()
    bridge = await SdpBridge.offer(LOOPBACK)
    answer = await theirs.call("answer", bridge.description)
    told = line_of("a=fingerprint", answer)
    await bridge.accept(answer.replace(told, told[:-1] + ("0" if told[-1] != "0" else "1")))
    with pytest.raises(HandshakeRefused) as caught:
        await bridge.open(ours, within=30)
    assert caught.value.code == "binding-fingerprint"
    assert ours.channel is None


async def test_a_browser_that_hides_its_addresses_and_is_gone_without_a_trace():
    before = asyncio.all_tasks()
    async with chromium(hide=True) as browser:
        folder = browser.folder
        assert running(folder)
        async with connected(browser, we_offer=False) as (ours, theirs):
            # Without any interface but loopback it has none to hide.
            assert all(".local: a hidden address" in reason for reason in ours.bridge.skipped)
            assert ours.bridge._peer.candidates == ()
            await move(ours, theirs, SMALL)
            await theirs.call("close")
            await ours.until(lambda: ours.errors)
            assert [error.code for error in ours.errors] == ["connection-lost"]
            with pytest.raises(BrowserError, match="no such thing"):
                await theirs.evaluate("Promise.reject(new Error('no such thing'))")
    assert not running(folder)
    assert not folder.exists()
    assert asyncio.all_tasks() == before


def running(folder: Path) -> list[str]:
    """Processes that were told of that directory; those that merely wait to be reaped have no command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in process.read_bytes():
                found.append(process.parent.name)
        except OSError:
            continue
    return found
