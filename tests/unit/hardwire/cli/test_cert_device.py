# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.app.pem import REQUEST, only
from hardwire.certs import read_request
from support.commands import ran

pytestmark = pytest.mark.device("softhsm")


def test_a_request(me, tmp_path):
    path = tmp_path / "me.csr"
    made = ran("cert", "request", "--name", "alice@example.org", "--out", path)
    assert made.code == 0, made.err
    assert "without proof that the key is in hardware" in made.err
    (der,) = only(path, REQUEST)
    asked = read_request(der)
    assert (asked.did, [name.text for name in asked.names]) == (me.own.did, ["alice@example.org"])
    again = ran("cert", "request", "--out", path)
    assert (again.code, "exists already" in again.err) == (2, True)


def test_on_stdout_and_as_an_event(me):
    made = ran("cert", "request")
    assert made.out.startswith("-----BEGIN CERTIFICATE REQUEST-----\n")
    (event,) = ran("cert", "request", "--json").events
    assert (event["did"], event["evidence"]) == (me.own.did, False)


def test_a_name_that_is_none(me):
    assert ran("cert", "request", "--name", "*.example.org").code == 2


def test_no_identity(home):
    assert ran("cert", "request").code == 10
