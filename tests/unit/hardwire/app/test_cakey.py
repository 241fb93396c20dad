# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest

from hardwire.app import cakey, setup
from hardwire.app.cakey import adopt, found, open_authority_key
from hardwire.app.offlineca import create, load
from hardwire.errors import IdentityChanged, PinWrong, UsageError
from hwkeys import StaticPrompter, generate_key
from support import softhsm
from support.people import shared_token

pytestmark = pytest.mark.device("softhsm")
YEAR = timedelta(days=365)


@pytest.fixture
def token():
    return softhsm.in_process().token()


@pytest.fixture
def device(token):
    return next(one for one in setup.find_devices(token.uri()) if one.serial == token.serial)


def keys_on(token) -> list[str]:
    (one,) = (one for one in setup.find_devices(token.uri()) if one.serial == token.serial)
    return [key.label for key in one.keys]


def make(directory, device, token, **changes):
    options = {"pin_source": None, "organisation": "ACME", "life": YEAR, **changes}
    return found(directory, device, StaticPrompter(token.pin), **options)


def test_a_key_is_made_and_opened(token, device, tmp_path):
    authority = make(tmp_path / "ca", device, token)
    assert keys_on(token) == ["hardwire-authority"]
    assert token.pin not in (tmp_path / "ca" / "authority.toml").read_text()
    with open_authority_key(load(tmp_path / "ca"), StaticPrompter(token.pin)) as key:
        assert cakey.public_octets(key) == authority.certificate.spki


def test_the_second_authority_on_a_token(token, device, tmp_path):
    make(tmp_path / "ca", device, token)
    with pytest.raises(UsageError) as caught:
        make(tmp_path / "ca", device, token)
    assert "already" in caught.value.message
    with pytest.raises(UsageError) as caught:
        make(tmp_path / "other", device, token)
    assert caught.value.code == "key-exists"
    assert "hardwire cert ca --key" in caught.value.hint


def test_a_key_made_for_nothing_goes_again(token, device, tmp_path, monkeypatch):
    def full(*_, **__):
        raise UsageError("no room")

    monkeypatch.setattr(cakey, "create", full)
    with pytest.raises(UsageError):
        make(tmp_path / "ca", device, token)
    assert keys_on(token) == []


def test_a_wrong_pin(token, device, tmp_path):
    with pytest.raises(PinWrong):
        found(tmp_path / "ca", device, StaticPrompter("nonsense"), pin_source=None, organisation="A", life=YEAR)
    assert not (tmp_path / "ca" / "authority.toml").exists()


def test_a_key_that_is_there(tmp_path):
    uri = shared_token().uri("adopted-authority")
    generate_key(shared_token().uri("adopted-authority", pin_source=True)).close()
    adopted = adopt(tmp_path, uri, None, pin_source=shared_token().pin_file, organisation="ACME", life=YEAR)
    assert "pin-source" in adopted.key_uri
    with open_authority_key(adopted, None):
        pass


def test_another_key_in_the_token(tmp_path):
    uri = shared_token().uri("not-the-authority", pin_source=True)
    generate_key(uri).close()
    from cryptography.hazmat.primitives.asymmetric import ec

    authority = create(tmp_path, ec.generate_private_key(ec.SECP256R1()), key_uri=uri, organisation="A", life=YEAR)
    with pytest.raises(IdentityChanged), open_authority_key(authority, None):
        pass
