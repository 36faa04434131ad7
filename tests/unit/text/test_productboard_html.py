"""Productboard's rich text, construct by construct."""

import pytest

from keepstep.adapters.formats.productboard_html import ProductboardHtml, lost_nodes
from keepstep.domain.document import (
    BulletList,
    Code,
    CodeBlock,
    Document,
    Emphasis,
    Heading,
    Image,
    LineBreak,
    Link,
    ListItem,
    OpaqueBlock,
    OrderedList,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Text,
    Underline,
    block_text,
    fresh,
    plain_text,
)

rich = ProductboardHtml()
plain = ProductboardHtml(rich_2026_09=False)


def paragraph(*children):
    return Paragraph(tuple(Text(child) if isinstance(child, str) else child for child in children))


def item(text, checked=None):
    return ListItem((paragraph(text),), checked)


B = (Text("b"),)
TABLE = Table(((Text("a"),), (Text("b"),)), (((Text("1"),), ()),), ("", ""))


@pytest.mark.parametrize(
    ("html", "block"),
    [
        ("<p>a &amp; &lt;b&gt; &quot;c&quot; &#39;d&#39;</p>", paragraph("a & <b> \"c\" 'd'")),
        ("<p>a <b>b</b> <i>b</i> <u>b</u> <s>b</s></p>",
         paragraph("a ", Strong(B), " ", Emphasis(B), " ", Underline(B), " ", Strike(B))),
        ("<p><code>a</code></p>", paragraph(Code("a"))),
        ('<p><a href="/?a=1&amp;b=2">x</a></p>', paragraph(Link("/?a=1&b=2", (Text("x"),)))),
        ("<h1>a</h1>", Heading(1, (Text("a"),))),
        ("<h2>a</h2>", Heading(2, (Text("a"),))),
        ("<pre>a\n  b</pre>", CodeBlock("a\n  b")),
        ('<pre data-language="python"><code>a</code></pre>', CodeBlock("a", "python")),
        ("<blockquote><p>a</p></blockquote>", Quote((paragraph("a"),))),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>",
         BulletList((item("a"), ListItem((paragraph("b"), BulletList((item("c"),))))))),
        ("<ol><li>a</li></ol>", OrderedList((item("a"),))),
        ('<ul data-type="checklist"><li data-checked="true"><p>a</p></li><li data-checked="false"><p>b</p></li></ul>',
         BulletList((item("a", checked=True), item("b", checked=False)))),
        ("<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td></td></tr></tbody></table>",
         TABLE),
        ("<hr/>", Rule()),
    ],
)  # fmt: skip
def test_each_construct_is_read_and_written(html, block):
    assert rich.read(html).blocks == (block,)
    assert rich.write(Document((block,))) == html


@pytest.mark.parametrize(
    ("html", "anew"),
    [
        ("<p><strong>a</strong> <em>b</em> <del>c</del> <ins>d</ins></p>",
         "<p><b>a</b> <i>b</i> <s>c</s> <u>d</u></p>"),
        ("<h3>a</h3><h6>b</h6>", "<h2>a</h2><h2>b</h2>"),
        ("<div>a<br/>b</div>", "<p>a</p><p>b</p>"),
        ("<p><span style='x'>a</span> <font>b</font></p>", "<p>a b</p>"),
        ("bare text", "<p>bare text</p>"),
        ("<p>a<p>b<ul><li>c<li>d", "<p>a</p><p>b</p><ul><li>c</li><li>d</li></ul>"),
        ("<ul><li>a</li><ul><li>b</li></ul></ul>", "<ul><li>a<ul><li>b</li></ul></li></ul>"),
        ('<pre><code class="language-js">a</code></pre>', '<pre data-language="js"><code>a</code></pre>'),
        ('<ul><li><input type="checkbox" checked> a</li></ul>',
         '<ul data-type="checklist"><li data-checked="true"><p>a</p></li></ul>'),
        ("<p> </p><p></p>", ""),
        ("<script>alert(1)</script><p>a</p>", "<p>a</p>"),
        ('<p><a href="javascript:alert(1)">a</a></p>', "<p>a</p>"),
        ("<p>a <b> b </b> c</p>", "<p>a <b>b</b> c</p>"),
        ("<p><i><b>a</b></i></p>", "<p><b><i>a</i></b></p>"),
        ("<p>see http://x.example.</p>", '<p>see <a href="http://x.example">http://x.example</a>.</p>'),
        ('<p><img src="/a.png" title="t"></p>', '<p><a href="/a.png">t</a></p>'),
    ],
)  # fmt: skip
def test_other_markup_is_tolerated_and_written_as_the_subset(html, anew):
    assert rich.write(fresh(rich.read(html))) == anew


