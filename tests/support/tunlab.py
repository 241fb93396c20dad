# SPDX-License-Identifier: Apache-2.0
"""Two machines and one link between them, whose rate, delay and queue are ours: for what kernels do there, TCP included.

Each machine is a network namespace with a TUN device, and everything that one kernel sends is handed to the other one by
this process, through a :class:`support.udpproxy.Bottleneck` for each direction. No queueing discipline is needed (``netem``
is not in every kernel). Run it where namespaces may be made: as root, or in ``unshare --user --map-root-user``.
"""

import asyncio
import ctypes
import fcntl
import os
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from support.udpproxy import Bottleneck

_NEW_NET = 0x4000_0000
_TUNSETIFF = 0x4004_54CA
_TUN_WITHOUT_HEADER = 0x0001 | 0x1000
_MOST = 65_536
_AT_ONCE = 64
ADDRESSES = ("10.79.0.1", "10.79.0.2")


class Namespace:
    """Lives as long as its thread does."""

    def __init__(self) -> None:
        self._ready, self._over = threading.Event(), threading.Event()
        self._problem: OSError | None = None
        self.device = -1
        threading.Thread(target=self._live, daemon=True).start()
        self._ready.wait(10)
        if self._problem is not None:
            raise self._problem

    def _live(self) -> None:
        try:
            if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NET):
                number = ctypes.get_errno()
                raise OSError(number, f"no network namespace: {os.strerror(number)}")  # noqa: TRY301
            self.path = f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net"
            self.device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(self.device, _TUNSETIFF, struct.pack("16sH22x", b"link0", _TUN_WITHOUT_HEADER))
        except OSError as error:
            self._problem = error
            self._ready.set()
            return
        self._ready.set()
        self._over.wait()

    def command(self, *words: str) -> list[str]:
        """What runs a command in here."""
        return ["nsenter", f"--net={self.path}", *words]

    def end(self) -> None:
        self._over.set()
        if self.device >= 0:
            os.close(self.device)


class Link:
    """Two namespaces, :attr:`left` and :attr:`right`; ``there`` is what left sends."""

    def __init__(self, there: Bottleneck, back: Bottleneck) -> None:
        self._loop = asyncio.get_running_loop()
        self.left = Namespace()
        self.right = Namespace()
        for place, own, other in ((self.left, *ADDRESSES), (self.right, *ADDRESSES[::-1])):
            for words in (
                f"address add {own} peer {other} dev link0",
                "link set link0 mtu 1500 txqueuelen 1000 up",
                "link set lo up",
            ):
                subprocess.run(place.command("ip", *words.split()), check=True, capture_output=True)
        for place, other, way in ((self.left, self.right, there), (self.right, self.left, back)):
            self._loop.add_reader(place.device, self._carry, place.device, other.device, way)

    def _carry(self, source: int, target: int, way: Bottleneck) -> None:
        for _ in range(_AT_ONCE):
            try:
                packet = os.read(source, _MOST)
            except OSError:
                return
            way.put(len(packet), lambda packet=packet: self._put(target, packet))

    def _put(self, target: int, packet: bytes) -> None:
        try:
            os.write(target, packet)
        except OSError:
            return

    def end(self) -> None:
        for place in (self.left, self.right):
            self._loop.remove_reader(place.device)
            place.end()


@contextmanager
def link(there: Bottleneck, back: Bottleneck) -> Iterator[Link]:
    """A link while it is needed.

    Raises:
        OSError: This machine lets us make no namespace, or no TUN device in it.
        subprocess.CalledProcessError: ``ip`` did not do it.
    """
    made = Link(there, back)
    try:
        yield made
    finally:
        made.end()
