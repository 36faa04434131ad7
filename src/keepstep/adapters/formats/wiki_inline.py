"""Running text of the two wiki markups, Jira's and Textile, read in one pass.

Both set words in signs that count only at the edges of words (`*bold*`, `_slanted_`) and know no nesting of one sign in
itself. Places where something may end are listed once per text, so that no input makes the reader look twice.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Protocol

from keepstep.domain.inlines import ADDRESS, MarkType, Run, nest
from keepstep.domain.nodes import (
    Code,
    Emphasis,
    Image,
    Inline,
    LineBreak,
    Link,
    Strike,
    Strong,
    Text,
    Underline,
)

SIGNS: Mapping[str, MarkType] = {"*": Strong, "_": Emphasis, "-": Strike, "+": Underline}
SIGN_OF: Mapping[MarkType, str] = {mark: sign for sign, mark in SIGNS.items()}
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,8}\d{0,2});")
_TRAILING = "?!.,:;*_~'-+|"


class Spans(Protocol):
    """What a markup has besides marks; each looks at one place and tells what stands there and where it ends."""

    @property
    def specials(self) -> re.Pattern[str]:
        """Where something other than plain text may begin."""

    @property
    def acting(self) -> re.Pattern[str]:
        """Words that do something: mentions, references, macros."""

    @property
    def braced(self) -> bool:
        """Marks may stand in braces, `{*}`, and then count inside words, too."""

    def span(self, text: "Marked", at: int) -> "tuple[Sequence[Run], int] | None": ...


@dataclass(slots=True)
class Marked:
    """A text with the places of its signs."""

    text: str
    _places: dict[str, list[int]] = field(default_factory=dict)

    def next(self, sign: str, start: int) -> int:
        """Where the sign stands next; -1 when nowhere."""
        if sign not in self._places:
            self._places[sign] = [found.start() for found in re.finditer(re.escape(sign), self.text)]
        places = self._places[sign]
        at = bisect_left(places, start)
        return places[at] if at < len(places) else -1

    def closing(self, sign: str, start: int) -> int:
        """Where a mark with this sign ends that began right before `start`; -1 when nowhere on its line."""
        key = f"{sign} closes"
        if key not in self._places:
            pattern = rf"(?<=[^\s{re.escape(sign)}]){re.escape(sign)}(?![\w{re.escape(sign)}])"
            self._places[key] = [found.start() for found in re.finditer(pattern, self.text)]
        places = self._places[key]
        at = bisect_left(places, start + 1)
        return places[at] if at < len(places) and places[at] < self.line_end(start) else -1

    def line_end(self, start: int) -> int:
        end = self.next("\n", start)
        return len(self.text) if end < 0 else end


def read_inlines(text: str, spans: Spans) -> tuple[Inline, ...]:
    """Not yet in normal form."""
    return nest(_Reading(Marked(text), spans).between(0, len(text), frozenset()))


@dataclass(slots=True)
class _Reading:
    marked: Marked
    spans: Spans

    def between(self, at: int, end: int, marks: frozenset[MarkType]) -> list[Run]:
        runs: list[Run] = []
        text = self.marked.text
        while at < end:
            found = self.spans.specials.search(text, at, end)
            start = found.start() if found else end
            if start > at:
                runs.append(Run(Text(text[at:start]), marks))
            if found is None:
                break
            more, at = self._special(start, end, marks)
            runs += more
        return runs

    def _special(self, at: int, end: int, marks: frozenset[MarkType]) -> tuple[list[Run], int]:
        text = self.marked.text
        if text[at] == "\n":
            return [Run(LineBreak(), marks)], at + 1
        if found := ENTITY.match(text, at, end):
            return [Run(Text(unescape(found.group())), marks)], found.end()
        if (span := self.spans.span(self.marked, at)) and span[1] <= end:
            return [Run(run.leaf, run.marks | marks, run.link) for run in span[0]], span[1]
        if (address := ADDRESS.match(text, at, end)) and (words := address_in(address.group())):
            return [Run(Text(words), marks)], at + len(words)
        if found := self.spans.acting.match(text, at, end):
            word = found.group()
            return [Run(Text(word, frozenset((word,))), marks)], found.end()
        inside = self._mark(at, end, marks)
        return inside or ([Run(Text(text[at]), marks)], at + 1)

    def _mark(self, at: int, end: int, marks: frozenset[MarkType]) -> tuple[list[Run], int] | None:
        text = self.marked.text
        if self.spans.braced and text[at] == "{" and text[at + 2 : at + 3] == "}" and text[at + 1] in SIGNS:
            return self._braced(at, end, marks)
        sign = text[at]
        if (
            sign not in SIGNS
            or SIGNS[sign] in marks
            or (at and (text[at - 1].isalnum() or text[at - 1] == sign))
        ):
            return None
        if text[at + 1 : at + 2].isspace():
            return None
        closing = self.marked.closing(sign, at + 1)
        if not at < closing < end:
            return None
        return self.between(at + 1, closing, marks | {SIGNS[sign]}), closing + 1

    def _braced(self, at: int, end: int, marks: frozenset[MarkType]) -> tuple[list[Run], int] | None:
        sign = self.marked.text[at : at + 3]
        closing = self.marked.next(sign, at + 3)
        if SIGNS[sign[1]] in marks or not at < closing < min(end, self.marked.line_end(at)):
            return None
        return self.between(at + 3, closing, marks | {SIGNS[sign[1]]}), closing + 3


def address_in(found: str) -> str:
    """A bare address without the sentence's punctuation; "" when nothing is left."""
    words = found.rstrip(_TRAILING)
    while words.endswith(")") and words.count(")") > words.count("("):
        words = words[:-1].rstrip(_TRAILING)
    return "" if words.endswith(("//", ":")) else words


def picture(src: str, alt: str) -> Run:
    return Run(Image(src, alt))


def linked(runs: Sequence[Run], href: str) -> Sequence[Run]:
    """Runs that lead somewhere; embedded content of Productboard is one piece."""
    link = Link(href, ())
    if link.is_node:
        return [Run(Link(href, nest(runs)))]
    return [Run(run.leaf, run.marks, link) for run in runs]


def code(text: str) -> Run:
    return Run(Code(text))
