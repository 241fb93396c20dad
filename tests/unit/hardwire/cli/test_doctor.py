# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.app.doctor import Finding, State
from support.commands import ran

FINDINGS = [
    Finding("one", State.OK, "is well"),
    Finding("two", State.NOTE, "is odd"),
    Finding("three", State.BAD, "is missing", "buy one"),
]


@pytest.fixture
def found(monkeypatch):
    def set_findings(findings):
        monkeypatch.setattr("hardwire.app.doctor.examine", lambda: findings)

    return set_findings


def test_what_is_wrong_and_how_to_mend_it(found):
    found(FINDINGS)
    shown = ran("doctor")
    assert shown.code == 1
    rows = shown.out.splitlines()
    assert [row.split() for row in rows[:2]] == [["ok", "one", "is", "well"], ["note", "two", "is", "odd"]]
    assert rows[-1].strip() == "hint: buy one"
    assert shown.err == "1 of these keep a line from opening\n"


def test_nothing_is_wrong(found):
    found(FINDINGS[:2])
    shown = ran("doctor")
    assert shown.code == 0
    assert shown.err == "nothing here keeps a line from opening\n"


def test_for_programs(found):
    found(FINDINGS)
    shown = ran("doctor", "--json")
    assert shown.code == 1
    assert [event["state"] for event in shown.events] == ["ok", "note", "bad"]
    assert shown.events[2]["hint"] == "buy one"


def test_a_real_look_around(home):
    assert {event["event"] for event in ran("doctor", "--json").events} == {"finding"}
