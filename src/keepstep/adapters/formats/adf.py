"""Atlassian's document format, as Jira Cloud's API takes and gives it: `Adf`. The text is the document's JSON."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from keepstep.adapters.formats import adf_json
from keepstep.adapters.formats.adf_read import NAME, Reader
from keepstep.adapters.formats.adf_shown import is_inline, shown
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
    Strike,
    Strong,
    Table,
    Text,
    Underline,
)
from keepstep.domain.inlines import MarkType, Run, flatten, inline_text, placeholder
from keepstep.domain.nodes import Emphasis

Json = dict[str, Any]

_MARKS: dict[MarkType, str] = {Strong: "strong", Emphasis: "em", Strike: "strike", Underline: "underline"}
_IN_LISTS = frozenset(("mediaSingle", "extension"))
_IN_QUOTES = _IN_LISTS | {"mediaGroup"}


@dataclass(frozen=True, slots=True)
class Adf:
    @property
    def name(self) -> str:
        return NAME

    def read(self, text: str) -> Document:
        return Reader(text).document()

    def write(self, document: Document) -> str:
        """Always a whole document, an empty one for no blocks."""
        writer = _Writer()
        parts: list[str] = []
        before: str | None = None
        tail = ""
        for block in document.blocks:
            source = block.source if block.source and block.source.format == NAME else None
            gap = "," if parts else adf_json.HEAD
            if source is None:
                nodes = [adf_json.written(writer.block(one)) for one in shown(Document((block,))).blocks]
                parts += [gap, ",".join(nodes)] if nodes else []
                before, tail = "", ""
            else:
                led = bool(source.lead) and source.follows == before != ""
                parts += [source.lead if led else gap, source.text]
                before, tail = source.text, source.tail
        whole = "".join([*parts, tail])
        # Its own head and tail belong together; where an edit took one of them away, both are ours.
        kept = bool(parts) and (parts[0] != adf_json.HEAD or tail == adf_json.TAIL)
        if kept and tail and adf_json.is_document(whole):
            return whole
        nodes = parts[1::2]
        return adf_json.HEAD + ",".join(nodes) + adf_json.TAIL

    def shown(self, document: Document) -> Document:
        """What `read(write(document))` gives when no block has a source."""
        return shown(document)


@dataclass(slots=True)
class _Writer:
    """Knows the ids given so far: tasks need one, and the same text must get the same one at every write."""

    ids: dict[str, int] = field(default_factory=dict)

    def block(self, block: Block) -> Json:
        match block:
            case Paragraph((Image(src, alt),)):
                media = {"type": "external", "url": src, **({"alt": alt} if alt else {})}
                return _node("mediaSingle", [{"type": "media", "attrs": media}], layout="center")
            case Heading(level, children):
                return _node("heading", _inlines(children), level=level)
            case Table():
                return self._table(block)
            case Quote(blocks):
                return _node("blockquote", [self.inside(one, _IN_QUOTES) for one in blocks])
            case Rule():
                return {"type": "rule"}
            case OpaqueBlock(label, format_name, content):
                node = adf_json.parsed(content) if format_name == NAME and not is_inline(content) else None
                return dict(node) if node is not None else _opaque_line(label, format_name, content)
        return self.inside(block, _IN_LISTS, tasks=True)

    def inside(self, block: Block, allowed: Iterable[str], *, tasks: bool = False) -> Json:
        match block:
            case Paragraph(children):
                return _node("paragraph", _inlines(children))
            case CodeBlock(text, language):
                code = _node("codeBlock", [{"type": "text", "text": text}])
                return {**code, "attrs": {"language": language}} if language else code
            case BulletList(items) if tasks and _is_tasks(block):
                return self._tasks(items)
            case BulletList(items):
                return _node("bulletList", [self._item(item) for item in items])
            case OrderedList(items, start):
                listed = _node("orderedList", [self._item(item) for item in items])
                return {**listed, "attrs": {"order": start}} if start != 1 else listed
            case OpaqueBlock(label, format_name, content):
                node = adf_json.parsed(content) if format_name == NAME else None
                if node is not None and adf_json.kind(node) in allowed:
                    return dict(node)
                return _opaque_line(label, format_name, content)
        raise AssertionError(
            f"{type(block).__name__} cannot stand here in a document that was made ready to be shown"
        )

    def _item(self, item: ListItem) -> Json:
        blocks = item.blocks
        if item.checked is not None and isinstance(blocks[0], Paragraph):
            box = Text("☑ " if item.checked else "☐ ")
            blocks = (Paragraph((box, *blocks[0].children)), *blocks[1:])
        return _node("listItem", [self.inside(block, _IN_LISTS, tasks=True) for block in blocks])

    def _tasks(self, items: Sequence[ListItem]) -> Json:
        content: list[Json] = []
        for item in items:
            first, *rest = item.blocks
            line = _inlines(first.children) if isinstance(first, Paragraph) else []
            state = "DONE" if item.checked else "TODO"
            content.append(_node("taskItem", line, localId=self._id(adf_json.written(line)), state=state))
            content += [self._tasks(nested.items) for nested in rest if isinstance(nested, BulletList)]
        return _node("taskList", content, localId=self._id(adf_json.written(content)))

    def _id(self, content: str) -> str:
        digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self.ids[digest] = self.ids.get(digest, 0) + 1
        return f"{digest}-{self.ids[digest]}"

    def _table(self, table: Table) -> Json:
        rows = [_row("tableHeader", table.header)] if any(table.header) else []
        return _node("table", rows + [_row("tableCell", row) for row in table.rows])


def _is_tasks(block: Block) -> bool:
    """A list of tasks with nothing in them but a line and more such lists."""
    return isinstance(block, BulletList) and all(
        item.checked is not None
        and isinstance(item.blocks[0], Paragraph)
        and all(map(_is_tasks, item.blocks[1:]))
        for item in block.items
    )


def _row(name: str, cells: Iterable[Cell]) -> Json:
    return _node("tableRow", [_node(name, [_node("paragraph", _inlines(cell))]) for cell in cells])


def _node(name: str, content: Sequence[Json], **attributes: Any) -> Json:
    attrs = {"attrs": attributes} if attributes else {}
    return {"type": name, **attrs, "content": list(content)}


def _opaque_line(label: str, format_name: str, content: str) -> Json:
    return _node("paragraph", _inlines((Opaque(label, format_name, content),)))


def _inlines(children: Iterable[Inline]) -> list[Json]:
    return [_inline(run) for run in flatten(children)]


def _inline(run: Run) -> Json:
    match run.leaf:
        case LineBreak():
            return {"type": "hardBreak"}
        case Opaque(_, format_name, content) if format_name == NAME and is_inline(content):
            return dict(adf_json.parsed(content) or {})
        case Code(text):
            return _text(text, [{"type": "code"}], run.link)
        case Link(href, words):
            return _text(inline_text(words), _marks(run), Link(href, ()))
        case Text(text):
            return _text(text, _marks(run), run.link)
        case Opaque(label):
            return _text(placeholder(label), _marks(run), run.link)
        case Image(src, alt):
            return _text(alt or src, _marks(run), Link(src, ()))


def _marks(run: Run) -> list[Json]:
    return [{"type": name} for mark, name in _MARKS.items() if mark in run.marks]


def _text(text: str, marks: list[Json], link: Link | None) -> Json:
    if link is not None:
        title = {"title": link.title} if link.title else {}
        marks = [{"type": "link", "attrs": {"href": link.href, **title}}, *marks]
    return {"type": "text", "text": text, **({"marks": marks} if marks else {})}
