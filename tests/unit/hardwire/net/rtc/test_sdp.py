# SPDX-License-Identifier: Apache-2.0
"""Every refusal is one WireError, out of the text alone: nothing was opened by then."""

import dataclasses
import ipaddress

import pytest

from hardwire.errors import WireError
from hardwire.net.candidate import MAX_CANDIDATES, Candidate, CandidateKind
from hardwire.net.rtc.sdp import (
    DEFAULT_MESSAGE,
    MAX_LINES,
    MAX_TEXT,
    RankedCandidate,
    Setup,
    Side,
    parse,
    read_candidate,
    write,
)
from support.netsamples import candidate
from support.sdptexts import AIORTC_ANSWER, CHROMIUM_OFFER, instead, line_of, twice, without

MALFORMED, UNSUPPORTED = "sdp-malformed", "sdp-unsupported"
HASH = line_of("a=fingerprint")
MID = "a=mid:0"


def refused(text: str, code: str = MALFORMED, side: Side = Side.OFFER) -> WireError:
    with pytest.raises(WireError) as caught:
        parse(text, side)
    assert caught.value.code == code
    assert caught.value.hint
    return caught.value


def test_what_chromium_offers():
    read = parse(CHROMIUM_OFFER, Side.OFFER)
    assert (read.side, read.mid, read.bundled, read.setup) == (Side.OFFER, "0", True, Setup.ACTPASS)
    assert (read.credentials.ufrag, read.credentials.password) == ("2sLN", "X389nYtBp0Ohgc/uRXgBBiXk")
    assert read.fingerprint.hex(":").upper() == HASH.partition(" ")[2]
    assert (read.sctp_port, read.most, read.complete, read.skipped) == (5000, 262_144, False, ())
    # The one that the browser prefers comes first.
    assert [str(one) for one in read.candidates] == ["[2001:db8::2]:49167", "192.0.2.2:47805"]


def test_what_aiortc_answers():
    read = parse(AIORTC_ANSWER, Side.ANSWER)
    assert (read.setup, read.most, read.complete) == (Setup.ACTIVE, 65_536, True)
    assert read.fingerprint[0] == 0x11
    assert [str(one) for one in read.candidates] == ["192.0.2.9:38121"]


def test_line_ends_may_be_bare():
    assert parse(CHROMIUM_OFFER.replace("\r\n", "\n"), Side.OFFER) == parse(CHROMIUM_OFFER, Side.OFFER)


@pytest.mark.parametrize("side", list(Side))
def test_what_is_written_is_read_again(side):
    read = parse(CHROMIUM_OFFER, Side.OFFER)
    candidates = (
        candidate("192.0.2.2", 4000),
        candidate("2001:db8::3", 4001),
        Candidate(CandidateKind.SRFLX, ipaddress.ip_address("203.0.113.4"), 4002),
        Candidate(CandidateKind.RELAY, ipaddress.ip_address("2001:db8::5"), 4003),
    )
    for changes in (
        {},
        {"candidates": candidates, "complete": True, "most": 0},
        {"bundled": False, "mid": "data", "sctp_port": 65_535, "candidates": ()},
    ):
        made = dataclasses.replace(read, side=side, setup=Setup.PASSIVE, **changes)
        text = write(made, 2**62)
        assert parse(text, side) == made
        assert ("BUNDLE" in text) == made.bundled
    assert "c=IN IP4 0.0.0.0\r\n" in text
    assert "m=application 9 " in text


def test_related_addresses_are_not_told():
    read = parse(CHROMIUM_OFFER, Side.OFFER)
    far = Candidate(CandidateKind.SRFLX, ipaddress.ip_address("203.0.113.4"), 4002)
    text = write(dataclasses.replace(read, candidates=(far,)), 1)
    assert line_of("a=candidate", text).endswith("203.0.113.4 4002 typ srflx raddr 0.0.0.0 rport 9")
    assert "c=IN IP4 203.0.113.4\r\n" in text


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse(CHROMIUM_OFFER, Side.OFFER).mid = "1"
    assert "X389nYtBp0Ohgc" not in repr(parse(CHROMIUM_OFFER, Side.OFFER))


