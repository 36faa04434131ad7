"""Normal form, footers, and carrying over what the other side could not show."""

import pytest

from keepstep.adapters.formats.markdown import GITLAB, Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.domain.document import (
    Code,
    Document,
    Emphasis,
    Heading,
    Image,
    LineBreak,
    Link,
    ListItem,
    Paragraph,
    Rule,
    Strong,
    Text,
    carry_across,
    carry_over,
    fresh,
    normalise,
    plain_text,
    split_footers,
    with_footer,
)

board = ProductboardHtml()
plain_board = ProductboardHtml(rich_2026_09=False)
gitlab = Markdown(GITLAB)
MARKER = "keepstep" + "0a1b" * 8
OTHER = "keepstep" + "ffff" * 8
FOOTER = f"---\n\n[Feature in Productboard](https://p.example/f/1) · {MARKER}"


def line(*children):
    return normalise(Document((Paragraph(children),))).blocks[0].children


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", Text("b")), ("ab",)),
        ((Strong((Strong((Text("a"),)),)),), (Strong((Text("a"),)),)),
        ((Strong((Emphasis((Text("a"),)),)),), (Emphasis((Strong((Text("a"),)),)),)),
        ((Strong((Text("a "),)), "b"), (Strong((Text("a"),)), " b")),
        ((Strong((Text("a"),)), Strong((Text("b"),))), (Strong((Text("ab"),)),)),
        (("a \n\t b",), ("a b",)),
        ((LineBreak(), "a ", LineBreak(), LineBreak(), " b", LineBreak()), ("a", LineBreak(), "b")),
        ((Code(" a "), Code("b")), (Code("a b"),)),
        (("a", Code(" b "), "c"), ("a ", Code("b"), " c")),
        (("http://x.example",), (Link("http://x.example", (Text("http://x.example"),)),)),
        ((Link("", (Text("a"),)),), ("a",)),
    ],
)
def test_what_looks_the_same_is_equal(one, other):
    spelled = [tuple(Text(part) if isinstance(part, str) else part for part in side) for side in (one, other)]
    assert line(*spelled[0]) == line(*spelled[1])


def test_footers_are_found_wherever_people_put_them():
    body = "First.\n\nSecond."
    for text in (
        f"{body}\n\n{FOOTER}",
        f"First.\n\n{FOOTER}\n\nSecond.",
        f"{FOOTER}\n\n{body}",
        f"{body}\n\nVerknüpft mit Productboard ({MARKER})",
        f"{body}\n\n> moved {MARKER}",
        f"{body}\n\n```\n{MARKER}\n```",
        f"{body}\n\n[x](http://x.example/?q={MARKER})",
    ):
        found, footers = split_footers(gitlab.read(text))
        assert found == gitlab.read(body), text
        assert MARKER in gitlab.write(Document(footers))


def test_a_rule_is_part_of_the_footer_only_right_before_it():
    body, footers = split_footers(gitlab.read(f"a\n\n***\n\nb\n\n{FOOTER}"))
    assert [type(block) for block in body.blocks] == [Paragraph, Rule, Paragraph]
    assert len(footers) == 2


def test_of_a_list_only_the_marked_item_is_the_footer():
    body, footers = split_footers(gitlab.read(f"- a\n- {MARKER}\n- b"))
    assert body == gitlab.read("- a\n- b")
    assert plain_text(Document(footers)) == MARKER


def test_one_link_takes_out_its_own_footer_only():
    text = f"a\n\n{FOOTER}\n\n---\n\nsee {OTHER}"
    body, footers = split_footers(gitlab.read(text), MARKER)
    assert gitlab.write(body) == f"a\n\n---\n\nsee {OTHER}"
    assert len(footers) == 2
    assert split_footers(gitlab.read(text))[0] == gitlab.read("a")


def test_footers_put_back_stand_at_the_end_byte_for_byte():
    text = f"a\n\n{FOOTER.replace('---', '* * *')}"
    body, footers = split_footers(gitlab.read(text))
    assert gitlab.write(with_footer(body, footers)) == text


def through_board(document):
    return board.read(board.write(document))


MARKDOWN = """\
### Deep heading

Text with __two__  
lines and ![a picture](/uploads/1/x.png "A picture").

<!-- hidden -->

| a | b |
|:--|--:|
| 1 | 2 |

7. seven
8. eight

Fixes #12 for @jane, see [[Page]].
"""  # noqa: W291 (two spaces are a line end in Markdown)


def edited(change):
    ticket = gitlab.read(MARKDOWN)
    html = board.write(ticket)
    return gitlab.write(carry_over(board.read(change(html)), ticket, through_board))


