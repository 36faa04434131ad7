"""Whether it all came out as promised: judged from what both sides show and from what people did."""

from collections import Counter

from convergence.people import MARKER, seen, tokens
from convergence.twin_world import COLUMNS
from convergence.twins import BOARD_STATUSES, TRACKER_STATUSES
from keepstep.app.cells import cell_of
from keepstep.domain.column import CellState
from keepstep.domain.events import Act
from keepstep.domain.fields import Field, Side
from keepstep.domain.link import LinkState
from keepstep.domain.policy import Direction

STEADY = (LinkState.LINKED, LinkState.IN_CONFLICT, LinkState.REFUSED)


class Oracle:
    def __init__(self, world, ledger, policies):
        self.world, self.ledger = world, ledger
        self.policies = policies
        """Integration to every policy it ever had, oldest first."""

    # ---- always

    async def check_always(self):
        """At most one ticket for each push, whatever happened."""
        made = Counter()
        for item in self.world.tracker.items.values():
            owner = self.world.owners().get(item.marker.removeprefix("keepstep"))
            assert owner is not None, f"Ticket {item.id} belongs to no Link that ever was."
            if item.id not in self.ledger.untraceable:
                made[owner] += 1
        markers = Counter(
            item.marker
            for item in self.world.tracker.items.values()
            if item.id not in self.ledger.untraceable
        )
        assert not [mark for mark, count in markers.items() if count > 1], (
            f"Two tickets, one marker: {markers}"
        )
        unlinked = {entry.link_id for entry in await self.world.journal() if entry.act is Act.UNLINKED}
        endings = Counter(self.world.owners()[link] for link in unlinked)
        for owner, count in made.items():
            assert count <= 1 + endings[owner], f"{count} tickets for {endings[owner] + 1} pushes of {owner}."

    # ---- at rest

    async def check_cells_of_links(self):
        """Before any poll: every cell shows what its Link says, where every click was answered."""
        for link in await self.world.links():
            owner, item = (link.integration_id, link.feature_id), self._item(Side.FEATURE, link.feature_id)
            quiet = item.is_there and link.feature_id not in self.ledger.hidden
            if link.state in STEADY and quiet and owner not in self.world.unheard:
                shown = self.world.board.cell(COLUMNS[link.integration_id], link.feature_id)
                assert shown == cell_of(self.world.ctx, link), f"{shown} for {link}"

    async def check_words(self):
        """Even before a poll brings what was missed: nothing that people wrote is gone."""
        entries = await self.world.journal()
        self._overruled = [
            (self.world.owners()[entry.link_id][1], entry.field, entry.before or "")
            for entry in entries
            if entry.act is Act.OVERRULED
        ]
        self._gaps = [
            (self._family(side, item), name, value) for side, item, name, value in self.world.outside.gaps
        ]
        self.check_no_word_lost()

    async def check_rest(self):
        await self.check_words()
        links = await self.world.links()
        for link in links:
            assert link.state in (*STEADY, LinkState.SET_ASIDE, LinkState.DISMISSED), link
            if link.state in STEADY:
                self.check_link(link)
        self.check_nothing_moved_unasked(links)
        self.check_cells(links)

    def check_no_word_lost(self):
        for word, (feature, name, side, item_id) in self.ledger.alive.items():
            item = self._item(side, item_id)
            if not item.is_there or word in tokens(item.snapshot.value(name)):
                continue
            excused = [*self._overruled, *self._gaps]
            found = any((feature, name) == each[:2] and word in tokens(each[2]) for each in excused)
            assert found, f"{word}, written into the {name} of {side} {item_id}, is lost without a trace."

    def check_link(self, link):
        feature, ticket = self.world.board.get(link.feature_id), self.world.tracker.get(link.ticket.id)
        marks = Counter(MARKER.findall(ticket.snapshot.description))
        if Field.DESCRIPTION not in link.refusals:
            assert marks[link.marker] == 1, f"{marks[link.marker]} footers of ours in {ticket.snapshot}"
        for name in Field:
            if self._is_open(link, name) or link.feature_id in self.ledger.loose:
                continue
            one, two = feature.snapshot.value(name), ticket.snapshot.value(name)
            self._check_agreement(link, name, one, two)
            if name is not Field.STATUS:
                self._check_words(link, name, one, two)

    def _check_agreement(self, link, name, one, two):
        match name:
            case Field.TITLE:
                assert one.split() == two.split(), f"Titles differ: {one!r}, {two!r}"
            case Field.DESCRIPTION:
                mine, theirs = seen(Side.FEATURE, one), seen(Side.TICKET, two)
                if name in link.warnings and (_is_part(mine, theirs) or _is_part(theirs, mine)):
                    return  # who deletes right behind our write looks like a vendor that stores less; it is said
                assert mine == theirs, f"Descriptions differ: {one!r}, {two!r}: {mine}, {theirs}"
            case Field.STATUS:
                maps = [policy.status_map for policy in self.policies[link.integration_id]]
                loose = [m for m in maps if one not in m.to_ticket or two not in m.to_feature]
                agreed = [m for m in maps if m.to_ticket.get(one) == two or m.to_feature.get(two) == one]
                assert agreed or loose, f"Statuses differ: {one}, {two}"

    def _check_words(self, link, name, one, two):
        """Nothing comes back that was taken away, and nothing is doubled; as far as people did not make it hard."""
        family = (link.feature_id, name)
        edits = self.ledger.edits.get(family, [])
        if family in self.ledger.muddled or any(
            family == each[:2] for each in [*self._overruled, *self._gaps]
        ):
            return
        ends = ((Side.FEATURE, link.feature_id), (Side.TICKET, link.ticket.id))
        taken = {word for word, each in self.ledger.dead.items() if each[1] is name and each[2:] in ends}
        for end, shown in zip(ends, (one, two), strict=True):
            counts, before = Counter(tokens(shown)), self.ledger.at_rest.get(end)
            known = Counter(tokens(before.value(name))) if before else counts
            twice = [word for word, count in counts.items() if count > 1 and known[word] == 1]
            # Two people who each rewrite most of one paragraph have written two paragraphs.
            assert not twice or len(edits) > 2, f"{twice} stand twice in {shown!r}"
            # A block that one moves and the other deletes or rewrites stays.
            moved = name is Field.DESCRIPTION and link.feature_id in self.ledger.swapped
            just = set() if moved else self.ledger.just_dead
            gone = {word for word in taken & counts.keys() if word in just or not known[word]}
            gone -= self.ledger.just_dead if moved else set()
            assert not gone, f"{gone} were taken away and came back: {shown!r}"

    def check_nothing_moved_unasked(self, links):
        """A value changes only where a person's edit on another side had to be carried there."""
        for (side, item_id), before in self.ledger.at_rest.items():
            item, feature = self._item(side, item_id), self._family(side, item_id)
            steady = [link for link in links if link.feature_id == feature and link.state in STEADY]
            if feature in self.ledger.restless or not item.is_there or not steady:
                continue
            for name in Field:
                self._check_value(side, item, feature, name, before)

    def _check_value(self, side, item, feature, name, before):
        edits, now = self.ledger.edits.get((feature, name), []), item.snapshot.value(name)
        if any((feature, name) == gap[:2] for gap in self._gaps):
            return
        kinds, places = {kind for _, _, kind in edits}, {place[:2] for place in edits}
        about_footer = kinds & {"drop footer", "move footer", "write below footer", "restore"}
        here = (side, item.id) in places
        if not here and kinds <= {"reformat"}:
            assert now == before.value(name), f"{name} of {side} {item.id} moved: {before}, {item.snapshot}"
        if here and len(places) == 1 and not about_footer:
            left = self.ledger.left[side, item.id, name]
            assert now == left, f"{name} of {side} {item.id} was left as {left!r} and is {now!r}"

    def check_cells(self, links):
        owners = {(link.integration_id, link.feature_id): link for link in links if link.is_open}
        for name in self.policies:
            for feature, item in self.world.board.items.items():
                if item.is_there and feature not in self.ledger.hidden:
                    cell = self.world.board.cell(COLUMNS[name], feature)
                    self._check_cell(cell, owners.get((name, feature)))

    def _check_cell(self, cell, link):
        if link is None or link.state is LinkState.DISMISSED:
            assert cell.state in (CellState.INITIAL, CellState.ERROR), f"Nothing is linked: {cell}"
        elif link.state is LinkState.SET_ASIDE:
            assert cell.state is CellState.ERROR, f"Set aside: {cell}, {link.trouble}"
        else:
            ticket = self.world.tracker.items[link.ticket.id]
            assert cell.state is CellState.CONNECTED, f"{cell} for {link}"
            label = self.world.tracker.label_of(ticket)
            assert cell.hover_label == label, f"{cell} for {ticket}"
            if link.state is LinkState.IN_CONFLICT:
                assert cell.label == "Decide", f"{cell} for {link}"
                return
            status = TRACKER_STATUSES[ticket.snapshot.status]
            assert cell.label.casefold() == status.name.casefold(), f"{cell} for {ticket}"
            title = " ".join(f"{label} {ticket.snapshot.title}".split())
            assert cell.tooltip.rstrip("…") == title[: len(cell.tooltip.rstrip("…"))], f"{cell} for {ticket}"

    # ---- what excuses

    def _is_open(self, link, name):
        """Somebody has to decide, the side refuses, or this field was not always to go both ways."""
        ways = {policy.of(name).direction for policy in self.policies[link.integration_id]}
        return name in link.conflicts or name in link.refusals or ways != {Direction.BOTH}

    def is_restless(self, link):
        return link.state not in STEADY or any(self._is_open(link, name) for name in Field)

    def _item(self, side, item_id):
        return (self.world.board if side is Side.FEATURE else self.world.tracker).items[item_id]

    def _family(self, side, item_id):
        if side is Side.FEATURE:
            return item_id
        return self.world.owners()[self.world.tracker.items[item_id].marker.removeprefix("keepstep")][1]


def _is_part(less, more):
    """All its words, in their order."""
    left = iter(tokens(" ".join(more)))
    return all(word in left for word in tokens(" ".join(less)))


def all_statuses(side):
    return tuple(BOARD_STATUSES if side is Side.FEATURE else TRACKER_STATUSES)
