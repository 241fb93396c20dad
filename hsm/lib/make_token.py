# SPDX-License-Identifier: Apache-2.0
"""Initialise a free SoftHSM slot: ``make_token.py LABEL PIN-FILE``, with ``SOFTHSM2_CONF`` set.

softhsm2-util takes PINs on its command line, where every user of the machine can read them, or from a terminal.
So it is given throw-away PINs, and the real one is set afterwards through PKCS#11.
"""

import secrets
import subprocess
import sys
from pathlib import Path

import pkcs11

MODULE = "/usr/lib/softhsm/libsofthsm2.so"


def make_token(label: str, pin: str) -> None:
    """Make the token ``label`` whose user PIN is ``pin``. The PIN of the security officer is forgotten."""
    first_pin, officer_pin = secrets.token_hex(8), secrets.token_hex(8)
    subprocess.run(  # noqa: S603 -- fixed arguments, no shell
        [
            "/usr/bin/softhsm2-util", "--init-token", "--free", "--module", MODULE,
            "--label", label, "--so-pin", officer_pin, "--pin", first_pin,
        ],
        check=True,
    )  # fmt: skip
    token = pkcs11.lib(MODULE).get_token(token_label=label)
    with token.open(user_pin=first_pin, rw=True) as session:
        session.set_pin(first_pin, pin)


if __name__ == "__main__":
    make_token(sys.argv[1], Path(sys.argv[2]).read_text().strip())
