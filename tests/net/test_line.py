# SPDX-License-Identifier: Apache-2.0
"""Whole lines: path, DTLS, binding, HBI/1, record layer, over the loopback interface."""

import asyncio
import gc
import hashlib
import os
import time

import pytest

from hardwire.channel import (
    ChatDelivered,
    ChatReceived,
    CloseReason,
    FileAccepted,
    FileChunk,
    FileComplete,
    FileDone,
    FileOffered,
    FileWindow,
    LineClosed,
    LineFailed,
    Offer,
    TransferKind,
)
from hardwire.errors import ConnectionLost, DeviceFailed, InviteRefused, PeerNotVerified, PinWrong
from hardwire.net.config import Clock, Stage
from hardwire.net.pending import host, join
from support.lines import config_for_test, line_pair, next_of, open_lines
from support.netsamples import open_sockets


async def test_two_people_talk_and_part():
    stages = []
    async with line_pair(config_for_test(on_stage=stages.append)) as (first, second):
        assert first.done.sas == second.done.sas
        assert first.done.sid == second.done.sid
        assert first.done.peer.device_id != second.done.peer.device_id
        sent = first.send_chat("hello")
        assert await next_of(second, ChatReceived) == ChatReceived(sent, "hello")
        assert await next_of(first, ChatDelivered) == ChatDelivered(sent)
        second.send_chat("and to you")
        assert (await next_of(first, ChatReceived)).text == "and to you"
        began = time.perf_counter()
        await first.close()
        assert time.perf_counter() - began < 1
        assert await next_of(second, LineClosed) == LineClosed(CloseReason.NORMAL, by_peer=True)
        assert await next_of(first, LineClosed) == LineClosed(CloseReason.NORMAL, by_peer=False)
        assert [event async for event in second] == []
    assert stages[0] is Stage.CONNECTING
    assert stages[-1] is Stage.OPEN
    assert {Stage.SIGNING, Stage.VERIFYING} <= set(stages)


async def test_what_was_said_before_the_close_arrives():
    async with line_pair() as (first, second):
        for number in range(200):
            first.send_chat(f"number {number}")
        await first.close()
        texts = [event.text async for event in second if isinstance(event, ChatReceived)]
        assert texts == [f"number {number}" for number in range(200)]


async def test_timings_are_measured():
    async def slow_verify(credential, leaf, role):
        await asyncio.sleep(0.2)
        return await config_for_test().verify(credential, leaf, role)

    async with line_pair(joining=config_for_test(verify=slow_verify)) as (first, second):
        assert 1 < first.timings.open_ms < 5000
        assert first.timings.handshake_ms > 200
        assert second.timings.asked_ms > 200
        assert first.timings.asked_ms < 200


async def test_a_file_crosses_with_its_hash():
    content = os.urandom(5_000_000)
    async with line_pair() as (first, second):
        transfer = first.offer_file(
            Offer(TransferKind.DIRECTORY, 0, 0, len(content), hashlib.sha256(content).digest(), "data.bin")
        )

        async def send():
            await next_of(first, FileAccepted)
            position = 0
            while position < len(content):
                if not (room := first.chunk_room(transfer)):
                    await next_of(first, FileWindow)
                    continue
                first.send_chunk(transfer, content[position : position + room])
                position += room
            return await next_of(first, FileComplete)

        async def receive():
            offered = await next_of(second, FileOffered)
            second.accept_file(offered.id)
            digest, got = hashlib.sha256(), 0
            async for event in second:
                if isinstance(event, FileChunk):
                    digest.update(event.data)
                    got += len(event.data)
                    second.acknowledge_written(offered.id, got)
                elif isinstance(event, FileDone):
                    second.confirm_file(offered.id, ok=digest.digest() == offered.offer.root)
                    return digest.digest()
            raise AssertionError("no end")

        complete, digest = await asyncio.wait_for(asyncio.gather(send(), receive()), 60)
        assert complete.ok
        assert digest == hashlib.sha256(content).digest()


async def test_a_code_opens_one_line():
    offer = await host(config_for_test())
    answer = await join(config_for_test(), offer.text)
    first, second = await asyncio.gather(offer.accept(answer.text), answer.connect())
    for again in (offer.accept(answer.text), answer.connect()):
        with pytest.raises(InviteRefused) as caught:
            await again
        assert caught.value.code == "invite-used"
    await offer.close()
    first.send_chat("still here")
    assert (await next_of(second, ChatReceived)).text == "still here"
    await asyncio.gather(first.close(), second.close())


