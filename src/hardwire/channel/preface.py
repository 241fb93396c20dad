# SPDX-License-Identifier: Apache-2.0
"""What comes before the content of a transfer: manifest and hash list, judged by the root (protocol.md §14.11)."""

from dataclasses import dataclass, field

from hardwire.channel.fields import require
from hardwire.channel.filecontrol import Offer, TransferKind
from hardwire.channel.manifest import EntryKind, Manifest, decode_manifest
from hardwire.channel.tree import mismatch, root_of
from hardwire.errors import WireError


@dataclass(frozen=True, slots=True)
class Preface:
    """Proof that manifest and list are the offered ones.

    Attributes:
        manifest: What is in the transfer.
        leaves: The hash list, 32 octets for each leaf.
    """

    manifest: Manifest
    leaves: bytes = field(repr=False)


def make_offer(name: str, manifest: Manifest, leaves: bytes) -> tuple[Offer, bytes]:
    """The offer of a file or a directory, and the encoded preface. Raises Misuse when it breaks a rule."""
    first = manifest.entries[0]
    kind = TransferKind.DIRECTORY if first.kind is EntryKind.DIRECTORY else TransferKind.FILE
    encoded = manifest.encode()
    root = root_of(kind, encoded, leaves, manifest.size)
    offer = Offer(kind, manifest.size, manifest.files, len(encoded), root, name, manifest.directories)
    return offer, encoded + leaves


def open_preface(offer: Offer, data: bytes) -> Preface:
    """Judge the first ``offer.preface`` octets of a transfer's stream.

    Raises:
        TransferIncomplete: ``hash-mismatch``: they are not what the root binds.
        WireError: They are, and say something else than the offer, or what no manifest may say.
    """
    require(len(data) == offer.preface, "the preface is not complete")
    encoded, leaves = data[: offer.manifest], data[offer.manifest :]
    if root_of(offer.kind, encoded, leaves, offer.size) != offer.root:
        raise mismatch()
    manifest = decode_manifest(encoded)
    first = manifest.entries[0]
    wanted = EntryKind.FILE if offer.kind is TransferKind.FILE else EntryKind.DIRECTORY
    told = (wanted, offer.size, offer.files, offer.directories)
    if (first.kind, manifest.size, manifest.files, manifest.directories) != told:
        raise WireError("the manifest does not hold what was offered", code="transfer")
    return Preface(manifest, leaves)
