# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from pkcs11 import TokenFlag
from pkcs11 import exceptions as p11

from hwkeys import DeviceFailed, PinState
from hwkeys.pkcs11 import binding
from hwkeys.pkcs11.modules import Module, module_for
from hwkeys.pkcs11.tokens import find_token
from hwkeys.uri import parse_uri
from support.hwbench import SoftHsmBench


@pytest.mark.parametrize(
    "flags, state",
    [
        (TokenFlag.USER_PIN_INITIALIZED, PinState.OK),
        (0, PinState.NOT_SET),
        (TokenFlag.USER_PIN_INITIALIZED | TokenFlag.USER_PIN_COUNT_LOW, PinState.COUNT_LOW),
        (
            TokenFlag.USER_PIN_INITIALIZED | TokenFlag.USER_PIN_COUNT_LOW | TokenFlag.USER_PIN_FINAL_TRY,
            PinState.FINAL_TRY,
        ),
        (TokenFlag.USER_PIN_FINAL_TRY | TokenFlag.USER_PIN_LOCKED, PinState.LOCKED),
        (TokenFlag.SO_PIN_LOCKED | TokenFlag.USER_PIN_INITIALIZED, PinState.OK),
    ],
)
def test_the_worst_flag_counts(flags, state):
    assert binding.pin_state(flags) is state


def test_a_file_that_is_no_library(tmp_path: Path):
    (tmp_path / "x.so").write_bytes(b"\x7fELF")
    with pytest.raises(DeviceFailed, match=r"x\.so does not start") as caught:
        binding.Library(tmp_path / "x.so")
    assert "configuration" in caught.value.hint


@pytest.mark.device("softhsm")
def test_closing_twice_is_harmless():
    bench = SoftHsmBench()
    record = find_token(parse_uri(bench.token.uri()))[1]

    def twice(module: Module) -> None:
        session = binding.open_session(record)
        binding.close(session)
        binding.close(session)

    module_for(bench.token.module).call(twice)


def test_a_module_without_a_reader_has_no_tokens():
    class NoReader:
        def get_slots(self, *, token_present):
            assert token_present
            raise p11.DeviceError

    library = binding.Library.__new__(binding.Library)
    library._lib = NoReader()
    assert library.tokens() == ()
