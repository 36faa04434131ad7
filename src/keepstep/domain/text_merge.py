"""Three-way merge of descriptions: block by block; inside a block by words, rows, items or lines.

A ticked box on one side and changed words on the other both survive. No conflict mark ever gets into a document: a
place that both sides changed differently is told as a clash, and the field's conflict rule decides it.
"""

from collections.abc import Callable, Container, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from keepstep.domain.alignment import stretches
from keepstep.domain.carry import carry_over
from keepstep.domain.document import normalise
from keepstep.domain.fields import Side
from keepstep.domain.inlines import inline_text
from keepstep.domain.nodes import (
    Block,
    BulletList,
    Cell,
    CodeBlock,
    Document,
    Heading,
    Inline,
    ListItem,
    OrderedList,
    Paragraph,
    Quote,
    Table,
    Text,
    with_source,
)
from keepstep.domain.sequences import Clash, Meaning, Merged, merge_sequences
from keepstep.domain.walk import block_text

Through = Callable[[Document], Document]
E = TypeVar("E", bound=Hashable)
V = TypeVar("V")
Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class MergedText:
    feature: Document
    ticket: Document
    clashes: tuple[Clash[Block], ...]


def merge_documents(
    base: tuple[Document, Document],
    now: tuple[Document, Document],
    winner: Side | None,
    *,
    in_step: bool = True,
    over_ticket: Through,
    over_feature: Through,
) -> MergedText:
    """Pairs are (feature, ticket), managed footers cut off. `in_step`: the bases say the same.

    `over_ticket` tells how a document looks after a visit to the ticket's side, `over_feature` after one to the
    feature's. Blocks that nobody touched come out with their sources, so that each side writes them byte for byte.
    """
    # What the ticket's side has shown already looks the same after a visit there.
    shown: dict[Block, tuple[Block, ...]] = {block: (block,) for block in (*base[1].blocks, *now[1].blocks)}

    def pieces(block: Block) -> tuple[Block, ...]:
        if block not in shown:
            shown[block] = over_ticket(Document((with_source(block, None),))).blocks
        return shown[block]

    meaning: Meaning[Block] = Meaning(kind=type, words=_block_words, pieces=pieces, inner=_merge_block)
    bases = (base[0].blocks, base[1].blocks)
    merged = merge_sequences(bases, (now[0].blocks, now[1].blocks), meaning, winner, in_step=in_step)
    known = {id(block) for side in (*base, *now) for block in side.blocks}
    known.update(id(block) for blocks in shown.values() for block in blocks)
    return MergedText(
        carry_over(_normal(merged.feature, known), now[0], over_ticket),
        carry_over(_normal(merged.ticket, known), now[1], over_feature),
        tuple(merged.clashes),
    )


def _normal(blocks: Sequence[Block], known: Container[int]) -> Document:
    """In normal form; what was read from a side (`known`, by identity) is so already."""
    made = ((block,) if id(block) in known else normalise(Document((block,))).blocks for block in blocks)
    return Document(tuple(block for group in made for block in group))


def clash_text(elements: Sequence[Block]) -> str:
    """The losing blocks' words, for the journal."""
    return "\n\n".join(block_text(block) for block in elements)


def _block_words(block: Block) -> Sequence[str]:
    return block_text(block).split()


def _merge_block(base: Block, feature: Block, ticket: Block) -> Block | None:
    match base, feature, ticket:
        case Paragraph(old), Paragraph(ours), Paragraph(theirs):
            words = _merge_plain(old, ours, theirs)
            return None if words is None else Paragraph(words)
        case Heading(old_level, old), Heading(our_level, ours), Heading(their_level, theirs):
            words = _merge_plain(old, ours, theirs)
            if words is None or _apart(old_level, our_level, their_level):
                return None
            return Heading(_changed(old_level, our_level, their_level), words)
        case CodeBlock(old_code, old_language), CodeBlock(ours_code, language), CodeBlock(theirs_code, other):
            lines = _merge_run(old_code.split("\n"), ours_code.split("\n"), theirs_code.split("\n"), _LINES)
            if lines is None or _apart(old_language, language, other):
                return None
            return CodeBlock("\n".join(lines), _changed(old_language, language, other))
        case Quote(old_blocks), Quote(our_blocks), Quote(their_blocks):
            blocks = _merge_all(old_blocks, our_blocks, their_blocks, _BLOCKS)
            return None if blocks is None else Quote(tuple(blocks))
        case BulletList(old_items), BulletList(our_items), BulletList(their_items):
            items = _merge_all(old_items, our_items, their_items, _ITEMS)
            return None if items is None else BulletList(tuple(items))
        case OrderedList(), OrderedList(), OrderedList():
            return _merge_ordered(base, feature, ticket)
        case Table(), Table(), Table():
            return _merge_table(base, feature, ticket)
    return None


def _apart(base: V, ours: V, theirs: V) -> bool:
    """Both changed it, each in its own way."""
    return ours != base and theirs not in (base, ours)


def _changed(base: V, ours: V, theirs: V) -> V:
    """What it became, where not both changed it in their own way."""
    return ours if theirs == base else theirs


