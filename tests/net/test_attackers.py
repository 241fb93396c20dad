# SPDX-License-Identifier: Apache-2.0
"""An attacker who carries the codes between the two, and ends DTLS towards each of them with keys of its own."""

import asyncio
import ipaddress
import time
from dataclasses import replace

import pytest

from hardwire.channel import ChatReceived
from hardwire.errors import ConnectionLost, HandshakeRefused, HardwireError, InviteRefused
from hardwire.net import carriers
from hardwire.net.candidate import Candidate, CandidateKind
from hardwire.net.invite import Answer, Offer, derive_secrets, offer_ref
from hardwire.net.listening import Listen, listen, take
from hardwire.net.oneway import OneWay, derive
from hardwire.net.pending import host, join
from hardwire.net.rtc import LinkSettings, RtcLink
from hardwire.net.rtc import dtls as dtls_module
from hardwire.net.servers import NO_SERVERS
from support.coturn import free_port
from support.lines import config_for_test, next_of, open_lines
from support.links import Recorder, fresh_secrets, gather, open_towards


async def test_with_an_identity_of_its_own_the_strings_differ():
    attacker = config_for_test()
    alice = await host(config_for_test())
    towards_alice = await join(attacker, alice.text)
    towards_bob = await host(attacker)
    bob = await join(config_for_test(), towards_bob.text)
    lines = await asyncio.gather(
        alice.accept(towards_alice.text), towards_alice.connect(), towards_bob.accept(bob.text), bob.connect()
    )
    try:
        at_alice, _, _, at_bob = lines
        assert at_alice.done.sas != at_bob.done.sas
        assert at_alice.done.sas.decimal != at_bob.done.sas.decimal
        assert at_alice.done.peer.device_id == at_bob.done.peer.device_id
        # The attacker reads everything until the two people compare.
        lines[0].send_chat("is that you?")
        assert (await next_of(lines[1], ChatReceived)).text == "is that you?"
    finally:
        await asyncio.gather(*(line.close() for line in lines))


class Relay(Recorder):
    """Passes each message to the other leg as it is."""

    other = None

    def message(self, channel: int, data: bytes) -> None:
        super().message(channel, data)
        if self.other is not None:
            self.other.send(channel, data)

    def closed(self, error: HardwireError) -> None:
        super().closed(error)
        self.ending = asyncio.create_task(self.other.close())


async def test_passing_the_inner_messages_through_ends_both_ends():
    alice = await host(config_for_test())
    seen = Offer.decode(carriers.from_text(alice.text), loopback=True)
    secrets = derive_secrets(seen.secret)
    towards_bob = await gather(offerer=True, secrets=secrets)
    towards_alice = await gather(offerer=False, secrets=secrets)
    forged = replace(seen, fingerprint=towards_bob.fingerprint, candidates=towards_bob.candidates)
    bob = await join(config_for_test(), carriers.to_text(forged.encode()))
    from_bob = Answer.decode(bob.blob, offer=forged.encode(), loopback=True)
    forged_answer = Answer(offer_ref(alice.blob), towards_alice.fingerprint, towards_alice.candidates)
    left, right = Relay(), Relay()

    async def relay():
        await asyncio.gather(
            towards_alice.open(fingerprint=seen.fingerprint, candidates=seen.candidates, events=left, within=10),
            towards_bob.open(fingerprint=from_bob.fingerprint, candidates=from_bob.candidates, events=right, within=10),
        )
        left.other, right.other = towards_bob, towards_alice
        for first, second in ((left, towards_bob), (right, towards_alice)):
            for channel, data in first.messages:
                second.send(channel, data)

    at_alice, at_bob, passed = await asyncio.wait_for(
        asyncio.gather(
            alice.accept(carriers.to_text(forged_answer.encode())), bob.connect(), relay(), return_exceptions=True
        ),
        30,
    )
    assert passed is None
    # Both DTLS legs are whole; what differs is what each side saw of its own.
    assert isinstance(at_bob, HandshakeRefused)
    assert isinstance(at_alice, (HandshakeRefused, ConnectionLost))
    assert [len(data) for _, data in right.messages] == [1281]
    assert [len(data) for _, data in left.messages] == [5299]
    await asyncio.gather(towards_alice.close(), towards_bob.close())


