# SPDX-License-Identifier: Apache-2.0
"""What a line has beside itself: its direct lanes, and the account of which way the octets of each transfer took."""

import contextlib
from collections.abc import Callable, Iterator, Mapping

from hardwire.channel import FileChunk, LaneAgreed, LaneEnded, LaneOffered, LaneWanted, SecureChannel
from hardwire.channel.lane import Lanes
from hardwire.errors import ConnectionLost
from hardwire.handshake import Entropy
from hardwire.net.lane.direct import DirectLane
from hardwire.net.lane.keeper import LaneKeeper, LaneUser
from hardwire.net.lane.path import LanePath
from hardwire.net.lane.ways import DATA_CHANNEL, WORTH_A_LANE, Ways


class Beside:
    """The lanes of one line; a :class:`~hardwire.net.lane.keeper.LaneLine`.

    Args:
        channel: Of the line.
        path: Between which addresses a lane may be made at the moment; None when there must be none.
        entropy: For greetings.
        now: Monotonic seconds.
        pump: Called when the channel has something to say or to send.
    """

    def __init__(
        self,
        channel: SecureChannel,
        path: Callable[[], LanePath | None],
        entropy: Entropy,
        *,
        now: Callable[[], float],
        pump: Callable[[], None],
    ) -> None:
        self._channel = channel
        self._path = path
        self._now = now
        self._pump = pump
        self._ways = Ways()
        self._keeper = LaneKeeper(self, entropy, now)

    # ------------------------------------------------------------------ for whoever uses the line

    def serve(self, user: LaneUser) -> None:
        """Tell that one of every direct lane from now on; there is one at a time, when there is much to carry."""
        self._keeper.serve(user)

    @property
    def lane(self) -> DirectLane | None:
        """The lane that stands, if one does."""
        return self._keeper.lane

    def expect(self, size: int) -> None:
        """This side takes a transfer of so many octets: a lane may stand by the time that there is a place for them."""
        if size >= WORTH_A_LANE:
            self._keeper.wish()

    def carried(self, transfer: int) -> Mapping[str, int]:
        """Octets of a transfer by way (``direct``, ``data channel``); those that were sent again count again."""
        return self._ways.of(transfer)

    # ------------------------------------------------------------------ for the line

    def take(self, event: object) -> bool:
        """Look at an event of the channel; whether it was for the lanes, and for nobody else."""
        if isinstance(event, FileChunk):
            self._ways.arrived(event.id, len(event.data))
        if not isinstance(event, (LaneWanted, LaneOffered, LaneAgreed, LaneEnded)):
            return False
        with contextlib.suppress(ConnectionLost):  # then the line's last event is the next one
            self._keeper.handle(event)
        return True

    def sent(self, transfer: int, size: int, *, direct: bool = False) -> None:
        """A chunk was sent; much of it over the data channel calls for a lane."""
        self._ways.sent(transfer, DirectLane.name if direct else DATA_CHANNEL, size)
        if not direct and self._ways.worth_a_lane:
            self._keeper.wish()

    def moved(self) -> None:
        """The line has another path."""
        with contextlib.suppress(ConnectionLost):
            self._keeper.moved()

    def stop(self) -> None:
        """The line is over."""
        self._keeper.stop()

    async def settled(self) -> None:
        """Wait until sockets, threads and tasks are gone."""
        await self._keeper.settled()

    # ------------------------------------------------------------------ for the keeper

    @property
    def direct_path(self) -> LanePath | None:
        """Both addresses of the path in use, or None."""
        return self._path()

    @contextlib.contextmanager
    def lanes(self) -> Iterator[Lanes]:
        """The negotiation, for one call. Raises ConnectionLost when the line is over."""
        try:
            with self._channel.lanes(self._now()) as lanes:
                yield lanes
        finally:
            self._pump()

    def receive_chunk(self, transfer: int, offset: int, data: memoryview, chunk_size: int) -> None:
        """A chunk that came by the lane; one that was not due ends the line."""
        self._channel.receive_chunk(transfer, offset, data, chunk_size, self._now())
        with self._ways.through(DirectLane.name):
            self._pump()
