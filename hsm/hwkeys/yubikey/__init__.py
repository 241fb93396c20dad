# SPDX-License-Identifier: Apache-2.0
"""Provisioning of YubiKeys, for which PKCS#11 has no words: needs the extra ``yubikey`` and a running pcscd.

::

    describe(serial)                        # what is on it, and which factory secrets it still has
    provision(serial, prompter)             # a P-256 key in 9a; factory PIN, PUK and management key replaced
    key = open_key("pkcs11:…;id=%01", …)    # through OpenSC or ykcs11, as any other key
    store_certificate(serial, Slot.SIGN, der, prompter)
    attest(serial, Slot.SIGN)               # for hwkeys.evidence.verify_piv_attestation

A PKCS#11 module that has looked at the card before may go on showing what it saw then, until the card is taken out
and inserted again.
"""

from hwkeys.errors import ModuleMissing

try:
    from hwkeys.yubikey.look import attest, attest_key, describe
    from hwkeys.yubikey.provisioning import MAX_CERTIFICATE, PIN, PUK, ProvisionedKey, provision, store_certificate
except ImportError as error:
    raise ModuleMissing(
        f"the Python package yubikey-manager is not usable here: {error}",
        hint="pip install 'hardwire[yubikey]' (pyscard in it is compiled: apt-get install libpcsclite-dev swig first)",
    ) from error
from hwkeys.yubikey.state import ManagementKey, Slot, SlotState, YubiKeyState

__all__ = [
    "MAX_CERTIFICATE",
    "PIN",
    "PUK",
    "ManagementKey",
    "ProvisionedKey",
    "Slot",
    "SlotState",
    "YubiKeyState",
    "attest",
    "attest_key",
    "describe",
    "provision",
    "store_certificate",
]
