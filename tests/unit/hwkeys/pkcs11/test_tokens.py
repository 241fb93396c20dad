# SPDX-License-Identifier: Apache-2.0
import pytest

from hwkeys import Ambiguous, DeviceMissing
from hwkeys.pkcs11 import tokens
from hwkeys.pkcs11.modules import module_for
from hwkeys.uri import Pkcs11Uri, parse_uri
from support.hwbench import SoftHsmBench
from support.softhsm import in_process


@pytest.mark.parametrize(
    "manufacturer, model, software",
    [
        ("SoftHSM project", "SoftHSM v2", True),
        ("piv_II", "PKCS#15 emulated", False),
        ("Yubico (www.yubico.com)", "YubiKey YK5", False),
    ],
)
def test_software_is_known_by_its_own_words(manufacturer, model, software):
    assert tokens.is_software(manufacturer, model) is software


@pytest.mark.device("softhsm")
def test_a_token_is_chosen_by_what_is_printed_on_it():
    bench = SoftHsmBench()
    where = Pkcs11Uri(module_path=bench.token.module)
    for words in ({"serial": bench.token.serial}, {"token": bench.token.label, "manufacturer": "SoftHSM project"}):
        uri = parse_uri(
            str(where).replace(
                "pkcs11:", "pkcs11:" + ";".join(f"{k}={v.replace(' ', '%20')}" for k, v in words.items())
            )
        )
        _module, record = tokens.find_token(uri)
        assert record.serial == bench.token.serial
    for words in (
        "serial=00",
        "token=other",
        f"serial={bench.token.serial};model=other",
        f"serial={bench.token.serial};manufacturer=other",
    ):
        with pytest.raises(DeviceMissing):
            tokens.find_token(parse_uri(f"pkcs11:{words}?module-path={bench.token.module}"))


@pytest.mark.device("softhsm")
def test_never_the_first_of_two():
    one, _two = in_process().twins()
    with pytest.raises(Ambiguous):
        tokens.find_token(Pkcs11Uri(token="twin", module_path=one.module))
    with pytest.raises(Ambiguous):
        tokens.find_token(Pkcs11Uri(token="twin"))


@pytest.mark.device("softhsm")
def test_a_token_is_found_again_and_named_exactly():
    bench = SoftHsmBench()
    module, record = tokens.find_token(parse_uri(bench.token.uri()))
    assert module is module_for(bench.token.module)
    assert module.call(tokens.again, record).serial == record.serial
    exact = tokens.device_uri(module, record)
    assert tokens.find_token(exact)[1].serial == record.serial
    assert tokens.device_part(parse_uri(bench.token.uri("key", pin_source=True))) == bench.token.uri()
    info = tokens.device_info(module, record)
    assert (info.label, info.serial, info.software, info.uri) == (record.label, record.serial, True, str(exact))
