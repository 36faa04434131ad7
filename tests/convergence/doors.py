"""The ports of both sides over the twins, with chaos between: what `OutsideWorld` is in the service.

Here is also noticed which of a person's edits fell between our last read of an item and our write to it: on an API
without a write precondition those may be lost, and only those.
"""

import contextlib
import functools
import json
from dataclasses import dataclass

from convergence.chaos import seconds_between
from convergence.twins import TwinBoard, TwinTracker, values_of
from keepstep.adapters.formats.markdown import Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.domain.fields import Snapshot
from keepstep.domain.integration import ProjectRef
from keepstep.ports.errors import NotGenuineError
from keepstep.ports.productboard import ColumnClick, FeatureBoard, FeatureNotice, WorkspaceFacts
from keepstep.ports.registrations import HookReport, HookState
from keepstep.ports.tracker import (
    AccountFacts,
    Capabilities,
    Channel,
    TicketNotice,
    Tracker,
    TrackerManifest,
)

KIND = "twin"
MANIFEST = TrackerManifest(
    kind=KIND,
    name="Twin",
    summary="",
    project_word="project",
    default_base_url="https://tracker.example",
    token_help="",
    text_format="gitlab_markdown",
    channel=Channel.WEBHOOK,
    capabilities=Capabilities(delete_events=True),
    settle_seconds=12.0,
)
_LONGEST_GAP_SECONDS = 0.7
"""The service reads again before a write when its read is older than half a second; plus the calls themselves."""
_STALE_IN_A_ROW = 2
"""Longer than this no read may lag behind: the third one is believed."""


class CachedText:
    """Reading is pure: the same text is parsed once a run."""

    def __init__(self, codec):
        self._codec = codec
        self.name = codec.name
        self.write = codec.write
        self.read = functools.lru_cache(maxsize=4096)(codec.read)


BOARD_TEXT, TRACKER_TEXT = CachedText(ProductboardHtml()), CachedText(Markdown())


@dataclass
class _LastRead:
    snapshot: Snapshot
    at: object
    stale: bool = False


class Reads:
    """What the service was shown of every item, and what its writes destroyed unseen."""

    def __init__(self, twin, clock):
        self._twin, self._clock = twin, clock
        self._answers = {}
        self._last = {}
        self._stale_run = {}
        self.gaps = []
        """(side, item id, field, the value that was overwritten unseen)."""

    def serve(self, item_id, answer):
        before = self._answers.get(item_id, [])
        if not before or before[-1] != answer:
            self._answers[item_id] = [*before[-2:], answer]
        self._last[item_id] = _LastRead(answer.snapshot, self._clock.now())
        self._stale_run[item_id] = 0
        return answer

    def older(self, item_id):
        """What a replica that lags behind may still show."""
        answers = self._answers.get(item_id, [])
        if not answers or self._stale_run.get(item_id, 0) >= _STALE_IN_A_ROW:
            return None
        self._stale_run[item_id] = self._stale_run.get(item_id, 0) + 1
        current = self._twin.items[item_id].snapshot
        differing = [each for each in answers if each.snapshot != current]
        if not differing:
            return None
        self._last[item_id] = _LastRead(differing[-1].snapshot, self._clock.now(), stale=True)
        return differing[-1]

    def last(self, item_id):
        """What the caller saw last; to be asked for when its write sets out.

        Until that write arrives, a worker that took the place of one thought dead may have read and written: the late
        write then overwrites what both workers' people wrote, and nobody can call it back.
        """
        return self._last.get(item_id)

    def writing(self, item_id, changes, last, began):
        item = self._twin.items.get(item_id)
        if item is None or last is None:
            return
        waited = seconds_between(last.at, began)
        for name, value in values_of(item.snapshot).items():
            unseen = value != last.snapshot.value(name)
            if changes.get(name.value) is not None and unseen and waited <= _LONGEST_GAP_SECONDS:
                self.gaps.append((self._twin.side, item_id, name, value))

    def ignoring(self, item_id, changes, last):
        """A write that is not carried out, while a person changes the same field: as if she had replaced our value.

        From outside nobody can tell the two apart; what our write carried over may be lost by it.
        """
        item = self._twin.items.get(item_id)
        if item is None or last is None:
            return
        for name, value in values_of(item.snapshot).items():
            wanted = changes.get(name.value)
            if wanted is not None and value != last.snapshot.value(name):
                self.gaps.append((self._twin.side, item_id, name, wanted))


class DoorsOfBoard:
    """Implements Workspace, Features, Columns and Subscriptions of one workspace."""

    def __init__(self, twin: TwinBoard, chaos, reads):
        self._twin, self._chaos, self._reads = twin, chaos, reads

    async def verify(self):
        return await self._chaos.call("board verify", _always(WorkspaceFacts("Twin")))

    async def fetch_feature(self, feature):
        async def fetch():
            return self._reads.serve(feature, self._twin.feature(self._twin.get(feature)))

        return await self._chaos.call("board fetch", fetch, stale=lambda: self._reads.older(feature))

    async def list_features(self, features):
        async def fetch():
            there = [self._twin.items[each] for each in features if each in self._twin.items]
            return [self._twin.feature(each) for each in there if each.is_there]

        return await self._chaos.call("board list", fetch)

    async def write_feature(self, feature, changes):
        wanted, began = _wanted(changes, self._twin), self._chaos.clock.now()
        last = self._reads.last(feature)

        async def write():
            self._reads.writing(feature, wanted, last, began)
            self._twin.put(feature, **wanted)

        async def ignore():
            self._reads.ignoring(feature, wanted, last)

        await self._chaos.call("board write", write, write=True, ignored=ignore)

    async def iter_changed(self, kind, since):
        async def fetch():
            return [self._twin.feature(each) for each in self._twin.changed_since(since)]

        for each in await self._chaos.call("board changed", fetch) if kind == "feature" else ():
            yield each

    async def fetch_cell(self, column, feature):
        async def fetch():
            self._twin.get(feature)
            return self._twin.cell(column, feature)

        return await self._chaos.call("board cell", fetch)

    async def list_unsettled(self, column):
        async def fetch():
            return {
                feature: cell
                for (owner, feature), cell in self._twin.cells.items()
                if owner == column and cell.state in ("progress", "error")
            }

        return await self._chaos.call("board cells", fetch)

    async def put_cell(self, column, feature, cell):
        async def put():
            self._twin.get(feature)
            self._twin.set_cell(column, feature, cell)

        await self._chaos.call(f"board put cell {cell.state}", put, write=True)

    async def inspect_column(self, column, url):
        return await self._chaos.call("board column", _always(HookReport(HookState.FINE)))

    async def inspect_subscription(self, subscription, url):
        return await self._chaos.call("board subscription", _always(HookReport(HookState.FINE)))


