"""Carrying an edited document over to its other side without losing what the edited side could not show.

A description that was written on one side and edited on the other comes back poorer: headings are flatter, tables
are rows of text, an image is a link, an opaque block is a placeholder. What nobody touched must come back whole.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from keepstep.domain.alignment import equal_ends, matching
from keepstep.domain.inlines import Run, flatten, inline_text, nest
from keepstep.domain.nodes import (
    Block,
    CodeBlock,
    Document,
    Heading,
    Image,
    Inline,
    Link,
    Opaque,
    OpaqueBlock,
    OrderedList,
    Table,
    Text,
    with_source,
)
from keepstep.domain.walk import inlines_in, with_inlines

Through = Callable[[Document], Document]


@dataclass(frozen=True, slots=True)
class _Seen:
    """How one old block looks from the side the new document comes from."""

    old: Block
    pieces: tuple[Block, ...]


def carry_over(new: Document, old: Document, through: Through | None = None) -> Document:
    """`new`, with what `old` knows better: sources, opaque content, embedded content, live words.

    A block of `new` that equals one of `old` is replaced by it, so that its format writes it back byte for byte.
    `through` tells how a document of the old side looks after a visit to the side `new` comes from (write it there,
    read it again). With it, blocks that come back poorer but untouched are replaced by the old ones too, and a block
    that was edited keeps what its format over there has no word for, such as a heading's depth.
    """
    seen = _seen(new.blocks, old.blocks, through)
    memory = _Memory.of(old)
    out: list[Block] = []
    for start, end, matched in _aligned(new.blocks, seen):
        if matched is None:
            out += [memory.restore(block) for block in new.blocks[start:end]]
        elif matched.pieces == new.blocks[start:end]:
            out.append(matched.old)
        else:
            out.append(memory.restore(_inherited(new.blocks[start], matched)))
    return Document(tuple(out))


def carry_across(new: Document, old: Document, there: Through, here: Through) -> Document:
    """What to write on this side, where `old` stands, when the other side has come to read `new`.

    `there` and `here` are the round trips through the two formats: write a document, read it again. Use this rather
    than `carry_over` wherever both formats are at hand: it aligns the two as this side would show them, so that a
    block is rewritten only when its readers would see a difference.
    """
    return carry_over(here(new), old, lambda document: here(there(document)))


def _seen(new: Sequence[Block], old: Sequence[Block], through: Through | None) -> list[_Seen]:
    head, tail = equal_ends(old, new)
    same = set(new[head : len(new) - tail])
    return [
        _Seen(
            block,
            (block,) if at < head or at >= len(old) - tail or block in same else _pieces(block, through),
        )
        for at, block in enumerate(old)
    ]


def _pieces(block: Block, through: Through | None) -> tuple[Block, ...]:
    if through is None:
        return (block,)
    return through(Document((with_source(block, None),))).blocks


def _aligned(new: Sequence[Block], seen: Sequence[_Seen]) -> list[tuple[int, int, _Seen | None]]:
    """Slices of `new` with the old block each stands for; None where it stands for none or only for a part."""
    place = dict(matching([piece for one in seen for piece in one.pieces], new))
    taken: dict[int, tuple[int, _Seen]] = {}
    at = 0
    for one in seen:
        width = len(one.pieces)
        where = place.get(at)
        if width and where is not None and all(place.get(at + k) == where + k for k in range(width)):
            taken[where] = (where + width, one)
        at += width
    _take_moved(new, seen, taken)
    _take_edited(new, seen, taken)
    return _slices(len(new), taken)


def _take_moved(new: Sequence[Block], seen: Sequence[_Seen], taken: dict[int, tuple[int, _Seen]]) -> None:
    """A block that stands elsewhere now, or twice, is still the old one."""
    covered = {at for start, (end, _) in taken.items() for at in range(start, end)}
    homeless = [at for at in range(len(new)) if at not in covered]
    if not homeless:
        return
    whole = {one.pieces[0]: one for one in reversed(seen) if len(one.pieces) == 1}
    for at in homeless:
        if new[at] in whole:
            taken[at] = (at + 1, whole[new[at]])


def _take_edited(new: Sequence[Block], seen: Sequence[_Seen], taken: dict[int, tuple[int, _Seen]]) -> None:
    """Between two kept blocks, as many of a kind as before: each is the edited form of the old one in its place."""
    kept = {id(one) for _, one in taken.values()}
    places = {id(one): start for start, (_, one) in taken.items()}
    gap: list[_Seen] = []
    behind = 0
    for one in [*seen, None]:
        if one is not None and id(one) not in kept:
            gap.append(one)
            continue
        until = len(new) if one is None else places[id(one)]
        if 0 < until - behind == len(gap) and not any(at in taken for at in range(behind, until)):
            taken.update({behind + k: (behind + k + 1, old) for k, old in enumerate(gap)})
        gap = []
        behind = until if one is None else max(behind, taken[until][0])


def _slices(length: int, taken: dict[int, tuple[int, _Seen]]) -> list[tuple[int, int, _Seen | None]]:
    out: list[tuple[int, int, _Seen | None]] = []
    at = 0
    while at < length:
        end, one = taken.get(at, (at + 1, None))
        out.append((at, end, one))
        at = end
    return out


def _inherited(new: Block, before: _Seen) -> Block:
    """What the visited side shows as it was is as it was on the old side, too."""
    if len(before.pieces) != 1:
        return new
    match new, before.pieces[0], before.old:
        case Heading(level), Heading(seen_level), Heading(old_level) if level == seen_level:
            return replace(new, level=old_level)
        case CodeBlock(_, language), CodeBlock(_, seen_language), CodeBlock(_, old_language) if (
            language == seen_language
        ):
            return replace(new, language=old_language)
        case OrderedList(_, start), OrderedList(_, seen_start), OrderedList(_, old_start) if (
            start == seen_start
        ):
            return replace(new, start=old_start)
        case Table(), Table(), Table() if new.alignments == before.pieces[0].alignments:
            return replace(new, alignments=before.old.alignments)
        case _:
            return new


@dataclass(slots=True)
class _Memory:
    """What stood anywhere in the old document and can be recognised in an edited block."""

    opaque: dict[str, tuple[str, str]] = field(default_factory=dict)
    links: dict[tuple[str, str], Link | Image] = field(default_factory=dict)
    nodes: dict[str, Link] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)
    _live: re.Pattern[str] | None = None

    @classmethod
    def of(cls, old: Document) -> "_Memory":
        memory = cls()
        for block in old.blocks:
            memory._note_block(block)
            for children in inlines_in(block):
                memory._note(flatten(children))
        return memory

    def _note_block(self, block: Block) -> None:
        if isinstance(block, OpaqueBlock) and block.content:
            self.opaque[block.label] = (block.format, block.content)

    def _note(self, runs: Iterable[Run]) -> None:
        for run in runs:
            match run.leaf:
                case Opaque(label, format_name, content) if content:
                    self.opaque[label] = (format_name, content)
                case Image(src, alt):
                    self.links.setdefault((src, alt or src), run.leaf)
                case Link(href, children):
                    self.links.setdefault((href, inline_text(children)), run.leaf)
                    self.nodes.setdefault(href, run.leaf)
                case Text(_, live):
                    self.live |= live
                case _:
                    pass
            if run.link is not None and run.link.title and isinstance(run.leaf, Text):
                self.links.setdefault((run.link.href, run.leaf.text), run.link)

    def restore(self, block: Block) -> Block:
        if isinstance(block, OpaqueBlock):
            format_name, content = self.opaque.get(block.label, (block.format, block.content))
            return replace(block, format=format_name, content=content)
        if not (self.opaque or self.links or self.live):
            return block
        return with_inlines(block, self._restored)

    def _restored(self, children: tuple[Inline, ...]) -> tuple[Inline, ...]:
        return nest([self._restored_run(run) for run in flatten(children)])

    def _restored_run(self, run: Run) -> Run:
        match run.leaf:
            case Opaque(label) if label in self.opaque:
                return replace(run, leaf=Opaque(label, *self.opaque[label]))
            case Link(href, children):
                # The words of an anchor are Productboard's: they follow from what is embedded.
                known = self.links.get((href, inline_text(children))) or self.nodes.get(href)
                return replace(run, leaf=known) if isinstance(known, Link) else run
            case Text(text, live):
                run = replace(run, leaf=Text(text, live | self._live_in(text)))
                known = self.links.get((run.link.href, text)) if run.link else None
                if isinstance(known, Image):
                    return replace(run, leaf=known, link=None)
                return replace(run, link=known) if known is not None else run
            case _:
                return run

    def _live_in(self, text: str) -> frozenset[str]:
        if not self.live:
            return frozenset()
        if self._live is None:
            self._live = re.compile("|".join(map(re.escape, sorted(self.live, key=len, reverse=True))))
        return frozenset(self._live.findall(text))
