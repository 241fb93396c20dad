# SPDX-License-Identifier: Apache-2.0
"""Chat bookkeeping of one line: what waits for the peer's acknowledgement, what was seen, what is owed.

Acknowledgements wait a moment and travel together. A conversation is quick questions and quick answers, and an
acknowledgement that is sealed and sent before the answer would make the answer late.
"""

from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import Final

from hardwire.channel import messages
from hardwire.channel.events import ChatDelivered, ChatReceived, Event
from hardwire.channel.limits import Limits
from hardwire.channel.messages import Kind
from hardwire.errors import LocalError, Misuse, WireError

CHAT_IDS_KEPT: Final = 1024
"""Ids of received messages that are remembered, so that a repeated one is shown once."""


class Chats:
    """Both directions of chat.

    Args:
        limits: How many messages may wait, and how long an acknowledgement does.
        send: Seals and queues one record on channel 0.
        emit: Takes an event.

    Attributes:
        due_at: When the owed acknowledgements must go; infinite when none is owed.
    """

    def __init__(self, limits: Limits, *, send: Callable[[int, bytes], None], emit: Callable[[Event], None]) -> None:
        self._limits = limits
        self._send = send
        self._emit = emit
        self._waiting: OrderedDict[bytes, str] = OrderedDict()
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._owed: list[bytes] = []
        self.due_at = inf

    @property
    def unacknowledged(self) -> tuple[tuple[bytes, str], ...]:
        """(id, text) of the messages the peer has not acknowledged, in order."""
        return tuple(self._waiting.items())

    def say(self, message_id: bytes, text: str) -> bytes:
        """Send a message under this id, which is returned.

        Raises:
            Misuse: for an empty or long text, or an id that is on its way already.
            LocalError: ``chat-backlog``.
        """
        if len(self._waiting) >= self._limits.chats:
            raise LocalError(
                f"{len(self._waiting)} messages wait to be delivered",
                code="chat-backlog",
                hint="wait until the peer's device answers",
            )
        payload = messages.encode_chat(message_id, text)
        if message_id in self._waiting:
            raise Misuse("a message of this id is on its way already")
        self._waiting[message_id] = text
        self._send(Kind.CHAT, payload)
        return message_id

    def on_chat(self, payload: bytes, now: float) -> None:
        """Kind 0x01 arrived. Raises WireError."""
        message_id, text = messages.decode_chat(payload)
        self._owed.append(message_id)
        if self.due_at == inf:
            self.due_at = now + self._limits.ack_delay
        if len(self._owed) >= messages.ACKS_MAX:
            self.flush()
        if message_id in self._seen:
            return
        self._seen[message_id] = None
        if len(self._seen) > CHAT_IDS_KEPT:
            self._seen.popitem(last=False)
        self._emit(ChatReceived(message_id, text))

    def on_acks(self, payload: bytes) -> None:
        """Kind 0x04 arrived. Raises WireError."""
        for message_id in messages.decode_acks(payload):
            if self._waiting.pop(message_id, None) is None:
                raise WireError("the peer acknowledged a message that is not on its way")
            self._emit(ChatDelivered(message_id))

    def tick(self, now: float) -> None:
        """Send the owed acknowledgements if they are due."""
        if now >= self.due_at:
            self.flush()

    def flush(self) -> None:
        """Send the owed acknowledgements now."""
        self.due_at = inf
        if self._owed:
            owed, self._owed = self._owed, []
            self._send(Kind.ACK, b"".join(owed))
