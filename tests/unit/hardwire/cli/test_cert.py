# SPDX-License-Identifier: Apache-2.0
import pytest

from support.commands import ran


def test_the_group_says_who_does_what():
    shown = ran("cert", "--help")
    assert shown.code == 0
    assert "The authority:" in shown.out
    for verb in ("request", "ca", "issue", "revoke", "crl", "show", "install", "trust"):
        assert f"\n  {verb} " in shown.out


@pytest.mark.parametrize("verb", ["request", "ca", "issue", "revoke", "crl", "show", "install", "trust"])
def test_each_verb_has_examples(verb):
    shown = ran("cert", verb, "--help")
    assert shown.code == 0
    assert f"hardwire cert {verb}" in shown.out
