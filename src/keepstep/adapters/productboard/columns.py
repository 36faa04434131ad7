"""Columns (plugin integrations), their cells (connections), and subscriptions (webhooks)."""

from collections.abc import Mapping
from typing import Any

from keepstep.adapters.http import Call, segment
from keepstep.adapters.productboard.client import BoardClient
from keepstep.adapters.productboard.wire import (
    CellWire,
    ColumnWire,
    ReferenceWire,
    SubscriptionWire,
    cell_from_wire,
    wire_from_cell,
)
from keepstep.domain.column import Cell
from keepstep.domain.ids import FeatureId
from keepstep.ports.errors import NotThereError, RejectedError
from keepstep.ports.productboard import Callback
from keepstep.ports.registrations import HookReport, HookState

_COLUMNS = "/plugin-integrations"
_SUBSCRIPTIONS = "/webhooks"
_EVENTS = ("feature.created", "feature.updated", "feature.deleted")
_LONGEST_NAME = 255


class ProductboardColumns:
    def __init__(self, client: BoardClient) -> None:
        self._client = client

    async def ensure_column(self, column_type: str, name: str, button: str, action: Callback) -> str:
        found = await self._find(column_type)
        if found:
            await self._patch(found, _column_fields(name, button, action))
            return found
        fields = {"type": column_type, **_column_fields(name, button, action)}
        call = Call(
            "POST",
            _COLUMNS,
            "the new column",
            body={"data": {"fields": fields}},
            right="plugin-integrations:write",
        )
        reply, data = await self._client.fetch(call)
        return reply.parse(ReferenceWire, data).id

    async def _find(self, column_type: str) -> str | None:
        """All pages: a column of ours on the last one is still ours."""
        call = Call("GET", _COLUMNS, "the columns", right="plugin-integrations:read")
        async for reply, page in self._client.pages(call):
            for each in page:
                column = reply.parse(ColumnWire, each)
                if column.fields.type == column_type:
                    return column.id
        return None

    async def change_column(
        self,
        column: str,
        *,
        name: str | None = None,
        button: str | None = None,
        action: Callback | None = None,
    ) -> None:
        fields = _column_fields(name, button, action)
        del fields["integrationStatus"]
        if fields:
            await self._patch(column, fields)

    async def _patch(self, column: str, fields: dict[str, Any]) -> None:
        await self._client.send(
            Call(
                "PATCH",
                f"{_COLUMNS}/{segment(column)}",
                "the column",
                body={"data": {"fields": fields}},
                right="plugin-integrations:write",
                answers=False,
            )
        )

    async def inspect_column(self, column: str, url: str) -> HookReport:
        """Productboard does not tell where the button calls; only that the column exists and is enabled."""
        call = Call("GET", f"{_COLUMNS}/{segment(column)}", "the column", right="plugin-integrations:read")
        try:
            reply, data = await self._client.fetch(call)
        except NotThereError:
            return HookReport(HookState.MISSING)
        except RejectedError as error:
            return HookReport(HookState.UNKNOWN, str(error))
        fields = reply.parse(ColumnWire, data).fields
        if fields.action.url not in ("", url):
            return HookReport(HookState.ELSEWHERE, fields.action.url)
        if fields.status != "enabled":
            return HookReport(HookState.DISABLED, f"Productboard calls it {fields.status}.")
        return HookReport(HookState.FINE)

    async def remove_column(self, column: str) -> None:
        path = f"{_COLUMNS}/{segment(column)}"
        await _removed(self._client, Call("DELETE", path, "the column", right="plugin-integrations:delete"))

    async def fetch_cell(self, column: str, feature: FeatureId) -> Cell:
        """A cell that was never set reads as `initial`; only an absent column raises NotThereError."""
        call = Call(
            "GET",
            _cell_path(column, feature),
            f"the column's cell of feature {feature}",
            right="plugin-integrations:read",
        )
        reply, data = await self._client.fetch(call)
        return cell_from_wire(reply.parse(CellWire, data).fields.connection)

    async def list_unsettled(self, column: str) -> Mapping[FeatureId, Cell]:
        call = Call(
            "GET",
            f"{_COLUMNS}/{segment(column)}/connections",
            "the column's cells",
            params=(("state[]", "progress"), ("state[]", "error")),
            right="plugin-integrations:read",
        )
        found: dict[FeatureId, Cell] = {}
        async for reply, page in self._client.pages(call):
            for each in page:
                wire = reply.parse(CellWire, each)
                found[FeatureId(wire.id)] = cell_from_wire(wire.fields.connection)
        return found

    async def put_cell(self, column: str, feature: FeatureId, cell: Cell) -> None:
        await self._client.send(
            Call(
                "PUT",
                _cell_path(column, feature),
                f"the column's cell of feature {feature}",
                body=wire_from_cell(cell),
                right="plugin-integrations:write",
                answers=False,
            )
        )


