# SPDX-License-Identifier: Apache-2.0
from datetime import timedelta

import pytest

from hardwire.certs import CrlMemory, RevocationFact, RevocationRules, Source
from hardwire.errors import Misuse


def test_a_memory_only_grows() -> None:
    memory = CrlMemory({"a": 5})
    assert memory.after([RevocationFact("x", Source.CRL, seen=(("a", 3), ("b", 1)))]).highest == {"a": 5, "b": 1}
    with pytest.raises(TypeError):
        memory.highest["a"] = 1  # type: ignore[index]


def test_an_age_is_not_negative() -> None:
    with pytest.raises(Misuse):
        RevocationRules(max_age=timedelta(seconds=-1))
    assert RevocationFact("x", Source.CRL).text() == "x: not revoked, says CRL"
