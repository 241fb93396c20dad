# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from hardwire.channel.filecontrol import FileFinish, FileOffer, Offer, TransferKind, decode_file_control
from hardwire.channel.manifest import Entry, EntryKind, Manifest, decode_manifest
from hardwire.channel.preface import Preface, make_offer, open_preface
from hardwire.channel.tree import LEAF_MIN, root_of
from hardwire.errors import Misuse, TransferIncomplete, WireError

FILE = Manifest((Entry(EntryKind.FILE, 0o644, 0, 5, ""),))
TREE = Manifest((Entry(EntryKind.DIRECTORY, 0o755, 0, 0, ""), Entry(EntryKind.FILE, 0o644, 0, 5, "a")))
LEAF = b"\x11" * 32
VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "transfers.json").read_text())


@pytest.mark.parametrize("manifest, kind", [(FILE, TransferKind.FILE), (TREE, TransferKind.DIRECTORY)])
def test_there_and_back(manifest, kind):
    offer, data = make_offer("name", manifest, LEAF)
    assert (offer.kind, offer.size, offer.files, offer.name) == (kind, 5, 1, "name")
    assert offer.preface == len(data)
    assert open_preface(offer, data) == Preface(manifest, LEAF)


def test_other_octets():
    offer, data = make_offer("name", FILE, LEAF)
    for wrong in (data[:-1] + b"\x12", bytes([data[0] ^ 1]) + data[1:]):
        with pytest.raises(TransferIncomplete) as caught:
            open_preface(offer, wrong)
        assert caught.value.code == "hash-mismatch"
    with pytest.raises(Misuse):
        open_preface(offer, data[:-1])


@pytest.mark.parametrize(
    "manifest, lie",
    [
        (FILE, {"kind": TransferKind.DIRECTORY}),
        (TREE, {"kind": TransferKind.FILE}),
        (TREE, {"size": 6}),
        (TREE, {"files": 2}),
        (TREE, {"directories": 1}),
    ],
)
def test_an_offer_that_says_something_else(manifest, lie):
    offer, data = make_offer("name", manifest, LEAF)
    offer = replace(offer, **lie)
    offer = replace(offer, root=root_of(offer.kind, manifest.encode(), LEAF, offer.size))
    with pytest.raises(WireError):
        open_preface(offer, data)


def test_a_bound_manifest_that_breaks_the_rules():
    offer, data = make_offer("name", FILE, LEAF)
    broken = b"\x07" + data[1:]
    with pytest.raises(WireError):
        open_preface(replace(offer, root=root_of(offer.kind, broken[: offer.manifest], LEAF, 5)), broken)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors(vector):
    manifest, leaves, root = (bytes.fromhex(vector[name]) for name in ("manifest", "list", "root"))
    data = (bytes(range(251)) * (vector["size"] // 251 + 1))[: vector["size"]]
    cut = [data[start : start + LEAF_MIN] for start in range(0, len(data), LEAF_MIN)]
    assert b"".join(hashlib.sha256(b"HBI1 leaf" + leaf).digest() for leaf in cut) == leaves
    sent = decode_file_control(bytes.fromhex(vector["offer"]))
    if vector["kind"] == TransferKind.STREAM:
        assert sent == FileOffer(1, Offer(TransferKind.STREAM, 0, 1, 0, b"\x55" * 32, vector["name"]))
        assert FileFinish(1, vector["size"], root).encode().hex() == vector["finish"]
        assert root_of(TransferKind.STREAM, b"", leaves, vector["size"]) == root
        return
    offer, preface = make_offer(vector["name"], decode_manifest(manifest), leaves)
    assert sent == FileOffer(1, offer)
    assert (offer.root, preface) == (root, manifest + leaves)
    assert open_preface(sent.offer, preface).manifest.size == vector["size"]
