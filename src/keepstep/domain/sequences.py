"""Three-way merge of two sequences that were once in step, each with a base of its own.

Elements are hashable values: blocks, list items, table rows, words. What one side did is told against its own base
(kept, changed, deleted, moved, inserted); the two bases are aligned with each other; where only one side did something,
that is done to the other; where both did, `Inner` may merge the two elements, and if it cannot, that place is a
conflict. Elements that nobody touched come out as the very objects each side had.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from keepstep.domain.alignment import matching, stretches
from keepstep.domain.fields import Side

E = TypeVar("E", bound=Hashable)

_ALIKE = 0.4
"""Two elements in one gap with at least so much text in common are one element, edited."""
_LARGEST_GAP = 4_000
"""Pairs compared in one gap; a larger one is paired by position, so that time stays in proportion to length."""


@dataclass(frozen=True, slots=True)
class Meaning(Generic[E]):
    """How elements are compared and merged."""

    kind: Callable[[E], object]
    """Only elements of one kind can be one element, edited."""
    words: Callable[[E], Sequence[str]]
    pieces: Callable[[E], tuple[E, ...]]
    """How an element of the feature's side looks on the ticket's side."""
    inner: Callable[[E, E, E], E | None]
    """Base, feature's and ticket's element, all as the ticket's side shows them; None: cannot be merged."""


@dataclass(frozen=True, slots=True)
class Clash(Generic[E]):
    """One place that both sides changed in ways that cannot both stand."""

    feature: tuple[E, ...]
    ticket: tuple[E, ...]


@dataclass
class Merged(Generic[E]):
    feature: list[E] = field(default_factory=list)
    ticket: list[E] = field(default_factory=list)
    clashes: list[Clash[E]] = field(default_factory=list)


@dataclass
class Track(Generic[E]):
    """What one side did to its base."""

    fates: list[tuple[E, ...]]
    """What became of each base element: itself, an edited one, or nothing."""
    kept: list[bool]
    inserted: list[list[E]]
    """Before each base element, and behind the last one."""
    moved: dict[int, tuple[int, int]]
    """Base elements that stand elsewhere now, edited or not: gap and place in it."""
    disputed: set[int] = field(default_factory=set)
    """Moved ones that the other side has in its own way, undecided: they stay where they are, on this side alone."""

    def at_new_place(self, at: int) -> E | None:
        """None: it was not moved."""
        home = self.moved.get(at)
        return None if home is None else self.inserted[home[0]][home[1]]

    def offered(self, gap: int, span: range) -> list[E]:
        """What stands at these places of a gap and is for the other side too."""
        own = {self.moved[at] for at in self.disputed}
        return [self.inserted[gap][place] for place in span if (gap, place) not in own]


def follow(base: Sequence[E], now: Sequence[E], meaning: Meaning[E]) -> Track[E]:
    track: Track[E] = Track([()] * len(base), [False] * len(base), [[] for _ in range(len(base) + 1)], {})
    for equal, i1, i2, j1, j2 in stretches(base, now):
        if equal:
            for offset in range(i2 - i1):
                track.fates[i1 + offset] = (now[j1 + offset],)
                track.kept[i1 + offset] = True
            continue
        pairs = _pair_up(base[i1:i2], now[j1:j2], meaning)
        gap = i1
        for place in range(j2 - j1):
            partner = pairs.get(place)
            if partner is None:
                track.inserted[gap].append(now[j1 + place])
            else:
                track.fates[i1 + partner] = (now[j1 + place],)
                gap = i1 + partner + 1
    _find_moves(base, track)
    _find_edited_moves(base, track, meaning)
    return track


def _pair_up(old: Sequence[E], new: Sequence[E], meaning: Meaning[E]) -> dict[int, int]:
    """Places in `new` to places in `old`, in order: which new element is which old one, edited."""
    if len(old) == len(new) and all(
        meaning.kind(a) == meaning.kind(b) for a, b in zip(old, new, strict=True)
    ):
        return {at: at for at in range(len(new))}
    if len(old) * len(new) > _LARGEST_GAP:
        return {}
    before, after = [_Look.at(each, meaning) for each in old], [_Look.at(each, meaning) for each in new]
    alike = [[_likeness(one, other) for other in after] for one in before]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], alike[i][j] + best[i + 1][j + 1])
    return _walk_back(alike, best)


