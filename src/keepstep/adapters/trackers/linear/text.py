"""Linear's Markdown: CommonMark with tables, tasks and strikethrough, and no HTML, which it shows as text.

Linear keeps a document of its own and writes Markdown from it, so what is read may differ from what was written by
bullets, escapes and white space; the document model sees no difference there. `@name` in Markdown is text, a mention is
a node of its own. (Both by the notes of others; the vendor documents neither.)
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from keepstep.adapters.formats.markdown import Dialect, Markdown
from keepstep.domain.document import (
    Block,
    BulletList,
    Cell,
    Document,
    Heading,
    Inline,
    ListItem,
    OrderedList,
    Paragraph,
    Quote,
    Table,
    Text,
)
from keepstep.domain.nodes import Emphasis, LineBreak, Link, Strike, Strong, Underline

_NOTHING = r"(?!)"
DIALECT = Dialect(name="linear_markdown", references=_NOTHING, shield="\\", shield_before=True)
_MARKDOWN = Markdown(DIALECT)


@dataclass(frozen=True, slots=True)
class LinearMarkdown:
    """Where Markdown would need HTML, less is written: no underline, no line end in a cell, one list out of two."""

    @property
    def name(self) -> str:
        return _MARKDOWN.name

    def read(self, text: str) -> Document:
        return _MARKDOWN.read(text)

    def write(self, document: Document) -> str:
        return _MARKDOWN.write(Document(_blocks(document.blocks)))


def _blocks(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """What Linear wrote itself stays as it is."""
    out: list[Block] = []
    for block in blocks:
        own = _is_own(block)
        plain = block if own else _block(block)
        before = out[-1] if out else None
        if before is not None and not (own and _is_own(before)):
            joined = _joined(before, plain)
            if joined is not None:
                out[-1] = joined
                continue
        out.append(plain)
    return tuple(out)


def _is_own(block: Block) -> bool:
    return block.source is not None and block.source.format == DIALECT.name


def _joined(before: Block, block: Block) -> Block | None:
    if isinstance(before, BulletList) and isinstance(block, BulletList):
        return BulletList(before.items + block.items)
    if isinstance(before, OrderedList) and isinstance(block, OrderedList):
        return replace(before, items=before.items + block.items, source=None)
    return None


def _block(block: Block) -> Block:
    match block:
        case Paragraph(children) | Heading(children=children):
            return replace(block, children=_inlines(children))
        case Quote(blocks):
            return replace(block, blocks=_blocks(blocks))
        case BulletList(items) | OrderedList(items=items):
            return replace(block, items=tuple(_item(each) for each in items))
        case Table(header=header, rows=rows):
            return replace(block, header=_row(header), rows=tuple(_row(each) for each in rows))
    return block


def _item(item: ListItem) -> ListItem:
    return replace(item, blocks=_blocks(item.blocks))


def _row(row: tuple[Cell, ...]) -> tuple[Cell, ...]:
    return tuple(_inlines(cell, in_cell=True) for cell in row)


def _inlines(children: Iterable[Inline], *, in_cell: bool = False) -> tuple[Inline, ...]:
    out: list[Inline] = []
    for child in children:
        match child:
            case Underline():
                out += _inlines(child.children, in_cell=in_cell)
            case Strong() | Emphasis() | Strike() | Link():
                out.append(replace(child, children=_inlines(child.children, in_cell=in_cell)))
            case LineBreak() if in_cell:
                out.append(Text(" "))
            case _:
                out.append(child)
    return tuple(out)
