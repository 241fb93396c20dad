# SPDX-License-Identifier: Apache-2.0
"""Thousands of operations leave nothing behind; threads and an event loop together get right answers only."""

import asyncio
import contextlib
import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import EllipticCurveHardwareKey
from hwkeys.pkcs11.key import Pkcs11Key
from hwkeys.pkcs11.modules import Module
from support.hwbench import Bench, SoftHsmBench, right
from support.hwpiv import PivBench

SHA256 = ec.ECDSA(hashes.SHA256())
# Half of each kind. In an emulated TPM each takes its tens of milliseconds: there HARDWIRE_SOAK=10000 asks for the whole.
WHOLE = int(os.environ.get("HARDWIRE_SOAK", "0"))
OPERATIONS = {"softhsm": 10_000, "swtpm": WHOLE or 1000, "opensc": 10_000, "ykcs11": 10_000}
HAMMERED = {"softhsm": 60.0, "swtpm": 6.0, "opensc": 4.0, "ykcs11": 4.0}


@pytest.fixture(
    params=[
        pytest.param("softhsm", marks=pytest.mark.device("softhsm")),
        pytest.param("swtpm", marks=pytest.mark.device("swtpm")),
        pytest.param("opensc", marks=pytest.mark.device("piv-opensc")),
        pytest.param("ykcs11", marks=pytest.mark.device("piv-ykcs11")),
    ]
)
def token(request: pytest.FixtureRequest) -> Iterator[tuple[str, Bench]]:
    name = str(request.param)
    with contextlib.ExitStack() as stack:
        if name == "softhsm":
            yield name, SoftHsmBench()
        elif name == "swtpm":
            yield name, request.getfixturevalue("swtpm")
        else:
            bench = PivBench(name)
            stack.callback(bench.card.pull)
            yield name, bench


def seen_objects(key: EllipticCurveHardwareKey, bench: Bench) -> object:
    """What is in the device now: in the key's session, session objects included; in the TPM, by its own tools."""
    if not isinstance(key, Pkcs11Key):
        return bench.residue()
    login = key._held.login

    def count(module: Module) -> tuple[int, int]:
        return len(list(login.attach(module).reader.get_objects())), len(module.sessions)

    return login.module.call(count)


def held_by_the_process() -> tuple[int, int]:
    """Threads and open files."""
    gc.collect()
    return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.timeout(max(300, WHOLE))
def test_thousands_of_operations_leave_nothing_behind(token):
    name, bench = token
    other = ec.generate_private_key(ec.SECP256R1())
    with bench.make("alice", right(bench)) as key, bench.agreeing(right(bench)) as agreeing:
        key.sign(b"warm", SHA256)
        agreeing.exchange(ec.ECDH(), other.public_key())
        before = seen_objects(agreeing, bench), held_by_the_process()
        expected = other.exchange(ec.ECDH(), agreeing.public_key())
        for turn in range(OPERATIONS[name] // 2):
            text = b"%d" % turn
            key.public_key().verify(key.sign(text, SHA256), text, SHA256)
            assert agreeing.exchange(ec.ECDH(), other.public_key()) == expected
        assert (seen_objects(agreeing, bench), held_by_the_process()) == before
        module = key._held.login.module if isinstance(key, Pkcs11Key) else None
        sessions = 0 if module is None else len(module.sessions)
    assert module is None or len(module.sessions) == sessions - 1


@pytest.mark.timeout(300)
async def test_threads_and_an_event_loop_hammer_one_token(token):
    name, bench = token
    key, agreeing = bench.make("alice", right(bench)), bench.agreeing(right(bench))
    other = ec.generate_private_key(ec.SECP256R1())
    expected = other.exchange(ec.ECDH(), agreeing.public_key())
    ends = time.monotonic() + HAMMERED[name]
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
