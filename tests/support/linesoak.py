# SPDX-License-Identifier: Apache-2.0
"""A day of a line in ten minutes: its clock runs 144 times as fast, so that its keys change as often as in a day.

``python -m support.linesoak [--seconds 600]`` keeps two ends of one line in this process busy: chat both ways all the
time, files both ways one after the other, ten changes of the path. It prints one JSON object: what was done, and how
many tasks, sockets and octets of memory there were when all was warm and at the end.
"""

import argparse
import asyncio
import ctypes
import gc
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from hardwire.app.events import Delivered, Event, FileDone, FileFailed, FileOffer, LineClosed, PathFound, Said
from hardwire.app.outgoing import inspect
from hardwire.app.session import Session
from hardwire.channel import Limits
from hardwire.errors import HardwireError
from hardwire.net.config import Clock
from support.lines import config_for_test, line_pair
from support.netsamples import open_sockets
from support.people import STRANGER

FASTER = 86_400 / 600
MOVES = 10
FILE_OCTETS = 1_500_000
CHAT_EVERY = 0.02
MOST = 0.75
"""Of the time, after which the last move has begun."""
# Two limits are about how long a machine or a network may take, and those are not 144 times as fast here.
LIMITS = Limits(rekey_answer=120.0 * FASTER / 10, old_epoch_seconds=30.0 * FASTER / 10)


class Counter:
    """A face that counts instead of remembering, and takes every file."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.session: Session | None = None
        self.heard = self.delivered = self.saved = self.moves = 0
        self.failed: list[str] = []
        self.closed: LineClosed | None = None

    def emit(self, event: Event) -> None:
        match event:
            case Said(by="peer"):
                self.heard += 1
            case Delivered():
                self.delivered += 1
            case FileOffer(id=number):
                self.session.transfers.accept(number, self.directory)
            case FileDone(path=Path() as path):
                self.saved += 1
                path.unlink()
            case FileFailed(reason=reason):
                self.failed.append(reason)
            case PathFound(moved=True):
                self.moves += 1
            case LineClosed():
                self.closed = event


class Fast:
    """A clock that is one of ours until the line is open: a handshake takes as long as it does."""

    began: float | None = None

    def __call__(self) -> float:
        now = time.monotonic()
        return now if self.began is None else self.began + (now - self.began) * FASTER


def memory() -> int:
    """Octets of this process that are in memory now, and that something still holds."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what is free the C library keeps for the next file
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def standing() -> dict[str, int]:
    return {"tasks": len(asyncio.all_tasks()), "sockets": open_sockets(), "memory": memory()}


async def chat(session: Session) -> None:
    number = 0
    while True:
        session.say(f"line {number} of a long conversation")
        number += 1
        await asyncio.sleep(CHAT_EVERY)


async def files(session: Session, source: Path) -> None:
    offered = await inspect(source)
    while True:
        await session.transfers.outcome(session.offer(offered))
        await asyncio.sleep(0.2)


async def moves(lines, faces, seconds: float, told: dict) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(MOVES):
        await asyncio.sleep(began + (number + 1) * MOST * seconds / MOVES - loop.time())
        lines[number % 2].change_path()
        async with asyncio.timeout(20):
            while min(face.moves for face in faces) <= number:  # noqa: ASYNC110 (it happens at both ends)
                await asyncio.sleep(0.02)
        if number == 1:
            told["warm"] = standing()


async def soak(seconds: float) -> dict:
    fast = Fast()
    clock = Clock(monotonic=fast)
    configs = [config_for_test(clock=clock, limits=LIMITS, patience=60.0 * FASTER) for _ in range(2)]
    told: dict = {"before": standing()}
    with tempfile.TemporaryDirectory() as folder:
        async with line_pair(*configs) as lines:
            began = fast.began = time.monotonic()
            faces, running, work = [], [], []
            for name, line in zip("ab", lines, strict=True):
                directory, source = Path(folder) / name, Path(folder) / f"{name}.bin"
                directory.mkdir()
                source.write_bytes(os.urandom(FILE_OCTETS))
                face = Counter(directory)
                face.session = Session(line, face, STRANGER)
                faces.append(face)
                running.append(asyncio.create_task(face.session.run()))
                work += [asyncio.create_task(chat(face.session)), asyncio.create_task(files(face.session, source))]
            moving = asyncio.create_task(moves(lines, faces, seconds, told))
            left = seconds - (time.monotonic() - began)
            done, _ = await asyncio.wait({*work, *running, moving}, timeout=left, return_when=asyncio.FIRST_EXCEPTION)
            told["broke"] = [repr(task.exception()) for task in done if task.exception() is not None]
            told["end"] = standing()
            epochs = [line._channel._rekey._epoch.number for line in lines]
            for task in (*work, moving):
                task.cancel()
            await asyncio.gather(*work, moving, return_exceptions=True)
            for face in faces:
                try:
                    await face.session.close()
                except HardwireError as problem:
                    told["broke"].append(repr(problem))
            await asyncio.gather(*running, return_exceptions=True)
    await asyncio.sleep(0.1)
    told["after"] = standing()
    told["hours"] = round((time.monotonic() - began) * FASTER / 3600, 1)
    for name, face, epoch in zip("ab", faces, epochs, strict=True):
        told[name] = {
            "epoch": epoch,
            "heard": face.heard,
            "delivered": face.delivered,
            "saved": face.saved,
            "failed": face.failed,
            "moves": face.moves,
        }
    told["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return told


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=599.0)
    print(json.dumps(asyncio.run(soak(parser.parse_args().seconds))))
