# SPDX-License-Identifier: Apache-2.0
"""The demo with devices that prove themselves: a virtual YubiKey and an enrolled TPM, the same two commands."""

import json
import subprocess

import pytest

from support.programs import HARDWIRE

pytestmark = [pytest.mark.device("piv-ykcs11"), pytest.mark.device("swtpm")]


def test_a_line_between_a_yubikey_and_a_tpm(tmp_path):
    command = [*HARDWIRE, "demo", "--devices", "piv,tpm", "--size", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (report,) = (json.loads(line) for line in done.stdout.splitlines())
    assert report["ok"]
    card, tpm = report["peer_a"], report["peer_b"]
    assert (card["assurance"], card["attested_by"]) == ("YubiKey 5 (attested)", "Test PIV Root")
    assert tpm["assurance"] == "SOFTWARE TOKEN, TPM (attested)", "it admits what it is"
    assert tpm["attested_by"] == "hardwire demo enrolment"
    assert report["signatures_per_side"] == [1, 1]
    assert report["sas_equal"]
    assert report["hash_ok"]


def test_words_that_name_no_devices():
    done = subprocess.run(
        [*HARDWIRE, "demo", "--devices", "piv"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "any two of softhsm, tpm, piv" in done.stderr
