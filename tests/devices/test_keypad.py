# SPDX-License-Identifier: Apache-2.0
"""A token with its own keypad: no PIN is asked for, or passed through, in software."""

import pytest

from support import keypad
from support.hwbench import python
from support.softhsm import SoftHsm, module_path

pytestmark = pytest.mark.device("softhsm")

TYPED = """
import sys
from hwkeys import HwKeyError, open_key
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
class Nobody:
    def pin(self, request): raise SystemExit("a PIN was asked for in software")
    def confirm_last_try(self, request): return False
for prompter in (None, Nobody()):
    try:
        with open_key(sys.argv[1], prompter=prompter) as key:
            key.public_key().verify(key.sign(b"x", ec.ECDSA(hashes.SHA256())), b"x", ec.ECDSA(hashes.SHA256()))
            print("signed")
    except HwKeyError as error:
        print(type(error).__name__)
"""


def test_the_pin_is_typed_on_the_token(tmp_path):
    hsm = SoftHsm(tmp_path)
    token = hsm.create_token("alice")
    made = python(
        "import sys\nfrom hwkeys import generate_key\nprint(generate_key(sys.argv[1]).uri)",
        token.uri("k", pin_source=True),
        env=hsm.env,
    )
    assert made
    shim = keypad.build(tmp_path, module_path())
    typed = tmp_path / "typed"
    env = {**hsm.env, "KEYPAD_PIN": str(typed)}
    typed.write_text(token.pin)
    assert python(TYPED, token.uri("k", module=shim), env=env).split() == ["signed", "signed"]
    typed.write_text("000000")
    assert python(TYPED, token.uri("k", module=shim), env=env).split() == ["PinWrong", "PinWrong"]