# ---------------------------------------------------------------- text that is no description


def test_a_text_that_is_cut_off_anywhere_is_refused():
    # Each of the two ends with a line that has to be there.
    for text, side in ((without("a=max-message-size"), Side.OFFER), (AIORTC_ANSWER, Side.ANSWER)):
        assert parse(text, side)
        for size in range(len(text)):
            refused(text[:size], UNSUPPORTED if _is_without_media(text[:size]) else MALFORMED, side)


def _is_without_media(text: str) -> bool:
    return text.endswith("\n") and "t=" in text and "m=" not in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\r\n",
        "\n" * 10,
        "v=0\r\n",
        "hw:Es3IRq7TuBv7I1MO7hprQO4P\r\n",
        "\x00" * 100 + "\n",
        "x" * (MAX_TEXT + 1),
        "a=\n" * 1000,
        CHROMIUM_OFFER + "a=x:" + "y" * MAX_TEXT + "\r\n",
        CHROMIUM_OFFER + "a=x\r\n" * MAX_LINES,
        CHROMIUM_OFFER + "a=x:" + "y" * 1100 + "\r\n",
        CHROMIUM_OFFER + "\r\n",
        CHROMIUM_OFFER + "a=\r\n",
        CHROMIUM_OFFER + "a=:x\r\n",
        CHROMIUM_OFFER + "a=x y\r\n",
        CHROMIUM_OFFER + "a=x\x1b[2J\r\n",
        CHROMIUM_OFFER + "a=x:\u202egnp.exe\r\n",
        CHROMIUM_OFFER + "a=x:gr\xfc\xdfe\r\n",
        CHROMIUM_OFFER + "a=x\rb=y\r\n",
        CHROMIUM_OFFER + "q=x\r\n",
        CHROMIUM_OFFER + "t=0 0\r\n",
        CHROMIUM_OFFER + " a=x\r\n",
        CHROMIUM_OFFER.replace("v=0", "v=1"),
        CHROMIUM_OFFER.replace("v=0\r\n", ""),
        CHROMIUM_OFFER.replace("t=0 0\r\n", ""),
        CHROMIUM_OFFER.replace("s=-\r\nt=0 0", "t=0 0\r\ns=-"),
        CHROMIUM_OFFER.replace("s=-", "s=a\u202eb"),
    ],
)
def test_what_is_no_description(text):
    refused(text)


def test_the_name_of_a_session_may_be_any_text():
    assert parse(CHROMIUM_OFFER.replace("s=-", "s=Gespräch 話"), Side.OFFER) == parse(CHROMIUM_OFFER, Side.OFFER)


def test_what_is_not_known_is_left_alone():
    more = CHROMIUM_OFFER + "a=sctp-init:AQAAIA==\r\na=tls-id:abc\r\na=sendrecv\r\na=x-new:1\r\na=x-new:1\r\n"
    assert parse(more, Side.OFFER) == parse(CHROMIUM_OFFER, Side.OFFER)


# ---------------------------------------------------------------- a description of something else


