# SPDX-License-Identifier: Apache-2.0
import asyncio
import gc
import ipaddress
import socket
import threading

import pytest

from hardwire.channel.bulk import PATH_CHUNK_MAX
from hardwire.channel.lane import LaneEnded, LaneOffered, LaneWanted
from hardwire.errors import ConnectionLost
from hardwire.net.lane import direct as direct_module
from hardwire.net.lane import keeper as keeper_module
from hardwire.net.lane import meeting as meeting_module
from hardwire.net.lane.door import Door
from hardwire.net.lane.path import LanePath
from support.lanelines import lane_ends
from support.lanes import HERE, LOOPBACK


@pytest.fixture
async def ends(monkeypatch):
    monkeypatch.setattr(keeper_module, "PAUSE", 0.01)
    first, second, hours = lane_ends()
    yield first, second, hours
    await asyncio.gather(first.stop(), second.stop())
    assert not [one for one in threading.enumerate() if one.name.startswith("hardwire lane")]


async def stand(first, second):
    """A lane at both ends, because the first wished for it."""
    first.keeper.wish()
    await first.until(lambda end: end.path)
    await second.until(lambda end: end.path)


@pytest.mark.parametrize("wisher", [0, 1], ids=["initiator", "responder"])
async def test_who_wishes_gets_a_lane_and_so_does_the_other(ends, wisher):
    one, other = ends[wisher], ends[1 - wisher]
    await stand(one, other)
    assert one.keeper.lane is one.path
    one.path.send(1, 0, b"octets")
    other.path.send(2, 5, bytes(PATH_CHUNK_MAX))
    await other.until(lambda end: end.chunks)
    await one.until(lambda end: end.chunks)
    assert other.chunks == [(1, 0, b"octets", PATH_CHUNK_MAX)]
    assert one.chunks == [(2, 5, bytes(PATH_CHUNK_MAX), PATH_CHUNK_MAX)]


async def test_a_second_wish_changes_nothing(ends):
    first, second, _ = ends
    await stand(first, second)
    sent = first.sent + second.sent
    first.keeper.wish()
    second.keeper.wish()
    await asyncio.sleep(0.05)
    assert first.sent + second.sent == sent
    assert first.ways == second.ways == ["open"]


@pytest.mark.parametrize("without", [0, 1], ids=["initiator", "responder"])
async def test_without_a_direct_path_nothing_is_tried(ends, without, monkeypatch):
    opened = []
    original = Door.open
    monkeypatch.setattr(Door, "open", lambda path: opened.append(path) or original(path))
    ends[without].direct_path = None
    ends[without].keeper.wish()
    await asyncio.sleep(0.05)
    assert [end.sent for end in ends[:2]] == [0, 0]
    ends[1 - without].keeper.wish()
    await asyncio.sleep(0.2)
    assert ends[without].ways == ends[1 - without].ways == []
    assert len(opened) <= 6  # at the other end only, and it gives up
    if without == 0:
        assert opened == []
    assert ends[0].keeper.lane is None
    assert ends[1].keeper.lane is None


@pytest.mark.parametrize("breaker", [0, 1], ids=["initiator", "responder"])
async def test_a_lane_that_breaks_is_left_by_both_and_made_again(ends, breaker):
    first, second, hours = ends
    await stand(first, second)
    old = ends[breaker].path
    old._connection.shutdown(socket.SHUT_RDWR)
    for end in (first, second):
        await end.until(lambda end: "close" in end.ways)
    hours.ahead += 10
    first.keeper.wish()
    for end in (first, second):
        await end.until(lambda end: end.path)
        assert end.ways == ["open", "close", "open"]
    assert first.path is not old


async def test_the_wish_outlives_the_lane_that_broke(ends):
    first, second, hours = ends
    await stand(first, second)
    hours.ahead += 10
    second.path._connection.shutdown(socket.SHUT_RDWR)
    for end in (first, second):
        await end.until(lambda end: end.ways == ["open", "close", "open"])


async def test_an_octet_changed_on_the_way_ends_the_lane_and_not_the_line(ends):
    first, second, _ = ends
    await stand(first, second)
    second.path._opener._chain._secret = bytes(32)  # as if every octet were another one
    first.path.send(1, 0, b"octets")
    await second.until(lambda end: "close" in end.ways)
    await first.until(lambda end: "close" in end.ways)
    assert second.chunks == []
    with first.lanes(), second.lanes():
        pass  # both lines are open


