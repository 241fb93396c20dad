# SPDX-License-Identifier: Apache-2.0
"""The checks of a peer's proof, as the numbered list of docs/protocol.md §11; the order is the protocol's.

Each raises, none returns a verdict. What is left to the caller afterwards: whether that device is the one that
was meant, which is for :mod:`hardwire.certs`, a policy and a person to say.
"""

from dataclasses import dataclass, field

from hardwire.certs import GatedCertificate, device_id, open_gate
from hardwire.errors import HandshakeRefused, IdentityChanged
from hardwire.handshake.contact import Recognition
from hardwire.handshake.credential import Credential
from hardwire.handshake.events import Role
from hardwire.handshake.messages import Proof
from hardwire.handshake.schedule import DirectionKeys, commitment, same, to_be_signed
from hardwire.handshake.signatures import check_scheme, verify


@dataclass(frozen=True, slots=True)
class Expected:
    """What this side knows before it opens a proof.

    Attributes:
        sender: The peer's role.
        keys: What the peer seals and finishes with.
        transcript: Transcript hash that the proof continues: ``th2c`` for M2, ``th2`` for M3.
        th2c: Transcript hash under both signatures.
        own_spki: This side's own public key.
        contact: Whom the contact tag promised.
    """

    sender: Role
    keys: DirectionKeys = field(repr=False)
    transcript: bytes
    th2c: bytes
    own_spki: bytes
    contact: Recognition


@dataclass(frozen=True, slots=True)
class Presented:
    """A peer whose proof passed.

    Attributes:
        proof: What was inside the message.
        credential: Its credential, parsed.
        leaf: The certificate whose key signed.
    """

    proof: Proof
    credential: Credential
    leaf: GatedCertificate


def responder_proof(sealed: bytes, expected: Expected) -> tuple[bytes, Presented]:
    """Open and check what is inside M2.

    Returns:
        The plaintext with its padding, as the transcript needs it, and the peer.

    Raises:
        PeerError: the first check that says no.
    """
    plaintext = expected.keys.open(0, expected.transcript, sealed)
    proof = Proof.parse(plaintext, Role.RESPONDER)
    credential = Credential.decode(proof.credential)
    return plaintext, _present(proof, credential, expected)


def initiator_proof(sealed: bytes, commit: bytes, expected: Expected) -> tuple[bytes, Presented]:
    """Open and check what is inside M3; ``commit`` is what M1 promised. Otherwise as :func:`responder_proof`."""
    plaintext = expected.keys.open(0, expected.transcript, sealed)
    proof = Proof.parse(plaintext, Role.INITIATOR)
    credential = Credential.decode(proof.credential)
    _check_commitment(proof, commit)
    return plaintext, _present(proof, credential, expected)


def usable_leaf(credential: Credential) -> GatedCertificate:
    """The first certificate, if it is well formed and its key may sign.

    Raises:
        CertificateRefused: the gate said no.
        HandshakeRefused: ``key-usage``.
    """
    leaf = open_gate(credential.leaf)
    if leaf.key_usage_digital_signature is False:
        raise HandshakeRefused("the certificate does not allow its key to sign", code="key-usage")
    return leaf


def _present(proof: Proof, credential: Credential, expected: Expected) -> Presented:
    leaf = usable_leaf(credential)
    scheme = check_scheme(leaf.public_key, proof.scheme)
    verify(leaf.public_key, scheme, proof.signature, to_be_signed(expected.sender, expected.th2c, proof.credential))
    _check_finished(proof, expected)
    _check_not_reflected(leaf, expected)
    _check_contact(leaf, expected)
    return Presented(proof, credential, leaf)


def _check_commitment(proof: Proof, commit: bytes) -> None:
    """``commitment``: the nonce and credential are those that M1 fixed, before the initiator saw anything of ours."""
    if not same(commitment(proof.nonce, proof.credential), commit):
        raise HandshakeRefused("the initiator shows something else than it committed to", code="commitment")


def _check_finished(proof: Proof, expected: Expected) -> None:
    """``finished``: whoever signed also holds the keys of this session (no identity is misbound)."""
    if not same(expected.keys.finish(expected.transcript, proof.head), proof.finished):
        raise HandshakeRefused("the peer's proof is not bound to this session", code="finished")


def _check_not_reflected(leaf: GatedCertificate, expected: Expected) -> None:
    """``reflection``: nobody is shown their own key."""
    if leaf.spki == expected.own_spki:
        raise HandshakeRefused("the peer shows this side's own key", code="reflection")


def _check_contact(leaf: GatedCertificate, expected: Expected) -> None:
    """``identity-changed``: a contact secret proves one device, and this must be that one."""
    promised = expected.contact.device_id
    if promised is not None and device_id(leaf.spki) != promised:
        raise IdentityChanged("the peer proved the contact secret of one device and shows the key of another")
