"""Values turned into words: times, numbers, differences, descriptions."""

from datetime import UTC, datetime, timedelta

import pytest

from keepstep.domain.events import Act, Entry
from keepstep.domain.fields import Field, Side
from keepstep.domain.ids import IntegrationId
from keepstep.web.admin.journal import difference, sentence
from keepstep.web.admin.presenting import ago, bars, counted, exact, number, shown_html, size, text_of_html

NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(seconds=3), "just now"), (timedelta(seconds=59), "59 s ago"), (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=23, minutes=59), "23 h ago"), (timedelta(days=2), "2 d ago"),
        (timedelta(days=31), "24 Oct 2026"), (timedelta(minutes=-4), "in 4 min"),
    ],
)  # fmt: skip
def test_times_are_told_as_people_tell_them(before, said):
    assert ago(NOW - before, NOW) == said


def test_the_exact_time_names_its_zone():
    assert exact(NOW) == "24 Nov 2026, 09:30:00 UTC"


def test_numbers_have_groups_and_units():
    assert number(1234567) == "1\u202f234\u202f567"
    assert [counted(each, "Link") for each in (0, 1, 2)] == ["0 Links", "1 Link", "2 Links"]
    assert [size(each) for each in (12, 48_200_000, 3_100_000_000)] == ["12 B", "48 MB", "3.1 GB"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Sign in without a password", "Sign in with a passkey"),
        ("", "new"), ("old", ""), ("same", "same"), ("", ""),
        ("a  b\n\nc", "a b\n\nc d"), ("x " * 30_000, "y " * 30_000), ("line\n" * 400, "line\n" * 400 + "end"),
    ],
)  # fmt: skip
def test_a_difference_holds_both_texts_whole(before, after):
    parts = difference(before, after)
    assert "".join(text for kind, text in parts if kind != "new") == before
    assert "".join(text for kind, text in parts if kind != "gone") == after


def test_a_difference_marks_words_and_no_more():
    assert difference("Sign in without a password", "Sign in with a password") == [
        ("same", "Sign in"), ("same", " "), ("gone", "without"), ("new", "with"), ("same", " a password"),
    ]  # fmt: skip


def test_the_words_of_a_description_keep_its_lines():
    source = "<h1>Goal</h1><p>One &amp; two<br>three</p><ul><li><p>first</p></li><li>second</li></ul><script>x</script>"
    assert text_of_html(source) == "Goal\nOne & two\nthree\n• first\n• second"


@pytest.mark.parametrize(
    "evil",
    [
        "<script>alert(1)</script>", '<img src="https://example.org/pixel.png">', '<p onclick="x()">a</p>',
        '<a href="javascript:x()">a</a>', "<iframe></iframe>", '<p style="position:fixed">a</p>', "<svg><script>x",
        '<form action="/"><button>Log in</button></form>', '<div id="content">a</div>',
    ],
)  # fmt: skip
def test_a_description_brings_nothing_but_text_and_its_marks(evil):
    shown = shown_html(evil)
    for part in (
        "script",
        "<img",
        "onclick",
        "javascript",
        "<iframe",
        "style",
        "<svg",
        "<form",
        "<button",
        "id=",
    ):
        assert part not in shown


def test_a_link_in_a_description_tells_nobody_where_we_are():
    shown = shown_html('<p><a href="https://example.org" target="_blank">there</a></p>')
    assert shown == '<p><a href="https://example.org" rel="noopener noreferrer nofollow">there</a></p>'


def test_a_strip_of_bars_stays_on_its_ground_line():
    strip = bars([0, 1, 24, 0])
    assert [round(bar.y + bar.height) for bar in strip] == [24] * 4
    assert strip[2].height == 24
    assert strip[1].height >= 3
    assert [bar.x for bar in strip] == [0, 6, 12, 18]
    assert len(bars([])) == 0


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("side", [None, *Side])
@pytest.mark.parametrize("field", [None, *Field])
def test_every_kind_of_entry_has_a_sentence(act, side, field):
    said = sentence(Entry(NOW, act, IntegrationId("i"), None, side, field), "GitLab")
    assert said[0].isupper()
    assert "  " not in said
    assert said.split(" ")[-1] not in ("", "to", "in", "the")
