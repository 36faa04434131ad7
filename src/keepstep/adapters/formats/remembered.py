"""What was read before: blocks by their exact text, and whole texts with the places of their blocks.

A description is read again and again (before and after an edit, to see what a write did), and nearly all of its blocks
are the same each time. Of blocks only what means the same wherever it stands is remembered, which is what has a source;
of texts only those whose blocks do not act on each other.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from keepstep.domain.document import Block

_MOST_CHARACTERS = 1_000_000
_LONGEST = 50_000
"""One block longer than that is not kept: it would push out all others."""

Key = tuple[str, str, str]
"""Format, kind of block, text."""
_MOST_READINGS = 8
_MOST_READ = 1_200_000
"""Characters of all texts kept as a whole: room for both sides of a long description, before and after."""


class Top(NamedTuple):
    """What one block of the text, or the running text between two, was read as."""

    start: int
    end: int
    blocks: tuple[Block, ...]
    """With their sources; none, one or several."""
    solid: bool
    """One block, which is written back as exactly this stretch of the text: others may be cut off next to it."""

    def shifted(self, by: int) -> "Top":
        return Top(self.start + by, self.end + by, self.blocks, self.solid) if by else self


@dataclass(frozen=True, slots=True)
class Reading:
    """A whole text as it was read."""

    tops: tuple[Top, ...]
    definitions: tuple[int, ...] = ()
    """Where something stands that shows nothing and acts on other blocks, such as a link's definition."""
    meaning: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """What the definitions say."""


class Near(NamedTuple):
    """A text that was read before, and how much of another text it shares at both ends."""

    text: str
    reading: Reading
    head: int
    tail: int


class Readings:
    """The texts read last, bounded in number and length."""

    def __init__(self, most: int = _MOST_READ) -> None:
        self._most = most
        self._held = 0
        self._read: OrderedDict[tuple[str, str], Reading] = OrderedDict()

    def nearest(self, format_name: str, text: str) -> Near | None:
        if same := self._read.get((format_name, text)):
            self._read.move_to_end((format_name, text))
            return Near(text, same, len(text), 0)
        found: Near | None = None
        for (name, old), reading in self._read.items():
            if name == format_name:
                head, tail = _shared(old, text)
                if found is None or head + tail > found.head + found.tail:
                    found = Near(old, reading, head, tail)
        return found

    def put(self, format_name: str, text: str, reading: Reading) -> None:
        key = (format_name, text)
        if key in self._read or len(text) > self._most:
            return
        self._read[key] = reading
        self._held += len(text)
        while self._held > self._most or len(self._read) > _MOST_READINGS:
            (_, old), _ = self._read.popitem(last=False)
            self._held -= len(old)

    def forget(self) -> None:
        self._read.clear()
        self._held = 0


def _shared(old: str, new: str) -> tuple[int, int]:
    """How many characters are the same at the start and, apart from those, at the end."""
    most = min(len(old), len(new))
    head = _equal(old, new, most)
    return head, _equal(old[head:][::-1], new[head:][::-1], most - head)


def _equal(old: str, new: str, most: int) -> int:
    """By halving: comparing slices is far quicker than comparing characters."""
    if old[:most] == new[:most]:
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle
    return low


class Remembered:
    """The last ones used, bounded by the length of their texts together; without sources, in normal form."""

    def __init__(self, most: int = _MOST_CHARACTERS) -> None:
        self._most = most
        self._held = 0
        self.readings = Readings()
        self._blocks: OrderedDict[Key, Block] = OrderedDict()

    def get(self, key: Key) -> Block | None:
        block = self._blocks.get(key)
        if block is not None:
            self._blocks.move_to_end(key)
        return block

    def put(self, key: Key, block: Block) -> None:
        if key in self._blocks or len(key[2]) > _LONGEST:
            return
        self._blocks[key] = block
        self._held += len(key[2])
        while self._held > self._most:
            (_, _, text), _ = self._blocks.popitem(last=False)
            self._held -= len(text)

    def forget(self) -> None:
        self.readings.forget()
        self._blocks.clear()
        self._held = 0


remembered = Remembered()
"""Of this process."""
