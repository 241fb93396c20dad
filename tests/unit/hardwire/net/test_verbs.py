# SPDX-License-Identifier: Apache-2.0
"""The verbs of an open line over a link in memory, each with what the other end hears of it."""

from hardwire.channel import (
    ChatDelivered,
    ChatReceived,
    FileAccepted,
    FileCancelled,
    FileChunk,
    FileComplete,
    FileDeclined,
    FileFinished,
    FileOffered,
    FilePaused,
    Offer,
    PeerVerified,
    StopReason,
    TransferKind,
)
from support.linepair import Pair
from support.lines import next_of


async def test_verbs_go_through(proofs):
    pair = Pair(proofs)
    first, second = pair.lines
    sent = first.send_chat("hello")
    assert first.unacknowledged == ((sent, "hello"),)
    pair.settle()
    assert await next_of(second, ChatReceived) == ChatReceived(sent, "hello")
    assert await next_of(first, ChatDelivered) == ChatDelivered(sent)
    assert first.peer_confirmed
    first.send_verification(matched=True)
    declined = first.offer_file(Offer(TransferKind.FILE, 3, 1, 21, bytes(32), "a.txt"))
    withdrawn = first.offer_file(Offer(TransferKind.STREAM, 0, 1, 0, bytes(32), "b.txt"))
    pair.settle()
    assert await next_of(second, PeerVerified) == PeerVerified(matched=True)
    assert (await next_of(second, FileOffered)).id == declined
    second.decline_file(declined, StopReason.PERSON)
    first.cancel_file(withdrawn, StopReason.FAILED)
    pair.settle()
    assert (await next_of(first, FileDeclined)).id == declined
    assert (await next_of(second, FileCancelled)).id == withdrawn
    assert first.chunk_room(declined) == 0
    await pair.end()


async def test_a_stream_over_two_ways(proofs):
    pair = Pair(proofs)
    first, second = pair.lines
    number = first.offer_file(Offer(TransferKind.STREAM, 0, 1, 0, bytes(32), "b.txt"))
    pair.settle()
    second.accept_file(number)
    pair.settle()
    assert (await next_of(first, FileAccepted)).start == 0
    first.pause_file(number, on=True)
    pair.settle()
    assert (await next_of(second, FilePaused)).on
    assert first.chunk_room(number) == 0
    first.pause_file(number, on=False)
    first.send_chunk(number, bytes(first.chunk_room(number)))
    first.rewind_file(number)
    assert first.chunk_position(number) == 0
    size = first.chunk_room(number, 1 << 20)
    assert first.count_chunk(number, bytes(size), 1 << 20) == 0
    second.receive_chunk(number, 0, memoryview(bytes(size)), 1 << 20)
    pair.settle()
    assert len((await next_of(second, FileChunk)).data) == size
    second.acknowledge_written(number, size)
    first.finish_stream(number, bytes(32))
    pair.settle()
    assert (await next_of(second, FileFinished)).size == size
    second.confirm_file(number, ok=True)
    pair.settle()
    assert (await next_of(first, FileComplete)).ok
    await pair.end()
