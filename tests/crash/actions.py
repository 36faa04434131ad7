"""What is done to the service, from inside its process: people at both emulators, and the use cases of the pages."""

from acceptance.emulators import PROJECT, WATCHER
from crash.seams import inside
from keepstep.app import bulk, bulk_preparing, removing
from keepstep.app.connect import NewIntegration, connect
from keepstep.domain.bulk import BulkKind, FeatureSelection, FirstSync
from keepstep.domain.ids import StatusId
from keepstep.domain.integration import ProjectRef
from keepstep.domain.policy import StatusMap, SyncPolicy

MAIN = "Roadmap"
BOARD_TOKEN, TRACKER_TOKEN, VISITOR = "demo-productboard-token", "demo-gittab-token", "demo-visitor-token"
STATUS_LABELS = ("workflow::doing", "workflow::review")


class Actions:
    """Each is one stimulus; the work that follows is the service's."""

    def __init__(self, service):
        self._service = service

    async def click(self, column, feature, trigger):
        body = {"integrationId": column, "entityId": feature, "trigger": trigger}
        await self._say("POST", f"{self._service.addresses.board}/_sandbox/click", body, {})

    async def edit_feature(self, feature, fields):
        address = f"{self._service.addresses.board}/v2/entities/{feature}"
        headers = {"Authorization": f"Bearer {WATCHER}"}
        await self._say("PATCH", address, {"data": {"fields": fields}}, headers)

    async def edit_ticket(self, ticket, fields):
        address = f"{self._service.addresses.tracker}{PROJECT}/issues/{ticket}"
        await self._say("PUT", address, fields, {"PRIVATE-TOKEN": VISITOR})

    async def poll(self):
        await self._service.poll()

    async def connect(self, name):
        service, ctx = self._service, self._service.ctx
        async with service.turn:
            new = NewIntegration(
                name=name,
                board_url=f"{service.addresses.board}/v2",
                board_token=await ctx.vault.put(BOARD_TOKEN),
                kind="gittab",
                tracker_url=service.addresses.tracker,
                tracker_token=await ctx.vault.put(TRACKER_TOKEN),
                project=ProjectRef("1", "demo/roadmap"),
                policy=SyncPolicy(status_map=await self._status_map()),
                tracker_settings={"status_labels": STATUS_LABELS},
                defaults={"labels": ("productboard",)},
            )
            await connect(ctx, new, "tester")

    async def remove(self, name):
        service = self._service
        async with service.turn:
            found = next(each for each in await service.integrations() if each.name == name)
            await removing.remove(service.ctx, found.id, "tester", clean_tickets=True)

    async def bulk_push(self, name):
        """Every feature with this word in its title."""
        await self._bulk(
            lambda ctx, home: bulk.propose_push(ctx, home, FeatureSelection(text=name), name, "tester")
        )

    async def bulk_link(self, csv):
        await self._bulk(lambda ctx, home: bulk.propose_link(ctx, home, (), "tester", csv=csv))

    async def _bulk(self, propose):
        """Proposed, collected and started; what the worker's turns do from there is the service's."""
        service = self._service
        async with service.turn:
            home = next(each for each in await service.integrations() if each.name == MAIN)
            run = await propose(service.ctx, home.id)
            await bulk_preparing.prepare_runs(service.ctx)
            first = FirstSync.FEATURE if run.kind is BulkKind.LINK else None
            await bulk.start(service.ctx, run.id, "tester", first)
        await service.feed()

    async def _status_map(self):
        """Asked for past the points: on the page it is chosen before anything is connected."""
        points, self._service.points.on = self._service.points.on, False
        board = self._service.ctx.outside.open_board(f"{self._service.addresses.board}/v2", BOARD_TOKEN)
        ids = {each.name: each.id for each in await board.workspace.list_statuses()}
        self._service.points.on = points
        to_ticket = {"Planned": "opened", "In progress": "label:workflow::doing", "Released": "closed"}
        return StatusMap(
            {ids[name]: StatusId(status) for name, status in to_ticket.items()}
            | {ids[name]: StatusId("opened") for name in ("New idea", "Candidate")},
            {StatusId(status): ids[name] for name, status in to_ticket.items()},
        )

    async def _say(self, method, address, body, headers):
        with inside():
            answer = await self._service.http.request(method, address, json=body, headers=headers)
            assert answer.status_code < 300, answer.text
