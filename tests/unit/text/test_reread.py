"""A text that is nearly one read before is read in part: the outcome must be that of reading it whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.text.settings import some

from keepstep.adapters.formats import reread
from keepstep.adapters.formats.markdown import GITHUB, GITLAB, Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.adapters.formats.remembered import Reading as Read
from keepstep.adapters.formats.remembered import Readings, Top, remembered

MARKDOWN = (
    "First words.\n", "Two\nlines\n", "# Heading\n", "Under\n===\n", "- one\n- two\n", "- one\n\n- loose\n",
    "  - nested\n", "1. one\n2. two\n", "- [ ] box\n", "    indented\n", "\tindented\n",
    "```\ncode\n\ncode\n```\n", "```\nopen\n", "~~~\n", "```\n", "> quote\n", "> quote\nlazy\n",
    ">>>\nfenced\n\nquote\n>>>\n", ">>>\n", "- >>>\n", "| a | b |\n|---|---|\n| 1 | 2 |\n", "|---|---|\n",
    "| a | b |\n", "---\n", "===\n", "***\n", "<div>\nx\n</div>\n", "<div>\n", "</div>\n", "<!-- a\n",
    "-->\n", "<!-- -->\n", "<pre>\n", "</pre>\n", "[a]: http://a.example\n",
    "[a]: http://b.example 'title\nmore'\n", "[a]:\n", "see [a] and [b]\n", "[b]: http://b.example\n",
    "[^1]: foot\n", "$$\nx\n$$\n", "[[_TOC_]]\n", "\n", "\n\n", "  \n", "\r\n", "x\r\ny\r\n", "\\\n", "**b\n",
    "`a\n", "@jane #12\n", "\xa0\n", "\x00\n", "+\n", "1)\n", "- \n", "<b>\n", "text", "-->", ">", " ",
)  # fmt: skip
HTML = (
    "<p>First words.</p>", "<p>Two <b>bold</b></p>", "<h1>Head</h1>", "<ul><li>one</li><li>two</li></ul>",
    "<ul><li>", "</li></ul>", "<p>", "</p>", "<p/>", "<p></p>", "text", " ", "\n", "<hr/>", "<hr>", "<br>",
    "</br>", "<pre>a\nb</pre>", "<blockquote><p>q</p></blockquote>",
    "<table><tbody><tr><td>1</td></tr></tbody></table>", "<td>x</td>", "<div><p>a</p><p>b</p></div>", "<div>",
    "</div>", '<p title="x">a</p>', "<p title='x'>a</p>", '<p title="x>a</p>', '">', "'>", "<!-- a -->",
    "<!--", "-->", "<script>", "</script>", "<style>x</style>", "<x-card>y</x-card>", "<x-card>",
    '<a href="urn:pb:node:1">x</a>', "<a href='http://x.example'>y</a>", "<b>x</b>", "&amp;", "&am", "p;",
    "<", ">", "<?x?>", "<P>Loud</P>", "<li>alone</li>", "<p>a<p>b", "</", "<p", ' a="b"', "=", "/",
)  # fmt: skip
MORE = "<p>c</p><p>d</p><p>e</p><p>f</p>"
FORMATS = ((Markdown(GITLAB), MARKDOWN), (Markdown(GITHUB), MARKDOWN), (ProductboardHtml(), HTML))


@pytest.fixture(autouse=True)
def _every_length(monkeypatch):
    monkeypatch.setattr(reread, "SHORTEST", 0)
    remembered.forget()
    yield
    remembered.forget()


@st.composite
def edited_texts(draw, pieces):
    """A text, and the same after a few edits, each of which takes out some of the pieces and puts in others."""
    now = draw(st.lists(st.sampled_from(pieces), min_size=4, max_size=14))
    texts = ["".join(now)]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(now)))
        now[at : at + draw(st.integers(0, 2))] = draw(st.lists(st.sampled_from(pieces), max_size=2))
        texts.append("".join(now))
    return texts


def seen(document):
    """With sources, which equality leaves out."""
    return [(block, block.source, repr(block)) for block in document.blocks]


@pytest.mark.parametrize(("text", "pieces"), FORMATS, ids=lambda one: getattr(one, "name", ""))
def test_read_in_part_is_read_whole(text, pieces):
    @some
    @given(edited_texts(pieces))
    def law(texts):
        remembered.forget()
        in_part = [seen(text.read(one)) for one in texts]
        for one, found in zip(texts, in_part, strict=True):
            remembered.forget()
            assert found == seen(text.read(one)), one

    law()


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (Markdown(GITLAB), "a\n\n>>>\nb\n\nc\n\nd\n", "a\n\n>>>\nb\n\nc\n\nd\n\n>>>\n"),
        (Markdown(GITLAB), "[a]\n\nb\n\nc\n\nd\n\ne\n", "[a]\n\nb\n\nc\n\nd\n\n[a]: http://x\n\ne\n"),
        (Markdown(GITLAB), "[a]\n\nb\n\n[a]: http://x\n\nc\n\nd\n\ne\n", "[a]\n\nb\n\n[a]: http://y\n\nc\n\nd\n\ne\n"),
        (Markdown(GITLAB), "a\n\nb\n\nc\n\nd\n\ne\n\nf\n", "a\n\n```\nb\n\nc\n\nd\n\ne\n\nf\n"),
        (Markdown(GITLAB), "a\n\nb\n\n| c | d |\n", "a\n\nb\n\n| c | d |\n|---|---|\n"),
        (Markdown(GITLAB), "- a\n\nb\n\nc\n\nd\n", "- a\n\n  b\n\nc\n\nd\n"),
        (ProductboardHtml(), "<p>a</p><p>b</p><p>c</p><p>d</p>", "<p>a</p><p>b</p><ul><p>c</p><p>d</p>"),
        (ProductboardHtml(), f"<p>a</p><p id='x>b</p>{MORE}", f"<p>a</p><p id='x>b</p>{MORE}'>"),
        (ProductboardHtml(), "<x-a>1</x-a><p>b</p><p>c</p>", "<x-a>1</x-a>word<p>b</p><p>c</p>"),
    ],
)  # fmt: skip
def test_what_acts_far_away_is_seen(text, before, after):
    text.read(before)
    in_part = seen(text.read(after))
    remembered.forget()
    assert in_part == seen(text.read(after))


@pytest.mark.parametrize(
    ("text", "block"), [(Markdown(GITLAB), "Words {}.\n\n"), (ProductboardHtml(), "<p>Words {}.</p>")]
)
@pytest.mark.parametrize("change", [0, 50, 99])
def test_only_the_neighbourhood_of_an_edit_is_read(monkeypatch, text, block, change):
    lengths = []
    kind, part = type(text), type(text).part

    def counted(self, stretch, follows, **options):
        lengths.append(len(stretch))
        return part(self, stretch, follows, **options)

    monkeypatch.setattr(kind, "part", counted)
    blocks = [block.format(at) for at in range(100)]
    before = text.read("".join(blocks))
    blocks[change] = block.format("other")
    after = text.read("".join(blocks))
    assert len(lengths) == 2
    assert lengths[1] < 10 * len(blocks[0])
    assert [at for at in range(100) if after.blocks[at] != before.blocks[at]] == [change]


def test_few_texts_are_kept():
    readings = Readings(most=10)
    for text in ("aaaa", "bbbb", "cccc"):
        readings.put("f", text, Read((Top(0, 4, (), solid=False),)))
    assert readings.nearest("f", "aaaa").head == 0
    assert readings.nearest("f", "bbbb").head == 4
    assert readings.nearest("g", "bbbb") is None
    readings.put("f", "x" * 11, Read(()))
    assert readings.nearest("f", "x" * 11).text != "x" * 11
