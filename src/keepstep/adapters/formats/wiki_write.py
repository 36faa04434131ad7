"""Writing the two wiki markups: block by block, with as little escaping as reads back the same.

Neither markup can express everything (a mark inside a word, a bar in a code span), and what counts where is known from
its reader. So each piece is read back after writing; where the plainest spelling reads differently the next, more
careful one is tried, and the last one gives up marks before it gives up words or links. What was given up is settled by
writing what was read, so that a second round changes nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence

from keepstep.adapters.formats.wiki_shown import BOXES, shown
from keepstep.domain.document import (
    Block,
    BulletList,
    Cell,
    CodeBlock,
    Document,
    Heading,
    Inline,
    ListItem,
    Opaque,
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

_ROUNDS = 4


class WikiWriter(ABC):
    name: str
    nested_quotes: bool
    cares: int
    """How many spellings there are, the plainest first."""

    def write(self, document: Document) -> str:
        out: list[str] = []
        previous: str | None = None
        tail = ""
        for block in document.blocks:
            for text, source in self._written(block):
                led = source is not None and source.follows == previous != ""
                out += [source.lead if source and led else "\n\n" if out else "", text]
                previous, tail = (source.text, source.tail) if source else ("", "")
        return "".join([*out, tail])

    def _written(self, block: Block) -> Iterator[tuple[str, Source | None]]:
        source = block.source
        if source is not None and source.format == self.name:
            yield source.text, source
            return
        for normal in shown(block, nested_quotes=self.nested_quotes):
            text = self._settled(normal)
            if text:
                yield text, None

    def _settled(self, block: Block) -> str:
        """Written so that reading and writing it again gives the same text."""
        blocks: Sequence[Block] = (block,)
        text = self._block(block)
        for _ in range(_ROUNDS):
            found = self.read(text).blocks
            if tuple(found) == tuple(blocks):
                break
            again = "\n\n".join(
                self._block(each) for read in found for each in shown(read, nested_quotes=self.nested_quotes)
            )
            if again == text:
                break
            blocks, text = found, again
        return text

    @abstractmethod
    def read(self, text: str) -> Document: ...

    def _block(self, block: Block) -> str:
        match block:
            case Paragraph(children):
                return self._fitting("", children, Paragraph)
            case Heading(level, children):
                return self._fitting(f"h{level}. ", children, lambda inner: Heading(level, inner))
            case CodeBlock(text, language):
                return self.code_block(text, language)
            case Quote(blocks):
                return self.quote("\n\n".join(map(self._block, blocks)))
            case BulletList() | OrderedList():
                return "\n".join(self._list(block, ""))
            case Table(header, rows):
                return self._table(header, rows)
            case Rule():
                return self.rule
            case OpaqueBlock():
                return self._opaque(block)

    rule: str

    @abstractmethod
    def code_block(self, text: str, language: str) -> str: ...

    @abstractmethod
    def quote(self, text: str) -> str: ...

    @abstractmethod
    def line(self, children: Iterable[Inline], care: int) -> str:
        """Inlines in the spelling of that number."""

    @abstractmethod
    def row(self, cells: Sequence[str]) -> str: ...

    @abstractmethod
    def head_row(self, cells: Sequence[str]) -> str: ...

    def _fitting(
        self, prefix: str, children: Sequence[Inline], make: Callable[[tuple[Inline, ...]], Block]
    ) -> str:
        """The plainest spelling that reads back as `make(children)`."""
        wanted = normalise(Document((make(tuple(children)),))).blocks
        text = ""
        for care in range(self.cares):
            text = prefix + self.line(children, care)
            if self.read(text).blocks == wanted:
                break
        return text

    def _opaque(self, block: OpaqueBlock) -> str:
        if block.format == self.name and self.read(block.content).blocks == (block,):
            return block.content
        return self._fitting("", (Text(placeholder(block.label)),), Paragraph)

    def _list(self, block: BulletList | OrderedList, signs: str) -> Iterator[str]:
        signs += "#" if isinstance(block, OrderedList) else "*"
        for item in block.items:
            first, *rest = item.blocks
            if isinstance(first, OpaqueBlock):
                first = Paragraph((Opaque(first.label, first.format, first.content),))
            if isinstance(first, Paragraph):
                yield f"{signs} {self._item(signs[-1], first, item.checked)}"
            for nested in rest:
                if isinstance(nested, BulletList | OrderedList):
                    yield from self._list(nested, signs)

    def _item(self, sign: str, first: Paragraph, checked: bool | None) -> str:  # noqa: FBT001
        """A single item is read back as a list of one, however deep it will stand."""
        wanted = normalise(Document((first,))).blocks
        box = "" if checked is None else BOXES[checked]
        text = ""
        for care in range(self.cares):
            text = box + self.line(first.children, care)
            found = self.read(f"{sign} {text}").blocks
            listed = found[0] if len(found) == 1 else None
            if isinstance(listed, BulletList | OrderedList) and listed.items == (ListItem(wanted, checked),):
                break
        return text

    def _table(self, header: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> str:
        lines = [self.row([self._cell(cell) for cell in row]) for row in rows]
        if any(header):
            lines.insert(0, self.head_row([self._cell(cell) for cell in header]))
        return "\n".join(lines)

    def _cell(self, cell: Cell) -> str:
        wanted = normalise(Document((Paragraph(cell),))).blocks
        text = ""
        for care in range(self.cares):
            text = self.line(cell, care)
            table = self.read(self.row([text or " ", "x"])).blocks
            if len(table) == 1 and isinstance(table[0], Table) and len(table[0].rows) == 1:
                row = table[0].rows[0]
                if len(row) == 2 and normalise(Document((Paragraph(row[0]),))).blocks == wanted:
                    break
        return text
