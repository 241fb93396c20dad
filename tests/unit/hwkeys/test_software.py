# SPDX-License-Identifier: Apache-2.0
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from hwkeys import DeviceFailed, ModuleMissing, StaticPrompter, generate_key
from hwkeys.software import SoftHsmToken, SoftTpm
from support.hwbench import python

SHA256 = ec.ECDSA(hashes.SHA256())


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hw-") as path:
        yield Path(path)


SIGN = """
import sys
from hwkeys import StaticPrompter, generate_key
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
key = generate_key(sys.argv[1].replace("?", ";object=k?"), prompter=StaticPrompter(sys.argv[2]))
for _ in range(3):
    key.sign(b"x", ec.ECDSA(hashes.SHA256()))
print(key.device.software, key.device.label)
"""


@pytest.mark.device("softhsm")
@pytest.mark.parametrize("spy", [True, False])
def test_a_softhsm_token_signs_and_counts(home, spy):
    token = SoftHsmToken.create(home, "demo", "736455", spy=spy)
    assert python(SIGN, token.uri, "736455", env=token.environment).split() == ["True", "demo"]
    assert token.signatures() == (3 if spy else 0)


@pytest.mark.device("softhsm")
def test_a_pin_that_softhsm_refuses(home):
    with pytest.raises(DeviceFailed):
        SoftHsmToken.create(home, "demo", "1")


@pytest.mark.device("swtpm")
def test_a_tpm_signs_counts_and_keeps_its_state(home):
    with SoftTpm(home) as tpm:
        key = generate_key(f"tpm:file={home}/k.tss2?tcti={tpm.tcti}", prompter=StaticPrompter("1234"))
        key.sign(b"x", SHA256)
        assert tpm.signatures() == 1
        assert key.device.software
        assert tpm.pid is not None
    assert tpm.pid is None
    with SoftTpm(home):
        key.sign(b"y", SHA256)


@pytest.mark.device("swtpm")
def test_a_tpm_that_does_not_start(home):
    with pytest.raises(DeviceFailed, match="too long"):
        SoftTpm(home / ("x" * 100))
    (home / "state").mkdir()
    (home / "state" / "tpm2-00.permall").write_bytes(b"not a state")
    with pytest.raises(DeviceFailed, match="did not start"):
        SoftTpm(home).start()


def test_a_missing_tool_names_its_package(home, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ModuleMissing) as missing:
        SoftTpm(home).start()
    assert "apt-get install swtpm" in missing.value.hint
    with pytest.raises(ModuleMissing) as missing:
        SoftHsmToken.create(home, "demo", "736455")
    assert "apt-get install softhsm2" in missing.value.hint
