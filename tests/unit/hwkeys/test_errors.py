# SPDX-License-Identifier: Apache-2.0
import inspect

import pytest

import hwkeys
from hwkeys import errors

CLASSES = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.HwKeyError)]


def test_the_drawing_at_the_top_shows_every_class_under_its_parent():
    lines = [line for line in errors.__doc__.splitlines() if line.startswith("    ")]
    depth_of = {}
    drawn = []
    for line in lines:
        name = next(word for word in line.split() if word[0].isalpha())
        depth = line.index(name)
        depth_of[depth] = name
        parents = [at for at in depth_of if at < depth]
        drawn.append((name, depth_of[max(parents)] if parents else None))
    told = [(kind.__name__, kind.__base__.__name__ if kind is not errors.HwKeyError else None) for kind in CLASSES]
    assert sorted(drawn, key=str) == sorted(told, key=str)


def test_all_are_public():
    assert {kind.__name__ for kind in CLASSES} <= set(hwkeys.__all__)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_a_message_and_a_hint(kind):
    extra = {errors.Ambiguous: {"candidates": ("a", "b")}, errors.EvidenceRefused: {"code": "a-check"}}.get(kind, {})
    error = kind("what happened", **extra)
    assert str(error).startswith("what happened")
    assert error.message == str(error) or kind is errors.Ambiguous
    assert error.hint == kind.default_hint
    assert kind("what happened", hint="do this", **extra).hint == "do this"


def test_ambiguous_lists_all():
    error = errors.Ambiguous("two tokens", candidates=("pkcs11:serial=1", "pkcs11:serial=2"))
    assert error.candidates == ("pkcs11:serial=1", "pkcs11:serial=2")
    assert str(error) == "two tokens: pkcs11:serial=1 and pkcs11:serial=2"


def test_a_wrong_pin_tells_what_is_known():
    assert errors.PinWrong("no").tries_left is None
    error = errors.PinWrong("no", tries_left=1, final_try=True)
    assert (error.tries_left, error.final_try) == (1, True)
