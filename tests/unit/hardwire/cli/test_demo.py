# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.errors import TokenMissing
from support.commands import ran


@pytest.mark.device("softhsm", "swtpm")
def test_the_whole_demo_in_small():
    shown = ran("demo", "--json", "--size", "1")
    assert shown.code == 0, shown.out
    (report,) = shown.events
    assert report["ok"] is True
    assert report["signatures_per_side"] == [1, 1]
    assert report["file_mb"] == 1.0
    assert shown.err == ""


class Report:
    ok = False

    def record(self):
        return {"event": "demo", "ok": False}


def test_a_demo_that_went_wrong_is_no_success(monkeypatch):
    async def demonstrate(size, tell, devices):
        tell("the line did NOT close properly")
        return Report()

    monkeypatch.setattr("hardwire.app.demo.demonstrate", demonstrate)
    shown = ran("demo")
    assert (shown.code, shown.err) == (1, "the line did NOT close properly\n")
    shown = ran("demo", "--json")
    assert (shown.code, shown.events) == (1, [{"event": "demo", "ok": False}])


def test_what_the_demo_needs_is_named(monkeypatch):
    async def demonstrate(size, tell, devices):
        raise TokenMissing("swtpm is not installed", hint="sudo apt-get install swtpm")

    monkeypatch.setattr("hardwire.app.demo.demonstrate", demonstrate)
    shown = ran("demo")
    assert shown.code == 10
    assert shown.err == "hardwire: swtpm is not installed\nhint: sudo apt-get install swtpm\n"


def test_sizes_have_limits():
    assert ran("demo", "--size", "0").code == 2
