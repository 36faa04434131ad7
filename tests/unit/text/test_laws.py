"""The laws of `keepstep.ports.text`, for generated documents and for generated rubbish."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepstep.adapters.formats.markdown import GITHUB, GITLAB, Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml, lost_nodes
from keepstep.domain.document import carry_over, fresh, node_urns, normalise, plain_text
from unit.text.documents import CARD, SNIPPETS, documents
from unit.text.settings import some
from unit.text.subset import faults

markdowns = pytest.mark.parametrize("text", [Markdown(GITLAB), Markdown(GITHUB)], ids=lambda text: text.name)
boards = pytest.mark.parametrize(
    "text", [ProductboardHtml(), ProductboardHtml(rich_2026_09=False)], ids=["rich", "plain"]
)

PIECES = (
    "\n", "\n\n", "\n    ", "- ", "> ", "1. ", "- [ ] ", "- [x] ", "```\n", "~~~\n", "\r\n", "\r",
    "| - | - |\n", "[a](b)", "![a](b)", "<p>", "</p>", "<b>", "</b>", "<ul>", "<ol start='7'>", "<li>", "</ul>",
    "<pre>", "<a href='", "'>", '<a href="urn:pb:node:x">', "</a>", "<table>", "<tr>", "<th>", "<td>",
    "<details>", "<br>", "<br/>", "<div>", "</div>", "<li data-checked=true>", "<blockquote>", "<h1>", "</h3>",
    "<video>", "<script>", "<style>x</style>", "<x-card>", "</x-card>", "<img src=a>", "<code>", "&nbsp;",
    "&#0;", "<?", "<!", "<![CDATA[",
)  # fmt: skip
ALL_PIECES = SNIPPETS + PIECES
rubbish = st.lists(st.integers(0, len(ALL_PIECES) - 1).map(lambda at: ALL_PIECES[at]), max_size=12).map(
    "".join
)


@some
@given(documents)
def test_the_normal_form_is_normal(document):
    assert normalise(document) == document


@markdowns
@some
@given(document=documents)
def test_markdown_loses_nothing(text, document):
    written = text.write(document)
    assert text.read(written) == document
    assert text.write(fresh(text.read(written))) == written


@boards
@some
@given(document=documents)
def test_productboard_reads_back_what_it_says_is_shown(text, document):
    written = text.write(document)
    assert text.read(written) == text.shown(document)
    assert text.write(fresh(text.read(written))) == written


@boards
@some
@given(document=documents)
def test_productboard_is_sent_its_subset_only(text, document):
    written = text.write(document).replace(CARD, "<p>x</p>")
    assert faults(written, rich=text.rich_2026_09) == []


@boards
@pytest.mark.parametrize("other", [Markdown(GITLAB), Markdown(GITHUB)], ids=lambda text: text.name)
@some
@given(document=documents)
def test_a_second_round_trip_changes_nothing(text, other, document):
    html = text.write(document)
    on_board = text.read(html)
    markdown = other.write(on_board)
    back = text.write(carry_over(other.read(markdown), on_board))
    assert back == html
    assert lost_nodes(on_board, text.read(back)) == []
    assert other.write(carry_over(text.read(back), other.read(markdown), _through(text))) == markdown


@markdowns
@some
@given(source=rubbish)
def test_markdown_reads_anything(text, source):
    document = text.read(source)
    assert normalise(document) == document
    assert text.read(text.write(document)) == document
    anew = text.write(fresh(document))
    assert text.read(anew) == document
    assert text.write(fresh(text.read(anew))) == anew


@boards
@some
@given(source=rubbish)
def test_productboard_reads_anything(text, source):
    document = text.read(source)
    assert normalise(document) == document
    anew = text.write(fresh(document))
    assert text.read(anew) == text.shown(document)
    assert node_urns(text.read(text.write(document))) == node_urns(document)


@pytest.mark.parametrize(
    "text", [Markdown(GITLAB), Markdown(GITHUB), ProductboardHtml()], ids=lambda text: text.name
)
@some
@given(source=st.text())
def test_any_string_is_read(text, source):
    plain_text(text.read(source))


def _through(text):
    return lambda document: text.read(text.write(document))
