"""From the parser's inline tokens to runs of text."""

import re
from collections.abc import Sequence

from markdown_it.token import Token

from keepstep.adapters.formats.markdown_dialect import Dialect, words_that_act
from keepstep.domain.inlines import ADDRESS, MarkType, Run, nest, opaque_label
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

_MARKS: dict[str, MarkType] = {"strong": Strong, "em": Emphasis, "s": Strike}
_TAGS: dict[str, MarkType] = {
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
_TAG = re.compile(r"<(/?)([a-zA-Z]+)>")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_ALERT = re.compile(r"\[!\w+\]\Z")
_NOTHING = "<!-- -->"
_LONGEST_TAG = 60


class InlineReader:
    def __init__(self, tokens: Sequence[Token], dialect: Dialect) -> None:
        self.tokens = tokens
        self.dialect = dialect
        self.acting = words_that_act(dialect)
        self.paired = _paired_tags(tokens)
        self.codes = _code_tags(tokens)
        self.depth: dict[MarkType, int] = {}
        self.link: Link | None = None
        self.runs: list[Run] = []

    def inlines(self) -> tuple[Inline, ...]:
        at = 0
        while at < len(self.tokens):
            end = self.codes.get(at)
            if end is None:
                self._token(at, self.tokens[at])
            else:
                self._add(Code(_words(self.tokens[at:end])))
            at = at + 1 if end is None else end + 1
        return nest(self.runs)

    def _token(self, at: int, token: Token) -> None:
        kind = token.type
        if kind == "text":
            # Inside an address nothing acts.
            words = self.acting.findall(ADDRESS.sub(" ", token.content))
            self._add(Text(token.content, frozenset(words)))
        elif kind == "html_inline":
            self._tag(at, token.content)
        elif kind == "softbreak":
            self._add(LineBreak() if self._line_ends_here() else Text(" "))
        elif kind == "hardbreak":
            self._add(LineBreak())
        elif kind == "code_inline":
            self._add(Code(token.content))
        elif kind == "image":
            self._add(
                Image(_attribute(token, "src"), _words(token.children or ()), _attribute(token, "title"))
            )
        elif kind == "link_open":
            self.link = Link(_attribute(token, "href"), (), _attribute(token, "title"))
            self.linked_from = len(self.runs)
        elif kind == "link_close":
            self._close_link()
        elif (mark := _MARKS.get(kind.rpartition("_")[0])) is not None:
            self._mark(mark, token.nesting)
        else:
            self._add(Text(token.content))

    def _line_ends_here(self) -> bool:
        if self.dialect.soft_breaks_show:
            return True
        last = self.runs[-1].leaf if self.runs else None
        return isinstance(last, Text) and bool(last.live) and _ALERT.search(last.text) is not None

    def _tag(self, at: int, content: str) -> None:
        if content == _NOTHING:
            return
        if _BREAK.fullmatch(content):
            self._add(LineBreak())
        elif at in self.paired:
            found = _TAG.fullmatch(content)
            if found is not None:
                self._mark(_TAGS[found.group(2).lower()], -1 if found.group(1) else 1)
        elif len(content) <= _LONGEST_TAG and self.acting.fullmatch(content):
            self._add(Text(content, frozenset((content,))))
        else:
            self._add(Opaque(opaque_label("HTML", content), self.dialect.name, content))

    def _mark(self, mark: MarkType, change: int) -> None:
        self.depth[mark] = self.depth.get(mark, 0) + change

    def _add(self, leaf: Text | Code | LineBreak | Image | Opaque) -> None:
        self.runs.append(Run(leaf, self._marks(), self.link))

    def _marks(self) -> frozenset[MarkType]:
        return frozenset(mark for mark, depth in self.depth.items() if depth > 0)

    def _close_link(self) -> None:
        """A link to embedded content is one piece; a link without words shows where it leads."""
        link, self.link = self.link, None
        if link is None:
            return
        inside = self.runs[self.linked_from :]
        if link.is_node:
            children = nest([Run(run.leaf, run.marks) for run in inside])
            self.runs[self.linked_from :] = [Run(Link(link.href, children), self._marks())]
        elif not inside:
            self.runs.append(Run(Text(link.href), self._marks(), link))


def _paired_tags(tokens: Sequence[Token]) -> frozenset[int]:
    """Places of the tags that mean a mark and have a partner."""
    opened: dict[str, list[int]] = {}
    paired: set[int] = set()
    for at, token in enumerate(tokens):
        found = _TAG.fullmatch(token.content) if token.type == "html_inline" else None
        if found is None or (tag := found.group(2).lower()) not in _TAGS:
            continue
        if not found.group(1):
            opened.setdefault(tag, []).append(at)
        elif opened.get(tag):
            paired |= {opened[tag].pop(), at}
    return frozenset(paired)


def _code_tags(tokens: Sequence[Token]) -> dict[int, int]:
    """Where tags of code begin and end that hold nothing but text."""
    found: dict[int, int] = {}
    opened: int | None = None
    for at, token in enumerate(tokens):
        if token.type == "html_inline" and token.content.lower() == "<code>":
            opened = at
        elif token.type == "html_inline" and token.content.lower() == "</code>" and opened is not None:
            found[opened] = at
            opened = None
        elif token.type not in ("text", "text_special", "softbreak"):
            opened = None
    return found


def _attribute(token: Token, name: str) -> str:
    return str(token.attrs.get(name, ""))


def _words(tokens: Sequence[Token]) -> str:
    parts: list[str] = []
    for token in tokens:
        if token.type in ("text", "text_special", "code_inline"):
            parts.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            parts.append(" ")
        elif token.children:
            parts.append(_words(token.children))
    return "".join(parts)
