"""Markdown, construct by construct."""

import pytest

from keepstep.adapters.formats.markdown import GITHUB, GITLAB, Markdown
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
    normalise,
    plain_text,
)

gitlab = Markdown(GITLAB)
github = Markdown(GITHUB)


def paragraph(*children):
    return Paragraph(tuple(Text(child) if isinstance(child, str) else child for child in children))


def item(text, checked=None):
    return ListItem((paragraph(text),), checked)


@pytest.mark.parametrize(
    ("markdown", "block"),
    [
        ("a **b** c", paragraph("a ", Strong((Text("b"),)), " c")),
        ("a *b* c", paragraph("a ", Emphasis((Text("b"),)), " c")),
        ("a ~~b~~ c", paragraph("a ", Strike((Text("b"),)), " c")),
        ("a <ins>b</ins> c", paragraph("a ", Underline((Text("b"),)), " c")),
        ("***a** b*", paragraph(Emphasis((Strong((Text("a"),)), Text(" b"))))),
        ("a `b` c", paragraph("a ", Code("b"), " c")),
        ("``a`b``", paragraph(Code("a`b"))),
        ("a\\\nb", paragraph("a", LineBreak(), "b")),
        ("[a](http://x.example/y_z)", paragraph(Link("http://x.example/y_z", (Text("a"),)))),
        ('[a](/x "t")', paragraph(Link("/x", (Text("a"),), "t"))),
        ("http://x.example", paragraph(Link("http://x.example", (Text("http://x.example"),)))),
        ("![a](/x.png)", paragraph(Image("/x.png", "a"))),
        ("### a", Heading(3, (Text("a"),))),
        ("```python\na\n\nb\n```", CodeBlock("a\n\nb", "python")),
        ("````\n```\n````", CodeBlock("```")),
        ("> a\n>\n> b", Quote((paragraph("a"), paragraph("b")))),
        ("- a\n- b", BulletList((item("a"), item("b")))),
        ("- [x] a\n- [ ] b", BulletList((item("a", checked=True), item("b", checked=False)))),
        ("3. a\n4. b", OrderedList((item("a"), item("b")), 3)),
        ("- a\n  - b", BulletList((ListItem((paragraph("a"), BulletList((item("b"),)))),))),
        (
            "| a | b |\n| --- | ---: |\n| 1 | `x\\|y` |",
            Table(((Text("a"),), (Text("b"),)), (((Text("1"),), (Code("x|y"),)),), ("", "right")),
        ),
        ("***", Rule()),
    ],
)
def test_each_construct_is_read_and_written(markdown, block):
    assert gitlab.read(markdown).blocks == (block,)
    assert gitlab.write(Document((block,))) == markdown


@pytest.mark.parametrize(
    ("markdown", "same_as"),
    [
        ("Title\n=====", "# Title"),
        ("__a__ _b_", "**a** *b*"),
        ("* a\n* b", "- a\n- b"),
        ("a  \nb", "a\\\nb"),
        ("    code", "```\ncode\n```"),
        ("~~~\ncode\n~~~", "```\ncode\n```"),
        ("<b>a</b> <u>b</u>", "**a** <ins>b</ins>"),
        ("[a][1]\n\n[1]: /x", "[a](/x)"),
        ("> a\nlazy", "> a lazy"),
        (">>>\na\n>>>", "> a"),
        ("- a\n\n- b", "- a\n- b"),
        ("a&amp;b &#64;c", "a&b \\@c"),
        ("<http://x.example>", "http://x.example"),
    ],
)
def test_other_spellings_are_the_same(markdown, same_as):
    assert gitlab.read(markdown) == gitlab.read(same_as)
    assert gitlab.write(fresh(gitlab.read(markdown))) == same_as


@pytest.mark.parametrize("command", ["/close", "/assign @me", "/label ~bug"])
def test_no_written_line_is_a_quick_action(command):
    document = Document((
        paragraph(command),
        paragraph("a", LineBreak(), command),
        BulletList((ListItem((paragraph(command), paragraph("a", LineBreak(), command))),)),
        Quote((paragraph(command),)),
        Heading(2, (Text(command),)),
    ))  # fmt: skip
    written = gitlab.write(document)
    assert plain_text(gitlab.read(written)) == plain_text(document)
    for line in written.splitlines():
        assert not line.lstrip(" >-#0123456789.").startswith("/") or line.startswith("## ")


def test_commands_in_code_are_left_alone():
    assert gitlab.write(Document((CodeBlock("/close"),))) == "```\n/close\n```"


