"""A forgiving reader of HTML that remembers where everything stood.

The parsers at hand either rewrite what they read (then no block could be written back byte for byte) or need time
that grows with the square of some broken inputs. This one never looks at a character twice and never raises.
"""

import re
from dataclasses import dataclass, field
from html import unescape


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


VOID = names("area base br col embed hr img input link meta param source track wbr")
BLOCK = names(
    "address article aside blockquote body center caption dd details div dl dt fieldset figcaption figure footer form"
    " h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody td tfoot th thead tr"
    " ul"
)
_RAW = frozenset(("script", "style"))
_CLOSED_BY = {
    "li": frozenset(("li",)),
    "tr": frozenset(("tr", "td", "th")),
    "td": frozenset(("td", "th")),
    "th": frozenset(("td", "th")),
    "tbody": frozenset(("thead", "tbody", "tr", "td", "th")),
    "thead": frozenset(("tr", "td", "th")),
    "tfoot": frozenset(("thead", "tbody", "tr", "td", "th")),
    "dt": frozenset(("dt", "dd")),
    "dd": frozenset(("dt", "dd")),
}
_SCOPES = {
    "li": frozenset(("ul", "ol")),
    "dt": frozenset(("dl",)),
    "dd": frozenset(("dl",)),
}
_TABLE = frozenset(("table",))
_MAX_DEPTH = 60  # deeper tags are read as if they were not there; recursion stays far from Python's limit

_PLAIN = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)>")
_NAME = re.compile(r"</?([a-zA-Z][^\s/><\"'=]*)")
_ATTRIBUTE = re.compile(r"[\s/]*([^\s/>=\"'<]+)(?:\s*=\s*([^\s\"'>]+))?")
_QUOTED = re.compile(r"[\s/]*([^\s/>=\"'<]+)\s*=\s*([\"'])")


@dataclass(slots=True)
class Chars:
    text: str
    start: int
    end: int


@dataclass(slots=True)
class Element:
    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[Element | Chars]" = field(default_factory=list)
    start: int = 0
    end: int = 0
    has_block: bool = False
    """A block stands somewhere inside."""
    tidy: bool = True
    """Every tag inside is closed, in order."""

    @property
    def is_block(self) -> bool:
        return self.tag in BLOCK


def parse(html: str) -> Element:
    """A root element without a tag that holds everything."""
    return _Builder(html).run()


