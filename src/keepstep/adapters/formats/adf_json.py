"""The JSON of Atlassian's document format: where its top-level nodes stand in the text, and safe looks into a node."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]

INLINE = frozenset((
    "text", "hardBreak", "mention", "emoji", "date", "status", "inlineCard", "placeholder", "inlineExtension",
    "mediaInline",
))  # fmt: skip
HEAD = '{"version":1,"type":"doc","content":['
TAIL = "]}"
_WHITE = " \t\n\r"


@dataclass(frozen=True, slots=True)
class Placed:
    """A top-level node and its place in the text."""

    node: Node
    start: int
    end: int


def placed_nodes(text: str) -> list[Placed] | None:
    """None when the text is no document of this format."""
    try:
        whole = json.loads(text)
        if not isinstance(whole, dict) or whole.get("type") != "doc":
            return None
        return list(_elements(text, _content_at(text)))
    except (ValueError, RecursionError, IndexError):
        return None


def _content_at(text: str) -> int:
    """Behind the bracket that opens the content; the text is known to be one JSON object."""
    decoder = json.JSONDecoder()
    at = _skip(text, _skip(text, 0) + 1)
    while text[at] == '"':
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if key == "content" and text[at] == "[":
            return at + 1
        _, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return len(text)


def _elements(text: str, at: int) -> Iterator[Placed]:
    decoder = json.JSONDecoder()
    while at < len(text):
        at = _skip(text, at)
        if text[at] == "]":
            return
        node, end = decoder.raw_decode(text, at)
        if isinstance(node, dict):
            yield Placed(node, at, end)
        at = _skip(text, end)
        if text[at] == ",":
            at += 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _WHITE:
        at += 1
    return at


def written(node: object) -> str:
    """The one spelling in which Keepstep writes a node."""
    return json.dumps(node, ensure_ascii=False, separators=(",", ":"))


def is_document(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def parsed(content: str) -> Node | None:
    try:
        node = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return node if isinstance(node, dict) else None


def kind(node: Node) -> str:
    return text_of(node.get("type"))


def children(node: Node) -> Sequence[Node]:
    found = node.get("content")
    return [child for child in found if isinstance(child, dict)] if isinstance(found, list) else []


def attribute(node: Node, name: str) -> Any:
    found = node.get("attrs")
    return found.get(name) if isinstance(found, dict) else None


def marks(node: Node) -> Sequence[Node]:
    found = node.get("marks")
    return [mark for mark in found if isinstance(mark, dict)] if isinstance(found, list) else []


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""
