# SPDX-License-Identifier: Apache-2.0
"""A certificate that the authority issued and its ledger does not know: written down again, so that it can be revoked.

That is what is missing after an older copy of the ledger was put back. The certificate itself is the proof: the
authority signed it.
"""

import base64

from hardwire.app.ledger import Ledger
from hardwire.app.offlineca import Authority, entries
from hardwire.app.organisations import SHOWN
from hardwire.certs import did_key, level_of, open_gate
from hardwire.errors import UsageError


def reclaim(authority: Authority, ledger: Ledger, der: bytes) -> str:
    """The serial number, in hex, of a device's certificate of this authority, which the ledger knows afterwards.

    Raises:
        CertificateRefused: It is no certificate.
        UsageError: ``no-certificate``; another authority's, or not a device's.
        LocalError: ``disk``.
    """
    gated = open_gate(der)
    try:
        gated.parsed.verify_directly_issued_by(authority.certificate.parsed)
        ours = not gated.values.authority
    except Exception:  # noqa: BLE001 - InvalidSignature is declared; whatever else comes means no, too
        ours = False
    if not ours:
        raise UsageError(
            "that certificate was not issued to a device by this authority",
            code="no-certificate",
            hint="--ca names the directory of another authority",
        )
    serial = f"{gated.serial:x}"
    if all(one.serial != serial for one in entries(ledger)):
        level = level_of(frozenset(gated.values.policies))
        ledger.append(
            {
                "kind": "issued",
                "at": gated.not_before.isoformat(),
                "serial": serial,
                "did": did_key(gated.public_key),
                "names": [one.value.decode("ascii") for one in gated.values.alt_names or () if one.kind in SHOWN],
                "level": level.words if level else "",
                "proof": "",
                "until": gated.not_after.isoformat(),
                "certificate": base64.b64encode(der).decode(),
            }
        )
    return serial
