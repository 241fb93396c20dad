# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.certs import Check, Checklist, Verdict
from hardwire.certs.refusal import refused
from hardwire.errors import CertificateRefused


def test_a_walk() -> None:
    steps = Checklist(("one", "two", "three", "four"))
    with steps.check(1):
        pass
    with steps.check(2):
        steps.note(2, "because")
    with pytest.raises(CertificateRefused) as caught, steps.check(3):
        raise refused("some-code", "is bad", evidence={"a": "b"})
    assert steps.checks == (
        Check(1, "one", Verdict.PASSED),
        Check(2, "two", Verdict.PASSED, "because"),
        Check(3, "three", Verdict.REFUSED, "the certificate is bad"),
        Check(4, "four", Verdict.NOT_REACHED),
    )
    assert caught.value.evidence == {"a": "b", "check": "3 three"}


def test_what_nobody_asked_for_is_not_passed() -> None:
    steps = Checklist(("one",))
    with steps.check(1):
        steps.note(1, "off", Verdict.NOT_ASKED)
    assert steps.checks == (Check(1, "one", Verdict.NOT_ASKED, "off"),)
