# SPDX-License-Identifier: Apache-2.0
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hardwire.certs import did_document
from support.commands import ran

pytestmark = pytest.mark.device("softhsm")


def test_who_i_am(me):
    shown = ran("id")
    assert shown.code == 0
    for words in (me.own.did, me.own.device_id.hex(), "SOFTWARE TOKEN", me.device, "valid until"):
        assert words in shown.out
    assert "next: " in shown.err
    assert "next: " not in shown.out


def test_one_thing_for_scripts(me):
    assert ran("id", "--name").out == f"{me.own.did}\n"
    assert json.loads(ran("id", "--did").out) == did_document(me.own.did)
    pem = ran("id", "--certificate").out
    assert x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER) == me.certificate


def test_everything_for_programs(me):
    shown = ran("id", "--json")
    (event,) = shown.events
    assert (event["event"], event["did"], event["assurance"]) == ("identity", me.own.did, "SOFTWARE TOKEN")
    assert event["certificate"].startswith("-----BEGIN CERTIFICATE-----\n")
    assert shown.err == ""


def test_nobody_yet(home):
    shown = ran("id")
    assert (shown.code, shown.out) == (10, "")
    assert shown.err == "hardwire: there is no identity on this machine yet\nhint: run `hardwire init`\n"
    (event,) = ran("id", "--json").events
    assert (event["event"], event["exit_code"], event["final"]) == ("error", 10, True)
