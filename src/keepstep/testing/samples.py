"""Texts that trackers trip over."""

from typing import Any

from keepstep.domain.document import (
    Block,
    BulletList,
    Code,
    CodeBlock,
    Emphasis,
    Heading,
    LineBreak,
    Link,
    ListItem,
    OrderedList,
    Paragraph,
    Quote,
    Rule,
    Strike,
    Strong,
    Table,
    Text,
)


def paragraph(*children: Any) -> Paragraph:
    return Paragraph(tuple(Text(each) if isinstance(each, str) else each for each in children))


def _items(*texts: str) -> tuple[ListItem, ...]:
    return tuple(ListItem((paragraph(text),)) for text in texts)


_CELLS = ((Text("A"),), (Text("B"),))
CONSTRUCTS: dict[str, Block] = {
    "marks": paragraph("a ", Strong((Text("bold"),)), " ", Emphasis((Text("slanted"),)), " ", Strike((Text("old"),))),
    "code in a line": paragraph("run ", Code("make demo"), " now"),
    "link": paragraph("see ", Link("https://example.org/a?b=c&d=e", (Text("this"),))),
    "hard break": paragraph("one", LineBreak(), "two"),
    "heading": Heading(2, (Text("Why"),)),
    "list": BulletList((*_items("one"), ListItem((paragraph("two"), BulletList(_items("inner")))))),
    "numbered list": OrderedList(_items("first", "second")),
    "tasks": BulletList(
        (ListItem((paragraph("done"),), checked=True), ListItem((paragraph("open"),), checked=False))
    ),
    "table": Table(_CELLS, (((Text("1"),), (Text("x | y"),)),)),
    "quote": Quote((paragraph("said"),)),
    "code": CodeBlock('if a < b && c:\n    print("x")', "python"),
    "rule": Rule(),
    "emoji": paragraph("😀 👩\u200d👩\u200d👧 ✅"),
    "right to left": paragraph("שלום עולם, مرحبا بالعالم"),
}  # fmt: skip
PLAIN = (
    "/close", "/label ~bug", "@jane please", "see #1 and !2", "fixes #1", "* not a list", "# not a heading",
    "1. not a list", "<b>not bold</b>", "C:\\new\\table", "a_b_c and 2 * 3 * 4", "{code} {{x}} [~jane]", "h1. no",
)  # fmt: skip
TITLES = ("😀 emoji", "שלום עולם", "x" * 250, "a & b < c > d", "\"quoted\" 'twice'", "/close")
