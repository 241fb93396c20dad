# SPDX-License-Identifier: Apache-2.0
"""What a hardware key may be able to do besides signing, and how to ask for it.

::

    agree = capability(key, KeyAgreement)      # or Unsupported, which says why not and what to do
    secret = agree.exchange(ec.ECDH(), peer_public_key)

Each capability is a small protocol. A key lists those it has in ``capabilities``; that a method of the name exists is
not enough, because ``cryptography`` gives every private key an ``exchange()``.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys.errors import Unsupported
from hwkeys.evidence.enrolment import Challenge
from hwkeys.evidence.values import Evidence
from hwkeys.purpose import Purpose

__all__ = ["Attester", "Enrollable", "KeyAgreement", "Purpose", "Sealer", "capability"]

MAX_NONCE = 32
"""Octets of a nonce for ``Attester.attest``."""

_T = TypeVar("_T")


@runtime_checkable
class KeyAgreement(Protocol):
    """A key made for ECDH, and for nothing else."""

    @property
    def curve(self) -> ec.EllipticCurve:
        """The curve the other side's key must be on."""
        ...

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The public half."""
        ...

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> bytes:
        """The shared x coordinate, as many octets as the curve has (32 for P-256, 48 for P-384). Derive keys from it.

        Raises:
            PeerKeyRefused: The other side's key is not a point of this curve; the device was not asked.
            HwKeyError: Anything the device can fail with.
        """
        ...


@runtime_checkable
class Attester(Protocol):
    """A key whose device can prove that the key lives in it."""

    def attest(self, nonce: bytes) -> Evidence:
        """Evidence for ``hwkeys.evidence`` to judge.

        Args:
            nonce: 1 to 32 octets that the judge chose. A TPM signs them; a PIV card's evidence holds no nonce.

        Raises:
            Unsupported: The device, or this key, cannot.
            HwKeyError: Anything the device can fail with.
        """
        ...


@runtime_checkable
class Enrollable(Protocol):
    """A key whose attestation key an authority can enrol; its side is ``hwkeys.evidence.make_credential``.

    The steps: send ``endorsements()`` and ``attestation_public()``; answer the authority's challenge with
    ``activate()``; keep the certificates it sends. From then on ``attest()`` sends them along.
    """

    def endorsements(self) -> tuple[bytes, ...]:
        """The device's certificates by its maker, DER; empty when it has none."""
        ...

    def attestation_public(self) -> bytes:
        """TPMT_PUBLIC of the attestation key, which is made at the first call."""
        ...

    def activate(self, endorsement: bytes, challenge: Challenge) -> bytes:
        """The challenge's secret, which the device gives out because both keys are in it.

        Args:
            endorsement: The certificate the challenge was made for, one of ``endorsements()``.
            challenge: From the authority.

        Raises:
            Unsupported: The device has no such certificate.
            HwKeyError: The challenge is for another device, or for another attestation key.
        """
        ...

    def keep_certificates(self, certificates: Sequence[bytes]) -> None:
        """Keep the authority's answer: DER, the attestation key's certificate first.

        Raises:
            KeyNotAsAsked: It is not the attestation key's.
        """
        ...


@runtime_checkable
class Sealer(Protocol):
    """A key whose device locks secrets up so that no other device opens them."""

    def seal(self, secret: bytes) -> bytes:
        """Lock up.

        Args:
            secret: 1 to 128 octets; seal a key, and encrypt the rest with it.

        Returns:
            What to store; worth nothing without the device and its PIN.
        """
        ...

    def unseal(self, sealed: bytes) -> bytes:
        """Open what ``seal`` returned.

        Raises:
            SealRefused: Another device sealed it, the machine is not in the state it was sealed for, or it was altered.
            HwKeyError: Anything the device can fail with.
        """
        ...


_HINTS: dict[object, tuple[str, str]] = {
    KeyAgreement: ("no key agreement", "use a key made for it: generate_key(uri, purpose=Purpose.AGREE)"),
    Attester: ("no attestation", "a YubiKey attests keys generated in it, a TPM attests keys kept in a key file"),
    Enrollable: ("no enrolment", "only a TPM key in a key file is enrolled; a YubiKey was, by its maker"),
    Sealer: ("no sealing", "a TPM seals with each of its keys, a token with a key made for key agreement"),
}


def capability(key: object, kind: Callable[..., _T]) -> _T:
    """Ask a key for one of them.

    Args:
        key: A hardware key; any other object has no capability.
        kind: ``KeyAgreement``, ``Attester``, ``Enrollable`` or ``Sealer``.

    Returns:
        What can do it; today always the key itself.

    Raises:
        Unsupported: This key cannot; the hint says which could.
    """
    if kind in getattr(key, "capabilities", frozenset()):
        found: _T = key  # type: ignore[assignment]  # the key's own word; a test holds every backend to it
        return found
    what, hint = _HINTS.get(kind, ("no such thing", "ask for KeyAgreement, Attester, Enrollable or Sealer"))
    raise Unsupported(f"this key does {what}", hint=hint)