def _walk_back(alike: Sequence[Sequence[float]], best: Sequence[Sequence[float]]) -> dict[int, int]:
    pairs: dict[int, int] = {}
    i = j = 0
    while i < len(alike) and j < len(alike[i]):
        likeness = alike[i][j]
        if likeness and best[i][j] == likeness + best[i + 1][j + 1]:
            pairs[j] = i
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


@dataclass(frozen=True, slots=True)
class _Look:
    """What two elements are compared by."""

    kind: object
    words: Counter[str]
    length: int

    @classmethod
    def at(cls, element: E, meaning: Meaning[E]) -> "_Look":
        words = meaning.words(element)
        return cls(meaning.kind(element), Counter(words), len(words))


def _likeness(old: _Look, new: _Look) -> float:
    if old.kind != new.kind:
        return 0.0
    # Counted only where the lengths alone leave it possible.
    if 2 * min(old.length, new.length) < _ALIKE * (old.length + new.length):
        return 0.0
    common = sum(min(count, new.words[word]) for word, count in old.words.items())
    share = 2 * common / (old.length + new.length) if old.length or new.length else 1.0
    return share if share >= _ALIKE else 0.0


def _find_moves(base: Sequence[E], track: Track[E]) -> None:
    homes: dict[E, tuple[int, int]] = {}
    for gap, inserted in enumerate(track.inserted):
        for place, element in enumerate(inserted):
            homes.setdefault(element, (gap, place))
    for at, element in enumerate(base):
        if not track.fates[at] and element in homes:
            track.moved[at] = homes.pop(element)


def _find_edited_moves(base: Sequence[E], track: Track[E], meaning: Meaning[E]) -> None:
    """Moved and edited at once: what is left over on both hands and alike, the most alike first."""
    gone = [at for at in range(len(base)) if not track.fates[at] and at not in track.moved]
    taken = set(track.moved.values())
    new = [(gap, place) for gap, some in enumerate(track.inserted) for place in range(len(some))]
    new = [home for home in new if home not in taken]
    if not gone or not new or len(gone) * len(new) > _LARGEST_GAP:
        return
    before = {at: _Look.at(base[at], meaning) for at in gone}
    after = {(gap, place): _Look.at(track.inserted[gap][place], meaning) for gap, place in new}
    pairs = ((_likeness(before[at], after[home]), at, home) for at in gone for home in new)
    for likeness, at, home in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        if likeness and at not in track.moved and home not in taken:
            track.moved[at] = home
            taken.add(home)


@dataclass(frozen=True, slots=True)
class _Slot:
    """Base elements of both sides that stand for each other."""

    feature: range
    ticket: range
    matched: bool = True
    """One stands for the other; else they are what is left over between others that do."""


def _align(base_feature: Sequence[E], base_ticket: Sequence[E], meaning: Meaning[E]) -> list[_Slot]:
    flat: list[E] = []
    starts: list[int] = []
    for element in base_feature:
        starts.append(len(flat))
        flat.extend(meaning.pieces(element))
    starts.append(len(flat))
    place = dict(matching(flat, base_ticket))
    slots: list[_Slot] = []
    done_feature = done_ticket = 0
    for at in range(len(base_feature)):
        span = range(starts[at], starts[at + 1])
        first = place.get(span.start, -1) if span else -1
        if first < 0 or any(place.get(span.start + k) != first + k for k in range(len(span))):
            continue
        slots += _gap(range(done_feature, at), range(done_ticket, first))
        slots.append(_Slot(range(at, at + 1), range(first, first + len(span))))
        done_feature, done_ticket = at + 1, first + len(span)
    slots += _gap(range(done_feature, len(base_feature)), range(done_ticket, len(base_ticket)))
    return slots


def _gap(feature: range, ticket: range) -> list[_Slot]:
    """Elements that the format changed beyond recognition: one by one where there are as many on both sides."""
    if len(feature) == len(ticket):
        pairs = zip(feature, ticket, strict=True)
        return [_Slot(range(f, f + 1), range(t, t + 1), matched=False) for f, t in pairs]
    return [_Slot(feature, ticket, matched=False)] if feature or ticket else []


def merge_sequences(
    base: tuple[Sequence[E], Sequence[E]],
    now: tuple[Sequence[E], Sequence[E]],
    meaning: Meaning[E],
    winner: Side | None,
    *,
    in_step: bool = True,
) -> Merged[E]:
    """Pairs are (feature, ticket). `winner` decides the places where both changed; None leaves each side its own.

    `in_step`: the bases say the same, if not element by element. Where they do not, an element that one side changed
    may stand against others that the other side alone has: that place is for the winner to decide as well.
    """
    tracks = (follow(base[0], now[0], meaning), follow(base[1], now[1], meaning))
    slots = _align(base[0], base[1], meaning)
    clashes = _settle_double_moves(slots, base, tracks, meaning, winner)
    merging = _Merging(base, tracks, meaning, winner, in_step=in_step)
    merging.merged.clashes += clashes
    at = (0, 0)
    for slot in slots:
        merging.gap(slot.feature.start, slot.ticket.start)
        merging.slot(slot)
        at = (slot.feature.stop, slot.ticket.stop)
    merging.gap(*at)
    return merging.result()


