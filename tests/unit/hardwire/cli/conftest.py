# SPDX-License-Identifier: Apache-2.0
import pytest

from support.people import shared_token, token_identity


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home; SoftHSM is there, and no TPM."""
    shared_token()
    monkeypatch.setenv("HARDWIRE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HARDWIRE_TCTI", f"swtpm:path={tmp_path}/none")
    return tmp_path / "home"


@pytest.fixture
def me(home):
    """An identity in SoftHSM."""
    return token_identity(home)