async def test_nobody_comes_and_patience_grows_until_there_is_none(ends, monkeypatch):
    first, second, hours = ends
    monkeypatch.setattr(meeting_module, "GREETING_TIMEOUT", 0.05)
    original = meeting_module.Meeting.run
    monkeypatch.setattr(meeting_module.Meeting, "run", lambda meeting: original(meeting, 0.05))
    monkeypatch.setattr(Door, "open", lambda path: None)
    for attempt in range(keeper_module.FAILURES_MAX):
        first.keeper.wish()
        await first.until(lambda end, many=attempt: end.keeper._failures > many)
        hours.ahead += 1000
    sent = first.sent
    first.keeper.wish()
    second.keeper.wish()
    await asyncio.sleep(0.05)
    assert first.sent == sent
    monkeypatch.undo()
    monkeypatch.setattr(keeper_module, "PAUSE", 0.01)
    hours.ahead += 1000
    first.keeper.moved()
    second.keeper.moved()
    await first.until(lambda end: end.path)


@pytest.mark.parametrize("breaker", [0, 1], ids=["initiator", "responder"])
@pytest.mark.parametrize("lasts", [9.0, keeper_module.STOOD + 1], ids=["always", "sometimes"])
async def test_lanes_that_stand_and_carry_nothing_come_to_an_end(ends, breaker, lasts):
    """Greetings pass, and full packets do not: each lane would hold the files up until TCP gives in."""
    first, second, hours = ends
    for made in range(1, keeper_module.FAILURES_MAX + 1):
        first.keeper.wish()
        for end in (first, second):
            await end.until(lambda end, made=made: end.path and end.ways.count("open") == made)
        hours.ahead += lasts if made == keeper_module.FAILURES_MAX else 9.0
        ends[breaker].path._connection.shutdown(socket.SHUT_RDWR)
        for end in (first, second):
            await end.until(lambda end, made=made: end.ways.count("close") == made)
        hours.ahead += 100
    for end in (first, second):
        end.keeper.wish()
    if lasts < keeper_module.STOOD:
        await asyncio.sleep(0.3)
        assert first.ways.count("open") == second.ways.count("open") == keeper_module.FAILURES_MAX
        first.keeper.moved()
        second.keeper.moved()
    await first.until(lambda end: end.path)


