# SPDX-License-Identifier: Apache-2.0
from hardwire.app import events


def test_what_scripts_read_while_a_line_opens():
    for event, told in (
        (events.InviteReady("HW1", 7), {"event": "invite-ready", "code": "HW1", "expires": 7, "listens": []}),
        (events.InviteGone(("1.2.3.4",)), {"event": "invite-gone", "listens": ["1.2.3.4"]}),
        (events.AnswerReady("HW2"), {"event": "answer-ready", "code": "HW2"}),
        (
            events.HelperUsed("stun:a", "your address", ("1.2.3.4",)),
            {"event": "helper-used", "server": "stun:a", "learns": "your address", "addresses": ["1.2.3.4"]},
        ),
        (events.Opening("signing"), {"event": "opening", "stage": "signing"}),
        (events.RevocationJudged("fresh", None), {"event": "revocation-judged", "revocation": "fresh", "age": None}),
        (
            events.DeviceAsked("a card", False, True),
            {"event": "device-asked", "device": "a card", "software": False, "touch": True},
        ),
    ):
        assert events.to_json(event) == told


def test_what_scripts_read_of_a_peer():
    assert list(events.to_json(events.PeerSeen("did:key:z", "00", "claimed", "1", False))) == [
        "event", "did", "device_id", "assurance", "safety_number", "pinned", "attested", "attested_by", "facts",
        "organisation", "names", "level", "revocation", "revocation_age",
    ]  # fmt: skip
