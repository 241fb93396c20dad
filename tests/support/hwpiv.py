# SPDX-License-Identifier: Apache-2.0
"""The virtual YubiKey as a device of the conformance suite, through each module that speaks to it."""

import tempfile
from pathlib import Path
from urllib.parse import quote

from hwkeys import DeviceInfo, EllipticCurveHardwareKey, Prompter, RSAHardwareKey, list_devices, open_key
from support.hwbench import run
from support.virtualpiv import IDS, PIN, VirtualPiv

MODULES = {"opensc": "opensc-pkcs11.so", "ykcs11": "libykcs11.so.2"}


def module_path(name: str) -> Path:
    """Where a module is. FileNotFoundError when it is not installed."""
    for directory in (Path("/usr/lib/x86_64-linux-gnu"), Path("/usr/lib/aarch64-linux-gnu"), Path("/usr/lib64")):
        if (directory / MODULES[name]).exists():
            return (directory / MODULES[name]).resolve()
    raise FileNotFoundError(f"{MODULES[name]} is not installed: apt-get install opensc-pkcs11 ykcs11")


class PivBench:
    """A card with a signing key in 9a and an agreement key in 9d, or the card given, in the first reader."""

    rounds = 160
    pin = PIN
    software = False
    generates = False

    def __init__(self, module: str, *, kind: str = "P256", card: VirtualPiv | None = None) -> None:
        self.name = module
        self.card = card or VirtualPiv()
        if card is None:
            self.card.place("9a", kind, name="alice")
            self.card.place("9d", kind, name="alice")
        self.card.insert()
        self.module = module_path(module)
        (device,) = self.devices()
        self.serial = device.serial
        self._slots = {"alice": "9a", "agree": "9d"}

    def uri(self, name: str, extra: str = "") -> str:
        """A slot's URI; a name that is no slot and was not made stands for an id that is not there."""
        slot = self._slots.get(name, name)
        words = f"pkcs11:serial={self.serial};id=%{IDS.get(slot, 'EE')}"
        return f"{words}?module-path={quote(str(self.module), safe='/')}{extra}"

    def sourced(self, name: str) -> str:
        directory = Path(tempfile.mkdtemp(prefix="pin-", dir=self.card.directory))
        (directory / "pin").touch(0o600)
        (directory / "pin").write_text(PIN)
        return self.uri(name, f"&pin-source=file:{directory / 'pin'}")

    def make(self, name: str, prompter: Prompter) -> EllipticCurveHardwareKey:
        """The key that was put on the card."""
        return elliptic(open_key(self.uri(name), prompter=prompter))

    def agreeing(self, prompter: Prompter) -> EllipticCurveHardwareKey:
        return elliptic(open_key(self.uri("agree"), prompter=prompter))

    def devices(self) -> list[DeviceInfo]:
        return list_devices(modules=[self.module], tctis=[])

    def residue(self) -> object:
        # Nothing can be left on a PIV card but a spent try; in the module, only sessions, which the worker holds.
        if self.name == "ykcs11":
            return self.card.tries, ""
        kinds = ("pubkey", "cert")
        return self.card.tries, [
            run("pkcs11-tool", "--module", self.module, "--list-objects", "--type", kind, env=self.env())
            for kind in kinds
        ]

    def env(self) -> dict[str, str]:
        return self.card.env


def elliptic(key: EllipticCurveHardwareKey | RSAHardwareKey) -> EllipticCurveHardwareKey:
    """The key, which is an elliptic-curve one."""
    if not isinstance(key, EllipticCurveHardwareKey):
        raise TypeError(f"{key} is not an elliptic-curve key")
    return key