@pytest.mark.parametrize("which", ["send", "receive"])
async def test_a_lane_for_which_there_is_no_thread_is_a_failed_attempt(ends, monkeypatch, which):
    """Whoever has none says so, leaves nothing behind, and tries again; the loop reports it."""
    first, second, hours = ends
    starting, refused, reported = threading.Thread.start, [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: reported.append(what["exception"]))

    def start(thread):
        if thread.name == f"hardwire lane {which}" and not refused:
            refused.append(thread._target.__self__)
            raise RuntimeError("can't start new thread")
        starting(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    first.keeper.wish()
    await first.until(lambda end: end.keeper._failures)
    await second.until(lambda end: end.keeper._failures)
    (lane,) = refused
    assert lane._connection.fileno() == -1
    assert LaneEnded(1) in first.said + second.said
    hours.ahead += 10
    first.keeper.wish()
    for end in (first, second):
        await end.until(lambda end: end.path)
    assert lane not in {first.path, second.path}
    gc.collect()
    assert [str(one) for one in reported] == ["can't start new thread"]


async def test_an_offer_that_is_not_answered_is_taken_back(ends, monkeypatch):
    monkeypatch.setattr(keeper_module, "MEETING_TIMEOUT", 0.05)
    first, second, _ = ends
    second.deaf = True
    first.keeper.wish()
    await first.until(lambda end: end.keeper._number == 1)
    door = first.keeper._door
    await asyncio.sleep(0.1)
    assert door._listener.fileno() == -1
    assert first.keeper._failures >= 1


async def test_a_flood_of_offers_is_not_taken_part_in(ends, monkeypatch):
    monkeypatch.setattr(keeper_module, "PAUSE", 60.0)
    first, second, _ = ends
    with first.lanes() as lanes:
        lanes.offer(0)
    await second.until(lambda end: end.keeper._meeting)
    with first.lanes() as lanes:
        lanes.end(1)
    await second.until(lambda end: LaneEnded(1) in end.said)
    assert second.keeper._meeting is None
    with first.lanes() as lanes:
        lanes.offer(40_000)
    await first.until(lambda end: LaneEnded(2) in end.said)
    assert LaneOffered(2, 40_000) in second.said
    assert second.keeper._meeting is None


async def test_an_idle_lane_is_given_back_and_an_old_one_replaced(ends):
    first, second, hours = ends
    await stand(first, second)
    hours.ahead += keeper_module.LIFE
    first.path.send(1, 0, b"x")
    await second.until(lambda end: end.chunks)
    second.keeper._carried_at = first.keeper._carried_at = hours()
    first.keeper._watch()
    hours.ahead += 1
    for end in (first, second):
        await end.until(lambda end: end.ways == ["open", "close", "open"])
    hours.ahead += keeper_module.IDLE
    first.keeper._watch()
    for end in (first, second):
        await end.until(lambda end: end.path is None)
    await asyncio.sleep(0.05)
    assert first.keeper.lane is None
    assert not any(isinstance(event, LaneWanted) for event in second.said)


async def test_an_idle_lane_that_the_peer_gives_back_is_not_made_again(ends):
    first, second, hours = ends
    await stand(first, second)
    hours.ahead += keeper_module.IDLE
    second.keeper._watch()
    await first.until(lambda end: end.path is None)
    await asyncio.sleep(0.05)
    assert first.keeper._timer is None
    assert first.ways == second.ways == ["open", "close"]


async def test_the_end_of_the_line_is_the_end_of_everything(ends):
    first, second, _ = ends
    await stand(first, second)
    async with asyncio.timeout(1):
        await first.stop()
    assert first.ways == ["open"]  # whoever used it hears of the end of the line
    await second.until(lambda end: "close" in end.ways)
    first.keeper.wish()
    with pytest.raises(ConnectionLost), first.lanes():
        pass


async def test_the_line_ends_while_they_meet(ends):
    first, second, _ = ends
    second.deaf = True
    first.keeper.wish()
    await first.until(lambda end: end.keeper._number == 1)
    door = first.keeper._door
    await first.stop()
    assert door._listener.fileno() == -1


async def test_a_lane_follows_the_path_of_the_line(ends):
    first, second, hours = ends
    await stand(first, second)
    first.keeper.moved()
    assert first.path is not None  # the same path again
    old = first.path
    hours.ahead += 10
    first.direct_path = LanePath(HERE, ipaddress.ip_address("127.0.0.2"))
    second.direct_path = LanePath(ipaddress.ip_address("127.0.0.2"), HERE)
    first.keeper.moved()
    for end in (first, second):
        await end.until(lambda end: end.ways == ["open", "close", "open"])
    assert first.path is not old
    names = {first.path._connection.getsockname()[0], first.path._connection.getpeername()[0]}
    assert names == {"127.0.0.1", "127.0.0.2"}


async def test_a_lane_into_a_black_hole_is_left_long_before_tcp_gives_in(ends):
    """Not every system can be told how long TCP may hope: what is taken of it is watched."""
    first, second, hours = ends
    await stand(first, second)
    for _ in range(direct_module.WAITING_CHUNKS):
        second.path._room.acquire()  # its thread stands, and nothing reads the connection any more
    while first.path.may_send:
        first.path.send(1, 0, bytes(PATH_CHUNK_MAX))
    before = None
    while before != (before := first.path.taken()) or not before[1]:
        while first.path.may_send:
            first.path.send(1, 0, bytes(PATH_CHUNK_MAX))
        await asyncio.sleep(0.3)
    first.keeper._watch()
    hours.ahead += keeper_module.STALLED - 2
    first.keeper._watch()
    assert first.ways.count("close") == 0
    hours.ahead += 3
    first.keeper._watch()
    await first.until(lambda end: "close" in end.ways)
    assert first.keeper._failures == 1
    for _ in range(direct_module.WAITING_CHUNKS):
        second.path._room.release()
    await second.until(lambda end: "close" in end.ways)


async def test_the_responder_asks_again_when_it_was_refused_without_a_word(ends):
    first, second, hours = ends
    first.direct_path = None
    second.keeper.wish()
    await first.until(lambda end: LaneWanted() in end.said)
    first.direct_path = LOOPBACK
    sent = second.sent
    second.keeper.wish()
    await asyncio.sleep(0.05)
    assert second.sent == sent  # it is not asked for with each chunk
    hours.ahead += keeper_module.ASK_AGAIN
    second.keeper.wish()
    for end in (first, second):
        await end.until(lambda end: end.path)


async def test_a_responder_that_moved_asks_at_once(ends):
    first, second, _ = ends
    first.direct_path = None
    second.keeper.wish()
    await first.until(lambda end: LaneWanted() in end.said)
    first.direct_path = LOOPBACK
    second.keeper.moved()
    for end in (first, second):
        await end.until(lambda end: end.path)
