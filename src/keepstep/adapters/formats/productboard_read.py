"""Reads what Productboard serves as rich text. Nothing is refused: its own subset binds writes, not reads."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from keepstep.adapters.formats.html_tree import Chars, Element, names, parse
from keepstep.adapters.formats.remembered import Reading, Top, remembered
from keepstep.adapters.formats.reread import Part
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
    normalise,
)
from keepstep.domain.inlines import MarkType, opaque_label
from keepstep.domain.nodes import NODE_URN, with_source
from keepstep.domain.walk import inlines_in

_MARKS: dict[str, MarkType] = {
    "b": Strong,
    "strong": Strong,
    "i": Emphasis,
    "em": Emphasis,
    "u": Underline,
    "ins": Underline,
    "s": Strike,
    "del": Strike,
    "strike": Strike,
}
_CODE = frozenset(("code", "tt", "kbd", "samp"))
_TRANSPARENT = names("abbr bdi bdo big cite dfn font label mark q rp rt ruby small span sub sup time var")
_NO_TEXT = names("script style input wbr col colgroup meta link")
_CONTAINERS = names(
    "address article aside body center caption dd details div dl dt fieldset figcaption figure footer form header"
    " html li main nav p section summary tbody td tfoot th thead tr"
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_KNOWN = names("a blockquote br hr img ol pre table ul").union(
    _MARKS, _CODE, _TRANSPARENT, _NO_TEXT, _CONTAINERS, _HEADINGS
)
_SPACE = " \t\n\r\f"
_QUIET_GAP = re.compile(r"(?:\s|<p>\s*</p>|<p\s*/>)*")
_PLAIN_TAGS = re.compile(
    r"""(?:[^<]++|<(?!/?(?:script|style)\b)/?[a-z][a-z0-9-]*(?:\s+[a-z][a-z0-9:_-]*="[^"<>]*")*\s*/?>)*+""",
    re.IGNORECASE,
)
"""Markup that is read in one way only, wherever it stands: no comments, no open quotes, no stray signs."""
_LANGUAGE_CLASS = re.compile(r"(?:^|\s)lang(?:uage)?-(\S+)")


