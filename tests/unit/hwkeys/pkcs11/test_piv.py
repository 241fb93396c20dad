# SPDX-License-Identifier: Apache-2.0
import pytest

from hwkeys import PinState, Unsupported, generate_key
from hwkeys.pkcs11 import piv
from hwkeys.pkcs11.binding import TokenRecord
from support.hwbench import SoftHsmBench, right


def token(manufacturer: str) -> TokenRecord:
    return TokenRecord("alice", "1", manufacturer, "model", PinState.OK, True, None, 0)


YUBICO, OPENSC, SOFTHSM = (token(name) for name in ("Yubico (www.yubico.com)", "piv_II", "SoftHSM project"))


@pytest.mark.parametrize(
    "record, key_id, slot",
    [
        (YUBICO, b"\x01", 0x9A),
        (OPENSC, b"\x02", 0x9C),
        (OPENSC, b"\x03", 0x9D),
        (YUBICO, b"\x04", 0x9E),
        (YUBICO, b"\x05", 0x82),
        (OPENSC, b"\x18", 0x95),
        (YUBICO, b"\x19", None),
        (YUBICO, b"\x00", None),
        (YUBICO, b"\x01\x01", None),
        (YUBICO, b"", None),
        (YUBICO, None, None),
        (SOFTHSM, b"\x01", None),
    ],
)
def test_an_id_is_a_slot_on_a_piv_card_only(record, key_id, slot):
    assert piv.slot_of(record, key_id) == slot


@pytest.mark.parametrize(
    "record, key_id, own", [(YUBICO, b"\x19", True), (YUBICO, b"\x01", False), (SOFTHSM, b"\x19", False)]
)
def test_the_key_that_attests_others_is_the_cards_own(record, key_id, own):
    assert piv.is_the_cards_own(record, key_id) is own


def test_what_is_a_piv_card():
    assert [piv.is_piv(record) for record in (YUBICO, OPENSC, SOFTHSM)] == [True, True, False]


@pytest.mark.device("softhsm")
def test_a_token_of_another_kind_attests_nothing_and_has_no_policy():
    bench = SoftHsmBench()
    with generate_key(bench.uri("k").replace(";object", ";id=%01;object"), prompter=right(bench)) as key:
        with pytest.raises(Unsupported, match="does not attest") as refused:
            key.attest(b"nonce")
        assert "YubiKey" in refused.value.hint
        assert key.device.policy is None
