# SPDX-License-Identifier: Apache-2.0
from hardwire.app import events


def test_they_are_told_like_all_others():
    for event, told in (
        (events.PathLost(2), {"event": "path-lost", "waiting": 2}),
        (events.PathFound(moved=True, seconds=1.0004), {"event": "path-found", "moved": True, "seconds": 1.0}),
        (events.Reconnecting(0), {"event": "reconnecting", "waiting": 0}),
        (events.InviteNeeded(1), {"event": "invite-needed", "waiting": 1}),
        (
            events.Reconnected("1 2 3", ("dog",), "00"),
            {"event": "reconnected", "sas": "1 2 3", "words": ["dog"], "sid": "00"},
        ),
    ):
        assert events.to_json(event) == told
