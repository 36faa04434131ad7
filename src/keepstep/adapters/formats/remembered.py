"""Blocks that were read before, by their exact text.

A description is read again and again (before and after an edit, to see what a write did), and nearly all of its blocks
are the same each time. Only what means the same wherever it stands is remembered, which is what has a source.
"""

from collections import OrderedDict

from keepstep.domain.document import Block

_MOST_CHARACTERS = 1_000_000
_LONGEST = 50_000
"""One block longer than that is not kept: it would push out all others."""

Key = tuple[str, str, str]
"""Format, kind of block, text."""


class Remembered:
    """The last ones used, bounded by the length of their texts together; without sources, in normal form."""

    def __init__(self, most: int = _MOST_CHARACTERS) -> None:
        self._most = most
        self._held = 0
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
        self._blocks.clear()
        self._held = 0


remembered = Remembered()
"""Of this process."""
