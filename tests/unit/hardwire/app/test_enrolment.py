# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.app.enrolment import request_certificate
from hardwire.certs import parse_name, read_request
from support.people import token_identity

pytestmark = pytest.mark.device("softhsm")


def test_the_device_signs_for_its_own_key(tmp_path):
    me = token_identity(tmp_path)
    der, proved = request_certificate(me, (parse_name("id:1"),), None)
    asked = read_request(der)
    assert (asked.did, asked.spki, proved) == (me.own.did, me.own.spki, False)
