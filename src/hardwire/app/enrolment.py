# SPDX-License-Identifier: Apache-2.0
"""The device's side of being certified by an organisation."""

import hwkeys
from hardwire.app.evidence import statement_of
from hardwire.app.identity import Identity
from hardwire.app.keys import check_same, open_unlocked, translated
from hardwire.certs import DeviceName, make_request


def request_certificate(
    identity: Identity, names: tuple[DeviceName, ...], prompter: hwkeys.Prompter | None
) -> tuple[bytes, bool]:
    """A request for the identity's key, and whether evidence of its device is in it; blocking, one signature.

    Raises:
        TokenMissing, PinWrong, PinLocked, DeviceFailed: As the names say.
        IdentityChanged: The device holds another key than the identity's.
    """
    with translated():
        key = open_unlocked(identity.key_uri, prompter)
        try:
            check_same(key, spki=identity.own.spki, assurance=identity.assurance)
            statement = statement_of(key, identity.own.spki)
            return make_request(key, names=names, statement=statement), statement is not None
        finally:
            key.close()
