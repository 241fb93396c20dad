# SPDX-License-Identifier: Apache-2.0
"""Public test suites for certificates, read where they lie beside the checkout; nothing of them is copied in.

``HARDWIRE_X509_DATA`` names another place. Where they are absent a test is skipped, and says so; under
``HARDWIRE_REQUIRE_X509=1`` (what CI sets) that is a failure instead.
"""

import base64
import json
import lzma
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hardwire.certs import (
    CertificateRefused,
    PathInput,
    RevocationMaterial,
    RevocationMode,
    RevocationRules,
    check_path,
)
from support.budgets import ROOT

DATA = Path(os.environ.get("HARDWIRE_X509_DATA", ROOT.parent / "shared" / "data" / "x509"))
# Verdicts of the Web PKI about common names, whole chains of today's servers, and pedantry.
SKIPPED = ("webpki::cn::", "online::")
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def data(name: str) -> Path:
    """One of the files, or a skipped test, or under the variable a failed one."""
    path = DATA / name
    if path.is_file():
        return path
    if os.environ.get("HARDWIRE_REQUIRE_X509") == "1":
        pytest.fail(f"{path} is missing, and this run has to have it")
    pytest.skip(f"no test data at {path}: set HARDWIRE_X509_DATA to where the public suites are")


@dataclass(frozen=True)
class Case:
    name: str
    wanted: bool
    soft: bool
    given: PathInput
    at: datetime
    crls: tuple[bytes, ...]

    def verdict(self) -> str:
        """The code of the refusal, or ``ok``."""
        mode = RevocationMode.REQUIRE if self.crls else RevocationMode.OFF
        try:
            check_path(self.given, at=self.at, revocation=RevocationRules(mode), material=RevocationMaterial(self.crls))
        except CertificateRefused as refusal:
            return refusal.code
        return "ok"


def limbo(name: str) -> Iterator[Case]:
    """The cases of a file in limbo's form, without those that the data's own README leaves out."""
    read = json.loads(lzma.decompress(data(name).read_bytes()))
    pool = [der(one) for one in read["pool"]]
    for case in read["testcases"]:
        pedantic = any(feature.startswith("pedantic-") for feature in case["features"])
        if pedantic or case["id"].startswith(SKIPPED):
            continue
        peer = case["expected_peer_name"] or {"kind": ""}
        given = PathInput(
            pool[case["peer_certificate"]],
            [pool[one] for one in case["untrusted_intermediates"]],
            [pool[one] for one in case["trusted_certs"]],
            peer["value"] if peer["kind"] in {"DNS", "IP"} else None,
            *(() if case["max_chain_depth"] is None else (case["max_chain_depth"],)),
        )
        at = datetime.fromisoformat(case["validation_time"]) if case["validation_time"] else NOW
        yield Case(
            case["id"], case["expected_result"] == "SUCCESS", "soft" in case["features"], given, at,
            tuple(der(one) for one in case["crls"]),
        )  # fmt: skip


def der(pem: str) -> bytes:
    return base64.b64decode("".join(re.sub(r"-----[^-]+-----", "", pem).split()))


def wycheproof(name: str) -> Iterator[tuple[dict, dict]]:
    """Group and test of one file."""
    with tarfile.open(data("wycheproof-ecc.tar.xz")) as archive:
        member = archive.extractfile(next(one for one in archive.getnames() if one.endswith(name)))
        assert member is not None
        read = json.load(member)
    for group in read["testGroups"]:
        for test in group["tests"]:
            yield group, test
