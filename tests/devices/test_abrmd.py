# SPDX-License-Identifier: Apache-2.0
"""What is different behind a resource manager in user space; everything else is in the conformance suite."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import Attester, DeviceMissing, Sealer, capability, generate_key
from support.abrmd import BrokeredTpm
from support.hwbench import SwTpmBench, right

pytestmark = pytest.mark.device("swtpm-abrmd")

SHA256 = ec.ECDSA(hashes.SHA256())


@pytest.fixture
def tpm(swtpm_abrmd: SwTpmBench) -> BrokeredTpm:
    assert isinstance(swtpm_abrmd.tpm, BrokeredTpm)
    return swtpm_abrmd.tpm


def test_attesting_and_sealing_through_the_broker(swtpm_abrmd, tpm):
    key = generate_key(swtpm_abrmd.uri("alice"), prompter=right(swtpm_abrmd))
    assert capability(key, Attester).attest(b"nonce").attest.startswith(b"\xffTCG")
    sealer = capability(key, Sealer)
    assert sealer.unseal(sealer.seal(b"secret")) == b"secret"
    assert len(key.endorsements()) == 2


def test_a_broker_that_went_away_and_came_back(swtpm_abrmd, tpm):
    key = generate_key(swtpm_abrmd.uri("alice"), prompter=right(swtpm_abrmd))
    name = tpm._bus_name
    tpm.stop_broker()
    with pytest.raises(DeviceMissing):
        key.sign(b"x", SHA256)
    tpm.stop()
    tpm.start()
    assert tpm._bus_name != name
    with pytest.raises(DeviceMissing):
        key.sign(b"x", SHA256)
