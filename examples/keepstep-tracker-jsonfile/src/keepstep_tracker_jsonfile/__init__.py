"""Tickets in one JSON file, `{"users": {token: name}, "tickets": [...]}`: a tracker to read before writing your own."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keepstep.adapters.formats.markdown import GITHUB, Markdown
from keepstep.adapters.http import HttpClient, Problem, Service
from keepstep.adapters.trackers import SettingValues, TrackerAdapter, chosen_one
from keepstep.domain.ids import StatusId, TicketId
from keepstep.domain.integration import ProjectRef
from keepstep.domain.ticket import StatusCategory, Ticket, TicketChanges, TicketDraft, TicketRef, TicketStatus
from keepstep.ports.errors import AuthLostError, NotGenuineError, NotThereError, RejectedError, TransientError
from keepstep.ports.tracker import (
    AccountFacts,
    Capabilities,
    Channel,
    MarkerStrategy,
    ProjectFields,
    SettingField,
    Tracker,
    TrackerManifest,
)

_TEXT = Markdown(GITHUB)
_FILE = SettingField("file", "File", "On the machine that runs Keepstep, with its full path.", required=True)
_STATUSES = {
    "open": TicketStatus(StatusId("open"), "Open", StatusCategory.TODO),
    "done": TicketStatus(StatusId("done"), "Done", StatusCategory.DONE),
}
MANIFEST = TrackerManifest(
    kind="jsonfile",
    name="JSON file",
    summary="Tickets in one JSON file on this machine.",
    project_word="file",
    default_base_url="http://localhost",
    token_help="Any key of the object users in the file.",
    text_format=_TEXT.name,
    channel=Channel.POLLING,
    capabilities=Capabilities(),
    account=(_FILE,),
    marker=MarkerStrategy.LIST,
)


class JsonFile:
    """Implements Account and Tickets."""

    def __init__(self, http: HttpClient, settings: SettingValues) -> None:
        self._token = http.credential
        self._path = Path(chosen_one(settings, "file"))

    def _load(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self._path.read_text())
        except FileNotFoundError as error:
            raise NotThereError(f"There is no file {self._path.name}.") from error
        except (OSError, ValueError) as error:
            raise TransientError(f"{self._path.name} cannot be read now: {error}") from error
        if self._token not in found["users"]:
            raise AuthLostError(f"{self._path.name} knows no user with this token.", side="tracker")
        return found

    def _store(self, data: dict[str, Any]) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(data, indent=1))
        fresh.replace(self._path)

    async def verify(self) -> AccountFacts:
        return AccountFacts(self._load()["users"][self._token])

    async def list_projects(self, search: str = "") -> Sequence[ProjectRef]:
        found = await self.get_project(self._path.name)
        return [found] if search.lower() in found.name.lower() else []

    async def get_project(self, project: str) -> ProjectRef:
        self._load()
        if project != self._path.name:
            raise NotThereError(f"There is no file {project}.")
        return ProjectRef(project, project, self._path.as_uri())

    async def list_labels(self, project: str) -> Sequence[str]:
        return []

    async def list_statuses(self, project: str) -> Sequence[TicketStatus]:
        return list(_STATUSES.values())

    async def list_fields(self, project: str, defaults: SettingValues) -> ProjectFields:
        return ProjectFields()

    def _ticket(self, row: Mapping[str, Any]) -> Ticket:
        number = str(row["id"])
        url = f"{self._path.as_uri()}#{number}"
        return Ticket(
            TicketRef(TicketId(number), self._path.name, number, f"#{number}", url),
            row["title"],
            row["description"],
            _STATUSES[row["status"]],
            datetime.fromisoformat(row["updated_at"]),
        )

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._load()["tickets"]
        return rows

    async def fetch_ticket(self, ref: TicketRef) -> Ticket:
        found = next((each for each in self._rows() if str(each["id"]) == ref.id), None)
        if found is None:
            raise NotThereError(f"There is no ticket {ref.label}.")
        return self._ticket(found)

    async def list_tickets(self, project: str, refs: Sequence[TicketRef]) -> Sequence[Ticket]:
        wanted = {ref.id for ref in refs}
        return [self._ticket(each) for each in self._rows() if str(each["id"]) in wanted]

    async def find_by_address(self, project: str, address: str) -> Ticket | None:
        number = address.removeprefix(f"{self._path.as_uri()}#").removeprefix("#")
        return next((self._ticket(each) for each in self._rows() if str(each["id"]) == number), None)

    async def find_by_marker(self, project: str, marker: str) -> Sequence[Ticket]:
        whole = re.compile(rf"\b{re.escape(marker)}\b")
        return [self._ticket(each) for each in self._rows() if whole.search(each["description"])]

    async def create_ticket(self, project: str, draft: TicketDraft) -> Ticket:
        data = self._load()
        number = max((each["id"] for each in data["tickets"]), default=0) + 1
        row = {
            "id": number,
            "title": draft.title,
            "description": draft.description,
            "status": draft.status or "open",
        }
        return self._changed(data, row, row)

    async def write_ticket(self, ref: TicketRef, changes: TicketChanges) -> Ticket:
        data = self._load()
        row = next((each for each in data["tickets"] if str(each["id"]) == ref.id), None)
        if row is None:
            raise NotThereError(f"There is no ticket {ref.label}.")
        wanted = {"title": changes.title, "description": changes.description, "status": changes.status}
        given = {name: value for name, value in wanted.items() if value is not None and value != row[name]}
        return self._changed(data, row, given) if given else self._ticket(row)

    def _changed(self, data: dict[str, Any], row: dict[str, Any], values: Mapping[str, Any]) -> Ticket:
        if values.get("status", "open") not in _STATUSES:
            raise RejectedError("There is no such status.", field="status", status=None)
        row.update(values, updated_at=datetime.now(UTC).isoformat())
        data["tickets"] = [each for each in data["tickets"] if each["id"] != row["id"]] + [row]
        data["tickets"].sort(key=lambda each: each["id"])
        self._store(data)
        return self._ticket(row)

    async def ensure_marks(self, ref: TicketRef, marker: str, link_back: str) -> None:
        """The text is all there is."""

    async def remove_marks(self, ref: TicketRef, marker: str) -> None:
        """Nothing besides the text."""

    async def ensure_comment(self, ref: TicketRef, text: str, key: str) -> None:
        data = self._load()
        data.setdefault("comments", {}).setdefault(ref.id, {})[key] = text
        self._store(data)

    async def iter_changed(self, project: str, since: datetime) -> AsyncIterator[Ticket]:
        for each in map(self._ticket, self._rows()):
            if each.updated_at >= since:
                yield each


class NobodyCalls:
    def read_notification(self, headers: Any, body: bytes, secret: str, *, signed: bool) -> Any:
        raise NotGenuineError("A file calls nobody.")


def _open(http: HttpClient, settings: SettingValues) -> Tracker:
    desk = JsonFile(http, settings)
    return Tracker(MANIFEST, _TEXT, desk, desk, None)


JSONFILE = TrackerAdapter(
    manifest=MANIFEST,
    service=Service("JSON file", "tracker", 1000, lambda status, body: Problem()),
    api_root=str,
    headers=lambda token, values: {},
    open=_open,
    wire=NobodyCalls(),
    package=__name__,
)
