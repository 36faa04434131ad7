"""What is left of a document in the wiki markups: they know no blocks in items but lists, no tasks, no first number."""

from collections.abc import Iterable, Iterator, Sequence

from keepstep.domain.document import (
    Block,
    BulletList,
    Code,
    CodeBlock,
    Document,
    Heading,
    Inline,
    LineBreak,
    ListItem,
    Opaque,
    OpaqueBlock,
    OrderedList,
    Paragraph,
    Quote,
    Rule,
    Strong,
    Table,
    Text,
    normalise,
)
from keepstep.domain.nodes import with_source

BOXES = {True: "☑ ", False: "☐ "}
_RULE = "———"


def shown(block: Block, *, nested_quotes: bool) -> Sequence[Block]:
    """In normal form and without sources; more than one where the markup cannot hold it in one piece."""
    return normalise(Document(tuple(_block(block, nested_quotes=nested_quotes)))).blocks


def _block(block: Block, *, nested_quotes: bool) -> Iterator[Block]:
    match block:
        case Quote(blocks):
            inside = [inner for each in blocks for inner in _block(each, nested_quotes=nested_quotes)]
            yield Quote(tuple(inside if nested_quotes else _without_quotes(inside)))
        case BulletList(items):
            yield BulletList(tuple(_items(items)))
        case OrderedList(items):
            yield OrderedList(tuple(_items(items)))
        case Table(header, rows):
            yield Table(tuple(map(_cell, header)), tuple(tuple(map(_cell, row)) for row in rows))
        case _:
            yield with_source(block, None)


def _without_quotes(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, Quote):
            yield from _without_quotes(block.blocks)
        else:
            yield block


def _items(items: Iterable[ListItem]) -> Iterator[ListItem]:
    """Whatever is not a list becomes lines of the item; an item that has only a list gives it to the list it is in."""
    for item in items:
        lines: list[Inline] = []
        lists: list[BulletList | OrderedList] = []
        for block in item.blocks:
            if isinstance(block, BulletList | OrderedList):
                _add_list(lists, block)
                continue
            for line in _lines(block):
                lines += [*([LineBreak()] if lines else []), *line]
        if lines:
            box = () if item.checked is None else (Text(BOXES[item.checked]),)
            yield ListItem((Paragraph((*box, *lines)), *lists))
        else:
            yield from (inner for each in lists for inner in each.items)


def _add_list(lists: list[BulletList | OrderedList], block: BulletList | OrderedList) -> None:
    """Two lists of one kind right after each other are one list here."""
    items = tuple(_items(block.items))
    last = lists[-1] if lists else None
    if isinstance(block, BulletList):
        if isinstance(last, BulletList):
            lists[-1] = BulletList((*last.items, *items))
        else:
            lists.append(BulletList(items))
    elif isinstance(last, OrderedList):
        lists[-1] = OrderedList((*last.items, *items))
    else:
        lists.append(OrderedList(items))


def _lines(block: Block) -> Iterator[Sequence[Inline]]:
    match block:
        case Paragraph(children):
            yield children
        case Heading(_, children):
            yield (Strong(children),)
        case CodeBlock(text):
            yield from ((Code(line),) for line in text.split("\n") if line.strip())
        case Quote(blocks):
            yield from (line for inner in blocks for line in _lines(inner))
        case BulletList(items) | OrderedList(items):
            yield from (line for item in items for inner in item.blocks for line in _lines(inner))
        case Table(header, rows):
            yield from (_in_line(row) for row in (header, *rows) if any(row))
        case Rule():
            yield (Text(_RULE),)
        case OpaqueBlock(label, format_name, content):
            yield (Opaque(label, format_name, content),)


def _in_line(row: Iterable[Sequence[Inline]]) -> Sequence[Inline]:
    line: list[Inline] = []
    for cell in row:
        line += [*([Text(" | ")] if line else []), *cell]
    return line


def _cell(cell: Sequence[Inline]) -> tuple[Inline, ...]:
    """A row is one line."""
    return tuple(Text(" ") if isinstance(each, LineBreak) else each for each in cell)