class DoorsOfTracker:
    """Implements Account and Tickets of one tracker account."""

    def __init__(self, twin: TwinTracker, chaos, reads):
        self._twin, self._chaos, self._reads = twin, chaos, reads

    async def verify(self):
        return await self._chaos.call("tracker verify", _always(AccountFacts("twin")))

    async def get_project(self, project):
        return await self._chaos.call("tracker project", _always(ProjectRef(project, project)))

    async def fetch_ticket(self, ref):
        async def fetch():
            return self._reads.serve(ref.id, self._twin.ticket(self._twin.get(ref.id)))

        return await self._chaos.call("tracker fetch", fetch, stale=lambda: self._reads.older(ref.id))

    async def list_tickets(self, project, refs):
        async def fetch():
            there = [self._twin.items[each.id] for each in refs if each.id in self._twin.items]
            return [self._twin.ticket(each) for each in there if each.is_there and each.project == project]

        return await self._chaos.call("tracker list", fetch)

    async def find_by_marker(self, project, marker):
        async def find():
            return [self._twin.ticket(each) for each in self._twin.with_marker(project, marker)]

        return await self._chaos.call("tracker search", find)

    async def create_ticket(self, project, draft):
        async def create():
            item = self._twin.add(project, draft)
            return self._reads.serve(item.id, self._twin.ticket(item))

        return await self._chaos.call("tracker create", create, write=True, late=create)

    async def write_ticket(self, ref, changes):
        wanted, began = _wanted(changes, self._twin), self._chaos.clock.now()
        last = self._reads.last(ref.id)

        async def show():
            return self._reads.serve(ref.id, self._twin.ticket(self._twin.get(ref.id)))

        async def write():
            self._reads.writing(ref.id, wanted, last, began)
            self._twin.put(ref.id, **wanted)
            return await show()

        async def ignore():
            self._reads.ignoring(ref.id, wanted, last)
            return await show()

        return await self._chaos.call("tracker write", write, write=True, ignored=ignore)

    async def ensure_marks(self, ref, marker, link_back):
        """The footer is the only mark here."""

    async def remove_marks(self, ref, marker):
        """As above."""

    async def ensure_comment(self, ref, text, key):
        async def comment():
            item = self._twin.get(ref.id)
            if key not in item.comments:
                item.comments.append(key)

        await self._chaos.call("tracker comment", comment, write=True)

    async def iter_changed(self, project, since):
        async def fetch():
            changed = self._twin.changed_since(since)
            return [self._twin.ticket(each) for each in changed if each.project == project]

        for each in await self._chaos.call("tracker changed", fetch):
            yield each

    async def inspect_hook(self, project, hook, url):
        return await self._chaos.call("tracker hook", _always(HookReport(HookState.FINE)))


class TwinOutside:
    """Implements `keepstep.ports.outside.Outside`, as far as Links need it."""

    def __init__(self, board, tracker, chaos, clock):
        self.board_reads, self.tracker_reads = Reads(board, clock), Reads(tracker, clock)
        doors = DoorsOfBoard(board, chaos, self.board_reads)
        self._board = FeatureBoard(workspace=doors, features=doors, columns=doors, subscriptions=doors)
        mine = DoorsOfTracker(tracker, chaos, self.tracker_reads)
        self._tracker = Tracker(
            manifest=MANIFEST, text=TRACKER_TEXT, account=mine, tickets=mine, notifications=mine
        )

    @property
    def gaps(self):
        return [*self.board_reads.gaps, *self.tracker_reads.gaps]

    def open_board(self, base_url, token):
        return self._board

    def open_tracker(self, kind, base_url, token, settings):
        return self._tracker

    def calling(self, call_class, patience=1.0):
        return contextlib.nullcontext()

    def board_text(self):
        return BOARD_TEXT

    def board_wire(self):
        return TwinWire()

    def tracker_wire(self, kind):
        return TwinWire()

    def manifest(self, kind):
        return MANIFEST


class TwinWire:
    """Implements BoardWire and TrackerWire over plain JSON."""

    def read_click(self, body):
        return ColumnClick(**json.loads(body))

    def read_notification(self, first, body=None, secret="", *, signed=False):
        if body is None:
            data = json.loads(first)
            return [FeatureNotice("feature.changed", data["item"], data["deleted"])]
        if first.get("secret") != secret:
            raise NotGenuineError("Wrong secret.")
        data = json.loads(body)
        return [TicketNotice(data["item"], data["delivery"], data["deleted"])]


def _wanted(changes, twin):
    description = changes.description
    return {
        "title": changes.title,
        "description": None if description is None else twin.written(description),
        "status": changes.status,
    }


def _always(value):
    async def answer():
        return value

    return answer
