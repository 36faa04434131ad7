"""From Atlassian's document format to the document model; what the model has no word for is kept whole."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from keepstep.adapters.formats import adf_json
from keepstep.adapters.formats.adf_json import Node, attribute, children, kind, text_of
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
from keepstep.domain.inlines import MarkType, Run, nest, opaque_label
from keepstep.domain.nodes import Emphasis, with_source

NAME = "adf"
_MARKS: dict[str, MarkType] = {
    "strong": Strong,
    "em": Emphasis,
    "strike": Strike,
    "underline": Underline,
}
_DEEPEST = 16
_LONGEST_HINT = 30


class Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.depth = 0

    def document(self) -> Document:
        placed = adf_json.placed_nodes(self.text)
        if placed is None:
            return _plain(self.text)
        blocks: list[Block] = []
        follows: str | None = None
        at = 0
        for one in placed:
            found = normalise(Document(self._block(one.node))).blocks
            if not found:
                continue
            source = None
            if len(found) == 1:
                lead = (
                    self.text[at : one.start] if follows != "" and _is_quiet(self.text, at, one.start) else ""
                )
                source = Source(NAME, self.text[one.start : one.end], lead, follows)
            blocks += [with_source(block, source) for block in found]
            follows = source.text if source else ""
            at = one.end
        if blocks and (last := blocks[-1].source):
            blocks[-1] = with_source(blocks[-1], replace(last, tail=self.text[at:]))
        return Document(tuple(blocks))

    def _blocks(self, nodes: Iterable[Node]) -> tuple[Block, ...]:
        """Text may stand between blocks where an editor was careless."""
        out: list[Block] = []
        line: list[Node] = []
        for node in nodes:
            if kind(node) in adf_json.INLINE:
                line.append(node)
                continue
            if line:
                out.append(Paragraph(_inlines(line)))
                line = []
            out += self._block(node)
        return (*out, Paragraph(_inlines(line))) if line else tuple(out)

    def _block(self, node: Node) -> tuple[Block, ...]:
        if self.depth >= _DEEPEST:
            return (opaque(node),)
        self.depth += 1
        try:
            return self._known(node)
        finally:
            self.depth -= 1

    def _known(self, node: Node) -> tuple[Block, ...]:
        inside = children(node)
        match kind(node):
            case "blockquote":
                return (Quote(self._blocks(inside)),)
            case "bulletList":
                return (BulletList(self._items(inside)),)
            case "orderedList":
                order = attribute(node, "order")
                return (OrderedList(self._items(inside), order if isinstance(order, int) else 1),)
            case "taskList":
                return (BulletList(self._tasks(inside)),)
            case "table":
                return (_table(node),)
            case name if name in adf_json.INLINE:
                return (Paragraph(_inlines((node,))),)
        return (_leaf(node),)

    def _items(self, nodes: Iterable[Node]) -> tuple[ListItem, ...]:
        return tuple(ListItem(self._blocks(children(node))) for node in nodes)

    def _tasks(self, nodes: Iterable[Node]) -> tuple[ListItem, ...]:
        """A list nested in a task stands behind it, not in it."""
        items: list[ListItem] = []
        for node in nodes:
            if kind(node) == "taskList":
                nested = self._block(node)
                if items:
                    items[-1] = ListItem((*items[-1].blocks, *nested), items[-1].checked)
                else:
                    items.append(ListItem(nested))
            else:
                items.append(ListItem(self._blocks(children(node)), attribute(node, "state") == "DONE"))
        return tuple(items)


def _leaf(node: Node) -> Block:
    """A block without blocks in it."""
    match kind(node):
        case "paragraph":
            return Paragraph(_inlines(children(node)))
        case "heading":
            level = attribute(node, "level")
            return Heading(level if isinstance(level, int) else 1, _inlines(children(node)))
        case "codeBlock":
            text = "".join(text_of(child.get("text")) for child in children(node))
            return CodeBlock(text, text_of(attribute(node, "language")))
        case "rule":
            return Rule()
        case "mediaSingle":
            return _picture(node)
        case "blockCard" if url := text_of(attribute(node, "url")):
            return Paragraph((Link(url, (Text(url),)),))
    return opaque(node)


def opaque(node: Node) -> OpaqueBlock:
    content = adf_json.written(node)
    hint = " ".join(_words(node).split())[:_LONGEST_HINT]
    return OpaqueBlock(opaque_label(f"{kind(node) or 'content'} {hint}", content), NAME, content)


def _words(node: Node) -> str:
    """What a reader would call the thing by: its own name, else the first words in it."""
    name = next(
        (
            text
            for key in ("title", "text", "alt", "shortName", "extensionKey")
            if (text := attribute(node, key))
        ),
        "",
    )
    if kind(node) == "date":
        return _day(attribute(node, "timestamp"))
    found: list[str] = [text_of(name) or text_of(node.get("text"))]
    waiting = list(children(node))[::-1]
    while waiting and sum(map(len, found)) < _LONGEST_HINT:
        inner = waiting.pop()
        found.append(text_of(inner.get("text")))
        waiting += list(children(inner))[::-1]
    return " ".join(found)


def _day(timestamp: object) -> str:
    try:
        return datetime.fromtimestamp(int(str(timestamp)) / 1000, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return ""


def _inlines(nodes: Iterable[Node]) -> tuple[Inline, ...]:
    return nest([run for node in nodes for run in _runs(node)])


def _runs(node: Node) -> Sequence[Run]:
    match kind(node):
        case "text":
            return _text(node)
        case "hardBreak":
            return [Run(LineBreak())]
        case "emoji" if (shown := text_of(attribute(node, "text"))) and not shown.startswith(":"):
            return [Run(Text(shown))]
        case "inlineCard" if url := text_of(attribute(node, "url")):
            return _linked(Run(Text(url)), Link(url, ()))
    block = opaque(node)
    return [Run(Opaque(block.label, NAME, block.content))]


def _text(node: Node) -> Sequence[Run]:
    text = text_of(node.get("text"))
    if not text:
        return []
    names = {kind(mark) for mark in adf_json.marks(node)}
    found = frozenset(_MARKS[name] for name in names if name in _MARKS)
    run = Run(Code(text) if "code" in names else Text(text), found)
    link = next((mark for mark in adf_json.marks(node) if kind(mark) == "link"), None)
    href = text_of(attribute(link, "href")) if link else ""
    return _linked(run, Link(href, (), text_of(attribute(link, "title")))) if link and href else [run]


def _linked(run: Run, link: Link) -> Sequence[Run]:
    if link.is_node:
        return [Run(Link(link.href, (run.leaf,)), run.marks)]
    return [replace(run, link=link)]


def _table(node: Node) -> Block:
    """A table whose cells hold running text only; others are kept whole, since a rewrite would flatten them."""
    rows = [children(row) for row in children(node) if kind(row) == "tableRow"]
    cells = [cell for row in rows for cell in row]
    if not cells or any(_is_rich(cell) for cell in cells):
        return opaque(node)
    read = [tuple(map(_cell, row)) for row in rows]
    titled = bool(rows[0]) and all(kind(cell) == "tableHeader" for cell in rows[0])
    return Table(read[0], tuple(read[1:])) if titled else Table((), tuple(read))


def _is_rich(cell: Node) -> bool:
    spans = (attribute(cell, "colspan"), attribute(cell, "rowspan"))
    return any(span not in (None, 1) for span in spans) or any(
        kind(child) not in adf_json.INLINE | {"paragraph"} for child in children(cell)
    )


def _cell(cell: Node) -> Cell:
    out: list[Inline] = []
    for child in children(cell):
        if kind(child) == "paragraph":
            out += [LineBreak(), *_inlines(children(child)), LineBreak()]
        else:
            out += _inlines((child,))
    return tuple(out)


def _picture(node: Node) -> Block:
    """A picture by its address; one that lies in Jira is known by its id alone and kept whole."""
    inside = children(node)
    url = text_of(attribute(inside[0], "url")) if len(inside) == 1 else ""
    if not url or attribute(inside[0], "type") != "external":
        return opaque(node)
    return Paragraph((Image(url, text_of(attribute(inside[0], "alt"))),))


def _plain(text: str) -> Document:
    """Jira's webhooks give plain text where its API gives a document."""
    paragraphs = text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n")
    lines = [[run for line in one.split("\n") for run in (LineBreak(), Text(line))] for one in paragraphs]
    return normalise(Document(tuple(Paragraph(tuple(line)) for line in lines)))


def _is_quiet(text: str, start: int, end: int) -> bool:
    """Nothing was left out between two nodes. (In front of the first stands the document's own head.)"""
    return start == 0 or not text[start:end].strip(" \t\n\r,")
