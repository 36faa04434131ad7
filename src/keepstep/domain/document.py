"""Documents: their normal form, their words, and the footers Keepstep keeps in them.

What they are made of is in `keepstep.domain.nodes` and can be imported from here; how an edited document gets back
what its other side's format cannot show is in `keepstep.domain.carry`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from keepstep.domain.carry import carry_across, carry_over
from keepstep.domain.ids import markers_in
from keepstep.domain.inlines import clean, normal_inlines
from keepstep.domain.nodes import (
    Alignment,
    Block,
    BulletList,
    Cell,
    Code,
    CodeBlock,
    Document,
    Emphasis,
    Heading,
    Image,
    Inline,
    LineBreak,
    Link,
    ListItem,
    Opaque,
    OpaqueBlock,
    OrderedList,
    Paragraph,
    Quote,
    Rule,
    Source,
    Strike,
    Strong,
    Table,
    Text,
    Underline,
    with_source,
)
from keepstep.domain.walk import addresses_in, block_text, inlines_in, links_in

__all__ = [
    "Alignment",
    "Block",
    "BulletList",
    "Cell",
    "Code",
    "CodeBlock",
    "Document",
    "Emphasis",
    "Heading",
    "Image",
    "Inline",
    "LineBreak",
    "Link",
    "ListItem",
    "Opaque",
    "OpaqueBlock",
    "OrderedList",
    "Paragraph",
    "Quote",
    "Rule",
    "Source",
    "Strike",
    "Strong",
    "Table",
    "Text",
    "Underline",
    "block_text",
    "carry_across",
    "carry_over",
    "fresh",
    "links_in",
    "node_urns",
    "normalise",
    "plain_text",
    "split_footers",
    "with_footer",
]

_MAX_START = 999_999_999  # the longest number with which CommonMark lets a list begin
_MARKED = "keepstep"
_BOX = re.compile(r"([☐☑]) ")


def normalise(document: Document) -> Document:
    """The one form by which documents are compared: what a person could not tell apart is equal."""
    return Document(tuple(_normal_blocks(document.blocks)))


def _normal_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        normal = _normal_block(block)
        if normal is not None:
            yield normal


def _normal_block(block: Block) -> Block | None:
    match block:
        case Paragraph():
            return _normal_paragraph(block)
        case Heading():
            children = normal_inlines(block.children, breaks=False)
            return Heading(min(max(block.level, 1), 6), children, block.source) if children else None
        case CodeBlock():
            return _normal_code(block)
        case Quote():
            inner = _nested(block.blocks)
            return Quote(inner, block.source) if inner else None
        case BulletList():
            items = _normal_items(block.items)
            return BulletList(items, block.source) if items else None
        case OrderedList():
            items = _normal_items(block.items)
            return OrderedList(items, min(max(block.start, 0), _MAX_START), block.source) if items else None
        case Table():
            return _normal_table(block)
        case Rule() | OpaqueBlock():
            return block


def _nested(blocks: Iterable[Block]) -> tuple[Block, ...]:
    return tuple(with_source(block, None) if block.source else block for block in _normal_blocks(blocks))


def _normal_paragraph(block: Paragraph) -> Paragraph | OpaqueBlock | None:
    children = normal_inlines(block.children)
    match children:
        case ():
            return None
        case (Opaque(label, format_name, content),):
            return OpaqueBlock(label, format_name, content, block.source)
        case _:
            return Paragraph(children, block.source)


def _normal_code(block: CodeBlock) -> CodeBlock | None:
    text = clean(block.text.replace("\r\n", "\n").replace("\r", "\n")).strip("\n")
    words = clean(block.language).replace("`", "").replace("~", "").split()
    return CodeBlock(text, words[0] if words else "", block.source) if text.strip() else None


def _normal_items(items: Iterable[ListItem]) -> tuple[ListItem, ...]:
    return tuple(normal for normal in map(_normal_item, items) if normal.blocks)


def _normal_item(item: ListItem) -> ListItem:
    """Where a format has no boxes to tick, they stand in the text."""
    blocks, checked = _nested(item.blocks), item.checked
    if not blocks or not isinstance(blocks[0], Paragraph):
        return ListItem(blocks)
    first = blocks[0].children[0]
    if checked is None and isinstance(first, Text) and (box := _BOX.match(first.text)):
        checked = box.group(1) == "☑"
        rest = Text(first.text[box.end() :], first.live)
        blocks = _nested((Paragraph((rest, *blocks[0].children[1:])), *blocks[1:]))
    if not blocks or not isinstance(blocks[0], Paragraph):
        return ListItem(blocks)
    return ListItem(blocks, checked)


def _normal_table(block: Table) -> Table | None:
    header = tuple(normal_inlines(cell) for cell in block.header)
    rows = tuple(tuple(normal_inlines(cell) for cell in row) for row in block.rows)
    width = max(map(len, (header, *rows)))
    if not any(cell for row in (header, *rows) for cell in row):
        return None
    unaligned: tuple[Alignment, ...] = ("",)
    alignments = block.alignments + unaligned * width
    return Table(
        _padded(header, width),
        tuple(_padded(row, width) for row in rows),
        alignments[:width],
        block.source,
    )


def _padded(row: tuple[Cell, ...], width: int) -> tuple[Cell, ...]:
    return (*row, *((),) * (width - len(row)))


def fresh(document: Document) -> Document:
    """Without the sources of its blocks, so that every block is written anew; embedded content keeps its anchors."""
    return Document(tuple(with_source(block, None) for block in document.blocks))


def plain_text(document: Document) -> str:
    """The words, a line per block, item or row."""
    return "\n".join(block_text(block) for block in document.blocks)


def node_urns(document: Document) -> list[str]:
    """Addresses of the content embedded in Productboard, in their order, as often as they stand there."""
    return [link.href for link in links_in(document.blocks) if link.is_node]


def split_footers(document: Document, marker: str | None = None) -> tuple[Document, tuple[Block, ...]]:
    """The body, and the blocks in it that are Keepstep's own: those that hold a marker word, wherever people moved
    them and whatever they wrote around it, each with the rule right before it. Of a list or quote only the part with
    the marker is Keepstep's. With `marker`, only that Link's footer is taken out.
    """
    body: list[Block] = []
    footers: list[Block] = []
    for block in document.blocks:
        rest, own = _parted(block, marker)
        if own is not None:
            if rest is None and body and isinstance(body[-1], Rule):
                footers.append(body.pop())
            footers.append(own)
        if rest is not None:
            body.append(rest)
    return Document(tuple(body)), tuple(footers)


def _parted(block: Block, marker: str | None) -> tuple[Block | None, Block | None]:
    """What of the block is the people's and what is Keepstep's."""
    if not _is_marked(block, marker):
        return block, None
    match block:
        case BulletList() | OrderedList():
            own = tuple(
                item for item in block.items if any(_is_marked(inner, marker) for inner in item.blocks)
            )
            rest = tuple(item for item in block.items if item not in own)
            if rest:
                return replace(block, items=rest, source=None), replace(block, items=own, source=None)
        case Quote():
            inside, own_blocks = split_footers(Document(block.blocks), marker)
            if inside.blocks and own_blocks:
                return Quote(inside.blocks), Quote(own_blocks)
        case _:
            pass
    return None, block


def _is_marked(block: Block, marker: str | None) -> bool:
    if block.source is not None and _MARKED not in block.source.text:
        return False
    return any(
        marker is None or marker == found for text in _may_hold_markers(block) for found in markers_in(text)
    )


def _may_hold_markers(block: Block) -> Iterator[str]:
    if _MARKED in (words := block_text(block)):
        yield words
    if isinstance(block, OpaqueBlock) and _MARKED in block.content:
        yield block.content
    for children in inlines_in(block):
        for href in addresses_in(children):
            if _MARKED in href:
                yield href


def with_footer(body: Document, footers: Sequence[Block]) -> Document:
    return Document((*body.blocks, *footers))
