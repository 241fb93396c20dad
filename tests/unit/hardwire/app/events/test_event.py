# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

from hardwire.app import events
from hardwire.app.events import event, files, line, loss, opening


def test_names_are_kebab_case_and_unique():
    kinds = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)}
    names = [events.event_name(kind.__new__(kind)) for kind in kinds]
    assert len(set(names)) == len(names)
    assert {"invite-ready", "line-open", "file-done", "said", "invite-needed"} <= set(names)


def test_one_flat_object_an_event():
    done = events.FileDone(1, "a.txt", "in", 3, "ab", 0.123456, Path("/tmp/a.txt"))
    assert json.loads(json.dumps(events.to_json(done))) == {
        "event": "file-done", "id": 1, "name": "a.txt", "direction": "in", "size": 3,
        "root": "ab", "seconds": 0.123, "path": "/tmp/a.txt", "direct": 0, "sha256": "",
    }  # fmt: skip
    opened = events.LineOpen("1 2 3", ("dog", "cat"), "00", 1.0, 2.0)
    assert events.to_json(opened)["words"] == ["dog", "cat"]


def test_each_event_of_each_room_is_offered():
    rooms = (event, files, line, loss, opening)
    kinds = {kind for room in rooms for kind in vars(room).values() if isinstance(kind, type)}
    assert {kind.__name__ for kind in kinds if issubclass(kind, events.Event)} <= set(events.__all__)