class Reader:
    def __init__(self, html: str, format_name: str) -> None:
        self.html = html
        self.format = format_name

    def part(self, follows: str | None, *, ends: bool) -> Part:
        root = parse(self.html)
        tops: list[Top] = []
        at = 0
        for group in _grouped(root.children):
            start, end = (
                (group.start, group.end) if isinstance(group, Element) else (group[0].start, group[-1].end)
            )
            blocks: list[Block] = []
            whole = False
            for block, element in self._known(group):
                source = self._source(element, at, follows) if element is not None else None
                blocks.append(with_source(block, source))
                follows = source.text if source else ""
                at = element.end if element is not None else at
                whole = element is group
            tops.append(Top(start, end, tuple(blocks), solid=whole))
        if ends:
            self._add_tail(tops, at)
        return Part(Reading(tuple(tops)), local=root.tidy and _PLAIN_TAGS.fullmatch(self.html) is not None)

    def _known(self, group: Element | list[Element | Chars]) -> Iterable[tuple[Block, Element | None]]:
        """As `_placed_group`, in normal form."""
        if not isinstance(group, Element) or not group.tidy:
            yield from self._normal(self._placed_group(group))
            return
        key = (self.format, group.tag, self.html[group.start : group.end])
        if known := remembered.get(key):
            yield known, group
            return
        for block, element in self._normal(self._placed_group(group)):
            if element is group:
                remembered.put(key, block)
            yield block, element

    @staticmethod
    def _normal(placed: Iterable[tuple[Block, Element | None]]) -> Iterable[tuple[Block, Element | None]]:
        for block, element in placed:
            for normal in normalise(Document((block,))).blocks:
                yield normal, element

    def _source(self, element: Element, at: int, follows: str | None) -> Source:
        """Behind a block without a source the lead is worth nothing: `follows` is then a text no block has."""
        lead = self.html[at : element.start] if follows != "" else ""
        if not _QUIET_GAP.fullmatch(lead):
            lead, follows = "", ""
        return Source(self.format, self.html[element.start : element.end], lead, follows)

    def _add_tail(self, tops: list[Top], at: int) -> None:
        tail = self.html[at:]
        last = next((place for place in range(len(tops) - 1, -1, -1) if tops[place].blocks), None)
        if last is None or not tail or not _QUIET_GAP.fullmatch(tail):
            return
        *others, block = tops[last].blocks
        if block.source:
            ended = with_source(block, replace(block.source, tail=tail))
            tops[last] = tops[last]._replace(blocks=(*others, ended))

    def _placed(self, nodes: Iterable[Element | Chars]) -> Iterable[tuple[Block, Element | None]]:
        """Top-level blocks, each with the element that is written back for it where one stands for it alone."""
        for group in _grouped(nodes):
            yield from self._placed_group(group)

    def _placed_group(self, group: Element | list[Element | Chars]) -> Iterable[tuple[Block, Element | None]]:
        if isinstance(group, Element):
            blocks = self._element(group)
            alone = len(blocks) == 1 and group.tidy and group.tag not in ("li", "td", "th", "tr")
            for block in blocks:
                yield block, group if alone else None
        elif all(
            _is_unknown(node) or (isinstance(node, Chars) and not node.text.strip(_SPACE)) for node in group
        ):
            for node in group:
                if isinstance(node, Element):
                    yield self._opaque(node), node
        else:
            yield Paragraph(self._inlines(group)), None

    def _opaque(self, element: Element) -> OpaqueBlock:
        content = self.html[element.start : element.end]
        return OpaqueBlock(opaque_label(element.tag, content), self.format, content)

    def _blocks(self, nodes: Iterable[Element | Chars]) -> tuple[Block, ...]:
        return tuple(block for block, _ in self._placed(nodes))

    def _element(self, element: Element) -> Sequence[Block]:
        tag = element.tag
        if tag in _HEADINGS and not _has_inner_block(element):
            return (Heading(_HEADINGS[tag], self._inlines(element.children)),)
        if tag in ("ul", "ol"):
            return (self._list(element),)
        match tag:
            case "blockquote":
                return (Quote(self._blocks(element.children)),)
            case "pre":
                return (self._code(element),)
            case "hr":
                return (Rule(),)
            case "table":
                return self._table(element)
        return (self._opaque(element),) if _is_unknown(element) else self._blocks(element.children)

    def _code(self, element: Element) -> Block:
        content = self.html[element.start : element.end]
        if NODE_URN in content and element.tidy:
            return self._opaque(element)
        named = [element, *(child for child in element.children if isinstance(child, Element))]
        found = (each.attributes.get("data-language") or _class_language(each) for each in named)
        return CodeBlock(_chars_in(element), next(filter(None, found), ""))

    def _list(self, element: Element) -> Block:
        tasks = element.attributes.get("data-type", "").lower() in ("checklist", "tasklist")
        items: list[ListItem] = []
        for group in _grouped(element.children):
            if isinstance(group, Element) and group.tag == "li":
                items.append(ListItem(self._blocks(group.children), _checked(group, tasks=tasks)))
            elif isinstance(group, Element) and group.tag in ("ul", "ol") and items:
                # Editors nest lists beside the item they belong to.
                items[-1] = replace(items[-1], blocks=(*items[-1].blocks, self._list(group)))
            else:
                items.append(ListItem(self._blocks([group] if isinstance(group, Element) else group)))
        if element.tag == "ul":
            return BulletList(tuple(items))
        start = element.attributes.get("start", "1")
        return OrderedList(tuple(items), int(start) if re.fullmatch(r"[0-9]{1,9}", start) else 1)

    def _table(self, element: Element) -> Sequence[Block]:
        rows = list(_rows(element))
        first, head = rows[0] if rows else (None, False)
        cells = [self._row(row) for row, _ in rows]
        titled = first is not None and (head or all(cell.tag == "th" for cell in _cells(first)))
        table = Table(cells[0], tuple(cells[1:])) if titled else Table((), tuple(cells))
        captions = [
            child for child in element.children if isinstance(child, Element) and child.tag == "caption"
        ]
        above = [Paragraph(self._inlines(caption.children)) for caption in captions]
        return (*above, table)

    def _row(self, row: Element) -> tuple[Cell, ...]:
        return tuple(self._cell(cell) for cell in _cells(row))

    def _cell(self, cell: Element) -> Cell:
        children: list[Inline] = []
        for block in self._blocks(cell.children):
            for line in inlines_in(block):
                children += [LineBreak(), *line]
            if isinstance(block, CodeBlock):
                children += [LineBreak(), Code(block.text)]
            if isinstance(block, OpaqueBlock):
                children += [LineBreak(), Opaque(block.label, block.format, block.content)]
        return tuple(children)

    def _inlines(self, nodes: Iterable[Element | Chars]) -> tuple[Inline, ...]:
        out: list[Inline] = []
        for node in nodes:
            if isinstance(node, Chars):
                out.append(Text(node.text))
            else:
                out += self._inline(node)
        return tuple(out)

    def _inline(self, element: Element) -> Sequence[Inline]:
        tag = element.tag
        if tag in _NO_TEXT:
            return ()
        if tag == "br":
            return (LineBreak(),)
        if tag == "img":
            attributes = element.attributes
            title = attributes.get("title", "")
            return (Image(attributes.get("src", ""), attributes.get("alt", "") or title, title),)
        if tag == "a" and element.attributes.get("href"):
            return (self._link(element),)
        children = self._inlines(element.children)
        if tag in _MARKS:
            return (_MARKS[tag](children),)
        if tag in _CODE:
            return _as_code(children)
        if not _is_unknown(element):
            return children
        block = self._opaque(element)
        return (Opaque(block.label, block.format, block.content),)

    def _link(self, element: Element) -> Link:
        attributes = element.attributes
        source = None
        if attributes["href"].startswith(NODE_URN) and element.tidy:
            source = Source(self.format, self.html[element.start : element.end])
        return Link(attributes["href"], self._inlines(element.children), attributes.get("title", ""), source)


