# SPDX-License-Identifier: Apache-2.0
from hardwire.certs.refusal import REMAKE_HINT, refused


def test_the_sentence_is_about_the_certificate() -> None:
    error = refused("cert-der", "is cut off")
    assert str(error) == error.message == "the certificate is cut off"
    assert (error.code, error.hint, error.exit_code, dict(error.evidence)) == ("cert-der", REMAKE_HINT, 20, {})


def test_everything_can_be_said() -> None:
    error = refused("cert-expired", "expired", hint="renew it", exit_code=50, evidence={"serial": "1"})
    assert (error.hint, error.exit_code, dict(error.evidence)) == ("renew it", 50, {"serial": "1"})
