"""Jira's wiki markup: macros in braces, tables with `||`, links in square brackets.

From the vendor's page on text formatting notation; what it leaves open (which signs count where) is our reading of its
renderer's behaviour, not tried against a server. Entities such as `&#42;` stand for their character, as in its output.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence

from keepstep.adapters.formats.wiki_inline import Marked, code, linked, picture, read_inlines
from keepstep.adapters.formats.wiki_read import Closers, Lines, Taken, WikiReader
from keepstep.domain.document import CodeBlock, LineBreak, Quote, Text
from keepstep.domain.inlines import Run, flatten

NAME = "jira_wiki"
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
"""A backslash before another one is a line break, so it never stands for itself."""
_MACRO = re.compile(
    r"\{(code|noformat|quote|panel|info|note|tip|warning|expand|section|column|excerpt)(:[^}\n]*)?\}"
)
_OPENING = re.compile(rf"[ \t]*{_MACRO.pattern}")
_ADDRESS = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:|[/#])[^\s|\[\]]+")
_LONGEST_LINK = 2_000
_LANGUAGE = re.compile(r"(?:language=)?([\w+#.-]+)\Z")
_IMAGE = re.compile(r"!([^\s!|{}\"<>]+)(?:\|([^!|\n]*))?!(?!\w)")
_ALT = re.compile(r"(?:\A|,)\s*alt=\"?([^,\"]*)\"?")
_SPECIALS = re.compile(r"[\n\\&{\[!*_+(-]|h(?=ttps?://)", re.IGNORECASE)
ACTING = re.compile(
    r"\[~[^\]\n|]{1,60}\]|\[\^[^\]\n|]{1,80}\]|\{[a-z]{2,20}(?::[^}\n]{0,80})?\}|\((?:[/x!?+\-iyn]|\*[rgby]?|on|off|flag|flagoff)\)"
)


class JiraSpans:
    specials = _SPECIALS
    acting = ACTING
    braced = True

    def span(self, marked: Marked, at: int) -> tuple[Sequence[Run], int] | None:
        text = marked.text
        match text[at]:
            case "\\":
                return self._backslash(text, at)
            case "{" if text.startswith("{{", at):
                end = marked.next("}}", at + 2)
                if 0 < end <= marked.line_end(at) and end > at + 2:
                    return [code(_words(text[at + 2 : end]))], end + 2
            case "!":
                if found := _IMAGE.match(text, at):
                    alt = _ALT.search(found.group(2) or "")
                    return [picture(found.group(1), alt.group(1) if alt else "")], found.end()
            case "[":
                return self._link(marked, at)
        return None

    @staticmethod
    def _backslash(text: str, at: int) -> tuple[Sequence[Run], int] | None:
        if text.startswith("\\\\", at):
            return [Run(LineBreak())], at + 2
        found = ESCAPED.match(text, at)
        return ([Run(Text(found.group(1)))], found.end()) if found else None

    def _link(self, marked: Marked, at: int) -> tuple[Sequence[Run], int] | None:
        """`[words|address]` or `[address]`."""
        end = marked.next("]", at + 1)
        inner = marked.next("[", at + 1)
        if end < 0 or end > marked.line_end(at) or 0 <= inner < end:
            return None
        words, bar, href = marked.text[at + 1 : end].rpartition("|")
        href = href.strip()
        if (
            bar
            and words.strip()
            and href
            and not re.search(r"\s", href)
            and not ACTING.match(marked.text, at)
        ):
            return linked(_runs(words), href), end + 1
        if not bar and is_address(href):
            return linked([Run(Text(href))], href), end + 1
        return None


def _runs(words: str) -> list[Run]:
    return flatten(read_inlines(words, JiraSpans()))


def _words(text: str) -> str:
    return "".join(run.leaf.text for run in _runs(text) if isinstance(run.leaf, Text))


class JiraReader(WikiReader):
    name = NAME
    spans = JiraSpans()
    bullets = re.compile(r"[ \t]*([*#]+|-)[ \t]+(?=\S)")
    rule = re.compile(r"[ \t]*-{4,5}[ \t]*")
    heading = re.compile(r"[ \t]*h([1-6])\.[ \t]+")
    quoted = re.compile(r"[ \t]*bq\.[ \t]+")
    headings_end_with_the_line = True

    def begins(self, line: str) -> bool:
        return super().begins(line) or bool(
            self.heading.match(line) or self.quoted.match(line) or _OPENING.match(line)
        )

    def closers(self, lines: Lines) -> Closers:
        places: dict[str, list[tuple[int, int]]] = {}
        for found in _MACRO.finditer(lines.text):
            if not found.group(2):
                places.setdefault(found.group(1), []).append(found.span())

        def closer(name: str, start: int) -> tuple[int, int] | None:
            known = places.get(name, [])
            at = bisect_left(known, (start, start))
            return known[at] if at < len(known) else None

        return closer

    def own_block(self, lines: Lines, at: int, depth: int, closers: Closers) -> Taken | None:
        line = lines.lines[at]
        if found := self.quoted.match(line):
            return [self.paragraph(line[found.start() :])], at + 1
        opening = _OPENING.match(line)
        if opening is None:
            return None
        name, behind = opening.group(1), lines.starts[at] + opening.end()
        closing = closers(name, behind)
        if closing is None:
            return None
        stop = bisect_left(lines.starts, closing[1], at + 1)
        content = lines.text[behind : closing[0]]
        alone = not lines.text[closing[1] : lines.end(stop)].strip(" \t")
        if alone and name in ("code", "noformat"):
            return [CodeBlock(content, _language(opening.group(2) or ""))], stop
        if alone and name == "quote" and depth < self.deepest:
            return [Quote(self.blocks(content, depth + 1))], stop
        hint = " ".join(re.sub(r"[{}|]", " ", content).split())[:30]
        return [self.opaque(f"{name} {hint}", lines.slice(at, stop).strip(" \t"))], stop

    def row(self, text: str) -> tuple[Sequence[str], bool]:
        cells: list[str] = []
        heads: list[bool] = []
        for head, words in _cells(text):
            heads.append(head)
            cells.append(words)
        return cells, all(heads)


def _language(parameters: str) -> str:
    found = [_LANGUAGE.match(one.strip()) for one in parameters.lstrip(":").split("|")]
    return next((one.group(1) for one in found if one), "")


def _cells(row: str) -> list[tuple[bool, str]]:
    """Cut at bars that are neither escaped nor inside a link."""
    row = row.rstrip(" \t")
    found: list[tuple[bool, str]] = []
    marked = Marked(row)
    at = 0
    while at < len(row):
        head = row.startswith("||", at)
        start = at + (2 if head else 1)
        end = _bar(marked, start)
        if end < 0:
            if row[start:].strip():
                found.append((head, row[start:]))
            break
        found.append((head, row[start:end]))
        at = end
    return found or [(False, "")]


def _bar(marked: Marked, at: int) -> int:
    while (bar := marked.next("|", at)) >= 0:
        closing = marked.next("]", bar)
        inside = marked.text[bar + 1 : closing] if 0 <= closing - bar < _LONGEST_LINK else "|"
        opening = marked.text.rfind("[", max(at, bar - _LONGEST_LINK), bar)
        if opening >= 0 and "]" not in marked.text[opening:bar] and "|" not in inside:
            at = closing
        elif bar and marked.text[bar - 1] == "\\":
            at = bar + 1
        else:
            return bar
    return -1


def is_address(words: str) -> bool:
    """It is a link when it stands alone in square brackets."""
    return _ADDRESS.fullmatch(words) is not None
