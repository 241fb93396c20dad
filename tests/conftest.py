# SPDX-License-Identifier: Apache-2.0
"""The rules of a whole run: quick tests first, no device left out, the largest pieces named at the end.

``HARDWIRE_REQUIRE_DEVICES=softhsm,swtpm`` (set by ``hsm/up.sh test``, and so by CI) turns a device suite that was
skipped or did not run into a failed run: a green run in which no key was ever touched would say nothing.
"""

import os
from pathlib import Path

import coverage
import pytest

from support.budgets import ROOT, largest_file, largest_function
from support.devicewatch import DeviceWatch
from support.virtualpiv import claim

_ORDER = ("unit", "property", "vectors", "devices", "interop", "net", "e2e")
_WATCH = pytest.StashKey[DeviceWatch]()


def pytest_configure(config: pytest.Config) -> None:
    claim()
    required = os.environ.get("HARDWIRE_REQUIRE_DEVICES", "")
    config.stash[_WATCH] = DeviceWatch(name.strip() for name in required.split(",") if name.strip())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _place(item.path))
    for item in items:
        for mark in item.iter_markers("device"):
            config.stash[_WATCH].expect(item.nodeid, *mark.args)


def pytest_deselected(items: list[pytest.Item]) -> None:
    for item in items:
        item.config.stash[_WATCH].forget(item.nodeid)


def pytest_runtest_setup(item: pytest.Item) -> None:
    # The unit tests alone owe the pure packages their full coverage; measuring on would only make the others slow
    # (property tests take three times as long, and lines between processes lose their rhythm).
    measuring = coverage.Coverage.current()
    if measuring is not None and item.config.stash[_WATCH].required and _place(item.path) > _ORDER.index("unit"):
        measuring.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    report: pytest.TestReport = yield
    item.config.stash[_WATCH].note(item.nodeid, report.when, report.outcome)
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.stash[_WATCH].complaints() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    watch = config.stash[_WATCH]
    if not watch.required:
        return
    terminalreporter.section("the whole run")
    for line in watch.summary():
        terminalreporter.write_line(line)
    terminalreporter.write_line(f"largest file      {largest_file()}")
    terminalreporter.write_line(f"largest function  {largest_function()}")
    for complaint in watch.complaints():
        terminalreporter.write_line(f"FAILED: {complaint}", red=True, bold=True)


def _place(path: Path) -> int:
    folder = path.relative_to(ROOT / "tests").parts[0]
    return _ORDER.index(folder) if folder in _ORDER else len(_ORDER)
