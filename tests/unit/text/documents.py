"""Generated documents, with the signs that formats trip over more often than in real life."""

import random

from hypothesis import strategies as st

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
    normalise,
)
from keepstep.domain.inlines import opaque_label

DIV = '<div align="center">x</div>'
CARD = '<x-card id="1">x</x-card>'
SNIPPETS = (
    "a", "word", "two words", " ", "  ", "*", "**", "_", "__", "a_b_c", "[", "]", "[x]", "[ ] ", "](", "(", ")",
    "#", "# ", "1.", "1. ", "2) ", "+ ", "- ", "-", "---", "===", "> ", ">>>", "|", "| a | b |", "`", "```",
    "~", "~~", "~~~", "<", "<b>", "<!-- x -->", "<!--", "-->", "&", "&amp;", "&lt", "&#64;", "\\", "\\*", "!",
    "!3", "#12", "@jane", "@jane.doe", "~bug", '~"two words"', "/close", "/", "x/y",
    "http://a.example/b_c?d=e&f=g", "https://x.example/(y).", "http://", "www.example.com", "joe@example.com",
    ":smile:", "😀", "👩\u200d👩\u200d👧", "שלום", "مرحبا", "\u200f", "\xa0", "\u3000", "\u2028", "\x85", "é", "ß",
    "中文", "☐ ", "☑ x", "⟦", "⟦HTML 12345678⟧", "$a$", "$$", "[[page]]", "[[_TOC_]]", "[TOC]", "[^1]", "[^1]: x",
    "[!NOTE]", "[a]: http://x", "{+a+}", "::include{file=a}", "%", '"', "'", "\t", "\n", "\x00", "\x0b", "\x1c",
    "\ud800", "\uffff", "keepstep", "=", ":", ":-", "+++", ";;;", "***", "* * *", ".", ",", "!",
)  # fmt: skip

ADDRESSES = (
    "http://a.example",
    "https://a.example/x_y(z)?q=1&copy=2#12",
    "/relative path",
    "#anchor",
    "mailto:joe@example.com",
    "urn:pb:node:mention/42?a=1&b=2",
    "urn:pb:node:embed/9f",
    "a\\b",
    "http://a.example/<x>\"'`*",
)
OPAQUE = (
    OpaqueBlock(opaque_label("HTML div", DIV), "gitlab_markdown", DIV),
    OpaqueBlock(opaque_label("x-card", CARD), "productboard_html", CARD),
    OpaqueBlock("comment 01234567"),
)


class Maker:
    """Builds one document from one seed: strategies for such deep values take longer than what they test.

    `size` bounds it, so that a failure is still shown with a small document.
    """

    def __init__(self, seed, size):
        self.random = random.Random(seed)
        self.size = size

    def document(self):
        return normalise(Document(self.some(self.block, 2)))

    def some(self, make, depth):
        return tuple(make(depth) for _ in range(self.random.randint(1, self.size)))

    def text(self, _=0):
        return "".join(self.random.choice(SNIPPETS) for _ in range(self.random.randint(1, self.size)))

    def address(self):
        return self.text() if self.random.random() < 0.2 else self.random.choice(ADDRESSES)

    def line(self, depth=2):
        return self.some(self.inline, depth)

    def inline(self, depth):
        kind = self.random.randint(0, 10 if depth else 5)
        match kind:
            case 3:
                return Code(self.text())
            case 4:
                return LineBreak()
            case 5:
                return Image(self.address(), self.text())
            case 6 | 7 | 8 | 9:
                return (Strong, Emphasis, Strike, Underline)[kind - 6](self.line(depth - 1))
            case 10:
                return Link(
                    self.address(), self.line(depth - 1), self.random.choice(("", "", 'a "title" &amp; \\'))
                )
        return Text(self.text())

    def block(self, depth):
        kind = self.random.randint(0, 10 if depth else 6)
        match kind:
            case 2:
                return Heading(self.random.randint(1, 6), self.line())
            case 3:
                return CodeBlock(self.text() + "\n" + self.text(), self.random.choice(("", "python", "c++")))
            case 4:
                return Rule()
            case 5:
                return self.random.choice(OPAQUE)
            case 6:
                return self.table()
            case 7:
                return Quote(self.some(self.block, depth - 1))
            case 8 | 9:
                return BulletList(self.some(self.item, depth - 1))
            case 10:
                return OrderedList(
                    self.some(self.item, depth - 1), self.random.choice((1, 1, 0, 7, 999_999_999))
                )
        return Paragraph(self.line())

    def item(self, depth):
        return ListItem(self.some(self.block, depth), self.random.choice((None, None, True, False)))

    def table(self):
        rows = tuple(self.some(self.line, 1) for _ in range(self.random.randint(1, self.size)))
        return Table(
            self.some(self.line, 1), rows, self.random.choice(((), ("left", "right"), ("center", "")))
        )


documents = st.builds(
    lambda size, seed: Maker(seed, size).document(), st.integers(1, 3), st.integers(0, 2**32)
)
