# SPDX-License-Identifier: Apache-2.0
import gc
import os
import subprocess
import sys
import threading
import time
import weakref

import pytest

from hwkeys.worker import Worker, worker_for


def test_everything_runs_on_one_thread_in_order():
    worker = Worker("test")
    seen: list[tuple[int, int]] = []
    threads = [
        threading.Thread(
            target=lambda n=n: [worker.call(lambda: seen.append((threading.get_ident(), n))) for _ in range(200)]
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1600
    assert len({ident for ident, _ in seen}) == 1
    assert seen[0][0] != threading.get_ident()


def test_nobody_is_inside_beside_another_whichever_way_they_came():
    worker = Worker("test")
    inside, wrong, seen = [], [], set()

    def work() -> None:
        inside.append(threading.get_ident())
        if len(inside) != 1:
            wrong.append(list(inside))
        time.sleep(0)
        seen.add(inside.pop())

    def come(way) -> None:
        for _ in range(300):
            way(work)

    threads = [threading.Thread(target=come, args=(way,)) for way in (worker.call, worker.here, worker.post) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worker.call(int)
    assert wrong == []
    # Three that stayed on their own threads, and the worker for all others.
    assert len(seen) == 4


def test_here_is_this_thread_and_gives_back_what_comes():
    worker = Worker("test")
    assert worker.here(threading.get_ident) == threading.get_ident()
    assert worker.here(lambda a, *, b: a + b, 1, b=2) == 3
    with pytest.raises(KeyError):
        worker.here(lambda: {}["x"])
    # An error lets the next one in.
    assert worker.call(lambda: "next") == "next"


def test_who_is_inside_does_not_wait_for_itself():
    worker = Worker("test")
    for outer in (worker.call, worker.here):
        for inner in (worker.call, worker.here):
            assert outer(lambda inner=inner: inner(lambda: "in")) == "in"
    assert worker.here(lambda: (worker.post(int), worker.here(int), worker.call(lambda: "in"))[-1]) == "in"


def test_results_and_errors_come_back():
    worker = Worker("test")
    assert worker.call(lambda a, *, b: a + b, 1, b=2) == 3
    with pytest.raises(KeyError):
        worker.call(lambda: {}["x"])
    with pytest.raises(SystemExit):
        worker.call(sys.exit)
    assert worker.call(lambda: "still there") == "still there"


def test_a_call_from_the_worker_itself_does_not_wait_for_itself():
    worker = Worker("test")
    assert worker.call(lambda: worker.call(lambda: "inner")) == "inner"


def test_what_is_posted_is_done_before_what_is_called_later():
    worker = Worker("test")
    seen: list[int] = []
    worker.post(lambda: seen.append(1))
    worker.post(lambda: {}["nobody hears of it"])
    worker.call(lambda: seen.append(2))
    assert seen == [1, 2]


def test_a_result_does_not_linger():
    class Thing:
        pass

    worker = Worker("test")
    thing = worker.call(Thing)
    seen = weakref.ref(thing)
    del thing
    worker.call(lambda: None)
    assert seen() is None


def test_one_worker_a_name():
    assert worker_for("test a") is worker_for("test a")
    assert worker_for("test a") is not worker_for("test b")


FORK = """
import os
from hwkeys import ForkRefused
from hwkeys.worker import worker_for
worker = worker_for("x")
worker.call(lambda: None)
for attempt in (lambda: worker.call(print), lambda: worker.here(print), lambda: worker_for("x")):
    if (child := os.fork()) == 0:
        try:
            attempt()
        except ForkRefused:
            worker.post(print)
            os._exit(7)
        os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
if (child := os.fork()) == 0:
    worker_for("of the child").call(lambda: None)
    os._exit(8)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_forked_child_may_not_use_its_parents_worker_but_may_have_its_own():
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["7", "7", "7", "8"]


def test_a_hung_device_does_not_keep_a_program_from_ending():
    script = "import time, threading; from hwkeys.worker import Worker; Worker('x').post(lambda: time.sleep(60))"
    subprocess.run([sys.executable, "-c", script], timeout=10, check=True, env=os.environ)


def test_an_error_is_kept_by_nobody_but_its_catcher():
    class Held(Exception):
        pass

    def fail():
        raise Held

    worker = Worker("test")
    gc.disable()
    try:
        with pytest.raises(Held) as caught:
            worker.call(fail)
        error = weakref.ref(caught.value)
        del caught
        # The worker lets go of a job before it takes the next one.
        worker.call(int)
        assert error() is None
    finally:
        gc.enable()
