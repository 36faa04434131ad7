"""Keepstep's footer in a ticket: found again whatever people do to it, never carried over, never there twice."""

import pytest
from tests.unit.domain.sides import BOARD, FOOTER, MARKER, TICKET, carried_out, snapshot

from keepstep.domain.fields import Side
from keepstep.domain.ids import markers_in
from keepstep.domain.rules import DescriptionRule

RULE = DescriptionRule(BOARD, TICKET, FOOTER, MARKER)
OTHER = "keepstep" + "1" * 32
BODY = "First one.\n\nSecond one."
HTML = "<p>First one.</p><p>Second one.</p>"
WHOLE = RULE.with_own_footer(BODY)
LINE = WHOLE.split("\n\n")[-1]
TRANSLATED = f"Verbunden mit einem Feature · `{MARKER}`"

EDITED = {
    "as it was": WHOLE,
    "words behind": f"{WHOLE}\n\nWords behind.",
    "moved to the top": f"{LINE}\n\n{BODY}",
    "moved into the middle": BODY.replace("\n\n", f"\n\n---\n\n{LINE}\n\n"),
    "translated": WHOLE.replace(LINE, TRANSLATED),
    "without its rule": WHOLE.replace("---\n\n", ""),
    "in a list": f"{BODY}\n\n- mine\n- {LINE}",
    "in a quote": f"{BODY}\n\n> {LINE}",
    "as a heading": f"{BODY}\n\n## {LINE}",
    "only the marker": f"{BODY}\n\n{MARKER}",
    "words around": f"{BODY}\n\nbefore {LINE} behind",
}


def test_it_is_added_once():
    assert set(markers_in(WHOLE)) == {MARKER}
    assert RULE.with_own_footer(WHOLE) == WHOLE


@pytest.mark.parametrize("name", EDITED)
def test_it_is_never_carried_over(name):
    before = (snapshot(description=HTML), snapshot(description=WHOLE))
    result = carried_out(before, (before[0], snapshot(description=EDITED[name])), footer=FOOTER)
    assert MARKER not in result.html
    assert "Keepstep" not in result.html
    assert "First one." in result.html


@pytest.mark.parametrize("name", EDITED)
def test_it_is_never_doubled(name):
    text = EDITED[name]
    before = (snapshot(description=RULE.carry(Side.TICKET, text, HTML)), snapshot(description=text))
    edited = before[0].description.replace("First", "Very first")
    result = carried_out(before, (snapshot(description=edited), before[1]), footer=FOOTER)
    assert "Very first one." in result.markdown
    assert result.markdown.count(MARKER) == text.count(MARKER)
    again = RULE.with_own_footer(result.markdown)
    assert again == result.markdown


def test_it_is_added_again_when_lost_and_something_is_written():
    before = (snapshot(description=HTML), snapshot(description=WHOLE))
    now = (snapshot(description=HTML.replace("First", "Very first")), snapshot(description=BODY))
    result = carried_out(before, now, footer=FOOTER)
    assert result.markdown.count(MARKER) == WHOLE.count(MARKER)
    assert result.markdown.startswith("Very first one.")


def test_losing_it_is_no_edit_of_the_text():
    before = (snapshot(description=HTML), snapshot(description=WHOLE))
    result = carried_out(before, (before[0], snapshot(description=BODY)), footer=FOOTER)
    assert result.html == HTML


def test_those_of_other_links_stay():
    text = f"{WHOLE}\n\n---\n\nAnother · `{OTHER}`"
    before = (snapshot(description=HTML), snapshot(description=text))
    now = (snapshot(description=HTML.replace("First", "Very first")), before[1])
    result = carried_out(before, now, footer=FOOTER)
    assert set(markers_in(result.markdown)) == {MARKER, OTHER}
    assert OTHER not in result.html


def test_taking_it_out_leaves_the_rest_byte_for_byte():
    assert RULE.without_footer(WHOLE).rstrip() == BODY
    text = f"{WHOLE}\n\n---\n\nAnother · `{OTHER}`"
    assert set(markers_in(RULE.without_footer(text))) == {OTHER}
    assert RULE.without_footer(BODY) == BODY