def _cell_path(column: str, feature: FeatureId) -> str:
    return f"{_COLUMNS}/{segment(column)}/connections/{segment(feature)}"


def _column_fields(name: str | None, button: str | None, action: Callback | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"integrationStatus": "enabled"}
    if name is not None:
        fields["name"] = name[:_LONGEST_NAME]
    if button is not None:
        fields["initialState"] = {"label": button}
    if action is not None:
        fields["action"] = _wire_from_callback(action)
    return fields


def _wire_from_callback(callback: Callback) -> dict[str, Any]:
    return {"url": callback.url, "version": 1, "headers": {"authorization": callback.authorization}}


class ProductboardSubscriptions:
    def __init__(self, client: BoardClient) -> None:
        self._client = client

    async def ensure_subscription(self, name: str, callback: Callback) -> str:
        """There is no change of a subscription: one that lacks an event is replaced, the new one first."""
        ours = await self._find(callback.url)
        for each in ours:
            if {event.event_type for event in each.fields.events}.issuperset(_EVENTS):
                return each.id
        fields = {
            "name": name[:_LONGEST_NAME],
            "events": [{"eventType": each} for each in _EVENTS],
            "notification": _wire_from_callback(callback),
        }
        call = Call(
            "POST",
            _SUBSCRIPTIONS,
            "the new webhook",
            body={"data": {"fields": fields}},
            right="webhooks:write",
        )
        reply, data = await self._client.fetch(call)
        created = reply.parse(ReferenceWire, data).id
        for each in ours:
            await self.remove_subscription(each.id)
        return created

    async def _find(self, url: str) -> list[SubscriptionWire]:
        call = Call("GET", _SUBSCRIPTIONS, "the webhooks", right="webhooks:read")
        found = [
            reply.parse(SubscriptionWire, each)
            async for reply, page in self._client.pages(call)
            for each in page
        ]
        return [each for each in found if each.fields.notification.url == url]

    async def inspect_subscription(self, subscription: str, url: str) -> HookReport:
        path = f"{_SUBSCRIPTIONS}/{segment(subscription)}"
        try:
            reply, data = await self._client.fetch(Call("GET", path, "the webhook", right="webhooks:read"))
        except NotThereError:
            return HookReport(HookState.MISSING)
        except RejectedError as error:
            return HookReport(HookState.UNKNOWN, str(error))
        fields = reply.parse(SubscriptionWire, data).fields
        if fields.notification.url != url:
            return HookReport(HookState.ELSEWHERE, fields.notification.url)
        if not {event.event_type for event in fields.events}.issuperset(_EVENTS):
            return HookReport(HookState.DISABLED, "It does not tell of everything that we need.")
        return HookReport(HookState.FINE)

    async def remove_subscription(self, subscription: str) -> None:
        path = f"{_SUBSCRIPTIONS}/{segment(subscription)}"
        await _removed(self._client, Call("DELETE", path, "the webhook", right="webhooks:delete"))


async def _removed(client: BoardClient, call: Call) -> None:
    try:
        await client.send(Call(call.method, call.path, call.thing, right=call.right, answers=False))
    except NotThereError:
        return
