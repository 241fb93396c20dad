# SPDX-License-Identifier: Apache-2.0
import asyncio
import time
from dataclasses import replace

import pytest

from hardwire.errors import InviteRefused, LineTimeout, Misuse, NetworkFailed
from hardwire.net import carriers, pending
from hardwire.net.config import Clock
from hardwire.net.invite import MAX_LIFE, Offer
from hardwire.net.pending import host, join
from support.lines import config_for_test


async def test_an_offer_lives_as_long_as_it_was_told():
    async with await host(config_for_test(life=60, clock=Clock(wall=lambda: 1_800_000_000.7))) as offer:
        assert offer.expiry == 1_800_000_060
        decoded = Offer.decode(offer.blob, loopback=True)
        assert decoded.expiry == offer.expiry
        assert decoded.candidates == offer.candidates
        assert carriers.from_text(offer.text) == offer.blob
        assert offer.problems == ()


@pytest.mark.parametrize("life", [0, -1, MAX_LIFE + 1])
async def test_no_offer_lives_longer_than_a_day(life):
    with pytest.raises(Misuse):
        await host(config_for_test(life=life))


async def test_two_offers_share_nothing():
    async with await host(config_for_test()) as one, await host(config_for_test()) as other:
        first, second = (Offer.decode(each.blob, loopback=True) for each in (one, other))
        assert first.secret != second.secret
        assert first.fingerprint != second.fingerprint
        assert not set(first.candidates) & set(second.candidates)


async def test_without_loopback_a_code_of_this_machine_is_refused():
    async with await host(config_for_test()) as offer:
        with pytest.raises(InviteRefused, match="own machine"):
            await join(config_for_test(loopback=False), offer.text)


async def test_what_was_given_up_is_used():
    offer = await host(config_for_test())
    answer = await join(config_for_test(), offer.text)
    await answer.close()
    await offer.close()
    await offer.close()
    with pytest.raises(InviteRefused) as caught:
        await offer.accept(answer.text)
    assert caught.value.code == "invite-used"
    with pytest.raises(InviteRefused):
        await answer.connect()


async def test_an_answer_that_nobody_takes(monkeypatch):
    monkeypatch.setattr(pending, "GRACE", 0.1)
    shift = [0.0]
    clock = Clock(wall=lambda: time.time() + shift[0])
    async with await host(config_for_test(life=2)) as offer:
        answer = await join(config_for_test(clock=clock), offer.text)
        shift[0] = 1.9
        knocking = asyncio.create_task(answer.connect())
        await asyncio.sleep(0)
        with pytest.raises(LineTimeout) as caught:
            await knocking
        assert caught.value.code == "answer-unused"
        assert "--stun" in caught.value.hint


async def test_an_offerer_who_finds_nobody(monkeypatch):
    monkeypatch.setattr(pending, "PATH_TIMEOUT", 0.3)
    offer = await host(config_for_test())
    answer = await join(config_for_test(), offer.text)
    text = answer.text
    await answer.close()
    with pytest.raises(NetworkFailed) as caught:
        await offer.accept(text)
    assert caught.value.code == "no-path"


async def test_an_own_certificate_that_cannot_be_used_is_ours_to_mend():
    config = config_for_test()
    broken = replace(config, credential=type(config.credential)((b"\x30\x00",)))
    offer = await host(broken)
    answer = await join(config_for_test(), offer.text)
    first, second = await asyncio.gather(offer.accept(answer.text), answer.connect(), return_exceptions=True)
    assert first.code == "own-certificate"
    assert isinstance(second, NetworkFailed)
