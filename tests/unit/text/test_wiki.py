"""Textile and Jira's wiki markup: the laws, by construct, and what may never happen."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepstep.adapters.formats.jira_wiki import JiraWiki
from keepstep.adapters.formats.productboard_html import ProductboardHtml, lost_nodes
from keepstep.adapters.formats.textile import Textile
from keepstep.domain.document import (
    CodeBlock,
    Document,
    Paragraph,
    Text,
    carry_over,
    fresh,
    node_urns,
    normalise,
    plain_text,
)
from unit.text.documents import SNIPPETS, documents
from unit.text.settings import some

textile, jira, board = Textile(), JiraWiki(), ProductboardHtml()
wikis = pytest.mark.parametrize("text", [textile, jira], ids=lambda text: text.name)
PIECES = (
    "\n", "\n\n", "\r\n", "h1. ", "h2(x). ", "bq. ", "* ", "** ", "# ", "*# ", "- ", "|", "||", "|_. ", "> ", ">> ",
    "<pre>", "</pre>", '<code class="x">', "</code>", "@", '"', '":', "http://x.example", "!a.png!", "{{toc}}",
    "{code}", "{code:java}", "{noformat}", "{quote}", "{panel:title=x}", "{panel}", "[a|http://b]", "[~jane]",
    "{{", "}}", "----", "---", "*b*", "_i_", "-s-", "+u+", "{*}", "\\\\", "\\", "&#42;", "&amp;", "p. ", "!",
)  # fmt: skip
rubbish = st.lists(st.sampled_from(SNIPPETS + PIECES), max_size=14).map("".join)

TABLE = (
    "<table><thead><tr><th>A</th><th>B</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table>"
)
LINE = '<p><a href="https://a.example/b">x</a>, <s>y</s> <u>z</u> <i>i</i> <code>c</code></p>'
CODES = ("x", "a && b < c", "</pre> and </code>", "{code} and {noformat}", "\ttabs\n\n  kept", "|a|")


@wikis
@some
@given(document=documents)
def test_a_second_round_changes_nothing_and_no_anchor_is_lost(text, document):
    written = text.write(document)
    found = text.read(written)
    assert normalise(found) == found
    assert text.write(fresh(found)) == written
    assert sorted(node_urns(found)) == sorted(node_urns(document))


@wikis
@some
@given(source=rubbish)
def test_anything_is_read_and_stands_as_it_stood(text, source):
    document = text.read(source)
    assert normalise(document) == document
    assert text.read(text.write(document)) == document
    anew = text.write(fresh(document))
    assert text.write(fresh(text.read(anew))) == anew


@wikis
@some
@given(source=st.text())
def test_any_string_is_read(text, source):
    plain_text(text.read(source))


@wikis
@some
@given(document=documents)
def test_through_productboard_and_back_nothing_is_written_again(text, document):
    there = text.read(text.write(document))
    html = board.write(there)
    back = text.write(carry_over(board.read(html), there, lambda one: board.read(board.write(one))))
    assert text.read(back) == there


@wikis
@pytest.mark.parametrize(
    "line",
    [
        "h1. not a heading", "* not an item", "# 12", "bq. not a quote", "| not | a table |", "> not a quote",
        "a * b * c", "snake_case_name and __init__", "2 - 1 - 0", "a+b+c", "x@y.example", "C:\\temp\\new",
        "{not a macro}",
        "[not a link]", '"not":a link', "!not a picture!", "&copy; & &#42;", "---", "----", "p. not", "50 % of {x}",
        "<b>not bold</b>", "😀 שלום مرحبا", "a\\\\b",
    ],
)  # fmt: skip
def test_plain_text_stays_plain_text(text, line):
    document = Document((Paragraph((Text(line),)),))
    written = text.write(document)
    assert text.read(written) == normalise(document), written
    assert len(text.read(written).blocks) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (textile, "@jane"), (textile, "#12"), (textile, "[[Page]]"), (textile, "{{toc}}"), (textile, "#12#note-3"),
        (jira, "[~jdoe]"), (jira, "{toc}"), (jira, "[^file.pdf]"), (jira, "(/)"),
    ],
)  # fmt: skip
def test_what_acts_is_written_as_text_unless_it_acted_there_already(text, line):
    written = text.write(Document((Paragraph((Text(f"see {line} here"),)),)))
    assert line not in written
    assert plain_text(text.read(written)) == f"see {line} here"
    living = text.read(f"see {line} here")
    assert line in text.write(fresh(living))


@wikis
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("language", ["", "python"])
def test_code_stays_code(text, code, language):
    found = text.read(text.write(Document((CodeBlock(code, language),))))
    assert len(found.blocks) == 1
    block = found.blocks[0]
    assert isinstance(block, CodeBlock)
    squeezed = re.sub(r"[\s]", "", block.text)
    assert squeezed == re.sub(r"[\s]", "", code)


def test_line_ends_of_redmine_are_no_change_and_unchanged_blocks_keep_them():
    source = "h2. One\r\n\r\nTwo words\r\nnext line\r\n\r\n* a\r\n* b\r\n"
    document = textile.read(source)
    assert document == textile.read(source.replace("\r\n", "\n"))
    assert textile.write(document) == source
    changed = textile.read(source.replace("Two words", "Three words"))
    assert textile.write(changed) == source.replace("Two words", "Three words")


@wikis
def test_a_changed_word_changes_one_block(text):
    source = text.write(
        board.read("<h1>A</h1><p>one <b>two</b></p><ul><li>x</li><li>y</li></ul><p>three</p>")
    )
    before = text.read(source)
    html = board.write(before).replace("three", "four")
    after = text.write(carry_over(board.read(html), before, lambda one: board.read(board.write(one))))
    assert after == source.replace("three", "four")


@pytest.mark.parametrize(
    ("text", "source", "html"),
    [
        (textile, "h3. A *b* c", "<h2>A <b>b</b> c</h2>"),
        (textile, "* a\n** b\n# c", "<ul><li>a<ul><li>b</li></ul></li></ul><ol><li>c</li></ol>"),
        (textile, "|_. A|_. B|\n|1|2|", TABLE),
        (textile, '"x":https://a.example/b, -y- +z+ _i_ @c@', LINE),
        (textile, "> a\n> b", "<blockquote><p>a</p><p>b</p></blockquote>"),
        (textile, "bq. a", "<blockquote><p>a</p></blockquote>"),
        (jira, "h3. A *b* c", "<h2>A <b>b</b> c</h2>"),
        (jira, "* a\n** b\n\n# c", "<ul><li>a<ul><li>b</li></ul></li></ul><ol><li>c</li></ol>"),
        (jira, "||A||B||\n|1|2|", TABLE),
        (jira, "[x|https://a.example/b], -y- +z+ _i_ {{c}}", LINE),
        (jira, "{quote}a{quote}", "<blockquote><p>a</p></blockquote>"),
        (jira, "{code:java}\nx\n{code}", '<pre data-language="java"><code>x</code></pre>'),
    ],
    ids=range(12),
)  # fmt: skip
def test_each_construct_means_the_same_in_productboard(text, source, html):
    assert board.write(text.read(source)) == html
    assert lost_nodes(board.read(html), text.read(source)) == []