@pytest.mark.parametrize(
    "text",
    [
        without("m=", CHROMIUM_OFFER.partition("c=")[0]),
        CHROMIUM_OFFER + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
        CHROMIUM_OFFER + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
        instead("m=", "m=video 9 UDP/TLS/RTP/SAVPF 96"),
        instead("m=", "m=application 9 DTLS/SCTP 5000"),
        instead("m=", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel other"),
        instead("m=", "m=application 0 UDP/DTLS/SCTP webrtc-datachannel"),
        twice("a=msid", "a=ice-lite"),
    ],
)
def test_what_is_something_else(text):
    refused(text, UNSUPPORTED)


# ---------------------------------------------------------------- what contradicts itself, or is missing


@pytest.mark.parametrize("name", ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=setup", "a=mid", "a=sctp-port"])
def test_what_has_to_be_there(name):
    refused(without(name))


@pytest.mark.parametrize(
    "name", ["a=ice-ufrag", "a=ice-pwd", "a=setup", "a=mid", "a=sctp-port", "a=max-message-size", "a=group"]
)
def test_what_may_be_there_once(name):
    refused(twice(name))


def test_a_message_size_that_is_not_named():
    assert parse(without("a=max-message-size"), Side.OFFER).most == DEFAULT_MESSAGE


@pytest.mark.parametrize(
    "name, line",
    [
        ("a=ice-ufrag", "a=ice-ufrag"),
        ("a=ice-ufrag", "a=ice-ufrag:abc"),
        ("a=ice-ufrag", "a=ice-ufrag:ab:cd"),
        ("a=ice-ufrag", "a=ice-ufrag:" + "a" * 257),
        ("a=ice-pwd", "a=ice-pwd:" + "a" * 21),
        ("a=ice-pwd", "a=ice-pwd:" + "a" * 257),
        ("a=ice-pwd", "a=ice-pwd:" + "a" * 21 + "-"),
        ("a=setup", "a=setup:holdconn"),
        ("a=setup", "a=setup:ACTPASS"),
        ("a=mid", "a=mid:0 1"),
        ("a=mid", "a=mid:" + "a" * 65),
        ("a=group", "a=group:BUNDLE 1"),
        ("a=group", "a=group:BUNDLE 0 1"),
        ("a=group", "a=group:BUNDLE"),
        ("a=sctp-port", "a=sctp-port:0"),
        ("a=sctp-port", "a=sctp-port:65536"),
        ("a=sctp-port", "a=sctp-port:-1"),
        ("a=sctp-port", "a=sctp-port:5000 "),
        ("a=sctp-port", "a=sctp-port:\u0665000"),
        ("a=max-message-size", "a=max-message-size:" + "9" * 20),
        ("a=max-message-size", "a=max-message-size:" + "9" * 19),
        ("a=max-message-size", "a=max-message-size:all"),
        ("m=", "m=application 65536 UDP/DTLS/SCTP webrtc-datachannel"),
    ],
)
def test_values_that_are_none(name, line):
    refused(instead(name, line))


def test_other_groups_are_no_concern_of_ours():
    assert parse(twice("a=group", "a=group:LS 0 1"), Side.OFFER).bundled
    assert not parse(without("a=group"), Side.OFFER).bundled


def test_an_answer_names_its_dtls_role():
    refused(CHROMIUM_OFFER, side=Side.ANSWER)
    for role in (Setup.ACTIVE, Setup.PASSIVE):
        text = instead("a=setup", f"a=setup:{role}")
        assert parse(text, Side.ANSWER).setup is parse(text, Side.OFFER).setup is role


def test_the_media_section_counts_more_than_the_session():
    moved = instead("a=group", "a=group:BUNDLE 0\r\na=ice-ufrag:other\r\na=setup:passive\r\na=sctp-port:1")
    assert parse(moved, Side.OFFER) == parse(CHROMIUM_OFFER, Side.OFFER)
    session = instead("a=group", f"a=group:BUNDLE 0\r\n{HASH}", without("a=fingerprint"))
    assert parse(session, Side.OFFER) == parse(CHROMIUM_OFFER, Side.OFFER)


# ---------------------------------------------------------------- fingerprints


@pytest.mark.parametrize(
    "line",
    [
        "a=fingerprint",
        "a=fingerprint:sha-256",
        HASH[:-1],
        HASH[:-3],
        HASH + ":00",
        HASH + " ",
        HASH.replace(":36:", ":36").replace("36:73", "3673"),
        HASH.replace("36:73", "G6:73"),
        HASH.replace("sha-256", "sha-1"),
        HASH.replace("sha-256", "md5"),
        HASH.replace("sha-256 ", "sha-256  "),
    ],
)
def test_a_fingerprint_that_is_none(line):
    refused(instead("a=fingerprint", line))


def test_two_certificates_are_one_too_many():
    refused(twice("a=fingerprint", HASH.replace("36:73", "37:73")))


def test_one_certificate_may_be_named_more_than_once():
    again = HASH.replace("sha-256", "SHA-256").replace(":AA:", ":aa:")
    for line in (again, "a=fingerprint:sha-512 00:11", "a=fingerprint:sha-1 00"):
        assert parse(twice("a=fingerprint", line), Side.OFFER) == parse(CHROMIUM_OFFER, Side.OFFER)


# ---------------------------------------------------------------- candidates

GOOD = "candidate:1 1 udp 2130706431 192.0.2.2 4000 typ host"


def test_a_candidate_that_came_late():
    assert read_candidate(GOOD) == RankedCandidate(candidate("192.0.2.2", 4000), 2_130_706_431)
    more = "candidate:abc+/ 1 UDP 1 203.0.113.4 9 typ srflx raddr 192.0.2.2 rport 4000 generation 0 ufrag 2sLN"
    assert read_candidate(more) == RankedCandidate(
        Candidate(CandidateKind.SRFLX, ipaddress.ip_address("203.0.113.4"), 9), 1
    )


@pytest.mark.parametrize(
    "change, reason",
    [
        (("192.0.2.2", "0f1f2f3f-a.local"), "hidden"),
        (("192.0.2.2", "X.LOCAL"), "hidden"),
        (("192.0.2.2", "host.example.org"), "names are not looked up"),
        (("192.0.2.2", "999.0.2.2"), "names are not looked up"),
        (("192.0.2.2", "2001:db8::1%eth0"), "one interface"),
        (("192.0.2.2", "fe80::1"), "not the address of one host"),
        (("192.0.2.2", "::ffff:192.0.2.2"), "disguise"),
        (("192.0.2.2", "127.0.0.1"), "inside the sender's own machine"),
        (("192.0.2.2", "224.0.0.1"), "not the address of one host"),
        (("192.0.2.2", "255.255.255.255"), "not the address of one host"),
        (("4000", "0"), "port 0"),
        (("udp", "tcp"), "not used here"),
        ((" 1 udp", " 2 udp"), "not used here"),
        (("host", "prflx"), "not used here"),
    ],
)
def test_candidates_that_are_left_out(change, reason):
    text = GOOD.replace(*change)
    why = read_candidate(text)
    assert isinstance(why, str)
    assert reason in why
    read = parse(CHROMIUM_OFFER + f"a={text}\r\n", Side.OFFER)
    assert read.skipped == (why,)
    assert len(read.candidates) == 2


def test_loopback_where_it_is_wanted():
    text = CHROMIUM_OFFER + f"a={GOOD.replace('192.0.2.2', '127.0.0.1')}\r\n"
    assert len(parse(text, Side.OFFER, loopback=True).candidates) == 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        GOOD + " generation",
        GOOD + " ",
        GOOD.replace("typ ", ""),
        GOOD.replace("4000", "65536"),
        GOOD.replace("4000", "-1"),
        GOOD.replace("2130706431", "0"),
        GOOD.replace("2130706431", "2147483648"),
        GOOD.replace("2130706431", "99999999999"),
        GOOD.replace("candidate:1", "candidate:a b"),
        GOOD.replace("candidate:1", "candidate:" + "a" * 33),
        GOOD + " a b" * 300,
        GOOD + "\r\n",
        GOOD.replace("192.0.2.2", "192.0.2.\u0662"),
    ],
)
def test_candidates_that_are_none(text):
    with pytest.raises(WireError) as caught:
        read_candidate(text)
    assert caught.value.code == MALFORMED


def test_many_candidates_are_bounded():
    many = "".join(f"a={GOOD.replace('4000', str(4000 + port))}\r\n" for port in range(100))
    assert len(parse(CHROMIUM_OFFER + many, Side.OFFER).candidates) == MAX_CANDIDATES


def test_none_at_all_is_fine():
    bare = without("a=candidate:2309311147", without("a=candidate:1120111435"))
    assert parse(bare, Side.OFFER).candidates == ()
