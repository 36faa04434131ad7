"""Both sides in memory: what a Productboard workspace and a tracker hold, tell, and make of what is written to them.

Each changes what it stores a little, as the vendors do: the board writes its HTML in its own notation and knows no
strikethrough; the tracker ends every text with a line end.
"""

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from keepstep.domain.column import INITIAL, CellState
from keepstep.domain.feature import Feature, FeatureStatus
from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.ids import StatusId
from keepstep.domain.ticket import StatusCategory, Ticket, TicketRef, TicketStatus
from keepstep.ports.errors import NotThereError

BOARD_STATUSES = {
    "idea": "Idea",
    "planned": "Planned",
    "doing": "In progress",
    "done": "Released",
    "odd": "Odd",
}
TRACKER_STATUSES = {
    "opened": TicketStatus(StatusId("opened"), "Open", StatusCategory.TODO),
    "label:doing": TicketStatus(StatusId("label:doing"), "doing", StatusCategory.DOING),
    "label:review": TicketStatus(StatusId("label:review"), "review", StatusCategory.DOING),
    "closed": TicketStatus(StatusId("closed"), "Closed", StatusCategory.DONE),
}
"""Named as GitLab's with two labels that mean a status, so that the machine goes over its emulator too."""
FIRST_STATUS = "opened"
_LONGEST_TEXT = 10_000
"""No person of the machine writes as much; a text that is merged with itself again and again gets there soon."""
_STRIKE = re.compile(r"</?(?:s|strike|del)>")


@dataclass
class Item:
    id: str
    snapshot: Snapshot
    updated_at: datetime
    made_at: datetime
    project: str = ""
    marker: str = ""
    hidden: bool = False
    deleted: bool = False
    history: list[Snapshot] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)

    @property
    def is_there(self):
        return not (self.hidden or self.deleted)


@dataclass
class Twin:
    """What is alike on both sides. `tell` is called with (item, deleted) after every change."""

    side: Side
    clock: object
    tell: Callable
    items: dict[str, Item] = field(default_factory=dict)

    def get(self, item_id) -> Item:
        found = self.items.get(item_id)
        if found is None or not found.is_there:
            raise NotThereError(f"There is no {self.side} {item_id}.")
        return found

    def put(self, item_id, **values):
        """`title`, `description`, `status`; None leaves a field alone."""
        item = self.get(item_id)
        changes = {name: value for name, value in values.items() if value is not None}
        if "description" in changes:
            changes["description"] = self.stored(changes["description"])
        after = replace(item.snapshot, **changes)
        if after == item.snapshot:
            return
        assert len(after.description) < _LONGEST_TEXT, f"The text of {self.side} {item_id} grows without end."
        item.history.append(item.snapshot)
        item.snapshot = after
        item.updated_at = self.clock.now()
        self.tell(item, deleted=False)

    def stored(self, text):
        return text

    def changed_since(self, since):
        return [each for each in self.items.values() if each.is_there and each.updated_at >= since]

    def delete(self, item_id):
        item = self.items[item_id]
        item.deleted = True
        self.tell(item, deleted=True)


class TwinBoard(Twin):
    def __init__(self, clock, tell):
        super().__init__(Side.FEATURE, clock, tell)
        self.cells = {}
        """(column, feature) to what the cell shows; absent is `initial`."""

    def add(self, feature, title, description, status):
        now = self.clock.now()
        snapshot = Snapshot(title, self.stored(description), status)
        self.items[feature] = Item(feature, snapshot, now, now)

    def stored(self, text):
        return _STRIKE.sub("", text)

    def written(self, text):
        """Its own notation for what comes through the API."""
        text = text.replace("<b>", "<strong>").replace("</b>", "</strong>")
        return re.sub(r"(</(?:p|h\d|ul|ol|pre|blockquote)>)\s*(?=<)", r"\1\n", text)

    def cell(self, column, feature):
        return self.cells.get((column, feature), INITIAL)

    def set_cell(self, column, feature, cell):
        if cell.state is CellState.INITIAL:
            self.cells.pop((column, feature), None)
        else:
            self.cells[column, feature] = cell

    def feature(self, item: Item) -> Feature:
        status = item.snapshot.status
        return Feature(
            id=item.id,
            type="feature",
            title=item.snapshot.title,
            description=item.snapshot.description,
            status=FeatureStatus(status, BOARD_STATUSES[status]) if status else None,
            archived=False,
            url=f"https://board.example/{item.id}",
            updated_at=item.updated_at,
        )


class TwinTracker(Twin):
    def __init__(self, clock, tell):
        super().__init__(Side.TICKET, clock, tell)
        self._numbers = itertools.count(1)
        self.search_lag = timedelta()
        """How long a new ticket is not found by its marker."""

    def stored(self, text):
        return text.rstrip() + "\n" if text.strip() else ""

    written = stored

    def add(self, project, draft) -> Item:
        now, number = self.clock.now(), str(next(self._numbers))
        snapshot = Snapshot(draft.title, self.stored(draft.description), draft.status or FIRST_STATUS)
        item = self.items[number] = Item(number, snapshot, now, now, project, draft.marker)
        self.tell(item, deleted=False)
        return item

    def with_marker(self, project, marker):
        found_until = self.clock.now() - self.search_lag
        return [
            each
            for each in self.items.values()
            if each.is_there
            and each.project == project
            and each.made_at <= found_until
            and marker in each.snapshot.description
        ]

    def label_of(self, item: Item) -> str:
        return f"#{item.id}"

    def ticket(self, item: Item) -> Ticket:
        return Ticket(
            ref=ref_of(item),
            title=item.snapshot.title,
            description=item.snapshot.description,
            status=TRACKER_STATUSES[item.snapshot.status],
            updated_at=item.updated_at,
        )


def ref_of(item: Item) -> TicketRef:
    return TicketRef(
        item.id, item.project, item.id, f"#{item.id}", f"https://tracker.example/{item.project}/{item.id}"
    )


def values_of(snapshot: Snapshot) -> dict[Field, str]:
    return {name: snapshot.value(name) for name in Field}