@pytest.mark.parametrize(
    ("block", "html"),
    [
        (Heading(5, (Text("a"),)), "<h2>a</h2>"),
        (paragraph("a", LineBreak(), Strong((Text("b"),))), "<p>a</p><p><b>b</b></p>"),
        (paragraph(Image("/a.png", "")), '<p><a href="/a.png">/a.png</a></p>'),
        (paragraph(Link("/x", (Image("/a.png", "alt"),))), '<p><a href="/x">alt</a></p>'),
        (OrderedList((item("a"),), 5), "<ol><li>a</li></ol>"),
        (OpaqueBlock("HTML 0123abcd", "gitlab_markdown", "<div>"), "<p>⟦HTML 0123abcd⟧</p>"),
    ],
)
def test_what_has_no_tag_is_written_as_its_nearest_kin(block, html):
    assert rich.write(Document((block,))) == html


def test_without_the_tags_of_2026_09_tables_boxes_and_languages_are_text():
    document = Document(
        (TABLE, BulletList((item("x", checked=True), item("y", checked=False))), CodeBlock("c", "js"))
    )
    html = plain.write(document)
    assert (
        html
        == "<p><b>a</b> | <b>b</b></p><p>1 | </p><ul><li>☑ x</li><li>☐ y</li></ul><pre>c</pre>".replace(
            " | </p>", " |</p>"
        )
    )
    assert plain.read(html).blocks[2] == document.blocks[1]


def test_unchanged_blocks_are_written_byte_for_byte():
    html = "<p>a<strong>b</strong></p>\n<p></p>\n<h3>c</h3> <ul><li><p>d</p></li></ul>\n"
    document = rich.read(html)
    assert rich.write(document) == html
    changed = Document((document.blocks[0], paragraph("new"), document.blocks[2]))
    assert rich.write(changed) == "<p>a<strong>b</strong></p><p>new</p><ul><li><p>d</p></li></ul>\n"


ANCHOR = "<a class=mention href=\"urn:pb:node:mention/1?x=1&amp;y=2\"  data-id='7'>@<b>Jane</b></a>"


def test_an_anchor_of_embedded_content_keeps_its_bytes_in_a_block_that_is_rewritten():
    document = rich.read(f"<p>Ask {ANCHOR}.</p>")
    assert ANCHOR in rich.write(fresh(document))
    assert document.blocks[0].children[1] == Link("urn:pb:node:mention/1?x=1&y=2", (Text("@Jane"),))


def test_an_empty_anchor_is_shown_by_words():
    document = rich.read('<p><a href="urn:pb:node:embed/1"></a></p>')
    assert block_text(document.blocks[0]) == "Productboard content"
    assert rich.write(fresh(document)) == '<p><a href="urn:pb:node:embed/1"></a></p>'


def test_lost_nodes_names_what_would_be_deleted_as_often_as_it_stands_there():
    before = rich.read(f"<p>{ANCHOR} and {ANCHOR}</p><ul><li><a href='urn:pb:node:embed/2'>x</a></li></ul>")
    assert lost_nodes(before, before) == []
    assert lost_nodes(before, rich.read(f"<p>{ANCHOR}</p>")) == [
        "urn:pb:node:mention/1?x=1&y=2",
        "urn:pb:node:embed/2",
    ]


def test_unknown_elements_are_kept():
    html = '<x-card id="1"><p>inside</p></x-card><p>a <x-tag>b</x-tag></p>'
    document = rich.read(html)
    assert isinstance(document.blocks[0], OpaqueBlock)
    assert rich.write(fresh(document)) == html


def test_broken_markup_is_read_as_far_as_it_goes():
    for html in (
        "<",
        "<p",
        "<a href='",
        "</",
        "&#xffffffff;",
        "<p><b>a</p></b>",
        "<td>a",
        "<li>a",
        "<!-- a",
        "<" * 100,
    ):
        plain_text(rich.read(html))
    assert plain_text(rich.read("<p>a < b</p>")) == "a < b"


def test_deep_markup_does_not_overflow():
    document = rich.read("<blockquote><p>" * 5000 + "a")
    assert "a" in plain_text(document)
