# SPDX-License-Identifier: Apache-2.0
from hardwire.app import events


def test_what_scripts_read_of_a_transfer():
    one = {"id": 1, "name": "a", "direction": "in"}
    for event, told in (
        (
            events.FileOffer(1, "a", "directory", 9, 3, 2, "ab"),
            {
                "event": "file-offer",
                "id": 1,
                "name": "a",
                "kind": "directory",
                "size": 9,
                "files": 3,
                "directories": 2,
                "root": "ab",
            },
        ),
        (events.FileStarted(1, "a", "in", 4, 9), {"event": "file-started", **one, "done": 4, "size": 9}),
        (
            events.FilePaused(1, "a", "peer", True),
            {"event": "file-paused", "id": 1, "name": "a", "by": "peer", "on": True},
        ),
        (events.FileMoved(5, 1, "a", "in"), {"event": "file-moved", **one, "id": 5, "was": 1}),
        (
            events.FileProgress(1, "a", "in", 4, 9, 2.0, None),
            {"event": "file-progress", **one, "done": 4, "size": 9, "rate": 2.0, "eta": None},
        ),
        (events.WayChanged("direct", True), {"event": "way-changed", "way": "direct", "open": True}),
        (
            events.FileFailed(1, "a", "in", "busy", "why", "how", resumable=True),
            {"event": "file-failed", **one, "code": "busy", "reason": "why", "hint": "how", "resumable": True},
        ),
        (events.PeerFlood(7), {"event": "peer-flood", "count": 7}),
    ):
        assert events.to_json(event) == told
