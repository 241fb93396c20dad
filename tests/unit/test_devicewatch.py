# SPDX-License-Identifier: Apache-2.0
"""The watch that fails a run without devices is itself watched: nobody would notice when it sleeps."""

import pytest

from support.devicewatch import DeviceWatch


def test_a_device_without_tests_is_complained_about() -> None:
    watch = DeviceWatch(["softhsm"])
    watch.expect("a test", "other")
    watch.note("a test", "call", "passed")
    assert watch.complaints() == ["no test of device softhsm passed"]


def test_a_device_that_was_used_is_fine() -> None:
    watch = DeviceWatch(["softhsm"])
    watch.expect("a test", "softhsm")
    for phase in ("setup", "call", "teardown"):
        watch.note("a test", phase, "passed")
    assert watch.complaints() == []
    assert watch.summary() == ["device softhsm    1 passed, 0 not"]


@pytest.mark.parametrize("phase", ["setup", "call", "teardown"])
@pytest.mark.parametrize("outcome", ["skipped", "failed"])
def test_one_test_left_out_is_one_too_many(phase: str, outcome: str) -> None:
    watch = DeviceWatch(["swtpm"])
    for test in ("one", "two"):
        watch.expect(test, "swtpm")
    watch.note("one", "call", "passed")
    watch.note("two", phase, outcome)
    assert watch.complaints() == ["1 tests of device swtpm were skipped or failed"]


def test_a_test_that_was_not_chosen_does_not_count() -> None:
    watch = DeviceWatch(["swtpm"])
    watch.expect("one", "swtpm")
    watch.forget("one")
    watch.note("one", "call", "passed")
    assert watch.complaints() == ["no test of device swtpm passed"]
