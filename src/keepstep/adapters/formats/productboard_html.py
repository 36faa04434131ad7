"""Productboard's rich text: reads anything, writes only the tags it is known to accept.

The tags are those of the vendor's page on rich text and of client authors' reports. What the change of 2026-09-21
added (tables, checklists, code language) was announced without its tags; ours are a guess, hence the switch.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from keepstep.adapters.formats.productboard_read import Reader
from keepstep.adapters.formats.productboard_shown import Shown
from keepstep.adapters.formats.reread import Part, read_again
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
)
from keepstep.domain.inlines import MarkType, placeholder

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
        return read_again(_NAME, text, self)

    def part(
        self, text: str, follows: str | None, *, ends: bool, meaning: Mapping[str, dict[str, Any]]
    ) -> Part:
        """As `keepstep.adapters.formats.reread.PartReader` asks; HTML has no definitions."""
        del meaning
        return Reader(text, _NAME).part(follows, ends=ends)

    def write(self, document: Document) -> str:
        out: list[str] = []
        before: str | None = None
        tail = ""
        for block in document.blocks:
            source = _own(block)
            if source is None:
                out.append(_blocks(self.shown(Document((block,))).blocks, self.rich_2026_09))
                before, tail = "", ""
            else:
                out += [source.lead if source.follows == before != "" else "", source.text]
                before, tail = source.text, source.tail
        return "".join([*out, tail])

    def shown(self, document: Document) -> Document:
        """What `read(write(document))` gives when no block has a source."""
        return Shown(self.rich_2026_09).document(document)


def _blocks(blocks: Iterable[Block], rich: bool) -> str:  # noqa: FBT001
    return "".join(_block(block, rich) for block in blocks)


def _block(block: Block, rich: bool) -> str:  # noqa: FBT001
    match block:
        case Paragraph(children):
            return f"<p>{_inlines(children)}</p>"
        case Heading(level, children):
            return f"<h{level}>{_inlines(children)}</h{level}>"
        case CodeBlock(text, ""):
            return f"<pre>{_escaped(text)}</pre>"
        case CodeBlock(text, language):
            return f'<pre data-language="{_escaped(language)}"><code>{_escaped(text)}</code></pre>'
        case Quote(blocks):
            return f"<blockquote>{_blocks(blocks, rich)}</blockquote>"
        case BulletList(items) | OrderedList(items):
            return _list(block, items, rich)
        case Table():
            return _table(block)
        case Rule():
            return "<hr/>"
        case OpaqueBlock(label, format_name, content):
            return content if format_name == _NAME and content else f"<p>{_escaped(placeholder(label))}</p>"


def _list(block: BulletList | OrderedList, items: tuple[ListItem, ...], rich: bool) -> str:  # noqa: FBT001
    if isinstance(block, OrderedList):
        return f"<ol>{''.join(_item(item, rich) for item in items)}</ol>"
    if rich and all(item.checked is not None for item in items):
        inside = "".join(
            f'<li data-checked="{"true" if item.checked else "false"}">{_blocks(item.blocks, rich)}</li>'
            for item in items
        )
        return f'<ul data-type="checklist">{inside}</ul>'
    return f"<ul>{''.join(_item(item, rich) for item in items)}</ul>"


def _item(item: ListItem, rich: bool) -> str:  # noqa: FBT001
    blocks = item.blocks
    first, rest = blocks[0], blocks[1:]
    if item.checked is not None and isinstance(first, Paragraph):
        first = Paragraph((Text(_TICKED if item.checked else _OPEN), *first.children))
    if isinstance(first, Paragraph) and all(isinstance(block, BulletList | OrderedList) for block in rest):
        return f"<li>{_inlines(first.children)}{_blocks(rest, rich)}</li>"
    return f"<li>{_blocks((first, *rest), rich)}</li>"


def _table(table: Table) -> str:
    head = f"<thead>{_row('th', table.header)}</thead>" if any(table.header) else ""
    return f"<table>{head}<tbody>{''.join(_row('td', row) for row in table.rows)}</tbody></table>"


def _own(block: Block) -> Source | None:
    return block.source if block.source and block.source.format == _NAME else None


def _row(tag: str, cells: Iterable[Cell]) -> str:
    return f"<tr>{''.join(f'<{tag}>{_inlines(cell)}</{tag}>' for cell in cells)}</tr>"


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
            return f'<a href="{_escaped(href)}">{_inlines(children)}</a>'
        case Image(src, alt):
            # Unreachable for a shown document; links never nest there.
            return f'<a href="{_escaped(src)}">{_escaped(alt or src)}</a>'
        case Opaque(label, format_name, content):
            return content if format_name == _NAME and content else _escaped(placeholder(label))


def _escaped(text: str) -> str:
    return escape(text).replace("&#x27;", "&#39;")
