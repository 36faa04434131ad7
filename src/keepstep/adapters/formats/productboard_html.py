"""Productboard's rich text: reads anything, writes only the tags it is known to accept.

The tags are those of the vendor's page on rich text and of client authors' reports. What the change of 2026-09-21
added (tables, checklists, code language) was announced without its tags; ours are a guess, hence the switch.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from keepstep.adapters.formats.productboard_read import Reader
from keepstep.domain.document import (
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
    node_urns,
    normalise,
)
from keepstep.domain.inlines import MarkType, flatten, nest, placeholder

_NAME = "productboard_html"
_TAGS: dict[MarkType, str] = {Strong: "b", Emphasis: "i", Underline: "u", Strike: "s"}
_TICKED, _OPEN = "☑ ", "☐ "


def lost_nodes(before: Document, after: Document) -> list[str]:
    """Embedded content of Productboard that would be deleted if `after` were written over `before`."""
    left = Counter(node_urns(after))
    lost: list[str] = []
    for urn in node_urns(before):
        if left[urn]:
            left[urn] -= 1
        else:
            lost.append(urn)
    return lost


@dataclass(frozen=True, slots=True)
class ProductboardHtml:
    rich_2026_09: bool = True
    """Write tables, checklists and code languages as such; otherwise as paragraphs, boxes in text and plain code."""

    @property
    def name(self) -> str:
        return _NAME

    def read(self, text: str) -> Document:
        return Reader(text, _NAME).document()

    def write(self, document: Document) -> str:
        out: list[str] = []
        before: str | None = None
        tail = ""
        for block in document.blocks:
            source = _own(block)
            if source is None:
                out += [self._block(normal) for normal in normalise(Document((block,))).blocks]
                before, tail = "", ""
            else:
                out += [source.lead if source.follows == before else "", source.text]
                before, tail = source.text, source.tail
        return "".join([*out, tail])

    def _blocks(self, blocks: Iterable[Block]) -> str:
        return "".join(map(self._block, blocks))

    def _block(self, block: Block) -> str:
        match block:
            case Paragraph(children):
                return "".join(f"<p>{_inlines(line)}</p>" for line in _lines(children))
            case Heading(level, children):
                tag = "h1" if level == 1 else "h2"
                return f"<{tag}>{_inlines(children)}</{tag}>"
            case CodeBlock():
                return self._code(block)
            case Quote(blocks):
                return f"<blockquote>{self._blocks(blocks)}</blockquote>"
            case BulletList() | OrderedList():
                return self._list(block)
            case Table():
                return self._table(block)
            case Rule():
                return "<hr/>"
            case OpaqueBlock(label, format_name, content):
                own = format_name == _NAME and content
                return content if own else f"<p>{_escaped(placeholder(label))}</p>"

    def _code(self, block: CodeBlock) -> str:
        if block.language and self.rich_2026_09:
            return (
                f'<pre data-language="{_escaped(block.language)}"><code>{_escaped(block.text)}</code></pre>'
            )
        return f"<pre>{_escaped(block.text)}</pre>"

    def _list(self, block: BulletList | OrderedList) -> str:
        items = block.items
        if isinstance(block, OrderedList):
            return f"<ol>{''.join(map(self._item, items))}</ol>"
        if self.rich_2026_09 and all(item.checked is not None for item in items):
            inside = "".join(
                f'<li data-checked="{"true" if item.checked else "false"}">{self._blocks(item.blocks)}</li>'
                for item in items
            )
            return f'<ul data-type="checklist">{inside}</ul>'
        return f"<ul>{''.join(map(self._item, items))}</ul>"

    def _item(self, item: ListItem) -> str:
        blocks = item.blocks
        if item.checked is not None and isinstance(blocks[0], Paragraph):
            box = Text(_TICKED if item.checked else _OPEN)
            blocks = (Paragraph((box, *blocks[0].children)), *blocks[1:])
        first, rest = blocks[0], blocks[1:]
        plain = isinstance(first, Paragraph) and all(
            isinstance(block, BulletList | OrderedList) for block in rest
        )
        if plain and isinstance(first, Paragraph) and len(lines := _lines(first.children)) == 1:
            return f"<li>{_inlines(lines[0])}{self._blocks(rest)}</li>"
        return f"<li>{self._blocks(blocks)}</li>"

    def _table(self, table: Table) -> str:
        header = table.header if any(table.header) else ()
        if not self.rich_2026_09:
            bold = tuple((Strong(cell),) for cell in header)
            rows = [row for row in (bold, *table.rows) if any(row)]
            return "".join(f"<p>{' | '.join(map(_cell, row))}</p>" for row in rows)
        head = f"<thead>{_row('th', header)}</thead>" if header else ""
        return f"<table>{head}<tbody>{''.join(_row('td', row) for row in table.rows)}</tbody></table>"


def _own(block: Block) -> Source | None:
    return block.source if block.source and block.source.format == _NAME else None


def _row(tag: str, cells: Iterable[Cell]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_cell(cell)}</{tag}>' for cell in cells)}</tr>"


def _cell(children: Cell) -> str:
    return " ".join(map(_inlines, _lines(children)))


def _lines(children: tuple[Inline, ...]) -> list[tuple[Inline, ...]]:
    """There is no hard break; a line of its own is a paragraph of its own."""
    lines: list[list[int]] = [[]]
    runs = flatten(children)
    for at, run in enumerate(runs):
        if isinstance(run.leaf, LineBreak):
            lines.append([])
        else:
            lines[-1].append(at)
    return [nest([runs[at] for at in line]) for line in lines if line]


def _inlines(children: Iterable[Inline]) -> str:
    return "".join(map(_inline, children))


def _inline(inline: Inline) -> str:
    match inline:
        case Text(text):
            return _escaped(text)
        case Strong(children) | Emphasis(children) | Underline(children) | Strike(children):
            tag = _TAGS[type(inline)]
            return f"<{tag}>{_inlines(children)}</{tag}>"
        case Code(text):
            return f"<code>{_escaped(text)}</code>"
        case LineBreak():
            return " "
        case Link(_, _, _, Source(format_name, text)) if format_name == _NAME:
            return text
        case Link(href, children):
            return f'<a href="{_escaped(href)}">{"".join(map(_in_link, children))}</a>'
        case Image(src, alt):
            return f'<a href="{_escaped(src)}">{_escaped(alt or src)}</a>'
        case Opaque(label, format_name, content):
            return content if format_name == _NAME and content else _escaped(placeholder(label))


def _in_link(inline: Inline) -> str:
    """An image in a link is its words: links do not nest."""
    match inline:
        case Image(src, alt):
            return _escaped(alt or src)
        case Strong(children) | Emphasis(children) | Underline(children) | Strike(children):
            tag = _TAGS[type(inline)]
            return f"<{tag}>{''.join(map(_in_link, children))}</{tag}>"
        case _:
            return _inline(inline)


def _escaped(text: str) -> str:
    return escape(text).replace("&#x27;", "&#39;")
