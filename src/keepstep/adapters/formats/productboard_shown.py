"""What is left of a document in Productboard: the form in which a write is expected to be read again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from keepstep.domain.document import (
    Block,
    BulletList,
    Cell,
    CodeBlock,
    Document,
    Heading,
    Image,
    Inline,
    LineBreak,
    Link,
    ListItem,
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


@dataclass(frozen=True, slots=True)
class Shown:
    rich_2026_09: bool

    def document(self, document: Document) -> Document:
        return normalise(Document(self._blocks(document.blocks)))

    def _blocks(self, blocks: Iterable[Block]) -> tuple[Block, ...]:
        return tuple(shown for block in blocks for shown in self._block(block))

    def _block(self, block: Block) -> Iterator[Block]:
        match block:
            case Paragraph(children):
                yield from map(Paragraph, _lines(children))
            case Heading(level, children):
                yield Heading(min(level, 2), _line(children))
            case CodeBlock(text, language):
                yield CodeBlock(text, language if self.rich_2026_09 else "")
            case Quote(blocks):
                yield Quote(self._blocks(blocks))
            case BulletList(items):
                yield BulletList(tuple(map(self._item, items)))
            case OrderedList(items):
                yield OrderedList(tuple(map(self._item, items)))
            case Table():
                yield from self._table(block)
            case Rule() | OpaqueBlock():
                yield with_source(block, None)

    def _item(self, item: ListItem) -> ListItem:
        return ListItem(self._blocks(item.blocks), item.checked)

    def _table(self, table: Table) -> Iterator[Block]:
        header, *rows = (tuple(map(_line, row)) for row in (table.header, *table.rows))
        if self.rich_2026_09:
            yield Table(header, tuple(rows))
            return
        bold: tuple[Cell, ...] = tuple((Strong(cell),) if cell else () for cell in header)
        for row in (bold, *rows):
            if any(row):
                yield Paragraph(_in_one_line(row))


def _in_one_line(row: Iterable[Cell]) -> Cell:
    out: list[Inline] = []
    for cell in row:
        out += [*([Text(" | ")] if out else []), *cell]
    return tuple(out)


def _line(children: Iterable[Inline]) -> tuple[Inline, ...]:
    """Where only one line can stand, a hard break is a space."""
    return nest([
        replace(run, leaf=Text(" ")) if isinstance(run.leaf, LineBreak) else run for run in _runs(children)
    ])  # fmt: skip


def _lines(children: Iterable[Inline]) -> list[tuple[Inline, ...]]:
    """There is no hard break; a line of its own is a paragraph of its own."""
    lines: list[list[Run]] = [[]]
    for run in _runs(children):
        if isinstance(run.leaf, LineBreak):
            lines.append([])
        else:
            lines[-1].append(run)
    return [nest(line) for line in lines]


def _runs(children: Iterable[Inline]) -> list[Run]:
    return list(map(_run, flatten(children)))


def _run(run: Run) -> Run:
    """Links have no titles; images are links, and where one stands in a link already, only its words."""
    link = Link(run.link.href, ()) if run.link else None
    if isinstance(run.leaf, Image):
        image = run.leaf
        return Run(Text(image.alt or image.src), run.marks, link or Link(image.src, ()))
    return replace(run, link=link)
