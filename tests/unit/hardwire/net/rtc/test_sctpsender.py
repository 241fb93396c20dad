# SPDX-License-Identifier: Apache-2.0
"""When packets leave, and with what; the streams of octets themselves are in test_fastsctp.py and tests/property."""

import asyncio

from support.sctplink import Weather, connect, run


def test_a_sack_travels_with_data_and_alone_only_when_nothing_goes_that_way():
    async def main():
        first, second = await connect(("line", "line"), Weather())
        await asyncio.sleep(1)
        before = first.dtls._pipe.sent, second.dtls._pipe.sent
        for turn in range(1, 21):
            first.send(0, b"question")
            await second.until(lambda turn=turn: len(second.got) == turn)
            second.send(0, b"answer")
            await first.until(lambda turn=turn: len(first.got) == turn)
        await asyncio.sleep(1)
        # One packet each, and one for the last SACK.
        assert first.dtls._pipe.sent - before[0] == 21
        assert second.dtls._pipe.sent - before[1] == 20
        first.send(0, b"no answer")
        await asyncio.sleep(0.011)
        assert second.dtls._pipe.sent - before[1] == 20
        await asyncio.sleep(0.03)
        assert second.dtls._pipe.sent - before[1] == 21

    run(main())


def test_a_talk_sets_one_timer_for_many_sacks_and_each_has_all_of_its_time():
    async def main():
        first, second = await connect(("line", "line"), Weather(delay=0.0001))
        await asyncio.sleep(1)
        loop, set_for = asyncio.get_running_loop(), []
        plain = loop.call_at

        def call_at(when, callback, *args, **how):
            if callback == second.sctp._sack_late:
                set_for.append(when)
            return plain(when, callback, *args, **how)

        loop.call_at = call_at
        began, sent = loop.time(), second.dtls._pipe.sent
        for turn in range(1, 51):
            first.send(0, b"question")
            await second.until(lambda turn=turn: len(second.got) == turn)
            await asyncio.sleep(0.0001)  # behind the end of the batch
            second.send(0, b"answer")
            await first.until(lambda turn=turn: len(first.got) == turn)
        assert len(set_for) == 1
        await asyncio.sleep(began + 0.019 - loop.time())
        first.send(0, b"no answer")
        # The timer that was left comes when this one has waited for a millisecond, and has to be set anew.
        await asyncio.sleep(0.019)
        assert second.dtls._pipe.sent == sent + 50
        await asyncio.sleep(0.002)
        assert second.dtls._pipe.sent == sent + 51
        assert len(set_for) == 2
        await asyncio.sleep(1)
        assert len(set_for) == 2

    run(main())


def test_nothing_leaves_while_the_socket_has_no_room():
    async def main():
        first, second = await connect(("line", "line"), Weather())
        first.dtls.is_blocked = True
        first.send(0, b"waits")
        await asyncio.sleep(1)
        assert second.got == []
        assert first.sctp.buffered == 5
        first.dtls.is_blocked = False
        first.sctp.unblocked()
        await second.until(lambda: second.got == [(0, b"waits")])

    run(main())


def test_a_path_that_is_gone_is_a_state_and_not_an_exception():
    async def main():
        first, _ = await connect(("line", "line"), Weather())

        def gone():
            raise ConnectionError

        first.dtls.flush = gone
        try:
            first.send(0, b"x")
        except ConnectionError:
            first.sctp._set_state(first.sctp.State.CLOSED)
        await asyncio.sleep(5)
        assert not first.is_open
        first.sctp.probe()

    run(main())


def test_one_timer_serves_all_and_is_gone_at_the_end():
    async def main():
        first, second = await connect(("line", "line"), Weather())
        first.dtls._pipe.weather.drop = 1.0
        for _ in range(50):
            first.send(1, bytes(2000))
        timers = [first.sctp._timer]
        await asyncio.sleep(20)
        assert first.sctp._out.timeouts > 2
        assert timers[0] is not None
        await first.sctp.stop()
        assert first.sctp._timer is None
        assert first.sctp._sack_timer is None
        assert second.got == []

    run(main())
