# SPDX-License-Identifier: Apache-2.0
"""Keys that are used once and then cannot be found again (protocol.md §14).

An epoch secret yields a root, from which the next epoch grows, and one chain for each direction and channel. A chain
is stepped once a frame: it gives the frame's key and IV and replaces itself by a one-way function of itself. Whoever
copies the state now reads nothing that was sent before; whoever copied it earlier reads nothing after the next rekey.

Python cannot wipe an immutable ``bytes``; erasing means that the last reference goes (docs/limitations.md).
"""

from typing import Final

from hardwire.errors import Misuse
from hardwire.handshake.events import Role
from hardwire.handshake.schedule import IV_SIZE, KEY_SIZE, digest, expand, expand_label, extract, label_info, mac_both

CONTROL: Final = 0
"""The channel of chat and everything that steers: control frames, rekeys, the close frame."""
BULK: Final = 1
"""The channel of file chunks."""
CHANNELS: Final = (CONTROL, BULK)
"""Channels with keys. Ids up to 15 are reserved; a frame on one of them is refused."""
SECRET_SIZE: Final = 32
PEER_OF: Final = {Role.INITIATOR: Role.RESPONDER, Role.RESPONDER: Role.INITIATOR}

_CHAIN_LABEL: Final = {Role.INITIATOR: b"i chain", Role.RESPONDER: b"r chain"}
_MESSAGE_KEY: Final = b"\x01"
_NEXT_CHAIN: Final = b"\x02"
_FRAME_SIZE: Final = KEY_SIZE + IV_SIZE
# The same for every frame, and encoding it anew takes as long as the HMACs.
_FRAME_INFO: Final = label_info(b"frame", b"", _FRAME_SIZE)


class Chain:
    """The keys of one direction of one channel in one epoch, in order.

    Args:
        secret: 32 octets; the caller keeps no copy.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def step(self) -> tuple[bytes, bytes]:
        """(key of 32 octets, IV of 12 octets) of the next frame; never the same twice.

        Raises:
            Misuse: after :meth:`erase`.
        """
        if not self._secret:
            raise Misuse("the keys of this epoch are gone")
        message, self._secret = mac_both(self._secret, _MESSAGE_KEY, _NEXT_CHAIN)
        material = expand(message, _FRAME_INFO, _FRAME_SIZE)
        return material[:KEY_SIZE], material[KEY_SIZE:]

    @property
    def is_erased(self) -> bool:
        """It yields no key any more."""
        return not self._secret

    def erase(self) -> None:
        """Forget."""
        self._secret = b""


class Epoch:
    """Everything that one epoch secret yields; the secret itself is not kept.

    Args:
        number: 0 after the handshake, then one more with every rekey.
        secret: 32 octets, E_e of protocol.md §14.
    """

    __slots__ = ("_chains", "_root", "number")

    def __init__(self, number: int, secret: bytes) -> None:
        if len(secret) != SECRET_SIZE:
            raise Misuse(f"an epoch secret has {SECRET_SIZE} octets")
        self.number = number
        self._root = expand_label(secret, b"root", b"", SECRET_SIZE)
        self._chains: dict[tuple[Role, int], Chain] = {}
        for role, label in _CHAIN_LABEL.items():
            direction = expand_label(secret, label, b"", SECRET_SIZE)
            for channel in CHANNELS:
                chain = expand_label(direction, b"chan", channel.to_bytes(2), SECRET_SIZE)
                self._chains[role, channel] = Chain(chain)

    def chain(self, sender: Role, channel: int) -> Chain:
        """The chain of what ``sender`` sends on ``channel``; always the same object."""
        return self._chains[sender, channel]

    def following(self, shared: bytes, public: bytes, ciphertext: bytes) -> "Epoch":
        """The next epoch, grown from this one's root and a fresh key encapsulation; the root is erased.

        Args:
            shared: The KEM's shared secret, 32 octets.
            public: The initiator's KEM public key, as sent.
            ciphertext: The responder's KEM ciphertext, as sent.

        Raises:
            Misuse: when this epoch already has a successor, or was erased.
        """
        if not self._root:
            raise Misuse("this epoch has no root any more")
        number = self.number + 1
        context = digest(number.to_bytes(4), public, ciphertext)
        secret = expand_label(extract(self._root, shared), b"epoch", context, SECRET_SIZE)
        self._root = b""
        return Epoch(number, secret)

    def erase(self) -> None:
        """Forget the root and every chain."""
        self._root = b""
        for chain in self._chains.values():
            chain.erase()