def _merge_all(
    base: Sequence[E], ours: Sequence[E], theirs: Sequence[E], meaning: Meaning[E]
) -> list[E] | None:
    """In one format, with one base; None when any place clashes."""
    merged: Merged[E] = merge_sequences((base, base), (ours, theirs), meaning, None)
    return None if merged.clashes else merged.feature


def _merge_run(
    base: Sequence[str], ours: Sequence[str], theirs: Sequence[str], meaning: Meaning[str]
) -> list[str] | None:
    """Words or lines: where both put something else in the place of the same ones, side by side makes no sense."""
    if _replaced_by_both(base, ours, theirs):
        return None
    return _merge_all(base, ours, theirs, meaning)


def _replaced_by_both(base: Sequence[str], ours: Sequence[str], theirs: Sequence[str]) -> bool:
    mine, others = _replacements(base, ours), _replacements(base, theirs)
    i = j = 0
    while i < len(mine) and j < len(others):
        (start, end, _), (other_start, other_end, _) = mine[i], others[j]
        if mine[i] != others[j] and start < other_end and other_start < end:
            return True
        i, j = (i + 1, j) if end <= other_end else (i, j + 1)
    return False


def _replacements(base: Sequence[str], now: Sequence[str]) -> list[tuple[int, int, tuple[str, ...]]]:
    """Where in the base something stands no more, and what stands there instead."""
    return [
        (one.old_start, one.old_end, tuple(now[one.new_start : one.new_end]))
        for one in stretches(base, now)
        if not one.equal and one.old_end > one.old_start and one.new_end > one.new_start
    ]


def _merge_plain(
    base: tuple[Inline, ...], ours: tuple[Inline, ...], theirs: tuple[Inline, ...]
) -> tuple[Inline, ...] | None:
    """By words, where there is nothing but text."""
    if not all(isinstance(node, Text) for children in (base, ours, theirs) for node in children):
        return None
    words = _merge_run(
        inline_text(base).split(), inline_text(ours).split(), inline_text(theirs).split(), _WORDS
    )
    return None if words is None else (Text(" ".join(words)),)


def _merge_item(base: ListItem, ours: ListItem, theirs: ListItem) -> ListItem | None:
    """The box and the words are two things: one side may tick what the other rewrites."""
    blocks = _merge_all(base.blocks, ours.blocks, theirs.blocks, _BLOCKS)
    if blocks is None or _apart(base.checked, ours.checked, theirs.checked):
        return None
    return ListItem(tuple(blocks), _changed(base.checked, ours.checked, theirs.checked))


def _merge_ordered(base: OrderedList, ours: OrderedList, theirs: OrderedList) -> OrderedList | None:
    items = _merge_all(base.items, ours.items, theirs.items, _ITEMS)
    if items is None or _apart(base.start, ours.start, theirs.start):
        return None
    return OrderedList(tuple(items), _changed(base.start, ours.start, theirs.start))


def _merge_table(base: Table, ours: Table, theirs: Table) -> Table | None:
    """By rows, and in a row by cells, as long as nobody changed the number of columns."""
    if not len(base.header) == len(ours.header) == len(theirs.header):
        return None
    header = _merge_cells(base.header, ours.header, theirs.header)
    rows = _merge_all(base.rows, ours.rows, theirs.rows, _ROWS)
    if header is None or rows is None or _apart(base.alignments, ours.alignments, theirs.alignments):
        return None
    return Table(header, tuple(rows), _changed(base.alignments, ours.alignments, theirs.alignments))


def _merge_cells(base: Row, ours: Row, theirs: Row) -> Row | None:
    if not len(base) == len(ours) == len(theirs):
        return None
    cells: list[Cell] = []
    for old, our, their in zip(base, ours, theirs, strict=True):
        if _apart(old, our, their):
            merged = _merge_plain(old, our, their)
            if merged is None:
                return None
            cells.append(merged)
        else:
            cells.append(_changed(old, our, their))
    return tuple(cells)


def _same(element: E) -> tuple[E, ...]:
    return (element,)


def _never(base: E, ours: E, theirs: E) -> E | None:
    del base, ours, theirs
    return None


def _one_kind(element: object) -> object:
    del element
    return None


_WORDS: Meaning[str] = Meaning(kind=_one_kind, words=lambda word: [word], pieces=_same, inner=_never)
_LINES: Meaning[str] = Meaning(kind=_one_kind, words=str.split, pieces=_same, inner=_never)
_BLOCKS: Meaning[Block] = Meaning(kind=type, words=_block_words, pieces=_same, inner=_merge_block)
_ITEMS: Meaning[ListItem] = Meaning(
    kind=lambda item: item.checked is None,
    words=lambda item: [word for block in item.blocks for word in _block_words(block)],
    pieces=_same,
    inner=_merge_item,
)
_ROWS: Meaning[Row] = Meaning(
    kind=len,
    words=lambda row: [word for cell in row for word in inline_text(cell).split()],
    pieces=_same,
    inner=_merge_cells,
)