class _Builder:
    def __init__(self, html: str) -> None:
        self.html = html
        self.root = Element("", end=len(html))
        self.stack = [self.root]
        self.skipped: dict[str, int] = {}
        self.last_quote = {quote: html.rfind(quote) for quote in "\"'"}
        self.last_end = {mark: html.rfind(mark) for mark in ("-->", "?>", ">")}

    def run(self) -> Element:
        at = text_from = 0
        while (tag_at := self.html.find("<", at)) >= 0:
            end = self._markup(tag_at, text_from)
            if end is None:
                at = tag_at + 1
            else:
                at = text_from = end
        self._chars(text_from, len(self.html))
        while len(self.stack) > 1:
            self._pop(len(self.html), tidy=False)
        return self.root

    def _markup(self, at: int, text_from: int) -> int | None:
        """Where the markup at this "<" ends; None where it is no markup but text."""
        if plain := _PLAIN.match(self.html, at):
            self._chars(text_from, at)
            return self._tag(plain.group(2).lower(), {}, at, plain.end(), closing=bool(plain.group(1)))
        for opening, closing in (("<!--", "-->"), ("<!", ">"), ("<?", "?>")):
            if self.html.startswith(opening, at):
                if self.last_end[closing] < at + len(opening):
                    return None
                self._chars(text_from, at)
                return self.html.index(closing, at + len(opening)) + len(closing)
        name = _NAME.match(self.html, at)
        if name is None or self.last_end[">"] < at:
            return None
        attributes, end, empty = self._attributes(name.end())
        self._chars(text_from, at)
        closing_tag = self.html[at + 1] == "/"
        return self._tag(name.group(1).lower(), attributes, at, end, closing=closing_tag, empty=empty)

    def _tag(
        self, tag: str, attributes: dict[str, str], at: int, end: int, *, closing: bool, empty: bool = False
    ) -> int:
        if closing:
            self._close(tag, at, end)
            return end
        self._open(tag, attributes, at, end, empty=empty)
        return self._behind_raw(tag, end) if tag in _RAW and not empty else end

    def _attributes(self, at: int) -> tuple[dict[str, str], int, bool]:
        found: dict[str, str] = {}
        while at < len(self.html) and self.html[at] != ">":
            quoted = _QUOTED.match(self.html, at)
            if quoted and self.last_quote[quoted.group(2)] >= quoted.end():
                closing = self.html.index(quoted.group(2), quoted.end())
                found.setdefault(quoted.group(1).lower(), unescape(self.html[quoted.end() : closing]))
                at = closing + 1
            elif bare := _ATTRIBUTE.match(self.html, at):
                found.setdefault(bare.group(1).lower(), unescape(bare.group(2) or ""))
                at = bare.end()
            else:
                at += 1
        return found, min(at + 1, len(self.html)), self.html[at - 1] == "/"

    def _behind_raw(self, tag: str, at: int) -> int:
        """Scripts and styles are no text; what they hold is not looked at."""
        closing = re.compile(f"</{tag}\\s*>", re.IGNORECASE).search(self.html, at)
        if closing is None:
            return len(self.html)
        self._close(tag, closing.start(), closing.end())
        return closing.end()

    def _chars(self, start: int, end: int) -> None:
        if end > start:
            text = self.html[start:end]
            self.stack[-1].children.append(Chars(unescape(text) if "&" in text else text, start, end))

    def _open(self, tag: str, attributes: dict[str, str], at: int, end: int, *, empty: bool) -> None:
        if tag in BLOCK:
            self._imply(tag, at)
        element = Element(tag, attributes, start=at, end=end)
        if tag in BLOCK:
            for outer in reversed(self.stack):
                if outer.has_block:
                    break  # and so have those around it
                outer.has_block = True
        if tag in VOID or empty:
            self.stack[-1].children.append(element)
        elif len(self.stack) > _MAX_DEPTH:
            self.skipped[tag] = self.skipped.get(tag, 0) + 1
            self._untidy()
        else:
            self.stack[-1].children.append(element)
            self.stack.append(element)

    def _imply(self, tag: str, at: int) -> None:
        """A block ends an open paragraph; an item or cell ends the one before it."""
        for depth in range(len(self.stack) - 1, 0, -1):
            if self.stack[depth].tag == "p":
                self._pop_to(depth, at, tidy=False)
                break
            if self.stack[depth].is_block:
                break
        closes = _CLOSED_BY.get(tag, frozenset())
        scope = _SCOPES.get(tag, _TABLE)
        outermost = 0
        for depth in range(len(self.stack) - 1, 0, -1):
            if self.stack[depth].tag in scope:
                break
            if self.stack[depth].tag in closes:
                outermost = depth
        if outermost:
            self._pop_to(outermost, at, tidy=False)

    def _close(self, tag: str, at: int, end: int) -> None:
        if self.skipped.get(tag):
            self.skipped[tag] -= 1
            return
        for depth in range(len(self.stack) - 1, 0, -1):
            if self.stack[depth].tag == tag:
                if depth < len(self.stack) - 1:
                    self._pop_to(depth + 1, at, tidy=False)
                self._pop(end, tidy=True)
                return
            if tag not in BLOCK and self.stack[depth].is_block:
                break
        self._untidy()

    def _pop_to(self, depth: int, at: int, *, tidy: bool) -> None:
        while len(self.stack) > depth:
            self._pop(at, tidy=tidy)

    def _pop(self, end: int, *, tidy: bool) -> None:
        if not tidy:
            self._untidy()
        self.stack.pop().end = end

    def _untidy(self) -> None:
        for element in reversed(self.stack):
            if not element.tidy:
                break  # and so are those around it
            element.tidy = False