async def test_whoever_reads_a_one_way_invite_and_stands_in_between_passes_nothing_through():
    """Both legs of DTLS have the same code, the same keys and the same certificates; the exporter alone differs."""
    ports = free_port(), free_port()
    at = [Candidate(CandidateKind.HOST, ipaddress.ip_address("127.0.0.1"), port) for port in ports]
    alice = await listen(config_for_test(), Listen(port=ports[0], announced=(at[1],)))
    seen = OneWay.decode(alice.blob, loopback=True)
    derived = derive(seen.secret, seen.expiry)
    shown = [(side.key, side.certificate) for side in (derived.offer, derived.answer)]
    common = {"secrets": derived.ice, "servers": NO_SERVERS, "loopback": True}
    towards_bob = await RtcLink.gather(LinkSettings(True, **common, shown=shown[0], port=ports[1]))
    towards_alice = await RtcLink.gather(LinkSettings(False, **common, shown=shown[1]))
    bob = await take(config_for_test(), alice.text)
    left, right = Relay(), Relay()

    async def relay():
        knocked = asyncio.Event()
        towards_bob.on_knock(knocked.set)
        await knocked.wait()
        facts = await asyncio.gather(
            towards_alice.open(fingerprint=towards_bob.fingerprint, candidates=at[:1], events=left, within=10),
            towards_bob.open(fingerprint=towards_alice.fingerprint, candidates=(), events=right, within=10),
        )
        left.other, right.other = towards_bob, towards_alice
        for first, second in ((left, towards_bob), (right, towards_alice)):
            for channel, data in first.messages:
                second.send(channel, data)
        return facts

    at_alice, at_bob, facts = await asyncio.wait_for(
        asyncio.gather(alice.accept(), bob.connect(), relay(), return_exceptions=True), 30
    )
    assert facts[0].own_fingerprint == facts[1].peer_fingerprint
    assert facts[0].exporter != facts[1].exporter
    assert isinstance(at_bob, HandshakeRefused)
    assert isinstance(at_alice, (HandshakeRefused, ConnectionLost))
    assert [len(data) for _, data in left.messages] == [5299]
    await asyncio.gather(towards_alice.close(), towards_bob.close())


async def test_a_changed_fingerprint_is_refused_before_anything_is_said():
    secrets = fresh_secrets()
    first, second, other = [await gather(offerer=offerer, secrets=secrets) for offerer in (True, False, False)]
    events = Recorder()
    began = time.perf_counter()
    results = await asyncio.gather(
        first.open(fingerprint=other.fingerprint, candidates=second.candidates, events=events, within=10),
        open_towards(second, first),
        return_exceptions=True,
    )
    assert isinstance(results[0], HandshakeRefused)
    assert results[0].code == "binding-fingerprint"
    assert isinstance(results[1], HardwireError)
    assert time.perf_counter() - began < 3
    assert events.messages == []
    await asyncio.gather(first.close(), second.close(), other.close())


@pytest.mark.parametrize(
    "change, code",
    [
        ({"extended_master_secret": False}, "binding-ems"),
        ({"version": "DTLSv1"}, "binding-version"),
        ({"cipher": "ECDHE-ECDSA-AES128-SHA"}, "binding-cipher"),
        ({"exporter": b""}, "binding-exporter"),
        ({"own_fingerprint": bytes(32)}, "binding-fingerprint"),
        ({"peer_fingerprint": bytes(32)}, "binding-fingerprint"),
    ],
)
async def test_a_fact_that_is_not_as_it_must_be_ends_the_line(monkeypatch, change, code):
    plain = dtls_module.read_facts
    monkeypatch.setattr(dtls_module, "read_facts", lambda dtls: replace(plain(dtls), **change))
    first, second = await open_lines(config_for_test(), config_for_test())
    refused = [one for one in (first, second) if isinstance(one, HandshakeRefused)]
    assert refused
    assert {one.code for one in refused} == {code}
    assert all(isinstance(one, HardwireError) for one in (first, second))


async def test_another_exporter_at_one_end_ends_the_handshake(monkeypatch):
    plain = dtls_module.read_facts

    def read(dtls):
        facts = plain(dtls)
        return replace(facts, exporter=bytes(31) + b"\x01") if dtls._role == "server" else facts

    monkeypatch.setattr(dtls_module, "read_facts", read)
    first, second = await open_lines(config_for_test(), config_for_test())
    assert isinstance(second, HandshakeRefused)
    assert isinstance(first, ConnectionLost)


async def test_an_attacker_cannot_answer_without_the_secret():
    alice = await host(config_for_test())
    guess = await gather(offerer=False, secrets=fresh_secrets())
    with pytest.raises(InviteRefused):
        await alice.accept(carriers.to_text(Answer(bytes(8), guess.fingerprint, guess.candidates).encode()))
    await asyncio.gather(alice.close(), guess.close())