@pytest.mark.parametrize("word", ["@jane", "@group/team", "#12", "!3", "&4", "~bug", '~"two words"'])
def test_text_from_productboard_names_nobody_on_gitlab(word):
    written = gitlab.write(Document((paragraph(f"see {word}"),)))
    assert written == f"see \\{word}"
    assert block_text(gitlab.read(written).blocks[0]) == f"see {word}"


@pytest.mark.parametrize("word", ["@jane", "@org/team", "#12"])
def test_text_from_productboard_names_nobody_on_github(word):
    written = github.write(Document((paragraph(f"see {word}"),)))
    assert written == f"see {word[0]}<!-- -->{word[1:]}"
    assert block_text(github.read(written).blocks[0]) == f"see {word}"


@pytest.mark.parametrize("text", ["joe@example.com", "C# 7", "wow! 3", "~ 5", "R&D"])
def test_what_names_nobody_stays_readable(text):
    assert gitlab.write(Document((paragraph(text),))) in (text, text.replace("~", "\\~"))


def test_words_that_act_are_kept_alive_where_they_came_from():
    source = "Fixes #12 for @jane[^1], press <kbd>x</kbd>, see [[Page]], not \\@joe."
    rewritten = gitlab.write(fresh(gitlab.read(source)))
    assert rewritten == source


SIGNS = (
    "*", "_a_", "a_b_c", "[a](b)", "[x]", "# a", "1. a", "2) a", "+ a", "- a", "> a", "| a | b |", "`a`",
    "<b>", "&amp;", "&copy;", "\\", "\\*", "---", "===", "~~a~~", "![a](b)", "[a]: http://x", "[^1]: a",
    "[[_TOC_]]", "<!-- a -->", "\xa0a", "a\u2003", "😀 👩\u200d👩\u200d👧", "שלום", "[ ] a",
    "a | b\n--- | ---", "$$", ">>>", "***", "a*b*c", "**", "http://", "www.example.com",
    "::include{file=x}", "+++", "🎉:tada:",
)  # fmt: skip


@pytest.mark.parametrize("text", SIGNS)
@pytest.mark.parametrize("form", [gitlab, github], ids=lambda form: form.name)
def test_signs_in_text_stay_text(text, form):
    first, *more = text.split("\n")
    lines = Paragraph((Text(first), *(part for line in more for part in (LineBreak(), Text(line)))))
    for block in (lines, Quote((lines,)), BulletList((ListItem((lines,)),)), Heading(2, lines.children)):
        document = normalise(Document((block,)))
        written = form.write(document)
        assert form.read(written) == document, written


def test_html_blocks_are_kept_and_shown_by_a_label():
    (block,) = gitlab.read("<details>\n<summary>x</summary>\n</details>").blocks
    assert isinstance(block, OpaqueBlock)
    assert block.label.startswith("HTML details ")
    assert gitlab.write(Document((block,))) == "<details>\n<summary>x</summary>\n</details>"
    assert github.write(Document((block,))) == f"⟦{block.label}⟧"


def test_what_is_left_open_at_the_end_swallows_nothing_written_behind():
    for source in ("```\ncode", "<!-- comment", "<pre>x"):
        document = gitlab.read(source)
        longer = Document((*document.blocks, paragraph("behind")))
        assert gitlab.read(gitlab.write(longer)) == longer


def test_unchanged_blocks_are_written_byte_for_byte():
    source = "Title\n=====\nText __bold__  \nnext\n\n\n* a\n* b\n\n+ c\n\n***\n"
    document = gitlab.read(source)
    assert gitlab.write(document) == source
    changed = Document((*document.blocks[:1], paragraph("New"), *document.blocks[2:]))
    assert gitlab.write(changed) == "Title\n=====\n\nNew\n\n* a\n* b\n\n+ c\n\n***\n"


def test_lists_that_meet_do_not_grow_together():
    first, second = gitlab.read("- a").blocks[0], gitlab.read("- b").blocks[0]
    both = Document((first, second))
    assert gitlab.read(gitlab.write(both)) == both


def test_a_moved_indented_block_does_not_slip_into_a_list():
    moved = gitlab.read("   Text\n\n- a").blocks
    document = Document((moved[1], moved[0]))
    assert gitlab.read(gitlab.write(document)) == document


def test_line_ends_are_breaks_on_github_only():
    assert github.read("a\nb").blocks == (paragraph("a", LineBreak(), "b"),)
    assert gitlab.read("a\nb").blocks == (paragraph("a b"),)


def test_deep_nesting_is_kept_unread():
    source = "> " * 200 + "a"
    (block,) = gitlab.read(source).blocks
    assert isinstance(block, OpaqueBlock)
    assert gitlab.write(Document((block,))) == source