def _settle_double_moves(
    slots: Sequence[_Slot],
    base: tuple[Sequence[E], Sequence[E]],
    tracks: tuple[Track[E], Track[E]],
    meaning: Meaning[E],
    winner: Side | None,
) -> list[Clash[E]]:
    """Moved by both, or moved by one and edited by the other: it must not come out twice.

    Returns the places where one moved it and edited it, and the other did the same in its own way, or deleted it.
    """
    clashes: list[Clash[E]] = []
    for slot in slots:
        if len(slot.feature) != 1 or len(slot.ticket) != 1:
            continue
        at = (slot.feature.start, slot.ticket.start)
        here = (tracks[0].at_new_place(at[0]), tracks[1].at_new_place(at[1]))
        changed = tuple(
            one is not None and one != was[place] for one, was, place in zip(here, base, at, strict=True)
        )
        if here[0] is not None and here[1] is not None:
            if all(changed) and meaning.pieces(here[0]) != (here[1],):
                clashes.append(Clash((here[0],), (here[1],)))
                _leave_to(winner, tracks, at)
            else:
                ticket_goes = winner is not Side.TICKET if changed[0] == changed[1] else changed[0]
                _take_out(tracks[ticket_goes], at[ticket_goes])
            continue
        for mover, other in ((0, 1), (1, 0)):
            if here[mover] is None:
                continue
            if changed[mover] and not tracks[other].fates[at[other]]:
                clashes.append(Clash(*(() if one is None else (one,) for one in here)))
                _leave_to(winner, tracks, at)
            elif _is_edited(tracks[other], at[other]):
                _leave_to(winner, tracks, at)
    return clashes


def _leave_to(winner: Side | None, tracks: tuple[Track[E], Track[E]], at: tuple[int, int]) -> None:
    """What the loser moved goes; without a winner each side keeps what it has, and the other is not given it."""
    for side, track, place in zip((Side.FEATURE, Side.TICKET), tracks, at, strict=True):
        if place not in track.moved:
            continue
        if winner is None:
            track.disputed.add(place)
        elif winner is not side:
            _take_out(track, place)


def _is_edited(track: Track[E], at: int) -> bool:
    return bool(track.fates[at]) and not track.kept[at]


def _take_out(track: Track[E], at: int) -> None:
    gap, place = track.moved.pop(at)
    del track.inserted[gap][place]
    track.moved = {
        other: (g, p - 1 if g == gap and p > place else p) for other, (g, p) in track.moved.items()
    }


