"""Textile as Redmine speaks it: RedCloth 3 with Redmine's own references, quotes by `>` and blocks of `<pre>`.

From Redmine's help page on text formatting and RedCloth 3's published rules; how far an entity such as `&#42;` protects
a sign follows from those rules and was not tried against a server.
"""

import re
from bisect import bisect_left
from collections.abc import Sequence

from keepstep.adapters.formats.wiki_inline import Marked, code, linked, picture, read_inlines
from keepstep.adapters.formats.wiki_read import Closers, Lines, Taken, WikiReader
from keepstep.domain.document import Block, CodeBlock, Paragraph, Quote
from keepstep.domain.inlines import Run, flatten

NAME = "textile"
_ATTRIBUTES = r"(?:\([^)\n]*\)|\{[^}\n]*\}|\[[^\]\n]*\]|<>|[<>=])*"
_SPECIALS = re.compile(r"[\n&\"!@*_+#(\[{<%-]|h(?=ttps?://)", re.IGNORECASE)
ACTING = re.compile(
    r"(?<![\w&])@[A-Za-z0-9_][\w.@-]*|(?<![\w&])#\d+(?:#note-\d+|-\d+)?(?!\w)|\[\[[^\]\n]{1,120}\]\]|\{\{[^}\n]{1,200}\}\}"
    r"|\[\d{1,3}\]|%\{[^}\n]{1,80}\}[^%\n]{1,200}%"
)
_IMAGE = re.compile(r"!(?:[<>=](?![\s=]))?([^\s!()\"<>]+)(?:\(([^)\n]*)\))?!(?!\w)")
_LINK = re.compile(r"\"([^\"\n]{1,2000})\":")
_HREF = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:|[/#]|\w)[^\s<>\"|]*")
_BEHIND_HREF = "?!.,:;*'~`$^"
_CODE_TAG = re.compile(r"<code>([^\n]*?)</code>")
_PRE = re.compile(r"[ \t]*<pre>(?:[ \t]*<code(?: class=\"([^\"\n]*)\")?>)?", re.IGNORECASE)
_END = re.compile(r"(?:</code>[ \t]*)?</pre>", re.IGNORECASE)
_FIRST = re.compile(rf"p{_ATTRIBUTES}\.[ \t]+")
_LANGUAGE = re.compile(r"[\w+#.-]+")


class TextileSpans:
    specials = _SPECIALS
    acting = ACTING
    braced = False

    def span(self, marked: Marked, at: int) -> tuple[Sequence[Run], int] | None:
        text = marked.text
        match text[at]:
            case '"':
                return self._link(marked, at)
            case "!":
                if found := _IMAGE.match(text, at):
                    return [picture(found.group(1), found.group(2) or "")], found.end()
            case "@" if not (at and text[at - 1].isalnum()):
                end = marked.closing("@", at + 1)
                if end > at + 1 and not text[at + 1].isspace():
                    return [code(text[at + 1 : end])], end + 1
            case "<" if text.startswith("<code>", at):
                end = marked.next("</code>", at)
                if at + 6 < end < marked.line_end(at):
                    return [code(text[at + 6 : end])], end + 7
        return None

    def _link(self, marked: Marked, at: int) -> tuple[Sequence[Run], int] | None:
        """`"words":address`; the address ends before white space or the sentence's punctuation."""
        text = marked.text
        end = marked.next('"', at + 1)
        if end < 0 or end > marked.line_end(at) or not text[at + 1 : end].strip() or text[at + 1].isspace():
            return None
        found = _HREF.match(text, end + 2) if text.startswith(":", end + 1) else None
        if found is None:
            return None
        href = found.group().rstrip(_BEHIND_HREF)
        while href.endswith(")") and href.count(")") > href.count("("):
            href = href[:-1].rstrip(_BEHIND_HREF)
        runs = flatten(read_inlines(text[at + 1 : end], TextileSpans()))
        return (linked(runs, href), end + 2 + len(href)) if href else None


class TextileReader(WikiReader):
    name = NAME
    spans = TextileSpans()
    bullets = re.compile(r"[ \t]*([*#]+)[ \t]+(?=\S)")
    rule = re.compile(r" ?(?:(?:- ?){3,}|(?:\* ?){3,}|(?:_ ?){3,})")
    heading = re.compile(rf"h([1-6]){_ATTRIBUTES}\.[ \t]+")
    quoted = re.compile(rf"bq{_ATTRIBUTES}\.[ \t]+")
    headings_end_with_the_line = False

    def begins(self, line: str) -> bool:
        return super().begins(line) or line.startswith(">") or bool(_PRE.match(line))

    def paragraph(self, text: str) -> Block:
        found = _FIRST.match(text)
        return Paragraph(self.inlines(text[found.end() :])) if found else super().paragraph(text)

    def closers(self, lines: Lines) -> Closers:
        places = [found.span() for found in _END.finditer(lines.text)]

        def closer(name: str, start: int) -> tuple[int, int] | None:
            del name
            at = bisect_left(places, (start, start))
            return places[at] if at < len(places) else None

        return closer

    def own_block(self, lines: Lines, at: int, depth: int, closers: Closers) -> Taken | None:
        line = lines.lines[at]
        if line.startswith(">"):
            return self._quote(lines, at, depth)
        opening = _PRE.match(line)
        closing = closers("pre", lines.starts[at] + opening.end()) if opening else None
        if opening is None or closing is None:
            return None
        stop = bisect_left(lines.starts, closing[1], at + 1)
        content = lines.text[lines.starts[at] + opening.end() : closing[0]]
        if lines.text[closing[1] : lines.end(stop)].strip(" \t"):
            return [self.opaque("pre", lines.slice(at, stop))], stop
        return [CodeBlock(content, _language(opening.group(1) or ""))], stop

    def _quote(self, lines: Lines, at: int, depth: int) -> Taken:
        stop = at
        while stop < len(lines.lines) and lines.lines[stop].startswith(">"):
            stop += 1
        if depth >= self.deepest:
            return [self.opaque("quote", lines.slice(at, stop))], stop
        inside = "\n".join(line[1:].removeprefix(" ") for line in lines.lines[at:stop])
        return [Quote(self.blocks(inside, depth + 1))], stop

    def row(self, text: str) -> tuple[Sequence[str], bool]:
        inside = text.strip(" \t")[1:]
        cells = inside.removesuffix("|").split("|")
        found = [re.match(rf"(_?)(?:[\\/]\d+)?{_ATTRIBUTES}\.[ \t]+", cell.lstrip(" ")) for cell in cells]
        words = [
            cell.lstrip(" ")[mark.end() :] if mark else cell for cell, mark in zip(cells, found, strict=True)
        ]
        return words, all(mark is not None and mark.group(1) == "_" for mark in found)


def _language(class_name: str) -> str:
    found = _LANGUAGE.fullmatch(class_name.strip().removeprefix("language-"))
    return found.group() if found else ""


def is_address(href: str) -> bool:
    """It can stand behind the colon of a link, and is read there as a whole."""
    return _HREF.fullmatch(href) is not None and not href.endswith(tuple(_BEHIND_HREF))
