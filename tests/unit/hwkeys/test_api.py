# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import hwkeys
from hwkeys import ModuleMissing, UriError

PUBLIC = [
    "Ambiguous",
    "CallbackPrompter",
    "DeviceFailed",
    "DeviceFull",
    "DeviceInfo",
    "DeviceMissing",
    "EllipticCurveHardwareKey",
    "ForkRefused",
    "HardwareKey",
    "HwKeyError",
    "KeyClosed",
    "KeyExists",
    "KeyInfo",
    "KeyMissing",
    "KeyNotAsAsked",
    "KeyUri",
    "ModuleMissing",
    "PinError",
    "PinLocked",
    "PinNeeded",
    "PinRefused",
    "PinRequest",
    "PinSourcePrompter",
    "PinState",
    "PinWrong",
    "Pkcs11Uri",
    "Prompter",
    "StaticPrompter",
    "TerminalPrompter",
    "TokenRemoved",
    "TpmUri",
    "Unsupported",
    "UriError",
    "WrongDevice",
    "delete_key",
    "generate_key",
    "list_devices",
    "open_key",
    "parse_uri",
]


def test_the_public_names():
    assert set(PUBLIC) <= set(hwkeys.__all__)
    assert all(hasattr(hwkeys, name) for name in hwkeys.__all__)


def new_process(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True).stdout


def test_importing_loads_no_device_library():
    said = new_process(
        "import sys, hwkeys; print([n for n in ('pkcs11', 'tpm2_pytss', 'asn1crypto') if n in sys.modules])"
    )
    assert said.strip() == "[]"


@pytest.mark.parametrize(
    "library, uri, package",
    [
        ("pkcs11", "pkcs11:token=x;object=y", "python-pkcs11"),
        ("tpm2_pytss", "tpm:handle=0x81010101", "tpm2-pytss"),
    ],
)
def test_a_missing_library_explains_itself(library, uri, package):
    said = new_process(
        f"import sys; sys.modules[{library!r}] = None\n"
        "import hwkeys\n"
        "told = []\n"
        f"hwkeys.list_devices(on_error=told.append)\n"
        "print([type(error).__name__ for error in told if isinstance(error, hwkeys.ModuleMissing)])\n"
        f"try: hwkeys.open_key({uri!r})\n"
        "except hwkeys.ModuleMissing as error: print(error, '|', error.hint)"
    )
    assert "['ModuleMissing']" in said
    assert f"the Python package {package} is not usable here" in said
    assert f"pip install {package}" in said


@pytest.mark.parametrize("verb", [hwkeys.open_key, hwkeys.generate_key, hwkeys.delete_key])
def test_a_bad_uri_is_refused_before_anything_is_loaded(verb):
    with pytest.raises(UriError):
        verb("file:/x")


def test_nothing_asked_nothing_listed():
    assert hwkeys.list_devices(modules=[], tctis=[]) == []


def test_no_tpm_here_is_told_and_not_raised():
    told: list[hwkeys.HwKeyError] = []
    found = hwkeys.list_devices(modules=[], on_error=told.append)
    assert len(found) + len(told) == 1
    assert not any(isinstance(error, ModuleMissing) for error in told)


def test_no_key_is_generated_on_other_curves(tmp_path):
    with pytest.raises(hwkeys.Unsupported, match="secp521r1"):
        hwkeys.generate_key(f"tpm:file={tmp_path}/x?tcti=swtpm:path=/nowhere", curve=ec.SECP521R1())
    assert list(tmp_path.iterdir()) == []
