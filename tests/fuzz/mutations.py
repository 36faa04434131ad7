"""Genuine payloads, made wrong: in one place of their tree, or in their bytes."""

import copy
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from hypothesis import strategies as st

_ANY_TEXT = st.text(st.characters(codec=None), max_size=30)
"""With U+0000, lone surrogates and characters beyond the first plane."""

WRONG_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, -1, 2**31, 2**63, -(2**63) - 1, 10**400, 1e308, float("nan"), float("inf")]),
    _ANY_TEXT,
    st.sampled_from(["", "\0", "a\0b", "\ud800", "x" * 100_000, "../..", "%00", "\u202e", "'; DROP TABLE inbox; --"]),
    st.sampled_from([[], {}, [[]], {"id": {}}, [None] * 1000, {"": ""}]),
    st.recursive(_ANY_TEXT, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY_TEXT, inner, max_size=3)),
)  # fmt: skip

BROKEN_BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"", b"null", b"[]", b"{", b'"', b"NaN", b"{}" * 2, b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 100_000,
            b'{"a":' * 100_000, b"[" * 900 + b"]" * 900, b"1" * 100_000, b"1e999999", b'{"data": NaN}',
            b'{"data": {}, "data": []}', b'{"a": "\xed\xa0\x80"}', b'{"data": "\\ud800"}', b"payload=%7B%7D",
            b'{"data": ' + b"9" * 5000 + b"}", b'{"data": [' + b"{}," * 50_000 + b"{}]}",
        ]
    ),
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, contents: list[Any]) -> Any:
    """One of the contents with up to four places changed, dropped or moved."""
    content = copy.deepcopy(draw(st.sampled_from(contents)))
    for _ in range(draw(st.integers(0, 4))):
        places = list(_places(content))
        if not places:
            return copy.deepcopy(draw(WRONG_VALUES))
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        match draw(st.sampled_from(["replace", "drop", "swap"])):
            case "replace":
                holder[key] = copy.deepcopy(draw(WRONG_VALUES))
            case "drop":
                del holder[key]
            case "swap":
                other, elsewhere = places[draw(st.integers(0, len(places) - 1))]
                holder[key] = copy.deepcopy(other[elsewhere])
    return content


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key in it that can be assigned to."""
    match content:
        case dict():
            keys: Iterable[Any] = list(content)
        case list():
            keys = range(len(content))
        case _:
            return
    for key in keys:
        yield content, key
        yield from _places(content[key])


@st.composite
def bodies(draw: st.DrawFn, contents: list[Any], finish: Callable[[Any], Any] = lambda same: same) -> bytes:
    """Mostly JSON with something wrong in it; now and then with a part of its bytes gone or others in between.

    `finish` is given each content last.
    """
    if draw(st.integers(0, 4)) == 0:
        return draw(BROKEN_BODIES)
    content = finish(draw(mutated(contents)))
    body = draw(st.sampled_from([raw, escaped]))(content)
    if draw(st.integers(0, 4)) == 0:
        at = draw(st.integers(0, len(body)))
        return body[:at] + draw(st.binary(max_size=5)) + body[at + draw(st.integers(0, 20)) :]
    return body


def raw(content: Any) -> bytes:
    """Characters as they are; a lone surrogate becomes bytes that are no UTF-8."""
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")


def escaped(content: Any) -> bytes:
    return json.dumps(content).encode()
