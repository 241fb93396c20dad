# SPDX-License-Identifier: Apache-2.0
from hardwire.certs.levels import Level, level_of
from hardwire.certs.profile import DEVICE_PURPOSE


def test_each_level_has_a_policy_of_its_own_below_the_purpose():
    policies = [level.policy for level in Level]
    assert policies == [f"{DEVICE_PURPOSE}.1.{number}" for number in (1, 2, 3)]
    assert [level_of(["1.2.3", policy]) for policy in policies] == list(Level)


def test_they_are_ordered_and_have_words():
    assert Level.SOFTWARE < Level.CLAIMED < Level.ATTESTED
    assert [level.words for level in Level] == ["software token", "token, unproven", "attested hardware"]


def test_no_level_or_two_are_none():
    assert level_of([]) is None
    assert level_of(["2.5.29.32.0"]) is None
    assert level_of([Level.SOFTWARE.policy, Level.ATTESTED.policy]) is None
