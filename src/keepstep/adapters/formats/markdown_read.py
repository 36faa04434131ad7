"""From Markdown to the document model. Blocks come from the parser with the lines they stand on, so that each can be
written back as it was read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from markdown_it.token import Token

from keepstep.adapters.formats.markdown_dialect import MAX_NESTING, UNCLOSED, Dialect, parser
from keepstep.adapters.formats.markdown_inline import InlineReader
from keepstep.adapters.formats.remembered import Reading, Top, remembered
from keepstep.adapters.formats.reread import Part
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
from keepstep.domain.inlines import flatten, opaque_label
from keepstep.domain.nodes import Image, with_source
from keepstep.domain.walk import inlines_in

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_BOX = re.compile(r"\[([ xX])\](?=\s)")
_KEPT = re.compile(r"\[\[_TOC_\]\]|\[TOC\]|\$\$.*\$\$", re.DOTALL)
_QUIET = re.compile(r"[^\n\r\\`*_~\[\]<>&!@#:$^{}|\x00]+")
"""Text in which no sign means anything."""
_BLANK = " \t\r\n"
_SEPARATOR = "<!-- -->"
_CLOSERS = (
    (re.compile(r"<!--"), "-->"),
    (re.compile(r"<\?"), "?>"),
    (re.compile(r"<!\[CDATA\["), "]]>"),
    (re.compile(r"<![A-Za-z]"), ">"),
    (re.compile(r"<script\b", re.IGNORECASE), "</script>"),
    (re.compile(r"<pre\b", re.IGNORECASE), "</pre>"),
    (re.compile(r"<style\b", re.IGNORECASE), "</style>"),
    (re.compile(r"<textarea\b", re.IGNORECASE), "</textarea>"),
)


class Reader:
    def __init__(self, text: str, dialect: Dialect) -> None:
        self.text = text
        self.dialect = dialect
        self.env: dict[str, Any] = {}
        self.starts = [found.start() for found in _LINE.finditer(text)]

    def part(self, follows: str | None, *, ends: bool, meaning: Mapping[str, dict[str, Any]]) -> Part:
        self.env["references"] = dict(meaning)
        tokens = parser(self.dialect).parse(self.text, self.env)
        references: dict[str, dict[str, Any]] = self.env["references"]
        defined = frozenset(one["href"] for one in references.values())
        tops: list[Top] = []
        at = 0
        for group in _groups(tokens):
            start, end = self._span(group[0])
            block, alone = self._known(group, self.text[start:end], defined)
            if block is None:
                tops.append(Top(start, end, (), solid=False))
                continue
            source = None
            if alone:
                lead = self.text[at:start] if follows != "" else ""
                source = Source(self.dialect.name, self.text[start:end], lead, follows)
            tops.append(Top(start, end, (with_source(block, source),), solid=alone))
            follows = source.text if source else ""
            at = end
        if ends:
            self._add_tail(tops, at)
        here = [one for label, one in references.items() if label not in meaning]
        here += self.env.get("duplicate_refs", [])
        definitions = tuple(self.starts[one["map"][0]] for one in here)
        # The line that would close a fenced quote may yet be written anywhere behind it.
        return Part(Reading(tuple(tops), definitions, references), local=UNCLOSED not in self.env)

    def _add_tail(self, tops: list[Top], at: int) -> None:
        tail = self.text[at:]
        last = next((place for place in range(len(tops) - 1, -1, -1) if tops[place].blocks), None)
        if last is not None and (source := tops[last].blocks[0].source) and not tail.strip(_BLANK):
            block = with_source(tops[last].blocks[0], replace(source, tail=tail))
            tops[last] = tops[last]._replace(blocks=(block,))

    def _known(
        self, group: Sequence[Token], content: str, defined: frozenset[str]
    ) -> tuple[Block | None, bool]:
        """The block in normal form, and whether its text means the same whatever stands around it."""
        key = (self.dialect.name, group[0].type, content)
        # Where link labels are defined, any bracket may be a link.
        lasting = not defined or "[" not in content
        if lasting and (known := remembered.get(key)):
            return known, True
        block = self._top(group, content)
        normal = normalise(Document((block,))).blocks if block is not None else ()
        if not normal:
            return None, False
        alone = self._stands_alone(group, normal[0], defined)
        if alone and lasting:
            remembered.put(key, normal[0])
        return normal[0], alone

    def _span(self, token: Token) -> tuple[int, int]:
        first, behind = token.map or [0, 0]
        start = self.starts[first]
        end = self.starts[behind] if behind < len(self.starts) else len(self.text)
        return start, max(start, start + len(self.text[start:end].rstrip(_BLANK)))

    def _top(self, group: Sequence[Token], content: str) -> Block | None:
        if max(token.level for token in group) >= MAX_NESTING - 2:
            return self._opaque("deeply nested", content)
        return self._block(group)

    def _stands_alone(self, group: Sequence[Token], block: Block, defined: frozenset[str]) -> bool:
        """(A block kept unread brings its own end.)"""
        if group[0].type == "fence" and not self._is_closed(group[0]):
            return False
        if group[0].type == "html_block":
            return _closed(group[0].content) == group[0].content.rstrip(_BLANK)
        return not defined or defined.isdisjoint(_addresses(block))

    def _is_closed(self, fence: Token) -> bool:
        start, end = self._span(fence)
        lines = re.split(r"[\r\n]+", self.text[start:end])
        last = lines[-1].strip(_BLANK)
        return len(lines) > 1 and last.startswith(fence.markup) and not last.strip(fence.markup[0])

    def _blocks(self, tokens: Sequence[Token]) -> tuple[Block, ...]:
        return tuple(block for group in _groups(tokens) if (block := self._block(group)) is not None)

    def _block(self, group: Sequence[Token]) -> Block | None:
        first, inside = group[0], group[1:-1]
        match first.type:
            case "paragraph_open":
                return self._paragraph(inside[0])
            case "heading_open":
                return Heading(int(first.tag[1:]), self._inlines(inside[0]))
            case "fence" | "code_block":
                return CodeBlock(first.content, first.info.strip())
            case "blockquote_open":
                return Quote(self._blocks(inside))
            case "bullet_list_open":
                return BulletList(self._items(inside))
            case "ordered_list_open":
                return OrderedList(self._items(inside), int(first.attrs.get("start", 1)))
            case "table_open":
                return self._table(inside)
            case "hr":
                return Rule()
            case _:
                content = _closed(first.content)
                return None if content == _SEPARATOR else self._opaque(_kind(content), content)

    def _opaque(self, kind: str, content: str) -> OpaqueBlock:
        return OpaqueBlock(opaque_label(kind, content), self.dialect.name, content)

    def _paragraph(self, inline: Token) -> Block:
        if _KEPT.fullmatch(inline.content):
            kind = "contents" if inline.content.startswith("[") else "formula"
            return self._opaque(kind, inline.content)
        return Paragraph(self._inlines(inline))

    def _inlines(self, inline: Token) -> tuple[Inline, ...]:
        if _QUIET.fullmatch(inline.content):
            return (Text(inline.content),)
        return InlineReader(self._parsed(inline), self.dialect).inlines()

    def _parsed(self, inline: Token) -> list[Token]:
        if inline.children is None:
            inline.children = []
        if not inline.children:
            md = parser(self.dialect)
            md.inline.parse(inline.content, md, self.env, inline.children)
        return inline.children

    def _items(self, tokens: Sequence[Token]) -> tuple[ListItem, ...]:
        return tuple(self._item(group[1:-1]) for group in _groups(tokens))

    def _item(self, tokens: Sequence[Token]) -> ListItem:
        checked = None
        inline = tokens[1] if len(tokens) > 1 and tokens[0].type == "paragraph_open" else None
        box = _BOX.match(inline.content) if inline else None
        words = self._parsed(inline)[0] if inline and box else None
        # The box is raw text: an escaped one comes as a token of its own.
        if box and words and words.type == "text" and words.content.startswith(box.group()):
            checked = box.group(1) != " "
            words.content = words.content[box.end() :]
        return ListItem(self._blocks(tokens), checked)

    def _table(self, tokens: Sequence[Token]) -> Table:
        rows: list[tuple[Cell, ...]] = []
        row: list[Cell] = []
        alignments: list[Alignment] = []
        for at, token in enumerate(tokens):
            match token.type:
                case "tr_open":
                    row = []
                case "tr_close":
                    rows.append(tuple(row))
                case "th_open" | "td_open":
                    row.append(self._inlines(tokens[at + 1]))
                    if token.type == "th_open":
                        alignments.append(_alignment(token))
        return Table(rows[0], tuple(rows[1:]), tuple(alignments))


def _groups(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """Each block with everything inside it."""
    groups: list[Sequence[Token]] = []
    start = depth = 0
    for at, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            groups.append(tokens[start : at + 1])
            start = at + 1
    return groups


def _alignment(token: Token) -> Alignment:
    style = str(token.attrs.get("style", ""))
    found: Sequence[Alignment] = ("left", "center", "right")
    return next((one for one in found if style.endswith(one)), "")


def _addresses(block: Block) -> set[str]:
    found: set[str] = set()
    for children in inlines_in(block):
        for run in flatten(children):
            if run.link is not None:
                found.add(run.link.href)
            if isinstance(run.leaf, Image):
                found.add(run.leaf.src)
    return found


def _closed(content: str) -> str:
    """HTML that was left open at the end of the text would swallow what is written behind it."""
    content = content.rstrip(_BLANK)
    for opening, closer in _CLOSERS:
        if found := opening.match(content.lstrip()):
            behind = content.find(content.lstrip()) + found.end()
            return (
                content
                if closer in content[behind:].lower() or closer in content[behind:]
                else content + closer
            )
    return content


def _kind(content: str) -> str:
    if content.lstrip().startswith("<!--"):
        return "comment"
    found = re.match(r"\s*</?([A-Za-z][\w-]*)", content)
    return f"HTML {found.group(1)}" if found else "HTML"
