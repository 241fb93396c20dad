# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest

from hardwire.channel import tree
from hardwire.errors import Misuse, TransferIncomplete

MIB = 1 << 20


@pytest.mark.parametrize(
    "size, leaf, count",
    [
        (0, MIB, 0), (1, MIB, 1), (MIB, MIB, 1), (MIB + 1, MIB, 2),
        (128 << 30, MIB, 1 << 17), ((128 << 30) + 1, 2 * MIB, (1 << 16) + 1), (1 << 53, 64 << 30, 1 << 17),
    ],
)  # fmt: skip
def test_leaves(size, leaf, count):
    assert (tree.leaf_size(size), tree.leaf_count(size)) == (leaf, count)


def leaf(data):
    return hashlib.sha256(b"HBI1 leaf" + data).digest()


def test_the_root():
    first, second = leaf(bytes(MIB)), leaf(b"x")
    manifest = hashlib.sha256(b"HBI1 manifest" + b"m").digest()
    size = MIB + 1
    wanted = hashlib.sha256(b"HBI1 root\x02" + manifest + first + second + size.to_bytes(8)).digest()
    assert tree.root_of(2, b"m", first + second, size) == wanted
    root = tree.RootHash(2, b"m")
    root.add(first)
    assert root.digest(1) != wanted
    root.add(second)
    assert root.digest(size) == wanted


@pytest.mark.parametrize(
    "changed", [(1, b"m", b"l" * 32, 5), (2, b"n", b"l" * 32, 5), (2, b"m", b"k" * 32, 5), (2, b"m", b"l" * 32, 6)]
)
def test_the_root_binds_everything(changed):
    assert tree.root_of(*changed) != tree.root_of(2, b"m", b"l" * 32, 5)


def test_walking_over_leaves():
    content = bytes(MIB) + b"tail"
    walk = tree.LeafWalk(len(content), leaf(bytes(MIB)) + leaf(b"tail"))
    assert (walk.missing, walk.proved, walk.octets) == (MIB, 0, 0)
    walk.update(memoryview(content)[:5])
    assert walk.missing == MIB - 5
    with pytest.raises(Misuse):
        walk.update(memoryview(content)[: MIB - 4])
    walk.update(memoryview(content)[5:MIB])
    assert (walk.missing, walk.proved, walk.octets) == (4, 1, MIB)
    walk.update(memoryview(b"tail"))
    assert (walk.missing, walk.proved, walk.octets) == (0, 2, MIB + 4)


def test_a_wrong_leaf_is_noticed_and_may_come_again():
    walk = tree.LeafWalk(4, leaf(b"tail"))
    with pytest.raises(TransferIncomplete) as caught:
        walk.update(memoryview(b"tale"))
    assert caught.value.code == "hash-mismatch"
    assert (walk.proved, walk.missing) == (0, 4)
    walk.update(memoryview(b"tail"))
    assert walk.octets == 4


def test_a_walk_from_the_middle():
    walk = tree.LeafWalk(MIB + 4, bytes(32) + leaf(b"tail"), 1)
    assert (walk.octets, walk.missing) == (MIB, 4)
    walk.update(memoryview(b"tail"))
    assert walk.octets == MIB + 4


def test_a_list_of_another_length():
    with pytest.raises(Misuse):
        tree.LeafWalk(4, bytes(64))