def test_an_untouched_document_comes_back_byte_for_byte():
    assert edited(lambda html: html) == MARKDOWN


@pytest.mark.parametrize(
    ("old", "new", "in_markdown"),
    [
        ("Deep heading", "Changed heading", ("Deep heading", "Changed heading")),
        ("<td>1</td>", "<td>one</td>", ("|:--|--:|\n| 1 | 2 |", "| :--- | ---: |\n| one | 2 |")),
        ("seven", "SEVEN", ("7. seven", "7. SEVEN")),
        ("for @jane", "for @jane and @joe", ("for @jane", "for @jane and \\@joe")),
    ],
)
def test_an_edit_changes_its_block_only_and_keeps_what_the_board_cannot_show(old, new, in_markdown):
    expected = MARKDOWN.replace(*in_markdown)
    assert edited(lambda html: html.replace(old, new)).rstrip("\n") == expected.rstrip("\n")


def test_a_picture_survives_an_edit_beside_it():
    result = edited(lambda html: html.replace("lines and", "lines with"))
    assert 'lines with ![a picture](/uploads/1/x.png "A picture")' in result


def test_a_deleted_placeholder_is_a_deletion():
    ticket = gitlab.read(MARKDOWN)
    placeholder = next(block for block in ticket.blocks if "comment" in plain_text(Document((block,))))
    html = board.write(ticket).replace(f"<p>⟦{placeholder.label}⟧</p>", "")
    assert gitlab.write(carry_over(board.read(html), ticket, through_board)) == MARKDOWN.replace(
        "<!-- hidden -->\n\n", ""
    )


def test_a_moved_block_is_still_the_old_one():
    ticket = gitlab.read("* a\n* b\n\nText __bold__.\n")
    moved = board.read("<p>Text <b>bold</b>.</p><ul><li>a</li><li>b</li></ul>")
    assert gitlab.write(carry_over(moved, ticket)) == "Text __bold__.\n\n* a\n* b"


def test_embedded_content_survives_an_edit_on_the_ticket():
    anchor = '<a href="urn:pb:node:mention/1" data-x="1">@Jane</a>'
    feature = board.read(f"<p>Ask {anchor} first.</p><p>Other.</p>")
    ticket = gitlab.write(feature).replace("first", "last")
    assert board.write(carry_over(gitlab.read(ticket), feature)) == f"<p>Ask {anchor} last.</p><p>Other.</p>"
    renamed = ticket.replace("@Jane", "@Janet")
    assert anchor in board.write(carry_over(gitlab.read(renamed), feature))


def test_lost_formatting_comes_back_on_a_board_without_tables():
    ticket = gitlab.read("| a | b |\n|---|---|\n| 1 | 2 |\n\nText.")
    html = plain_board.write(ticket).replace("Text.", "New text.")

    def through(document):
        return plain_board.read(plain_board.write(document))

    assert gitlab.write(carry_over(plain_board.read(html), ticket, through)).startswith(
        "| a | b |\n|---|---|\n| 1 | 2 |\n\nNew"
    )


@pytest.mark.parametrize("form", [board, plain_board], ids=["rich", "plain"])
def test_an_edit_on_the_ticket_rewrites_one_block_of_a_poorer_feature(form):
    """The ticket knows more than the feature can show; what the feature shows already is left as it stands."""

    def there(document):
        return gitlab.read(gitlab.write(document))

    def here(document):
        return form.read(form.write(document))

    ticket = gitlab.read(MARKDOWN)
    html = (
        form.write(ticket)
        .replace("</p>", "</p>\n")
        .replace("<h2>Deep heading", "<h3>Deep  heading")
        .replace("</h2>", "</h3>")
    )
    now = gitlab.read(MARKDOWN.replace("seven", "SEVEN"))
    assert form.write(carry_across(now, form.read(html), there, here)) == html.replace(
        "seven", "SEVEN"
    ).replace("</p>\n<ol>", "</p><ol>")


def test_many_equal_blocks_are_aligned_in_time():
    many = Document(tuple(gitlab.read("same\n\n" * 3000).blocks))
    assert len(carry_over(many, Document(many.blocks[1:])).blocks) == 3000


def test_fresh_forgets_the_spelling_and_nothing_else():
    document = gitlab.read("* a\n\n__b__")
    assert fresh(document) == document
    assert gitlab.write(fresh(document)) == "- a\n\n**b**"


def test_items_and_headings_without_words_are_nothing():
    assert normalise(Document((Heading(1, (Text(" "),)), Paragraph(())))) == Document()
    assert gitlab.read("-\n-\n") == Document()
    assert ListItem(()) == ListItem((), None)
    assert Image("/x", "a") != Link("/x", (Text("a"),))
