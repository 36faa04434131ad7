"""From runs of text to Markdown."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from keepstep.adapters.formats.markdown_dialect import Dialect
from keepstep.adapters.formats.markdown_escape import address, code_span, escaped, fully_escaped, title
from keepstep.domain.inlines import MarkType, placeholder
from keepstep.domain.nodes import (
    Code,
    Emphasis,
    Image,
    Inline,
    LineBreak,
    Link,
    Opaque,
    Strike,
    Strong,
    Text,
    Underline,
)

_SIGNS: dict[MarkType, str] = {Strong: "**", Emphasis: "*", Strike: "~~"}
_TAGS: dict[MarkType, str] = {Strong: "strong", Emphasis: "em", Underline: "ins", Strike: "del"}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*\Z")
_ALERT = re.compile(r"\[!\w+\]\Z")


@dataclass(frozen=True, slots=True)
class Care:
    """How much is done so that the text reads back the same; more makes it uglier."""

    bare_addresses: bool
    signs: bool
    """Marks by `**` and the like; otherwise by tags, which need no white space around them."""
    acting: bool
    """Live words act and opaque things are written; otherwise they are text, as where a tag would open a block."""
    full: bool = False
    """Every sign escaped."""


_SIMPLE = Care(bare_addresses=True, signs=True, acting=True)
_CLOSED = Care(bare_addresses=False, signs=True, acting=True)
_TAGGED = Care(bare_addresses=False, signs=False, acting=True)
_ACTING = (_SIMPLE, _CLOSED, _TAGGED)
CARES = (
    *_ACTING,
    *(replace(care, acting=False) for care in _ACTING),
    replace(_TAGGED, acting=False, full=True),
)


@dataclass(frozen=True, slots=True)
class InlineWriter:
    dialect: Dialect
    care: Care
    in_cell: bool = False

    def line(self, children: Iterable[Inline]) -> str:
        out: list[str] = []
        before: Inline | None = None
        for child in children:
            alert = isinstance(before, Text) and bool(before.live) and _ALERT.search(before.text)
            out.append("\n" if alert and isinstance(child, LineBreak) else self._inline(child))
            before = child
        return "".join(out)

    def _inline(self, inline: Inline) -> str:
        match inline:
            case Text():
                return escaped(
                    inline if self.care.acting else Text(inline.text), self.dialect, full=self.care.full
                )
            case Strong() | Emphasis() | Underline() | Strike():
                return self._marked(type(inline), self.line(inline.children))
            case Code(text):
                # What looks like the end of a label, `]:`, does so between backticks, too.
                return f"<code>{fully_escaped(text)}</code>" if self.care.full else code_span(text)
            case LineBreak():
                return "<br>" if self.in_cell else "\\\n"
            case Link():
                return self._link(inline)
            case Image(src, alt, note):
                return f"!{self._target(escaped(Text(alt), self.dialect, full=True), src, note)}"
            case Opaque(label, format_name, content):
                own = format_name == self.dialect.name and content and self.care.acting
                return content if own else escaped(Text(placeholder(label)), self.dialect)

    def _marked(self, mark: MarkType, text: str) -> str:
        if self.care.signs and mark in _SIGNS:
            return f"{_SIGNS[mark]}{text}{_SIGNS[mark]}"
        return f"<{_TAGS[mark]}>{text}</{_TAGS[mark]}>"

    def _link(self, link: Link) -> str:
        if link.children == (Text(link.href),) and not link.title and _SCHEME.match(link.href):
            return (
                link.href if self.care.bare_addresses and link.href.startswith("http") else f"<{link.href}>"
            )
        return self._target(self.line(link.children), link.href, link.title)

    @staticmethod
    def _target(words: str, href: str, note: str) -> str:
        behind = f' "{title(note)}"' if note else ""
        return f"[{words}]({address(href)}{behind})"
