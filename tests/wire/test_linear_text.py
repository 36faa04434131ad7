"""Linear's Markdown keeps the laws of every text format, and never needs HTML where it can be done without."""

import re

import pytest
from hypothesis import given

from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.adapters.trackers.linear.text import LinearMarkdown
from keepstep.domain.document import (
    BulletList,
    Document,
    LineBreak,
    ListItem,
    OrderedList,
    Paragraph,
    Quote,
    Strong,
    Table,
    Text,
    Underline,
    fresh,
)
from unit.text.documents import documents
from unit.text.settings import some

LINEAR = LinearMarkdown()
WORD = (Text("word"),)


def paragraph(*children):
    return Paragraph(children)


def item(word):
    return ListItem((paragraph(Text(word)),))


@some
@given(documents)
def test_what_is_written_reads_back_and_the_second_round_changes_nothing(document):
    written = LINEAR.write(document)
    again = LINEAR.read(written)
    assert LINEAR.write(again) == written
    assert LINEAR.write(fresh(again)) == written


@pytest.mark.parametrize(
    ("block", "text"),
    [
        (paragraph(Text("a "), Underline((Text("b "), Strong(WORD)))), "a b **word**"),
        (paragraph(Strong((Underline(WORD),))), "**word**"),
        (Quote((paragraph(Underline(WORD)),)), "> word"),
        (BulletList((ListItem((paragraph(Underline(WORD)),)),)), "- word"),
        (Table(((Text("a"), LineBreak(), Text("b")),), ()), "| a b |\n| --- |"),
        (paragraph(Text("@amara and #12 and ENG-1")), "@amara and #12 and ENG-1"),
    ],
)  # fmt: skip
def test_what_markdown_has_no_signs_for_is_left_out(block, text):
    assert LINEAR.write(Document((block,))) == text


def test_two_lists_in_a_row_become_one():
    both = Document((BulletList((item("a"),)), BulletList((item("b"),))))
    assert LINEAR.write(both) == "- a\n- b"
    numbered = Document((OrderedList((item("a"),), 3), OrderedList((item("b"),), 9)))
    assert LINEAR.write(numbered) == "3. a\n4. b"


def test_what_linear_wrote_is_written_back_as_it_was():
    text = "* a\n* b\n\n1) c\n\n<u>kept</u> as it is\n\nEnd"
    assert LINEAR.write(LINEAR.read(text)) == text


def test_a_description_of_productboards_needs_no_html():
    html = "<p>One <u>lined</u> <b>bo</b>ld</p><ul><li><p>a</p></li></ul><ol><li><p>b</p></li></ol>"
    written = LINEAR.write(ProductboardHtml().read(html))
    assert not re.search(r"<[a-z!]", written), written
