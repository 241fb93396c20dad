# SPDX-License-Identifier: Apache-2.0
"""Evidence that a key lives in hardware, and its judgement.

Pure: octets, values and the time go in, a frozen value comes out or ``EvidenceRefused``. No device, no file, no clock.
Which roots are trusted is the caller's word; none is built in.
"""

from hwkeys.evidence.values import Evidence, PivEvidence, TpmEvidence

__all__ = ["Evidence", "PivEvidence", "TpmEvidence"]
