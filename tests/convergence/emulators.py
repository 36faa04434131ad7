"""Both emulators as the machine sees them: items that people edit, cells, and what their webhooks tell."""

from dataclasses import replace
from datetime import UTC, datetime

from convergence.people import MARKER
from convergence.twin_world import COLUMNS
from convergence.twins import BOARD_STATUSES, FIRST_STATUS, Item, Twin
from keepstep.adapters.productboard.wire import ConnectionWire, cell_from_wire, wire_from_cell
from keepstep.adapters.trackers.gitlab.secrets import hook_token
from keepstep.domain.column import INITIAL
from keepstep.domain.fields import Side, Snapshot
from keepstep_sandbox.app import SandboxConfig
from keepstep_sandbox.gittab import create_app as create_gittab
from keepstep_sandbox.gittab.errors import GitLabError
from keepstep_sandbox.gittab.seeding import SERVICE_TOKEN
from keepstep_sandbox.gittab.state import Hook
from keepstep_sandbox.gittab.writing import Wish
from keepstep_sandbox.productboard import create_app as create_productboard
from keepstep_sandbox.productboard.callbacks import put_connection
from keepstep_sandbox.productboard.errors import ApiError
from keepstep_sandbox.productboard.fields import Values
from keepstep_sandbox.productboard.state import Entity, Option, PluginIntegration, Webhook, now_text
from keepstep_sandbox.productboard.writing import Writing

from world import BOARD, BOARD_TOKEN, TRACKER

SECRET = "x" * 20
_EVENTS = ["feature.created", "feature.updated", "feature.deleted"]


class _Emulated(Twin):
    """`items` is read anew at every look; what the emulator has no more counts as deleted."""

    def __init__(self, side, clock, app, queue, public_url):
        super().__init__(side, clock, None)
        self.app, self.public_url = app, public_url
        self.emulator = app.state.sandbox.emulator
        # Webhooks go into the machine's hands instead of onto the wire.
        app.state.sandbox.delivery.post = queue.append

    @property
    def items(self):
        shown = self.shown()
        for item_id, (snapshot, project) in shown.items():
            item = self._known.get(item_id)
            if item is None:
                now, marker = self.clock.now(), MARKER.search(snapshot.description)
                found = marker.group() if marker else ""
                item = self._known[item_id] = Item(item_id, snapshot, now, now, project, found)
            item.snapshot = snapshot
        for item_id, item in self._known.items():
            item.deleted = item_id not in shown
        return self._known

    @items.setter
    def items(self, known):
        self._known = known

    def put(self, item_id, **values):
        item = self.get(item_id)
        before = item.snapshot
        changes = {name: value for name, value in values.items() if value is not None}
        try:
            self.change(item_id, changes)
        except (ApiError, GitLabError):
            return  # the vendor's page refuses it as its API does: then nobody has edited anything
        if self.items[item_id].snapshot != before:
            item.history.append(before)


