# SPDX-License-Identifier: Apache-2.0
from hardwire.app import events


def test_what_scripts_read_of_a_conversation():
    for event, told in (
        (events.Verified("here", True), {"event": "verified", "by": "here", "matched": True}),
        (
            events.Said("peer", "00", "hello"),
            {"event": "said", "by": "peer", "id": "00", "text": "hello", "queued": False},
        ),
        (events.Delivered("00"), {"event": "delivered", "id": "00"}),
        (events.EpochChanged(2), {"event": "epoch-changed", "epoch": 2}),
        (events.Notice("look"), {"event": "notice", "text": "look"}),
        (events.LineClosed(False, "cut"), {"event": "line-closed", "clean": False, "reason": "cut"}),
    ):
        assert events.to_json(event) == told
