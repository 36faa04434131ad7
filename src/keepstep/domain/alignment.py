"""Which elements of two sequences are the same ones, in order, in time nearly proportional to their length.

`difflib` finds what a person would, but needs the square of the length where many elements are equal or many places
differ. So it is given small pieces only: equal ends are taken off first, and long middles are cut at anchors, which are
elements that stand equally often in both (k-th with k-th) and whose order agrees.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_SMALL = 4_000
"""Pairs up to which `difflib` is asked."""
_DEEPEST = 6
"""Cuts within cuts; behind them long middles without anchors are paired by their place alone."""

Pairs = list[tuple[int, int]]


class Stretch(NamedTuple):
    """A stretch of both sequences: either equal element by element, or without anything in common."""

    equal: bool
    old_start: int
    old_end: int
    new_start: int
    new_end: int


def stretches(old: Sequence[Hashable], new: Sequence[Hashable]) -> Iterator[Stretch]:
    """Both sequences from start to end, cut where they part and meet."""
    at_old = at_new = 0
    pairs = matching(old, new)
    at = 0
    while at < len(pairs):
        i, j = pairs[at]
        if i > at_old or j > at_new:
            yield Stretch(equal=False, old_start=at_old, old_end=i, new_start=at_new, new_end=j)
        end = at + 1
        while end < len(pairs) and pairs[end] == (i + end - at, j + end - at):
            end += 1
        at_old, at_new = i + end - at, j + end - at
        yield Stretch(equal=True, old_start=i, old_end=at_old, new_start=j, new_end=at_new)
        at = end
    if at_old < len(old) or at_new < len(new):
        yield Stretch(equal=False, old_start=at_old, old_end=len(old), new_start=at_new, new_end=len(new))


def matching(old: Sequence[Hashable], new: Sequence[Hashable]) -> Pairs:
    """Places in `old` and `new` that hold the same element, both rising."""
    head, tail = equal_ends(old, new)
    pairs: Pairs = [(at, at) for at in range(head)]
    pairs += [(len(old) - at, len(new) - at) for at in range(1, tail + 1)]
    # Only now are elements hashed: edits are local, and a hash looks at everything in an element.
    names: dict[Hashable, int] = {}
    mine = [names.setdefault(each, len(names)) for each in old[head : len(old) - tail]]
    theirs = [names.setdefault(each, len(names)) for each in new[head : len(new) - tail]]
    pairs += [(head + i, head + j) for i, j in _matching_names(mine, theirs)]
    return sorted(pairs)


def equal_ends(old: Sequence[Hashable], new: Sequence[Hashable]) -> tuple[int, int]:
    """How many elements are the same at the start and, apart from those, at the end."""
    most = min(len(old), len(new))
    head = next((at for at in range(most) if old[at] != new[at]), most)
    most -= head
    tail = next((at for at in range(most) if old[-1 - at] != new[-1 - at]), most)
    return head, tail


def _matching_names(mine: list[int], theirs: list[int]) -> Pairs:
    pairs: Pairs = []
    open_parts = [(0, len(mine), 0, len(theirs), 0)]
    while open_parts:
        i, i_end, j, j_end, depth = open_parts.pop()
        while i < i_end and j < j_end and mine[i] == theirs[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        while i < i_end and j < j_end and mine[i_end - 1] == theirs[j_end - 1]:
            i_end, j_end = i_end - 1, j_end - 1
            pairs.append((i_end, j_end))
        if i == i_end or j == j_end:
            continue
        if (i_end - i) * (j_end - j) <= _SMALL:
            pairs += _by_difflib(mine, theirs, i, i_end, j, j_end)
            continue
        anchors = _anchors(mine[i:i_end], theirs[j:j_end], i, j)
        pairs += anchors
        if anchors and depth < _DEEPEST:
            open_parts += _between(anchors, i, i_end, j, j_end, depth + 1)
    return pairs


def _by_difflib(mine: list[int], theirs: list[int], i: int, i_end: int, j: int, j_end: int) -> Pairs:
    blocks = SequenceMatcher(None, mine[i:i_end], theirs[j:j_end], autojunk=False).get_matching_blocks()
    return [(i + a + k, j + b + k) for a, b, size in blocks for k in range(size)]


def _between(
    anchors: Pairs, i: int, i_end: int, j: int, j_end: int, depth: int
) -> list[tuple[int, int, int, int, int]]:
    parts: list[tuple[int, int, int, int, int]] = []
    for at_old, at_new in [*anchors, (i_end, j_end)]:
        if at_old > i and at_new > j:
            parts.append((i, at_old, j, at_new, depth))
        i, j = at_old + 1, at_new + 1
    return parts


def _anchors(mine: list[int], theirs: list[int], i: int, j: int) -> Pairs:
    places: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})
    for side, found in zip((mine, theirs), places, strict=True):
        for at, name in enumerate(side):
            found.setdefault(name, []).append(at)
    shared = [(at, places[1][name]) for name, at in places[0].items() if name in places[1]]
    # Elements that stand more often on one side are doubtful: which of them was added?
    sure = [(ours, others) for ours, others in shared if len(ours) == len(others)] or shared
    candidates = sorted((a, b) for ours, others in sure for a, b in zip(ours, others, strict=False))
    return [(i + a, j + b) for a, b in _rising(candidates)]


def _rising(pairs: Pairs) -> Pairs:
    """The longest part of them in which the second numbers rise, too."""
    tops: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for at, (_, place) in enumerate(pairs):
        rank = bisect_left(tops, place)
        before.append(ends[rank - 1] if rank else -1)
        if rank == len(tops):
            tops.append(place)
            ends.append(at)
        else:
            tops[rank], ends[rank] = place, at
    chain: Pairs = []
    at = ends[-1] if ends else -1
    while at >= 0:
        chain.append(pairs[at])
        at = before[at]
    return chain[::-1]
