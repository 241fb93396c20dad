# SPDX-License-Identifier: Apache-2.0
import pytest

from hardwire.app.text import grouped, human_duration, human_size, printable


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J", "\x07", "\r", "\t", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\x9b", "\ud800", "\x00"],
)
def test_nothing_that_steers_a_terminal_or_reorders_a_line_is_shown(hostile):
    shown = printable(f"a{hostile}b")
    assert hostile[0] not in shown
    assert shown.startswith("a")
    assert shown.endswith("b")


def test_ordinary_text_stays_as_it_is():
    for text in ("grüß dich", "日本語", "👩‍💻 ok", "naïve — “quoted”", "שלום"):
        assert printable(text) == text


@pytest.mark.parametrize("blank", ["\u3164", "\u115f", "\u2800", "\uffa0", "\u034f", "\u17b4", "\u180b", "\ufffc"])
def test_letters_that_nobody_sees_are_shown(blank):
    assert printable(f"a{blank}b") == "a\N{REPLACEMENT CHARACTER}b"


def test_joiners_make_no_second_name_that_looks_like_the_first():
    for text in ("rep\u200dort.pdf", "a\ufe0fb", "1\u200d2", "\u200dx", "\ufe0f"):
        assert printable(text) != text
    for text in ("1\ufe0f\u20e3", "#\ufe0f\u20e3", "❤\ufe0f", "👨‍👩‍👧", "क्‍ष"):
        assert printable(text) == text


def test_line_feeds_only_where_they_are_wanted():
    assert printable("a\nb", newlines=True) == "a\nb"
    assert printable("a\nb") == "a\N{REPLACEMENT CHARACTER}b"


def test_sizes():
    sizes = {0: "0 B", 999: "999 B", 1000: "1.0 kB", 64_000_000: "64.0 MB", 999_960: "1.0 MB", 5 * 10**15: "5.0 PB"}
    assert {octets: human_size(octets) for octets in sizes} == sizes


def test_durations():
    durations = {0.85: "850 ms", 12: "12 s", 200: "3 min 20 s", 7500: "2 h 5 min"}
    assert {seconds: human_duration(seconds) for seconds in durations} == durations


def test_groups_for_reading_aloud():
    assert grouped("123456789012") == "12345 67890 12"