class EmulatedBoard(_Emulated):
    def __init__(self, clock, queue, public_url):
        config = SandboxConfig(public_base=BOARD, allow_insecure_callbacks=True, seed="empty")
        super().__init__(Side.FEATURE, clock, create_productboard(config), queue, public_url)
        account = self.emulator.account
        account.tokens[BOARD_TOKEN].per_second = 100_000
        self.space = account.workspaces[account.tokens[BOARD_TOKEN].workspace]
        kinds = ["feature", "subfeature"]
        self.space.options["status"] = {key: Option(key, name, kinds) for key, name in BOARD_STATUSES.items()}
        self.writing = Writing(
            self.space, Values(self.space, account.rich_text_2026_09), self.emulator.notices.announce, "Ann"
        )
        self._product = self.writing.create("product", {"name": "All"})

    def register(self, name):
        column, url = COLUMNS[name], f"{self.public_url}/column/{name}"
        proof, hooks = f"Bearer {SECRET}", f"{self.public_url}/hooks/productboard/{name}/events"
        self.space.integrations[column] = PluginIntegration(
            column, f"dev.keepstep.i{name}", name, "enabled", "Push", url, 1, proof, now_text()
        )
        self.space.webhooks[name] = Webhook(name, name, _EVENTS, hooks, 1, proof, now_text())

    def add(self, feature, title, description, status):
        fields = {"name": title, "description": description, "status": status, "archived": False}
        self.space.entities[feature] = Entity(feature, "feature", fields, self._product.id)

    def shown(self):
        return {
            each.id: (
                Snapshot(each.name, each.fields.get("description") or "", each.fields.get("status")),
                "",
            )
            for each in self.space.entities.values()
            if each.type == "feature"
        }

    def change(self, item_id, changes):
        names = {"title": "name"}
        fields = {names.get(key, key): value for key, value in changes.items()}
        if "status" in fields:
            fields["status"] = {"id": fields["status"]}
        if "description" in fields:
            fields["description"] = fields["description"] or None
        self.writing.update(self.space.entities[item_id], fields)

    def delete(self, item_id):
        self.writing.delete(self.space.entities[item_id])

    @property
    def cells(self):
        return {
            (column.id, feature): cell_from_wire(ConnectionWire.model_validate(state))
            for column in self.space.integrations.values()
            for feature, state in column.connections.items()
        }

    @cells.setter
    def cells(self, none):
        pass

    def cell(self, column, feature):
        return self.cells.get((column, feature), INITIAL)

    def set_cell(self, column, feature, cell):
        if feature in self.space.entities:
            state = wire_from_cell(cell)["data"]["fields"]["connection"]
            put_connection(self.space.integrations[column], feature, state)

    def click_body(self, column, feature, trigger):
        entity = self.space.entities.get(feature) or Entity(feature, "feature", {"name": "gone"})
        member = next(iter(self.space.members.values()), None)
        integration = self.space.integrations[column]
        return self.emulator.clicks._body(self.space, integration, entity, f"button.{trigger}", member)


class EmulatedTracker(_Emulated):
    def __init__(self, clock, queue, public_url):
        config = SandboxConfig(public_base=TRACKER, allow_insecure_callbacks=True, seed="empty")
        super().__init__(Side.TICKET, clock, create_gittab(config), queue, public_url)
        self.search_lag = None
        self.emulator.seed(
            {
                "projects": [{"id": 2, "path": "demo/mobile"}],
                "labels": [{"project": at, "name": name} for at in (1, 2) for name in ("doing", "review")],
                "roles": [{"token": SERVICE_TOKEN, "project": at, "role": "maintainer"} for at in (1, 2)],
                "delete_events": {"1": True, "2": True},
                "limits": {"requests_per_minute": 1_000_000},
            }
        )
        self._person = self.emulator.state.user_named("visitor")

    def register(self, name, project):
        state, number = self.emulator.state, self.emulator.state.next_id("hooks")
        events = dict.fromkeys(
            ("issues_events", "confidential_issues_events", "note_events", "confidential_note_events"), True
        )
        url, made = f"{self.public_url}/hooks/tracker/{name}", datetime.now(UTC).isoformat()
        state.hooks[number] = Hook(
            number, f"hook-{name}", int(project), url, made, events, token=hook_token(SECRET)
        )

    def shown(self):
        return {
            str(each.id): (
                Snapshot(each.title, each.description or "", self._status(each)),
                str(each.project_id),
            )
            for each in self.emulator.state.issues.values()
        }

    def _status(self, issue):
        if issue.state == "closed":
            return "closed"
        names = self.emulator.state.names_of(issue)
        return next((f"label:{name}" for name in ("doing", "review") if name in names), FIRST_STATUS)

    def change(self, item_id, changes):
        issue = self.emulator.state.issues[int(item_id)]
        wish = Wish({name: value for name, value in changes.items() if name != "status"})
        if "status" in changes:
            label = changes["status"].removeprefix("label:")
            others = [name for name in ("doing", "review") if name != label]
            state = "close" if label == "closed" else "reopen"
            wanted = [label] if label in ("doing", "review") else []
            wish = replace(wish, state_event=state, add_labels=wanted, remove_labels=others)
        self.emulator.writing.update(issue, self._person, wish)

    def delete(self, item_id):
        self.emulator.writing.delete(self.emulator.state.issues[int(item_id)], self._person)

    def label_of(self, item):
        return f"#{self.emulator.state.issues[int(item.id)].iid}"
