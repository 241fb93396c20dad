# SPDX-License-Identifier: Apache-2.0
import itertools

import pytest

from hardwire.channel.ratchet import CHANNELS, Chain, Epoch
from hardwire.errors import Misuse
from hardwire.handshake import Role
from hardwire.handshake.schedule import mac

SECRET = bytes(range(32))


def test_every_frame_direction_channel_and_epoch_has_its_own_key():
    first = Epoch(0, SECRET)
    epochs = [first, first.following(b"s" * 32, b"pk", b"ct")]
    keys = [
        epoch.chain(role, channel).step()
        for epoch, role, channel, _ in itertools.product(epochs, Role, CHANNELS, range(5))
    ]
    assert len({key for key, _ in keys}) == len({iv for _, iv in keys}) == 40
    assert {(len(key), len(iv)) for key, iv in keys} == {(32, 12)}


def test_a_step_leaves_only_the_next_link():
    chain = Chain(SECRET)
    chain.step()
    assert chain._secret == mac(SECRET, b"\x02")


def test_an_erased_chain_yields_nothing():
    chain = Chain(SECRET)
    assert not chain.is_erased
    chain.erase()
    assert chain.is_erased
    with pytest.raises(Misuse, match="gone"):
        chain.step()


def test_the_root_is_gone_once_the_next_epoch_exists():
    epoch = Epoch(6, SECRET)
    following = epoch.following(b"s" * 32, b"pk", b"ct")
    assert following.number == 7
    assert epoch._root == b""
    with pytest.raises(Misuse, match="root"):
        epoch.following(b"s" * 32, b"pk", b"ct")


@pytest.mark.parametrize(
    "shared,public,ciphertext", [(b"t" * 32, b"pk", b"ct"), (b"s" * 32, b"pK", b"ct"), (b"s" * 32, b"pk", b"cT")]
)
def test_the_next_epoch_depends_on_everything_exchanged(shared, public, ciphertext):
    def key(*given):
        return Epoch(0, SECRET).following(*given).chain(Role.INITIATOR, 0).step()

    assert key(b"s" * 32, b"pk", b"ct") != key(shared, public, ciphertext)


def test_the_next_epoch_depends_on_the_last_root():
    keys = {Epoch(0, bytes([n]) * 32).following(b"s" * 32, b"", b"").chain(Role.INITIATOR, 0).step() for n in range(4)}
    assert len(keys) == 4


def test_an_erased_epoch_has_neither_root_nor_chains():
    epoch = Epoch(0, SECRET)
    epoch.erase()
    assert epoch._root == b""
    for role, channel in itertools.product(Role, CHANNELS):
        with pytest.raises(Misuse):
            epoch.chain(role, channel).step()


def test_a_secret_has_32_octets():
    with pytest.raises(Misuse):
        Epoch(0, b"short")
