"""What a description is made of, whatever format it was written in: blocks that hold inlines. Immutable values.

Two documents in normal form (every reader gives it, `keepstep.domain.document.normalise` makes it) are equal when a
reader of the page would call them equal. Fields with `compare=False` carry what one side needs to write its own text
back as it stood; they never decide whether something changed.
"""

from dataclasses import dataclass, field
from typing import Literal

NODE_URN = "urn:pb:node:"
"""Productboard shows mentions, emoji, embeds and the like as links to such addresses; leaving one out of a write
deletes the content behind it."""


@dataclass(frozen=True, slots=True)
class Source:
    """The exact text of a top-level block as it was read, and of what stood around it."""

    format: str
    """`TextFormat.name` of the format it was read in."""
    text: str
    lead: str = ""
    """What stood between the block before and this one: blank lines and the like."""
    follows: str | None = None
    """The text of that block before; None: this was the first. The lead is only good behind that very text."""
    tail: str = ""
    """What stood behind the last block."""


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    live: frozenset[str] = field(default=frozenset(), compare=False)
    """Words in it that act in the format it came from (a mention, a footnote mark, a tag): there they are written as
    they are, everything else is written so that it does nothing."""


@dataclass(frozen=True, slots=True)
class Strong:
    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Emphasis:
    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Underline:
    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Strike:
    children: "tuple[Inline, ...]"


@dataclass(frozen=True, slots=True)
class Code:
    text: str


@dataclass(frozen=True, slots=True)
class LineBreak:
    """A hard break."""


@dataclass(frozen=True, slots=True)
class Link:
    href: str
    children: "tuple[Inline, ...]"
    title: str = ""
    source: Source | None = field(default=None, compare=False, repr=False)
    """The exact anchor, kept for Productboard's embedded content only."""

    @property
    def is_node(self) -> bool:
        """Stands for content embedded in Productboard."""
        return self.href.startswith(NODE_URN)


@dataclass(frozen=True, slots=True)
class Image:
    src: str
    alt: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something the model has no word for. Its label is unique to its content and is all that the other side shows."""

    label: str
    format: str = field(default="", compare=False)
    """"" where only the label is known, as when the other side is read."""
    source: str = field(default="", compare=False, repr=False)


Inline = Text | Strong | Emphasis | Underline | Strike | Code | LineBreak | Link | Image | Opaque


@dataclass(frozen=True, slots=True)
class Paragraph:
    children: tuple[Inline, ...]
    source: Source | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    children: tuple[Inline, ...]
    source: Source | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    text: str
    """Without the line ends around it."""
    language: str = ""
    source: Source | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Quote:
    blocks: "tuple[Block, ...]"
    source: Source | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ListItem:
    blocks: "tuple[Block, ...]"
    checked: bool | None = None
    """None: an ordinary item; otherwise a task."""


@dataclass(frozen=True, slots=True)
class BulletList:
    items: tuple[ListItem, ...]
    source: Source | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OrderedList:
    items: tuple[ListItem, ...]
    start: int = 1
    source: Source | None = field(default=None, compare=False, repr=False)


Cell = tuple[Inline, ...]
Alignment = Literal["", "left", "center", "right"]


@dataclass(frozen=True, slots=True)
class Table:
    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    alignments: tuple[Alignment, ...] = ()
    """One per column in normal form."""
    source: Source | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rule:
    source: Source | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OpaqueBlock:
    """As `Opaque`, standing alone."""

    label: str
    format: str = field(default="", compare=False)
    content: str = field(default="", compare=False, repr=False)
    """The exact text in its format; `source` holds what stood around it."""
    source: Source | None = field(default=None, compare=False, repr=False)


Block = Paragraph | Heading | CodeBlock | Quote | BulletList | OrderedList | Table | Rule | OpaqueBlock


@dataclass(frozen=True, slots=True)
class Document:
    blocks: tuple[Block, ...] = ()


def with_source(block: Block, source: Source | None) -> Block:
    """The same block with another source. (`dataclasses.replace` takes several times as long, and every block of
    every description that is read comes through here.)
    """
    match block:
        case Paragraph(children):
            return Paragraph(children, source)
        case Heading(level, children):
            return Heading(level, children, source)
        case CodeBlock(text, language):
            return CodeBlock(text, language, source)
        case Quote(blocks):
            return Quote(blocks, source)
        case BulletList(items):
            return BulletList(items, source)
        case OrderedList(items, start):
            return OrderedList(items, start, source)
        case Table(header, rows, alignments):
            return Table(header, rows, alignments, source)
        case Rule():
            return Rule(source)
        case OpaqueBlock(label, format_name, content):
            return OpaqueBlock(label, format_name, content, source)
