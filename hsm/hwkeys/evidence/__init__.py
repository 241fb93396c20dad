# SPDX-License-Identifier: Apache-2.0
"""Evidence that a key lives in hardware, and its judgement.

Pure: octets, values and the time go in, a frozen value comes out or ``EvidenceRefused``, whose ``code`` names the
check. No device, no file, no clock. Which roots are trusted is the caller's word; none is built in.
"""

from hwkeys.evidence.chain import load_roots
from hwkeys.evidence.enrolment import (
    Challenge,
    Endorsement,
    make_credential,
    read_attestation_key,
    verify_endorsement,
)
from hwkeys.evidence.maker import Maker
from hwkeys.evidence.piv import FormFactor, PinPolicy, PivAttestation, TouchPolicy, UsePolicy, verify_piv_attestation
from hwkeys.evidence.tpm import TpmAttestation, verify_tpm_attestation
from hwkeys.evidence.values import Evidence, PivEvidence, TpmEvidence

__all__ = [
    "Challenge",
    "Endorsement",
    "Evidence",
    "FormFactor",
    "Maker",
    "PinPolicy",
    "PivAttestation",
    "PivEvidence",
    "TouchPolicy",
    "TpmAttestation",
    "TpmEvidence",
    "UsePolicy",
    "load_roots",
    "make_credential",
    "read_attestation_key",
    "verify_endorsement",
    "verify_piv_attestation",
    "verify_tpm_attestation",
]
