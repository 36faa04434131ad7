"""Blocks of the two wiki markups, line by line, each with the exact text it stood in."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from keepstep.adapters.formats.wiki_inline import Spans, read_inlines
from keepstep.domain.document import (
    Block,
    BulletList,
    Document,
    Heading,
    Inline,
    ListItem,
    OpaqueBlock,
    OrderedList,
    Paragraph,
    Quote,
    Rule,
    Source,
    Table,
    normalise,
)
from keepstep.domain.inlines import opaque_label
from keepstep.domain.nodes import with_source

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
Taken = tuple[Sequence[Block], int]
"""Blocks, and the line behind them."""
Closers = Callable[[str, int], tuple[int, int] | None]
"""The place behind which a named thing ends: where its closing mark begins, and where that ends."""


@dataclass(frozen=True, slots=True)
class Lines:
    """A text cut into lines, each with its place."""

    text: str
    lines: tuple[str, ...]
    starts: tuple[int, ...]

    @classmethod
    def of(cls, text: str) -> "Lines":
        found = [line for line in _LINE.finditer(text) if line.end() > line.start()]
        return cls(text, tuple(line.group(1) for line in found), tuple(line.start() for line in found))

    def end(self, line: int) -> int:
        """Where the line before this one ends, without what ends it."""
        return self.starts[line - 1] + len(self.lines[line - 1])

    def slice(self, start: int, stop: int) -> str:
        return self.text[self.starts[start] : self.end(stop)]


class WikiReader(ABC):
    """What both markups share; a subclass tells how its own blocks begin."""

    name: str
    spans: Spans
    bullets: re.Pattern[str]
    rule: re.Pattern[str]
    heading: re.Pattern[str]
    quoted: re.Pattern[str]
    headings_end_with_the_line: bool
    deepest = 12

    def document(self, text: str) -> Document:
        lines = Lines.of(text)
        blocks: list[Block] = []
        follows: str | None = None
        at = 0
        for found, start, stop in self._placed(lines, 0):
            normal = normalise(Document(tuple(found))).blocks
            if not normal:
                continue
            source = None
            place, end = lines.starts[start], lines.end(stop)
            if len(normal) == 1:
                lead = text[at:place] if follows != "" and not text[at:place].strip(" \t\r\n") else ""
                source = Source(self.name, text[place:end], lead, follows)
            blocks += [with_source(block, source) for block in normal]
            follows = source.text if source else ""
            at = end
        if blocks and (last := blocks[-1].source) and not text[at:].strip(" \t\r\n"):
            blocks[-1] = with_source(blocks[-1], replace(last, tail=text[at:]))
        return Document(tuple(blocks))

    def blocks(self, text: str, depth: int) -> tuple[Block, ...]:
        return tuple(block for found, _, _ in self._placed(Lines.of(text), depth) for block in found)

    def inlines(self, text: str) -> tuple[Inline, ...]:
        return read_inlines(text, self.spans)

    def opaque(self, kind: str, content: str) -> OpaqueBlock:
        return OpaqueBlock(opaque_label(kind, content), self.name, content)

    def _placed(self, lines: Lines, depth: int) -> Iterator[tuple[Sequence[Block], int, int]]:
        """Blocks with the lines they stand on; more than one where one stretch of text makes several."""
        at = 0
        closers = self.closers(lines)
        while at < len(lines.lines):
            if not lines.lines[at].strip(" \t"):
                at += 1
                continue
            found, stop = self._block(lines, at, depth, closers)
            yield found, at, stop
            at = stop

    def _block(self, lines: Lines, at: int, depth: int, closers: Closers) -> Taken:
        line = lines.lines[at]
        own = self.own_block(lines, at, depth, closers)
        if own is not None:
            return own
        if self.rule.fullmatch(line):
            return [Rule()], at + 1
        if found := self.heading.match(line):
            stop = at + 1 if self.headings_end_with_the_line else self._paragraph_end(lines, at)
            words = "\n".join([line[found.end() :], *lines.lines[at + 1 : stop]])
            return [Heading(int(found.group(1)), self.inlines(words))], stop
        if line.startswith("|"):
            return self._table(lines, at)
        if self.bullets.match(line):
            return self._list(lines, at)
        stop = self._paragraph_end(lines, at)
        return [self.paragraph("\n".join(lines.lines[at:stop]))], stop

    def paragraph(self, text: str) -> Block:
        if found := self.quoted.match(text):
            return Quote((Paragraph(self.inlines(text[found.end() :])),))
        return Paragraph(self.inlines(text))

    def _paragraph_end(self, lines: Lines, at: int) -> int:
        stop = at + 1
        while (
            stop < len(lines.lines) and lines.lines[stop].strip(" \t") and not self.begins(lines.lines[stop])
        ):
            stop += 1
        return stop

    def begins(self, line: str) -> bool:
        """A block that needs no empty line before it."""
        return bool(line.startswith("|") or self.bullets.match(line) or self.rule.fullmatch(line))

    @abstractmethod
    def own_block(self, lines: Lines, at: int, depth: int, closers: Closers) -> Taken | None:
        """A block that only this markup has."""

    @abstractmethod
    def closers(self, lines: Lines) -> Closers:
        """Looked up once per text."""

    def _table(self, lines: Lines, at: int) -> Taken:
        rows: list[str] = []
        stop = at
        while stop < len(lines.lines) and lines.lines[stop].startswith("|"):
            row = [lines.lines[stop]]
            stop += 1
            while not row[-1].rstrip(" \t").endswith("|") and stop < len(lines.lines):
                if not lines.lines[stop].strip(" \t") or self.begins(lines.lines[stop]):
                    break
                row.append(lines.lines[stop])
                stop += 1
            rows.append("\n".join(row))
        read = [self.row(row) for row in rows]
        cells = [tuple(self.inlines(cell) for cell in row) for row, _ in read]
        titled = read[0][1]
        return [Table(cells[0], tuple(cells[1:])) if titled else Table((), tuple(cells))], stop

    @abstractmethod
    def row(self, text: str) -> tuple[Sequence[str], bool]:
        """The texts of the cells, and whether all of them are heads."""

    def _list(self, lines: Lines, at: int) -> Taken:
        items: list[tuple[str, str]] = []
        stop = at
        while stop < len(lines.lines) and (found := self.bullets.match(lines.lines[stop])):
            end = self._paragraph_end(lines, stop)
            words = "\n".join([lines.lines[stop][found.end() :], *lines.lines[stop + 1 : end]])
            items.append((found.group(1)[: self.deepest], words))
            stop = end
        return list(self._nested(items)), stop

    def _nested(self, items: Sequence[tuple[str, str]]) -> Iterable[Block]:
        """Lists from items with their signs: a longer sign is an item of the item before it."""
        at = 0
        while at < len(items):
            sign = items[at][0]
            stop = at + 1
            while stop < len(items) and (
                len(items[stop][0]) > len(sign)
                or (len(items[stop][0]) == len(sign) and items[stop][0][-1] == sign[-1])
            ):
                stop += 1
            listed = tuple(self._items(items[at:stop], len(sign)))
            yield OrderedList(listed) if sign.endswith("#") else BulletList(listed)
            at = stop

    def _items(self, items: Sequence[tuple[str, str]], depth: int) -> Iterable[ListItem]:
        at = 0
        while at < len(items):
            stop = at + 1
            while stop < len(items) and len(items[stop][0]) > depth:
                stop += 1
            first = Paragraph(self.inlines(items[at][1]))
            yield ListItem((first, *self._nested(items[at + 1 : stop])))
            at = stop
