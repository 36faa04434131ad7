"""The narrow HTML that Productboard's entities take: anything outside is refused with 400.

Tags and attributes up to 2026-09 are documented for v1 and seen by authors of clients. Two things are our guess:
which element may stand in which (the vendor speaks of an XML schema with an element-only body, and does not publish
it), and the spelling of tables, checklists and code languages, which are accepted since 2026-09-21 though their tags
were never published. Where we had to guess we are strict, so that a client that passes here has a good chance there.
"""

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

NODE_PREFIX = "urn:pb:node:"

_INLINE = frozenset({"b", "i", "u", "s", "code", "a", "img"})
_BLOCK = frozenset({"h1", "h2", "p", "pre", "blockquote", "ul", "ol", "hr"})
_TABLE = {"table": {"thead", "tbody"}, "thead": {"tr"}, "tbody": {"tr"}, "tr": {"th", "td"}}
_EMPTY = frozenset({"hr", "img"})
_BODY = ""  # the name under which the whole text stands in the tables below

_CHILDREN: Mapping[str, frozenset[str]] = {
    _BODY: _BLOCK | {"a", "img", "table"},
    **dict.fromkeys(("p", "h1", "h2", "b", "i", "u", "s", "code", "a", "pre"), _INLINE),
    "blockquote": _BLOCK | _INLINE,
    "ul": frozenset({"li"}),
    "ol": frozenset({"li"}),
    "li": _BLOCK | _INLINE,
    **{tag: _INLINE | {"p"} for tag in ("th", "td")},
    **{tag: frozenset(children) for tag, children in _TABLE.items()},
    **{tag: frozenset() for tag in _EMPTY},
}
_WITHOUT_TEXT = frozenset({_BODY, "ul", "ol", *_TABLE, *_EMPTY})
_SINCE_2026_09 = frozenset({*_TABLE, "th", "td"})
_ATTRIBUTES: Mapping[str, frozenset[str]] = {"a": frozenset({"href"}), "img": frozenset({"src", "title"})}
_ATTRIBUTES_2026_09: Mapping[str, Mapping[str, re.Pattern[str]]] = {
    "ul": {"data-type": re.compile(r"checklist")},
    "li": {"data-checked": re.compile(r"true|false")},
    "pre": {"data-language": re.compile(r"[A-Za-z0-9+#_.-]{1,40}")},
}

_TAG = re.compile(r"<(?P<close>/)?(?P<name>[A-Za-z][A-Za-z0-9]*)(?P<rest>(?:\s+[^<>]*?)?)\s*(?P<void>/)?>")
_ATTRIBUTE = re.compile(
    r"\s+(?P<name>[A-Za-z][A-Za-z0-9-]*)=(?:\"(?P<double>[^\"<]*)\"|'(?P<single>[^'<]*)')"
)
_STRAY_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")


class RichTextError(ValueError):
    """Why a text is refused."""


@dataclass(frozen=True)
class _Mark:
    """A tag or a run of text."""

    tag: str  # "" for text
    kind: str  # open, close, empty, text
    attributes: Mapping[str, str]
    text: str = ""


def _marks(source: str) -> Iterator[_Mark]:
    at = 0
    while at < len(source):
        bracket = source.find("<", at)
        text = source[at:] if bracket < 0 else source[at:bracket]
        if text:
            _check_entities(text)
            yield _Mark("", "text", {}, text)
        if bracket < 0:
            return
        match = _TAG.match(source, bracket)
        if match is None:
            raise RichTextError(f"The markup at character {bracket} is not a well-formed tag.")
        name = match["name"]
        if match["close"]:
            if match["rest"].strip() or match["void"]:
                raise RichTextError(f"The closing tag of '{name}' has more than a name.")
            yield _Mark(name, "close", {})
        else:
            yield _Mark(name, "empty" if match["void"] else "open", _attributes(name, match["rest"]))
        at = match.end()


def _check_entities(text: str) -> None:
    if _STRAY_AMPERSAND.search(text):
        raise RichTextError("An ampersand that begins no XML entity must be written as '&amp;'.")
    if ">" in text:
        raise RichTextError("A '>' in text must be written as '&gt;'.")


def _attributes(tag: str, rest: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while rest[at:].strip():
        match = _ATTRIBUTE.match(rest, at)
        if match is None:
            raise RichTextError(f"The attributes of '{tag}' are not well-formed; each needs a quoted value.")
        value = match["double"] if match["double"] is not None else match["single"]
        if _STRAY_AMPERSAND.search(value):
            raise RichTextError(f"An ampersand in '{match['name']}' of '{tag}' must be written as '&amp;'.")
        if match["name"] in found:
            raise RichTextError(f"The attribute '{match['name']}' of '{tag}' stands twice.")
        found[match["name"]] = html.unescape(value)
        at = match.end()
    return found


def check_rich_text(source: str, *, since_2026_09: bool = True) -> None:
    """Passes silently what the API takes. Raises RichTextError with the reason for everything else."""
    open_tags = [_BODY]
    for mark in _marks(source):
        parent = open_tags[-1]
        if mark.kind == "text":
            if mark.text.strip() and parent in _WITHOUT_TEXT:
                where = f"'{parent}'" if parent else "the body"
                raise RichTextError(f"Text directly in {where} is not allowed: wrap it in an element.")
        elif mark.kind == "close":
            if mark.tag != parent or parent == _BODY:
                raise RichTextError(f"The closing tag '{mark.tag}' does not match what is open.")
            open_tags.pop()
        else:
            _check_element(mark, parent, since_2026_09=since_2026_09)
            if mark.kind == "open":
                open_tags.append(mark.tag)
    if len(open_tags) > 1:
        raise RichTextError(f"The element '{open_tags[-1]}' is not closed.")


def _check_element(mark: _Mark, parent: str, *, since_2026_09: bool) -> None:
    tag = mark.tag
    if tag not in (_CHILDREN.keys() - {_BODY}) or (tag in _SINCE_2026_09 and not since_2026_09):
        raise RichTextError(f"The tag '{tag}' is not supported.")
    if tag not in _CHILDREN[parent]:
        where = f"'{parent}'" if parent else "the body"
        raise RichTextError(f"The tag '{tag}' may not stand directly in {where}.")
    newer = _ATTRIBUTES_2026_09.get(tag, {}) if since_2026_09 else {}
    for name, value in mark.attributes.items():
        if name in newer and not newer[name].fullmatch(value):
            raise RichTextError(f"The attribute '{name}' of '{tag}' has an unsupported value.")
        if name not in newer and name not in _ATTRIBUTES.get(tag, frozenset()):
            raise RichTextError(f"The attribute '{name}' of '{tag}' is not supported.")


def node_anchors(source: str) -> list[str]:
    """The `urn:pb:node:` targets in a checked text, in order."""
    targets = (mark.attributes.get("href", "") for mark in _marks(source) if mark.tag == "a")
    return [target for target in targets if target.startswith(NODE_PREFIX)]