class _Merging(Generic[E]):
    def __init__(
        self,
        base: tuple[Sequence[E], Sequence[E]],
        tracks: tuple[Track[E], Track[E]],
        meaning: Meaning[E],
        winner: Side | None,
        *,
        in_step: bool,
    ) -> None:
        self._base, self._tracks, self._meaning, self._winner = base, tracks, meaning, winner
        self._in_step = in_step
        self._done = [-1, -1]
        """The last gap of each side that came out; beside a slot that has nothing of a side, its gap comes twice."""
        self._given: tuple[list[int], list[int]] = ([], [])
        self._own: tuple[list[int], list[int]] = ([], [])
        """Places in what comes out: taken over from the other side, and this side's own since before."""
        self.merged: Merged[E] = Merged()

    def result(self) -> Merged[E]:
        """Without what one side put in or made of something, and the other has had already."""
        for side, out in enumerate((self.merged.feature, self.merged.ticket)):
            own = Counter(self._on_ticket(side, out[place]) for place in self._own[side])
            for place in reversed(self._given[side]):
                shown = self._on_ticket(1 - side, out[place])
                if own[shown]:
                    own[shown] -= 1
                    del out[place]
        return self.merged

    def _on_ticket(self, side: int, element: E) -> tuple[E, ...]:
        return (element,) if side else self._meaning.pieces(element)

    def gap(self, feature_at: int, ticket_at: int) -> None:
        """What people put between two slots: of both sides, and once what both put in."""
        feature, ticket = self._once(0, feature_at), self._once(1, ticket_at)
        if self._shown(feature) == tuple(ticket):
            self._out(feature, ticket)
            return
        shown = [self._meaning.pieces(each) for each in feature]
        for equal, i1, i2, j1, j2 in stretches(shown, [(each,) for each in ticket]):
            if equal:
                self._out(feature[i1:i2], ticket[j1:j2])
            else:
                for_feature = self._tracks[1].offered(ticket_at, range(j1, j2))
                for_ticket = self._tracks[0].offered(feature_at, range(i1, i2))
                self._mark(self._given[0], self.merged.feature, i2 - i1, len(for_feature))
                self._mark(self._given[1], self.merged.ticket, 0, len(for_ticket))
                self._out([*feature[i1:i2], *for_feature], [*for_ticket, *ticket[j1:j2]])

    @staticmethod
    def _mark(places: list[int], out: Sequence[E], skipped: int, count: int) -> None:
        """The next so many that come out."""
        places.extend(range(len(out) + skipped, len(out) + skipped + count))

    def _once(self, side: int, gap: int) -> list[E]:
        first = self._done[side] < gap
        self._done[side] = gap
        return self._tracks[side].inserted[gap] if first else []

    def slot(self, slot: _Slot) -> None:
        feature, feature_kept = _state(self._tracks[0], slot.feature)
        ticket, ticket_kept = _state(self._tracks[1], slot.ticket)
        if feature_kept and ticket_kept and not self._corresponds(slot):
            self._mark(self._own[0], self.merged.feature, 0, len(feature))
            self._mark(self._own[1], self.merged.ticket, 0, len(ticket))
        if (feature_kept and ticket_kept) or (
            not feature_kept and not ticket_kept and self._shown(feature) == tuple(ticket)
        ):
            self._out(feature, ticket)
        elif feature_kept and (not feature or self._corresponds(slot)):
            self._take_over(Side.TICKET, ticket)
        elif ticket_kept and (not ticket or self._corresponds(slot)):
            self._take_over(Side.FEATURE, feature)
        else:
            self._both_changed(slot, feature, ticket)

    def _take_over(self, source: Side, elements: list[E]) -> None:
        target = 1 if source is Side.FEATURE else 0
        self._mark(self._given[target], (self.merged.feature, self.merged.ticket)[target], 0, len(elements))
        self._out(elements, elements)

    def _corresponds(self, slot: _Slot) -> bool:
        """One side's elements are the other's, or have their words; else a change of one would delete the other's."""
        if slot.matched or self._in_step:
            return True
        if not len(slot.feature) == len(slot.ticket) == 1:
            return False
        one, other = self._base[0][slot.feature.start], self._base[1][slot.ticket.start]
        return list(self._meaning.words(one)) == list(self._meaning.words(other))

    def _both_changed(self, slot: _Slot, feature: list[E], ticket: list[E]) -> None:
        inner = self._inner(slot, feature, ticket)
        if inner is not None:
            self._out([inner], [inner])
            return
        self.merged.clashes.append(Clash(tuple(feature), tuple(ticket)))
        match self._winner:
            case Side.FEATURE:
                self._take_over(Side.FEATURE, feature)
            case Side.TICKET:
                self._take_over(Side.TICKET, ticket)
            case _:
                self._out(feature, ticket)

    def _inner(self, slot: _Slot, feature: list[E], ticket: list[E]) -> E | None:
        if not len(slot.feature) == len(slot.ticket) == len(feature) == len(ticket) == 1:
            return None
        base, shown = self._base[1][slot.ticket.start], self._meaning.pieces(feature[0])
        if self._meaning.pieces(self._base[0][slot.feature.start]) != (base,) or len(shown) != 1:
            return None
        return self._meaning.inner(base, shown[0], ticket[0])

    def _shown(self, elements: Sequence[E]) -> tuple[E, ...]:
        return tuple(piece for each in elements for piece in self._meaning.pieces(each))

    def _out(self, feature: Sequence[E], ticket: Sequence[E]) -> None:
        self.merged.feature.extend(feature)
        self.merged.ticket.extend(ticket)


def _state(track: Track[E], span: range) -> tuple[list[E], bool]:
    """What a slot's base elements became, with what was put between them, and whether nothing was done to them."""
    out: list[E] = []
    kept = True
    for at in span:
        if at > span.start:
            out += track.inserted[at]
            kept = kept and not track.inserted[at]
        out += track.fates[at]
        kept = kept and track.kept[at]
    return out, kept
