# SPDX-License-Identifier: Apache-2.0
"""Any text is a description or one WireError; what is written is read again; nothing takes long."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hardwire.errors import WireError
from hardwire.net.candidate import Candidate, CandidateKind, select
from hardwire.net.invite import IceCredentials
from hardwire.net.rtc.sdp import (
    MAX_LINE,
    MAX_LINES,
    MAX_TEXT,
    SessionDescription,
    Setup,
    Side,
    parse,
    read_candidate,
    write,
)
from support.sdptexts import AIORTC_ANSWER, CHROMIUM_OFFER

LINES = [*CHROMIUM_OFFER.splitlines(), *AIORTC_ANSWER.splitlines()]
TEXT = st.text(max_size=40)
ICE = st.text(st.sampled_from("abXY09+/"), min_size=24, max_size=256)
CANDIDATES = st.lists(
    st.builds(Candidate, st.sampled_from(CandidateKind), st.ip_addresses(), st.integers(1, 65_535)).filter(
        lambda one: one.refusal(loopback=False) is None and getattr(one.address, "scope_id", None) is None
    ),
    max_size=16,
)
DESCRIPTIONS = st.builds(
    SessionDescription,
    side=st.sampled_from(Side),
    mid=st.text(st.sampled_from("abc019-_."), min_size=1, max_size=64),
    credentials=st.builds(IceCredentials, ICE, ICE),
    fingerprint=st.binary(min_size=32, max_size=32),
    setup=st.sampled_from([Setup.ACTIVE, Setup.PASSIVE]),
    candidates=CANDIDATES.map(select),
    sctp_port=st.integers(1, 65_535),
    most=st.integers(0, 2**63),
    bundled=st.booleans(),
    complete=st.booleans(),
)


def made_of(call, *arguments):
    """The value, or the refusal; anything else escapes."""
    try:
        return call(*arguments)
    except WireError as error:
        return error


def read(text: str) -> None:
    for side in Side:
        found = made_of(parse, text, side)
        if isinstance(found, WireError):
            assert found.code in {"sdp-malformed", "sdp-unsupported"}
        else:
            assert found.side is side
            assert len(found.fingerprint) == 32
            assert all(one.refusal(loopback=False) is None for one in found.candidates)
            assert parse(write(found, 1), side).candidates == found.candidates


@given(TEXT)
@settings(deadline=None)
def test_any_text(text):
    read(text)
    read(text + "\n")


@given(st.lists(st.one_of(st.sampled_from(LINES), TEXT), max_size=30), st.sampled_from(["\n", "\r\n"]))
@settings(deadline=None)
def test_any_lines_in_any_order(lines, end):
    read("".join(line + end for line in lines))


@given(st.sampled_from([CHROMIUM_OFFER, AIORTC_ANSWER]), st.data())
@settings(deadline=None, max_examples=300)
def test_a_description_that_was_changed(text, data):
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, min(len(text), begin + 60)))
    read(text[:begin] + data.draw(st.one_of(TEXT, st.sampled_from(LINES))) + text[end:])


@given(DESCRIPTIONS, st.integers(0, 2**63 - 1))
@settings(deadline=None)
def test_what_is_written_is_read_again(description, session):
    assert parse(write(description, session), description.side) == description


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=20), max_size=12).map(" ".join))
@example("candidate:1 1 udp 1 1.2.3.4 5 typ host raddr")
@settings(deadline=None)
def test_any_candidate(text):
    for line in (text, f"candidate:{text}", f"candidate:1 1 udp 1 {text}", f"candidate:1 1 udp 1 ::{text} 5 typ host"):
        found = made_of(read_candidate, line)
        if isinstance(found, WireError):
            assert found.code == "sdp-malformed"
        else:
            assert isinstance(found, str) or found.candidate.refusal(loopback=False) is None


@pytest.mark.timeout(20)
def test_nothing_takes_long():
    # What makes readers by regular expression slow: repetitions that may be divided in many ways, and no end that fits.
    worst = [
        "v=0\no=x\ns=x\n" + "t=0\n" * (MAX_LINES - 4) + "q=\n",
        "v=0\no=x\ns=x\nt=0\n" + "m=x\n" * (MAX_LINES - 5) + "v=0\n",
        "v=0\no=x\ns=x\n" + "t=0\nr=0\nz=0\n" * 80 + "s=0\n",
        CHROMIUM_OFFER + f"a=candidate:1 1 udp 1 1.2.3.4 5 typ host{' a b' * 240} \n",
        CHROMIUM_OFFER + f"a={'!' * (MAX_LINE - 4)} \n",
        "x" * 100 * MAX_TEXT,
    ]
    for text in worst:
        read(text)
