# SPDX-License-Identifier: Apache-2.0
"""docs/certificates.md says what the data says."""

import re

from hardwire.app import certbatch
from hardwire.certs import DEVICE_PURPOSE, crl, ocsp, profile
from support import certdoc

TEXT = certdoc.DOCUMENT.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_data() -> None:
    assert certdoc.marked(TEXT) == certdoc.tables(), "python tests/support/certdoc.py --write"
    assert certdoc.written(TEXT) == TEXT


def test_the_numbers_are_those_of_the_code() -> None:
    flat = re.sub(r"\s+", " ", TEXT)
    for words in (
        DEVICE_PURPOSE,
        f"At most four certificates of {profile.MAX_CERTIFICATE} octets",
        f"{crl.MAX_ENTRIES:,}".replace(",", " ") + " entries, 1.25 MiB",
        f"{crl.MAX_FORMS} different entry extensions",
        f"at most {ocsp.MAX_OCSP} octets",
        f"longer than {certbatch.LIMIT} s",
        f"and mail addresses, {profile.MAX_SUBTREES} at most",
    ):
        assert words in flat
    assert crl.MAX_CRL == 1.25 * (1 << 20)
    assert profile.MAX_CHAIN == 4
    assert profile.MAX_DEVICE_NAMES == 16
