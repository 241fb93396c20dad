# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys

import pytest

from hwkeys import DeviceMissing, UriError
from hwkeys.tpm.tcti import RESOURCE_MANAGER, check_tcti, default_tcti, missing


def test_the_resource_manager_comes_first():
    assert str(RESOURCE_MANAGER) == "/dev/tpmrm0"


def test_a_device_that_is_there(tmp_path):
    (tmp_path / "tpmrm0").touch()
    assert default_tcti(tmp_path / "tpmrm0") == f"device:{tmp_path}/tpmrm0"


def test_no_device(tmp_path):
    with pytest.raises(DeviceMissing) as absent:
        default_tcti(tmp_path / "tpmrm0")
    assert "firmware" in absent.value.hint


DENIED = """
import os, sys
from pathlib import Path
from hwkeys import DeviceMissing
from hwkeys.tpm.tcti import default_tcti
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    default_tcti(Path(sys.argv[1]))
except DeviceMissing as error:
    print(error, "|", error.hint)
"""


def test_a_user_outside_the_group_is_told_which(tmp_path):
    device = tmp_path / "tpmrm0"
    device.touch()
    device.chmod(0)
    for path in (tmp_path, *tmp_path.parents[:-2]):
        path.chmod(path.stat().st_mode | 0o011)
    said = subprocess.run(
        [sys.executable, "-c", DENIED, str(device)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env=os.environ,
    ).stdout
    assert "may not use the TPM" in said
    assert "group tss" in said


def test_a_device_that_does_not_answer(tmp_path):
    # A socket's name cannot be opened: ENXIO, as from a driver without a device.
    import socket

    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "s"))
        with pytest.raises(DeviceMissing, match="does not answer"):
            default_tcti(tmp_path / "s")


@pytest.mark.parametrize("text", ["device", "device:/dev/tpmrm0", "swtpm:path=/run/t", "mssim:host=h,port=1", "tabrmd"])
def test_what_only_opens_a_device(text):
    assert check_tcti(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cmd:touch /tmp/x",
        "pcap:device",
        "/tmp/lib.so",
        "libtss2-tcti-device.so",
        "device:a b",
        "DEVICE",
        "device\n",
    ],
)
def test_what_does_more(text):
    with pytest.raises(UriError):
        check_tcti(text)


def test_the_error_names_the_way():
    assert "swtpm:path=/x" in str(missing("swtpm:path=/x"))