def _grouped(nodes: Iterable[Element | Chars]) -> Iterable[Element | list[Element | Chars]]:
    """Blocks one by one, and the running text between them in one piece."""
    text: list[Element | Chars] = []
    for node in nodes:
        if isinstance(node, Element) and _stands_alone(node):
            if text:
                yield text
            text = []
            yield node
        else:
            text.append(node)
    if text:
        yield text


def _is_unknown(node: Element | Chars) -> bool:
    """Kept as it is; what was not closed can only be read for its text."""
    return isinstance(node, Element) and node.tag not in _KNOWN and node.tidy


def _stands_alone(element: Element) -> bool:
    if element.tag == "a" and element.attributes.get("href", "").startswith(NODE_URN):
        return False
    return element.is_block or element.has_block


def _has_inner_block(element: Element) -> bool:
    return any(
        isinstance(child, Element) and (child.is_block or child.has_block) for child in element.children
    )


def _as_code(children: Iterable[Inline]) -> tuple[Inline, ...]:
    """Code has no marks of its own; links in it stay links."""
    out: list[Inline] = []
    for child in children:
        match child:
            case Text(text):
                out.append(Code(text))
            case Strong() | Emphasis() | Underline() | Strike():
                out += _as_code(child.children)
            case Link() if not child.is_node:
                out.append(replace(child, children=_as_code(child.children)))
            case _:
                out.append(child)
    return tuple(out)


def _chars_in(element: Element) -> str:
    parts: list[str] = []
    for child in element.children:
        if isinstance(child, Chars):
            parts.append(child.text)
        elif child.tag == "br":
            parts.append("\n")
        else:
            parts.append(_chars_in(child))
    return "".join(parts)


def _class_language(element: Element) -> str:
    found = _LANGUAGE_CLASS.search(element.attributes.get("class", ""))
    return found.group(1) if found else ""


def _checked(item: Element, *, tasks: bool) -> bool | None:
    state = item.attributes.get("data-checked")
    if state is not None:
        return state.lower() not in ("false", "0")
    for child in item.children:
        if isinstance(child, Element) and child.attributes.get("type", "").lower() == "checkbox":
            return "checked" in child.attributes
    return False if tasks else None


def _rows(element: Element) -> Iterable[tuple[Element, bool]]:
    """The rows of a table, and whether each stands in its head."""
    for child in element.children:
        if not isinstance(child, Element):
            continue
        if child.tag == "tr":
            yield child, element.tag == "thead"
        elif child.tag in ("thead", "tbody", "tfoot"):
            yield from _rows(child)


def _cells(row: Element) -> list[Element]:
    return [child for child in row.children if isinstance(child, Element) and child.tag in ("td", "th")]
