# SPDX-License-Identifier: Apache-2.0
import re

import pytest

from hardwire import errors
from hardwire.errors import CertificateRefused, ConnectionLost, HardwireError, InviteRefused, LocalError, PeerError

LINE = re.compile(r"^ {4}(?P<rails>[│ ]*(?:├── |└── )?)(?P<name>[A-Z]\w+)(?: +(?P<exit>\d+)(?= |$))?")
EXIT_CODES = {0, 1, 2, 10, 11, 12, 20, 21, 30, 31, 40, 50}
"""The table that a person is promised; 1 is a bug."""


def _drawn() -> list[tuple[int, str, int | None]]:
    """Depth, name and exit code of each line of the picture in the module's docstring."""
    found = [LINE.match(line) for line in (errors.__doc__ or "").splitlines()]
    return [(len(one["rails"]) // 4, one["name"], int(one["exit"]) if one["exit"] else None) for one in found if one]


def _real(cls: type[HardwireError], depth: int = 0) -> list[tuple[int, type[HardwireError]]]:
    children = [one for one in cls.__subclasses__() if one.__module__ == errors.__name__]
    return [(depth, cls)] + [line for child in children for line in _real(child, depth + 1)]


REAL = _real(HardwireError)
CLASSES = [cls for _, cls in REAL]


def test_the_picture_is_the_tree() -> None:
    assert [(depth, name) for depth, name, _ in _drawn()] == [(depth, cls.__name__) for depth, cls in REAL]


def test_the_exit_codes_in_the_picture_are_the_real_ones() -> None:
    for (_, name, drawn), cls in zip(_drawn(), CLASSES, strict=True):
        if drawn is None:
            assert name in {"HardwireError", "LocalError", "Misuse", "PeerError"}
        else:
            assert cls.default_exit_code == drawn, name


def test_nothing_else_is_in_the_module() -> None:
    public = {one for one in vars(errors).values() if isinstance(one, type) and one.__module__ == errors.__name__}
    assert public == set(CLASSES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_defaults(cls: type[HardwireError]) -> None:
    error = cls("something happened")
    assert str(error) == error.message == "something happened"
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", error.code)
    assert error.exit_code in EXIT_CODES
    assert error.hint == cls.default_hint
    assert not error.evidence
    assert cls.__doc__


def test_codes_are_distinct() -> None:
    assert len({cls.default_code for cls in CLASSES}) == len(CLASSES)


def test_two_families() -> None:
    for cls in set(CLASSES) - {HardwireError}:
        assert issubclass(cls, LocalError) != issubclass(cls, PeerError)
        if issubclass(cls, PeerError):
            assert cls.default_exit_code in {20, 21}
            assert cls.default_hint


def test_an_instance_may_say_more() -> None:
    error = CertificateRefused("it expired", hint="renew it", code="cert-expired", exit_code=50, evidence={"a": "b"})
    assert (error.hint, error.code, error.exit_code, dict(error.evidence)) == (
        "renew it",
        "cert-expired",
        50,
        {"a": "b"},
    )


def test_an_empty_hint_is_kept() -> None:
    assert InviteRefused("no", hint="").hint == ""


def test_evidence_is_a_copy_and_cannot_change() -> None:
    facts = {"offset": "2 h"}
    error = ConnectionLost("cut", evidence=facts)
    facts["offset"] = "0"
    assert error.evidence["offset"] == "2 h"
    with pytest.raises(TypeError):
        error.evidence["offset"] = "0"  # type: ignore[index]
