# SPDX-License-Identifier: Apache-2.0
import hashlib
import random
import threading

import pytest

from hardwire.app import digest as module
from hardwire.app.digest import FileHash


def test_nothing():
    assert FileHash().hexdigest() == hashlib.sha256().hexdigest()


@pytest.mark.parametrize("seed", range(3))
def test_pieces_of_every_size_in_their_order(seed):
    chance, whole, plain = random.Random(seed), FileHash(), hashlib.sha256()
    for _ in range(200):
        piece = chance.randbytes(chance.choice([0, 1, 65_487, 1 << 20]))
        whole.update(memoryview(piece))
        plain.update(piece)
    assert whole.hexdigest() == plain.hexdigest()
    whole.close()


def test_whoever_is_far_ahead_waits(monkeypatch):
    monkeypatch.setattr(module, "_BATCH", 1)
    monkeypatch.setattr(module, "_BEHIND", 3)
    whole, go = FileHash(), threading.Event()
    whole._thread.submit(go.wait)
    ahead = threading.Thread(target=lambda: [whole.update(b"x") for _ in range(9)])
    ahead.start()
    ahead.join(0.2)
    assert ahead.is_alive()
    assert len(whole._running) <= 4
    go.set()
    ahead.join(5)
    assert whole.hexdigest() == hashlib.sha256(b"x" * 9).hexdigest()


def test_a_thread_that_is_not_wanted_any_more_ends():
    whole = FileHash()
    whole.update(bytes(3 << 20))
    whole.close()
    whole.close()
    assert not [one for one in threading.enumerate() if one.name.startswith("hardwire sha256")]
