"""Markdown as trackers speak it: `Markdown(GITLAB)`, `Markdown(GITHUB)`.

Written with `**`, `*`, `~~`, `<ins>`, `-`, `#`, fences of backticks, and a backslash before a hard line end.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from keepstep.adapters.formats.markdown_dialect import GITHUB, GITLAB, Dialect
from keepstep.adapters.formats.markdown_escape import fence, guarded_heading, guarded_lines
from keepstep.adapters.formats.markdown_inline_write import CARES, InlineWriter
from keepstep.adapters.formats.markdown_read import Reader
from keepstep.adapters.formats.reread import Part, read_again
from keepstep.domain.document import (
    Alignment,
    Block,
    BulletList,
    Cell,
    CodeBlock,
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
    Text,
    normalise,
)
from keepstep.domain.inlines import placeholder

__all__ = ["GITHUB", "GITLAB", "Dialect", "Markdown"]

_SEPARATOR = "<!-- -->"
"""Between two lists that would otherwise grow together; read as nothing."""
_GAP = f"\n\n{_SEPARATOR}\n\n"
_LINES: dict[Alignment, str] = {"": "---", "left": ":---", "center": ":---:", "right": "---:"}
_QUIET = re.compile(r"[^\W\d_](?:[^\W_]|[,;()'\"?.%]| (?! ))*(?<! )")
"""Words that are written and read as they stand; the space is the plain one."""
_LAST_NUMBER = 999_999_999


@dataclass(frozen=True, slots=True)
class Markdown:
    dialect: Dialect = GITLAB

    @property
    def name(self) -> str:
        return self.dialect.name

    def read(self, text: str) -> Document:
        return read_again(self.name, text, self)

    def part(
        self, text: str, follows: str | None, *, ends: bool, meaning: Mapping[str, dict[str, Any]]
    ) -> Part:
        """As `keepstep.adapters.formats.reread.PartReader` asks."""
        return Reader(text, self.dialect).part(follows, ends=ends, meaning=meaning)

    def write(self, document: Document) -> str:
        out: list[str] = []
        before: Block | None = None
        previous: str | None = None  # the source text just written; "" behind a block written anew
        tail = ""
        for block in document.blocks:
            for written, source in self._written(block, previous):
                gap = _between(before, block) if out else ""
                out += [source.lead if source and _is_led(source, previous) else gap, written]
                previous, tail = (source.text, source.tail) if source else ("", "")
                before = block
        return "".join([*out, tail])

    def _written(self, block: Block, previous: str | None) -> list[tuple[str, Source | None]]:
        source = block.source
        own = source is not None and source.format == self.name
        # An indented block behind anything but its old neighbour may become part of it.
        if own and source and (_is_led(source, previous) or not source.text.startswith((" ", "\t"))):
            return [(source.text, source)]
        first = previous is None
        return [(self._block(normal, first=first), None) for normal in normalise(Document((block,))).blocks]

    def _block(self, block: Block, *, first: bool) -> str:
        match block:
            case Paragraph(children):
                return self._paragraph(children)
            case Heading(level, children):
                return f"{'#' * level} {self._careful(children, guarded_heading)}"
            case CodeBlock(text, language):
                return f"{fence(text)}{language}\n{text}\n{fence(text)}"
            case Quote(blocks):
                return _prefixed(self._blocks(blocks), "> ", "> ")
            case BulletList() | OrderedList():
                return self._list(block)
            case Table():
                return self._table(block)
            case Rule():
                # At the very start three dashes would open front matter, in an item they would end it.
                return "***" if first else "---"
            case OpaqueBlock():
                return self._opaque(block)

    def _blocks(self, blocks: Sequence[Block]) -> str:
        out: list[str] = []
        for at, block in enumerate(blocks):
            if at:
                out.append(_between(blocks[at - 1], block))
            out.append(self._block(block, first=at == 0))
        return "".join(out)

    def _paragraph(self, children: tuple[Inline, ...]) -> str:
        return self._careful(children, guarded_lines)

    def _careful(
        self, children: tuple[Inline, ...], guard: Callable[[str], str], *, in_cell: bool = False
    ) -> str:
        """With as little escaping as reads back the same."""
        if len(children) == 1 and isinstance(children[0], Text) and _QUIET.fullmatch(children[0].text):
            return children[0].text
        text = ""
        for care in CARES:
            text = guard(InlineWriter(self.dialect, care, in_cell).line(children))
            if self.read(guarded_lines(text)).blocks == normalise(Document((Paragraph(children),))).blocks:
                break
        return text

    def _opaque(self, block: OpaqueBlock) -> str:
        if block.format == self.name and self.read(block.content).blocks == (block,):
            return block.content
        return self._paragraph((Text(placeholder(block.label)),))

    def _list(self, block: BulletList | OrderedList) -> str:
        items = [self._item(item) for item in block.items]
        lines: list[str] = []
        for at, text in enumerate(items):
            number = min(block.start + at, _LAST_NUMBER) if isinstance(block, OrderedList) else 0
            bullet = f"{number}. " if isinstance(block, OrderedList) else "- "
            lines.append(_prefixed(text, bullet, " " * len(bullet)))
        loose = any("\n\n" in text for text in items)
        return ("\n\n" if loose else "\n").join(lines)

    def _item(self, item: ListItem) -> str:
        out: list[str] = []
        before: Block | None = None
        for block in item.blocks:
            if before is not None:
                out.append("\n" if _is_tight(before, block) else _between(before, block))
            out.append(self._block(block, first=before is None))
            before = block
        box = "" if item.checked is None else "[x] " if item.checked else "[ ] "
        return box + "".join(out)

    def _table(self, table: Table) -> str:
        lines = (_LINES[one] for one in table.alignments)
        rows = [self._row(row) for row in table.rows]
        return "\n".join([self._row(table.header), f"| {' | '.join(lines)} |", *rows])

    def _row(self, row: Iterable[Cell]) -> str:
        return f"| {' | '.join(map(self._cell, row))} |"

    def _cell(self, cell: Cell) -> str:
        return self._careful(cell, str, in_cell=True).replace("|", "\\|")


def _is_led(source: Source, previous: str | None) -> bool:
    """It stands where it stood: what came before it then comes before it now."""
    return source.follows == previous != ""


def _between(before: Block | None, block: Block) -> str:
    alike = type(before) is type(block) and isinstance(block, BulletList | OrderedList)
    return _GAP if alike else "\n\n"


def _is_tight(before: Block, block: Block) -> bool:
    """A list that may interrupt the paragraph above it: CommonMark asks for words in it, and for a 1."""
    if not isinstance(before, Paragraph) or not isinstance(block, BulletList | OrderedList):
        return False
    starts = isinstance(block, BulletList) or block.start == 1
    return starts and isinstance(block.items[0].blocks[0], Paragraph)


def _prefixed(text: str, first: str, rest: str) -> str:
    head, *lines = text.split("\n")
    return "\n".join([first + head, *(rest + line if line else rest.rstrip() for line in lines)])
