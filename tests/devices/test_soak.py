# SPDX-License-Identifier: Apache-2.0
"""Thousands of operations leave nothing behind; threads and an event loop together get right answers only."""

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import EllipticCurveHardwareKey
from hwkeys.pkcs11.modules import Module
from support.hwbench import Bench, SoftHsmBench, right
from support.hwpiv import PivBench

SHA256 = ec.ECDSA(hashes.SHA256())
OPERATIONS = {"softhsm": 6000, "opensc": 2000, "ykcs11": 2000}
HAMMERED = 8.0


@pytest.fixture(
    params=[
        pytest.param("softhsm", marks=pytest.mark.device("softhsm")),
        pytest.param("opensc", marks=pytest.mark.device("piv-opensc")),
        pytest.param("ykcs11", marks=pytest.mark.device("piv-ykcs11")),
    ]
)
def token(request: pytest.FixtureRequest) -> Iterator[tuple[str, Bench]]:
    name = str(request.param)
    with contextlib.ExitStack() as stack:
        if name == "softhsm":
            yield name, SoftHsmBench()
        else:
            bench = PivBench(name)
            stack.callback(bench.card.pull)
            yield name, bench


def seen_objects(key: EllipticCurveHardwareKey) -> int:
    """What is in the key's session now, session objects included."""
    login = key._held.login

    def count(module: Module) -> int:
        return len(list(login.attach(module).reader.get_objects()))

    return int(login.module.call(count))


def test_thousands_of_operations_leave_nothing_behind(token):
    name, bench = token
    other = ec.generate_private_key(ec.SECP256R1())
    gc.collect()
    with bench.make("alice", right(bench)) as key, bench.agreeing(right(bench)) as agreeing:
        sessions = key._held.login.module.sessions
        key.sign(b"warm", SHA256)
        agreeing.exchange(ec.ECDH(), other.public_key())
        before = seen_objects(agreeing), threading.active_count(), len(sessions)
        expected = other.exchange(ec.ECDH(), agreeing.public_key())
        for turn in range(OPERATIONS[name] // 2):
            text = b"%d" % turn
            key.public_key().verify(key.sign(text, SHA256), text, SHA256)
            assert agreeing.exchange(ec.ECDH(), other.public_key()) == expected
        assert (seen_objects(agreeing), threading.active_count(), len(sessions)) == before
        module = key._held.login.module
    key.close()
    assert len(module.sessions) == before[2] - 1


async def test_threads_and_an_event_loop_hammer_one_token(token):
    name, bench = token
    key, agreeing = bench.make("alice", right(bench)), bench.agreeing(right(bench))
    other = ec.generate_private_key(ec.SECP256R1())
    expected = other.exchange(ec.ECDH(), agreeing.public_key())
    ends = time.monotonic() + (HAMMERED if name == "softhsm" else HAMMERED / 2)
    wrong: list[Exception] = []
    done = [0] * 9

    def use(number: int, turn: int) -> None:
        if turn % 3 == 2:
            assert agreeing.exchange(ec.ECDH(), other.public_key()) == expected
        else:
            text = b"%d %d" % (number, turn)
            key.public_key().verify(key.sign(text, SHA256), text, SHA256)
        done[number] += 1

    def hammer(number: int) -> None:
        try:
            while time.monotonic() < ends:
                use(number, done[number])
        except Exception as error:  # noqa: BLE001 - the thread's failure is the test's
            wrong.append(error)

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    late = 0.0
    while time.monotonic() < ends:
        work = asyncio.create_task(asyncio.to_thread(use, 8, done[8]))
        while not work.done():
            before = time.monotonic()
            await asyncio.sleep(0.005)
            late = max(late, time.monotonic() - before)
        await work
    for thread in threads:
        thread.join()
    assert wrong == []
    assert all(done)
    assert late < 1, "the event loop waited for the token"
    key.close()
    agreeing.close()
