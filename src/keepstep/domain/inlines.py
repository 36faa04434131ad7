"""The normal form of running text.

Formats nest the same marks in different orders, put spaces in or outside them and cut text into different pieces.
Here a run of text is a flat list of leaves, each with the set of marks and the link it stands in; nesting it again
by one fixed rule (the widest mark goes outside) makes two spellings of the same line equal.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

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

MarkType = type[Strong] | type[Emphasis] | type[Underline] | type[Strike]
Leaf = Text | Code | LineBreak | Link | Image | Opaque
"""A link is a leaf only where it stands for embedded content, which is never split or merged."""

MARKS: tuple[MarkType, ...] = (Strong, Emphasis, Underline, Strike)
"""Of two marks that reach equally far the first goes outside; a link goes outside of both."""

_SPACES = re.compile(r"[ \t\n\r\f]+")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has no way to write or advises against; Productboard checks markup as XML."""
_UNUSUAL = re.compile(
    "^ | \\Z|  |[\t\n\r\f\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff⟦]|://",
)
"""Text without any of it is in normal form."""
_PLACEHOLDER = re.compile(r"⟦([^⟦⟧\n]{1,60} [0-9a-f]{8})⟧")
ADDRESS = re.compile(r"(?<![A-Za-z0-9])https?://[^\s<>\"`⟦⟧]+", re.IGNORECASE)
"""A bare web address; punctuation at its end is cut off afterwards."""
_ACTIVE_SCHEME = re.compile(r"\s*(?:javascript|vbscript|data)\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Run:
    leaf: Leaf
    marks: frozenset[MarkType] = frozenset()
    link: Link | None = None
    """Without children: only where it leads."""


def clean(text: str) -> str:
    """Free of characters that cannot be stored on both sides."""
    return _FORBIDDEN.sub("", text)


def folded(text: str) -> str:
    """White space as HTML and Markdown mean it: any amount is one space."""
    return _SPACES.sub(" ", clean(text))


def opaque_label(kind: str, content: str) -> str:
    """Short, readable, and equal only for equal content."""
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    words = re.sub(r"[^\w.-]+", " ", clean(kind)).strip()[:40]
    return f"{words or 'content'} {digest}"


def placeholder(label: str) -> str:
    """How an opaque thing shows where it cannot be written; read back by every format."""
    return f"⟦{label}⟧"


def inline_text(children: Iterable[Inline]) -> str:
    """The words alone."""
    parts: list[str] = []
    for child in children:
        match child:
            case Text(text) | Code(text):
                parts.append(text)
            case Strong() | Emphasis() | Underline() | Strike():
                parts.append(inline_text(child.children))
            case Link(href, words):
                parts.append(inline_text(words) if words or child.is_node else href)
            case LineBreak():
                parts.append("\n")
            case Image():
                parts.append(child.alt)
            case Opaque():
                parts.append(placeholder(child.label))
    return "".join(parts)


def flatten(
    children: Iterable[Inline], marks: frozenset[MarkType] = frozenset(), link: Link | None = None
) -> list[Run]:
    runs: list[Run] = []
    for child in children:
        match child:
            case Strong() | Emphasis() | Underline() | Strike():
                runs += flatten(child.children, marks | {type(child)}, link)
            case Link() if not child.is_node:
                key = Link(child.href, (), child.title)
                shown = child.children or (Text(child.href),)
                runs += flatten(shown, marks, key)
            case _:
                runs.append(Run(child, marks, link))
    return runs


def nest(runs: Sequence[Run]) -> tuple[Inline, ...]:
    """The one tree for these runs: at each place the mark that reaches furthest is the outermost."""
    out: list[Inline] = []
    at = 0
    while at < len(runs):
        reach, wrapper = _widest(runs, at)
        if wrapper is None:
            out.append(runs[at].leaf)
            at += 1
            continue
        inside = runs[at:reach]
        if isinstance(wrapper, Link):
            out.append(replace(wrapper, children=nest([Run(run.leaf, run.marks) for run in inside])))
        else:
            out.append(wrapper(nest([Run(run.leaf, run.marks - {wrapper}, run.link) for run in inside])))
        at = reach
    return tuple(out)


def _widest(runs: Sequence[Run], at: int) -> tuple[int, Link | MarkType | None]:
    best: tuple[int, Link | MarkType | None] = (at, None)
    first = runs[at]
    if first.link is not None:
        end = at
        while end < len(runs) and runs[end].link == first.link:
            end += 1
        best = (end, first.link)
    for mark in MARKS:
        if mark in first.marks:
            end = at
            while end < len(runs) and mark in runs[end].marks:
                end += 1
            if end > best[0]:
                best = (end, mark)
    return best


def normal_inlines(children: Iterable[Inline], *, breaks: bool = True) -> tuple[Inline, ...]:
    """The normal form of one line or paragraph. Without `breaks`, hard breaks become spaces (headings)."""
    children = tuple(children)
    if len(children) == 1 and isinstance(children[0], Text) and not _UNUSUAL.search(children[0].text):
        return children if children[0].text else ()
    pieces: list[Run | None] = []  # None stands for white space; its marks are decided by its neighbours
    # Joined first: how the text was cut into pieces must not matter.
    for run in _joined(flatten(children)):
        pieces += _pieces(run, breaks=breaks)
    return nest(_joined(_linked(_recognised(_joined(_spaced(pieces))))))


def _pieces(run: Run, *, breaks: bool) -> list[Run | None]:
    if run.link is not None and (link := _checked(run.link)) is not run.link:
        run = Run(run.leaf, run.marks, link)
    match run.leaf:
        case Text(text, live):
            return _text_pieces(run, folded(text), live)
        case Code(text):
            words = clean(re.sub(r"[\n\r\f]+", " ", text))
            core = words.strip(" \t")
            inner: list[Run | None] = [Run(Code(core), run.marks, run.link)] if core else []
            return _edged(words, inner)
        case LineBreak():
            return [run] if breaks else [None]
        case Link() as node:
            return [replace(run, leaf=_normal_node(node), link=None)]
        case Image(src, alt, title):
            return _image_pieces(run, Image(_address(src), folded(alt).strip(), folded(title).strip()))
        case Opaque():
            return [run]


def _text_pieces(run: Run, text: str, live: frozenset[str]) -> list[Run | None]:
    core = text.strip(" ")
    return _edged(text, [Run(Text(core, live), run.marks, run.link)] if core else [])


def _edged(text: str, inner: list[Run | None]) -> list[Run | None]:
    if not inner:
        return [None] if text else []
    lead: list[Run | None] = [None] if text[0] in " \t" else []
    tail: list[Run | None] = [None] if text[-1] in " \t" else []
    return lead + inner + tail


def _image_pieces(run: Run, image: Image) -> list[Run | None]:
    if image.src and not _ACTIVE_SCHEME.match(image.src):
        return [replace(run, leaf=image)]
    return _text_pieces(run, image.alt, frozenset())


def _normal_node(node: Link) -> Link:
    text = folded(inline_text(node.children)).strip()
    return Link(clean(node.href).strip(), (Text(text or "Productboard content"),), source=node.source)


def _checked(link: Link | None) -> Link | None:
    """Links that lead nowhere or would run something are read as their text."""
    if link is None or _ACTIVE_SCHEME.match(link.href):
        return None
    href, title = _address(link.href), folded(link.title).strip()
    if not href:
        return None
    return link if (href, title) == (link.href, link.title) else Link(href, (), title)


def _address(href: str) -> str:
    return _SPACES.sub("%20", clean(href).strip()).replace("<", "%3C").replace(">", "%3E")


def _spaced(pieces: Sequence[Run | None]) -> list[Run]:
    """White space belongs to a mark only where both its neighbours do; there is none at the edges and at breaks."""
    solid: list[Run] = []
    gap = False
    for piece in pieces:
        if piece is None:
            gap = True
            continue
        breaking = isinstance(piece.leaf, LineBreak)
        before_break = bool(solid) and isinstance(solid[-1].leaf, LineBreak)
        if breaking and (not solid or before_break):
            continue
        if gap and solid and not breaking and not before_break:
            solid.append(_between(Text(" "), solid[-1], piece))
        gap = False
        solid.append(piece)
    if solid and isinstance(solid[-1].leaf, LineBreak):
        solid.pop()
    return [
        _between(LineBreak(), solid[at - 1], solid[at + 1]) if isinstance(run.leaf, LineBreak) else run
        for at, run in enumerate(solid)
    ]


def _between(leaf: Text | LineBreak, before: Run, after: Run) -> Run:
    one_link = before.link == after.link and not (_is_bare(before) or _is_bare(after))
    return Run(leaf, before.marks & after.marks, before.link if one_link else None)


def _is_bare(run: Run) -> bool:
    """An address that is its own link; two in a row are two links."""
    return run.link is not None and isinstance(run.leaf, Text) and run.leaf.text == run.link.href


def _joined(runs: Iterable[Run]) -> list[Run]:
    groups: list[list[Run]] = []
    for run in runs:
        last = groups[-1][-1] if groups else None
        alike = last is not None and last.marks == run.marks and last.link == run.link
        if alike and last and type(last.leaf) is type(run.leaf) and isinstance(run.leaf, Text | Code):
            groups[-1].append(run)
        else:
            groups.append([run])
    return [group[0] if len(group) == 1 else _merged(group) for group in groups]


def _merged(group: Sequence[Run]) -> Run:
    texts = [run.leaf for run in group if isinstance(run.leaf, Text)]
    if texts:
        live = frozenset[str]().union(*(text.live for text in texts))
        return Run(Text("".join(text.text for text in texts), live), group[0].marks, group[0].link)
    code = "".join(run.leaf.text for run in group if isinstance(run.leaf, Code))
    return Run(Code(code), group[0].marks, group[0].link)


def _recognised(runs: Iterable[Run]) -> list[Run]:
    """Placeholders in the text are what they stand for."""
    out: list[Run] = []
    for run in runs:
        if not isinstance(run.leaf, Text) or "⟦" not in run.leaf.text:
            out.append(run)
            continue
        for index, part in enumerate(_PLACEHOLDER.split(run.leaf.text)):
            if part:
                leaf = Opaque(part) if index % 2 else Text(part, run.leaf.live)
                out.append(Run(leaf, run.marks, run.link))
    return out


def _linked(runs: Iterable[Run]) -> list[Run]:
    """A bare web address is a link in every format; trackers show it as one anyway."""
    out: list[Run] = []
    for run in runs:
        if run.link is None and isinstance(run.leaf, Text) and "://" in run.leaf.text:
            out += _with_addresses(run, run.leaf)
        else:
            out.append(run)
    return out


def _with_addresses(run: Run, leaf: Text) -> list[Run]:
    out: list[Run] = []
    at = 0
    for found in ADDRESS.finditer(leaf.text):
        address = _without_punctuation(found.group())
        if address.endswith("//"):
            continue
        if found.start() > at:
            out.append(replace(run, leaf=Text(leaf.text[at : found.start()], leaf.live)))
        out.append(replace(run, leaf=Text(address), link=Link(address, ())))
        at = found.start() + len(address)
    if at < len(leaf.text):
        out.append(replace(run, leaf=Text(leaf.text[at:], leaf.live)))
    return out


def _without_punctuation(address: str) -> str:
    """The sentence's own punctuation behind an address is not part of it, as GitHub and GitLab read it."""
    brackets = address.count(")") - address.count("(")
    end = len(address)
    while end:
        last = address[end - 1]
        if last == ")" and brackets > 0:
            brackets -= 1
        elif last not in "?!.,:;*_~'":
            break
        end -= 1
    return address[:end]
