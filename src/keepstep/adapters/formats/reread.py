"""Reading a text that is nearly the same as one that was read before: only what lies between the parts they share.

It has to give exactly what reading the whole text gives. That rests on two things that a format's `Part` promises of
the texts it calls local: between two blocks on the top level its reader carries nothing on from one to the next, and
to know where a block ends it looks no further than a line or two into what stands behind it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from keepstep.adapters.formats.remembered import Near, Reading, remembered
from keepstep.domain.document import Block, Document

SHORTEST = 400
"""Shorter texts are read sooner than looked for."""
_AHEAD = 2
"""Blocks that have to stand, unchanged, between a block that is kept and the first change: what its reader saw."""


@dataclass(frozen=True, slots=True)
class Part:
    reading: Reading
    local: bool
    """Apart from definitions, every block means the same whatever the blocks before and behind it say."""


class PartReader(Protocol):
    def part(
        self, text: str, follows: str | None, *, ends: bool, meaning: Mapping[str, dict[str, Any]]
    ) -> Part:
        """Read a stretch of a text that begins where a block with the source text `follows` ends (None: at the very
        start), and that goes to the end of the text if `ends`. `meaning`: what definitions elsewhere in it say.
        """


def read_again(format_name: str, text: str, reader: PartReader) -> Document:
    if len(text) < SHORTEST:
        return _document(reader.part(text, None, ends=True, meaning={}).reading)
    near = remembered.readings.nearest(format_name, text)
    reading = _from_near(near, text, reader) if near else None
    if reading is None:
        whole = reader.part(text, None, ends=True, meaning={})
        reading = whole.reading
        if not whole.local:
            return _document(reading)
    remembered.readings.put(format_name, text, reading)
    return _document(reading)


def _document(reading: Reading) -> Document:
    blocks: list[Block] = []
    for top in reading.tops:
        blocks += top.blocks
    return Document(tuple(blocks))


def _from_near(near: Near, text: str, reader: PartReader) -> Reading | None:
    """None where nothing of the near text helps."""
    if near.text == text:
        return near.reading
    kept = _kept(near)
    for meeting in (_meeting(near, kept), len(near.reading.tops)):
        # Where the two do not meet again, say because a fence was opened, the rest is read to the end.
        if (kept or meeting < len(near.reading.tops)) and (
            found := _joined(near, text, reader, kept, meeting)
        ):
            return found
    return None


def _joined(near: Near, text: str, reader: PartReader, kept: int, meeting: int) -> Reading | None:
    """The first `kept` blocks, what stands behind them now, and the blocks after `meeting`."""
    tops, shift = near.reading.tops, len(text) - len(near.text)
    begin = tops[kept - 1].end if kept else 0
    old_place = tops[meeting].start if meeting < len(tops) else len(near.text)
    if any(begin <= at < old_place for at in near.reading.definitions):
        return None
    ahead = meeting + _AHEAD + 1
    until = tops[ahead].end + shift if ahead < len(tops) else len(text)
    source = tops[kept - 1].blocks[0].source if kept else None
    part = reader.part(
        text[begin:until],
        source.text if source else None,
        ends=until == len(text),
        meaning=near.reading.meaning,
    )
    place = old_place + shift
    if not part.local or any(at + begin < place for at in part.reading.definitions):
        return None
    middle = [top.shifted(begin) for top in part.reading.tops if top.start + begin <= place]
    if meeting < len(tops) and not (middle and middle[-1].start == place):
        return None
    return Reading(
        (*tops[:kept], *middle, *(top.shifted(shift) for top in tops[meeting + 1 :])),
        tuple(at if at < begin else at + shift for at in near.reading.definitions),
        near.reading.meaning,
    )


def _kept(near: Near) -> int:
    """How many blocks at the start are the same for certain."""
    most = len(near.reading.tops) - 1
    while most >= 0 and near.reading.tops[most].end >= near.head:
        most -= 1
    kept = max(most + 1 - _AHEAD, 0)
    while kept and not near.reading.tops[kept - 1].solid:
        kept -= 1
    return kept


def _meeting(near: Near, kept: int) -> int:
    """The first block from which on the texts are the same; its line has to begin in what they share."""
    first = len(near.text) - near.tail
    at = len(near.reading.tops)
    while at > kept and near.reading.tops[at - 1].start > first:
        at -= 1
    while at < len(near.reading.tops) and not near.reading.tops[at].solid:
        at += 1
    return at
