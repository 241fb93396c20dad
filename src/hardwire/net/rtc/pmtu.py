# SPDX-License-Identifier: Apache-2.0
"""How large a packet the path carries, found by trying (RFC 8899, RFC 8261 §5).

A packet of the base size always passes. Larger sizes are tried from the largest down, each by a packet that carries
nothing but padding and that no router may cut; one that is answered is used from then on. What this machine refuses
costs no time at all, what the network loses costs three tries. Data is never risked on a size that was not answered.

When packets of the size in use stop arriving, the path has become narrower without a word (a "black hole"): back to
the base size, and after a while, which doubles each time, the search begins again. Now and then it begins again
anyway: paths get wider, too. One direction is probed here; the other end probes the other one.

Pure: the clock is a parameter. Sizes are those of SCTP packets, in octets.
"""

import math
from typing import Final

BASE: Final = 1188
"""With DTLS, UDP and IPv6 around it just below IPv6's least MTU of 1280."""
COMMON: Final = (1412, 1404, 1312)
"""Ethernet, PPPoE, and what is left in most tunnels; a peer that reads 1500 octets at a time takes each of them."""
SIZES: Final = (16_340, 8912, *COMMON)
"""For a peer that takes any: one DTLS record, jumbo frames, and the above."""
CAUTIOUS: Final = (2048, *COMMON)
"""For any other peer: what libwebrtc reads of a record at a time, which other stacks exceed, and the above."""
TRIES: Final = 3
BEGIN_AFTER: Final = 0.1
ANSWER_TIME: Final = 1.0
HOLE_TIME: Final = 15.0
"""Seconds, the first time."""
RAISE_TIME: Final = 600.0


class PathMtu:
    """The search on one path.

    Args:
        sizes: To be tried, the largest first.

    Attributes:
        size: Octets of a packet that is known to pass.
        is_put_off: A probe is due as soon as the socket has room.
    """

    def __init__(self, sizes: tuple[int, ...]) -> None:
        self.size = BASE
        self._sizes = sizes
        self._places = list(sizes)
        self._tries = 0
        self._at = math.inf
        self.is_put_off = False
        self._hole_time = HOLE_TIME

    @property
    def deadline(self) -> float:
        """When :meth:`probe` is to be called; infinite when nothing is to be tried."""
        return self._at

    def begin(self, now: float) -> None:
        """The path is new: the base size, and the search from the beginning."""
        self.size = BASE
        self._hole_time = HOLE_TIME
        self._search(self._sizes, now + BEGIN_AFTER)

    def probe(self, now: float) -> int | None:
        """The size of the probe to send now; ``None``: not now."""
        if now < self._at:
            return None
        if self._tries >= TRIES:
            self._places.pop(0)
            self._tries = 0
        if not self._places:
            # Narrower sizes than the one in use are of no interest; wider ones may pass some day.
            self._search(tuple(size for size in self._sizes if size > self.size), now + RAISE_TIME)
            return None
        self._tries += 1
        self._at = now + ANSWER_TIME
        self.is_put_off = False
        return self._places[0]

    def put_off(self, now: float) -> None:
        """The probe could not leave, for a reason that has nothing to do with its size: the same one again, later."""
        self._tries -= 1
        self._at = now + ANSWER_TIME
        self.is_put_off = True

    def hurry(self, now: float) -> None:
        """What was put off can leave now."""
        self._at = now

    def refused(self, now: float) -> None:
        """This machine would not send the probe: the next size, at once."""
        self._tries = TRIES
        self._at = now

    def answered(self, size: int, now: float) -> None:
        """A probe of ``size`` arrived at the other end."""
        if size not in self._sizes or size <= self.size:
            return
        self.size = size
        self._search(tuple(one for one in self._sizes if one > size), now + RAISE_TIME)

    def fell_into_hole(self, now: float) -> None:
        """Packets of the size in use do not arrive any more, or nothing arrived for a while: probes will tell."""
        if self.size > BASE:
            self.size = BASE
            self._search(self._sizes, now + self._hole_time)
            self._hole_time = min(2 * self._hole_time, RAISE_TIME)

    def _search(self, places: tuple[int, ...], at: float) -> None:
        self._places = list(places)
        self._tries = 0
        self.is_put_off = False
        self._at = at if places else math.inf