async def test_a_slip_in_the_answer_may_be_mended():
    async with await host(config_for_test()) as offer, await join(config_for_test(), offer.text) as answer:
        wrong = answer.text[:-1] + ("A" if answer.text[-1] != "A" else "B")
        with pytest.raises(InviteRefused) as caught:
            await offer.accept(wrong)
        assert caught.value.code in {"invite-checksum", "invite-malformed"}
        async with await host(config_for_test()) as other, await join(config_for_test(), other.text) as stray:
            with pytest.raises(InviteRefused) as caught:
                await offer.accept(stray.text)
            assert caught.value.code == "invite-other-offer"
        first, second = await asyncio.gather(offer.accept(answer.text), answer.connect())
        await asyncio.gather(first.close(), second.close())


async def test_expired_at_either_end():
    late = Clock(wall=lambda: time.time() + 7200)
    async with await host(config_for_test()) as offer:
        with pytest.raises(InviteRefused, match="1 h 50 min ago") as caught:
            await join(config_for_test(clock=late), offer.text)
        assert caught.value.code == "invite-expired"
    shift = [0.0]
    moving = Clock(wall=lambda: time.time() + shift[0])
    async with await host(config_for_test(clock=moving)) as offer, await join(config_for_test(), offer.text) as answer:
        shift[0] = 7200
        with pytest.raises(InviteRefused, match="expired"):
            await offer.accept(answer.text)


async def test_one_wrong_letter_in_the_offer():
    async with await host(config_for_test()) as offer:
        with pytest.raises(InviteRefused) as caught:
            await join(config_for_test(), offer.text[:40] + ("A" if offer.text[40] != "A" else "B") + offer.text[41:])
        assert caught.value.code == "invite-checksum"


async def test_the_device_would_not_sign():
    async def wrong_pin(tbs, scheme):
        raise PinWrong("the PIN is wrong")

    first, second = await open_lines(config_for_test(), config_for_test(sign=wrong_pin))
    assert isinstance(second, PinWrong)
    assert isinstance(first, ConnectionLost)
    assert "declined" in first.hint


async def test_a_broken_device_library_becomes_a_device_failure():
    async def broken(tbs, scheme):
        raise RuntimeError("CKR_GENERAL_ERROR")

    first, second = await open_lines(config_for_test(sign=broken), config_for_test())
    assert isinstance(first, DeviceFailed)
    assert isinstance(second, ConnectionLost)


async def test_the_person_says_no():
    async def no(credential, leaf, role):
        raise PeerNotVerified("not whom I expected")

    for refuser in (0, 1):
        configs = [config_for_test(), config_for_test()]
        configs[refuser] = config_for_test(verify=no)
        outcomes = await open_lines(*configs)
        assert isinstance(outcomes[refuser], PeerNotVerified)
        assert isinstance(outcomes[1 - refuser], ConnectionLost)


async def test_opening_can_be_cancelled_while_the_person_thinks():
    asked = asyncio.Event()
    cancelled = asyncio.Event()

    async def ponder(credential, leaf, role):
        asked.set()
        try:
            await asyncio.sleep(600)
        finally:
            cancelled.set()

    offer = await host(config_for_test())
    answer = await join(config_for_test(verify=ponder), offer.text)
    hosting = asyncio.create_task(offer.accept(answer.text))
    joining = asyncio.create_task(answer.connect())
    await asyncio.wait_for(asked.wait(), 10)
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert cancelled.is_set()
    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(hosting, 5)


async def test_a_cut_is_told_apart_from_a_goodbye():
    async with line_pair() as (first, second):
        await first._link.close()
        failed = await next_of(second, LineFailed)
        assert isinstance(failed.error, ConnectionLost)
        await first.abort(ConnectionLost("cut here"))


async def test_twenty_lines_leave_nothing_behind():
    lost = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: lost.append(context))
    async with line_pair():
        pass
    await asyncio.sleep(0.05)
    before, tasks = open_sockets(), len(asyncio.all_tasks())
    for _ in range(20):
        async with line_pair() as (first, second):
            first.send_chat("x")
            await next_of(second, ChatReceived)
    await asyncio.sleep(0.05)
    gc.collect()
    assert open_sockets() == before
    assert len(asyncio.all_tasks()) == tasks
    assert lost == []
