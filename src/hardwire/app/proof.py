# SPDX-License-Identifier: Apache-2.0
"""What this side's device can prove of its key, made once and kept with the identity (docs/adr/0005)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import hwkeys
from hardwire.app.attestation import Trust, decode, name_of
from hardwire.app.identity import Identity
from hardwire.app.keys import spki_of
from hardwire.certs import BlobType, Evidence, device_id
from hardwire.handshake.credential import ITEM_MAX
from hwkeys.evidence import PivEvidence, TpmEvidence
from hwkeys.evidence.chain import read_certificate

_NOT_ENROLLED: Final = (
    "no authority has enrolled this TPM, so that nothing can be proved of it and peers will see a claim; after an "
    "enrolment `hardwire init --renew` makes the proof"
)


def prove_home(key: hwkeys.EllipticCurveHardwareKey, trust: Trust, tell: Callable[[str], None]) -> Evidence | None:
    """Have the device attest the key, if it can. A device that will not is no reason to be without an identity.

    Args:
        key: Open and unlocked.
        trust: Its authorities below the roots complete a card's chain, so that a peer needs to know the root only.
        tell: Gets the reason when there is no evidence to be had, in a sentence.
    """
    if hwkeys.Attester not in key.capabilities:
        return None
    try:
        made = hwkeys.capability(key, hwkeys.Attester).attest(device_id(spki_of(key)))
        if isinstance(made, TpmEvidence) and not made.certificates:
            if not key.device.software:
                tell(_NOT_ENROLLED)
            return None
        evidence = _whole(made, trust)
    except hwkeys.HwKeyError as problem:
        tell(f"the device proves nothing of the key: {problem.message} ({problem.hint})")
        return None
    if len(evidence.encode()) > ITEM_MAX:
        tell(f"the device's proof is larger than {ITEM_MAX} octets and cannot be sent")
        return None
    return evidence


def _whole(made: PivEvidence | TpmEvidence, trust: Trust) -> Evidence:
    kind = BlobType.PIV if isinstance(made, PivEvidence) else BlobType.TPM
    chain = trust.about(kind).complete(made.certificates)
    return Evidence(kind, replace(made, certificates=chain).encode())


def shown_as(identity: Identity) -> str:
    """What peers will see, in words: the claim, and what those see who trust whoever vouches for the device."""
    if identity.evidence is None:
        return identity.assurance.value
    chain = decode(identity.evidence).certificates
    by = name_of(read_certificate(chain[-1]).issuer)
    return f"{identity.assurance.value}; attested to peers who trust {by}"
