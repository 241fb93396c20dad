# SPDX-License-Identifier: Apache-2.0
"""The second reader: asn1crypto. It ships no types, so nothing else imports it.

asn1crypto is not strict in itself (most encodings that DER forbids pass ``strict=True``); it is here because it
was written independently of the other two readers, and all three must see the same certificate.
"""

from typing import Any

from asn1crypto import x509

from hardwire.certs.facts import Facts


def read(certificate: bytes) -> tuple[Facts, Any]:
    """What asn1crypto sees in ``certificate``, after every field was converted once; and its own object.

    Raises:
        Exception: asn1crypto declares nothing and raises much: ValueError, TypeError, KeyError and others.
    """
    parsed: Any = x509.Certificate.load(certificate, strict=True)
    _ = parsed.native  # forces each lazy field; the walk before has capped depth and count
    tbs = parsed["tbs_certificate"]
    facts = Facts(
        serial=int(tbs["serial_number"].native),
        issuer=bytes(tbs["issuer"].dump()),
        subject=bytes(tbs["subject"].dump()),
        not_before=tbs["validity"]["not_before"].native,
        not_after=tbs["validity"]["not_after"].native,
        spki=bytes(tbs["subject_public_key_info"].dump()),
        extensions=tuple(
            (str(one["extn_id"].dotted), bool(one["critical"].native), bytes(one["extn_value"].contents))
            for one in tbs["extensions"]
        ),
    )
    return facts, parsed
