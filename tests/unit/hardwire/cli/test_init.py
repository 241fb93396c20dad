# SPDX-License-Identifier: Apache-2.0
import pytest

from support.commands import ran
from support.people import shared_token

pytestmark = pytest.mark.device("softhsm")


@pytest.fixture
def token(home):
    """A token of its own: ``init`` makes one key on it."""
    from support import softhsm

    return softhsm.in_process().token()


def test_make_show_refuse_renew(token, home):
    uri = f"pkcs11:serial={token.serial}?module-path={token.module}"
    made = ran("init", "--device", uri, "--pin-source", token.pin_file)
    assert made.code == 0, made.err
    assert made.out.startswith("did:key:zDn")
    assert "SOFTWARE TOKEN: good for trying" in made.err
    assert "peers will see: SOFTWARE TOKEN" in made.err
    assert "next: `hardwire chat`" in made.err
    assert ran("id", "--name").out == made.out

    again = ran("init", "--device", uri, "--pin-source", token.pin_file)
    assert (again.code, again.out) == (2, "")
    assert "already" in again.err

    before = (home / "identity.toml").read_bytes()
    renewed = ran("init", "--renew", "--json")
    (event,) = renewed.events
    assert event["did"] == made.out.strip()
    assert (home / "identity.toml").read_bytes() != before


def test_a_key_that_is_there_already(home):
    from hwkeys import generate_key

    uri = shared_token().uri("adopted", pin_source=True)
    generate_key(uri).close()
    made = ran("init", "--key", uri)
    assert made.code == 0, made.err
    assert "next: " in made.err


@pytest.mark.parametrize(
    "words", [("--renew", "--device", "x"), ("--renew", "--key", "pkcs11:"), ("--device", "x", "--key", "pkcs11:")]
)
def test_one_way_at_a_time(home, words):
    refused = ran("init", *words)
    assert refused.code == 2
    assert "exclude one another" in refused.err


def test_no_such_device(home):
    refused = ran("init", "--device", "no such thing", "--json")
    assert refused.code == 10
    assert refused.events[-1]["exit_code"] == 10
    assert not (home / "identity.toml").exists()


def test_a_pin_from_systemd(token, home, tmp_path, monkeypatch):
    uri = f"pkcs11:serial={token.serial}?module-path={token.module}"
    missing = ran("init", "--device", uri, "--pin-source", "credential:none", "--json")
    assert missing.code == 11
    (tmp_path / "token-pin").write_text(token.pin)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    made = ran("init", "--device", uri, "--pin-source", "credential:token-pin")
    assert made.code == 0, made.err
    assert "pin-source=credential:token-pin" in (home / "identity.toml").read_text()
    wrong = ran("init", "--renew", "--pin-source", "credential:../x")
    assert wrong.code == 2
    assert "credential" in wrong.err


def test_policies_are_words(home):
    for words in (("--touch", "sometimes"), ("--pin-policy", "never")):
        assert ran("init", *words).code == 2


def test_a_program_is_not_asked_for_a_pin(token, home):
    uri = f"pkcs11:serial={token.serial}?module-path={token.module}"
    refused = ran("init", "--device", uri, "--json")
    assert refused.code == 11
    assert "--pin-source" in refused.events[-1]["hint"]
    assert not (home / "identity.toml").exists()
