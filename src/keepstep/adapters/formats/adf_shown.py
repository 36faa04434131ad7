"""What is left of a document in Atlassian's format: the form in which a write is expected to be read again.

Its schema says what may stand where: items and quotes hold paragraphs, lists and code, and nothing else of ours.
"""

from collections.abc import Iterable, Iterator

from keepstep.adapters.formats.adf_json import INLINE, kind, parsed
from keepstep.adapters.formats.adf_read import NAME
from keepstep.domain.document import (
    Block,
    BulletList,
    Cell,
    Code,
    CodeBlock,
    Document,
    Heading,
    Image,
    Inline,
    Link,
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
from keepstep.domain.inlines import Run, flatten, nest
from keepstep.domain.nodes import with_source

_RULE = "———"


def shown(document: Document) -> Document:
    return normalise(Document(tuple(top for block in document.blocks for top in _top(block))))


def _top(block: Block) -> Iterator[Block]:
    match block:
        case Paragraph((Image(src, alt),)) if src.startswith(("http://", "https://")):
            yield Paragraph((Image(src, alt),))
        case Heading(level, children):
            yield Heading(level, _line(children))
        case Quote(blocks):
            yield Quote(_inside(blocks))
        case Table(header, rows):
            yield Table(_row(header), tuple(map(_row, rows)))
        case Rule():
            yield Rule()
        case _:
            yield from _nested(block)


def _inside(blocks: Iterable[Block]) -> tuple[Block, ...]:
    return tuple(inner for block in blocks for inner in _nested(block))


def _nested(block: Block) -> Iterator[Block]:
    match block:
        case Paragraph(children):
            yield Paragraph(_line(children))
        case Heading(_, children):
            yield Paragraph(_line((Strong(children),)))
        case Quote(blocks):
            yield from _inside(blocks)
        case BulletList(items):
            yield BulletList(tuple(map(_item, items)))
        case OrderedList(items, start):
            yield OrderedList(tuple(map(_item, items)), start)
        case Table():
            yield from _in_lines(block)
        case Rule():
            yield Paragraph((Text(_RULE),))
        case CodeBlock() | OpaqueBlock():
            yield with_source(block, None)


def _item(item: ListItem) -> ListItem:
    return ListItem(_inside(item.blocks), item.checked)


def _row(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    return tuple(map(_line, cells))


def _in_lines(table: Table) -> Iterator[Block]:
    bold: tuple[Cell, ...] = _row((Strong(cell),) if cell else () for cell in table.header)
    for row in (bold, *map(_row, table.rows)):
        line: list[Inline] = []
        for cell in row:
            line += [*([Text(" | ")] if line else []), *cell]
        if any(row):
            yield Paragraph(tuple(line))


def is_inline(content: str) -> bool:
    node = parsed(content)
    return node is not None and kind(node) in INLINE


def _line(children: Iterable[Inline]) -> tuple[Inline, ...]:
    return nest([_run(run) for run in flatten(children)])


def _run(run: Run) -> Run:
    """Code takes no marks but a link, nodes of Jira's own take none, and pictures stand alone or are links."""
    match run.leaf:
        case Code():
            return Run(run.leaf, frozenset(), run.link)
        case Opaque(_, format_name, content) if format_name == NAME and is_inline(content):
            return Run(run.leaf)
        case Image(src, alt):
            return Run(Text(alt or src), run.marks, run.link or Link(src, ()))
        case _:
            return run
