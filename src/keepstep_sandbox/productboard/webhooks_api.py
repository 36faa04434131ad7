"""Webhook subscriptions under /v2. No PATCH and no test call exist; the URL is looked at, not probed."""

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from keepstep_sandbox.productboard.callbacks import check_callback_url
from keepstep_sandbox.productboard.errors import not_found
from keepstep_sandbox.productboard.gate import Call, Gate
from keepstep_sandbox.productboard.state import Webhook, new_id, now_text
from keepstep_sandbox.productboard.wire_callbacks import WebhookCreate


def webhook_routes(gate: Gate) -> list[Route]:
    return [
        gate.route("POST", "/webhooks", "webhooks:write", _create),
        gate.route("GET", "/webhooks", "webhooks:read", _list),
        gate.route("GET", "/webhooks/{webhookId}", "webhooks:read", _get),
        gate.route("DELETE", "/webhooks/{webhookId}", "webhooks:delete", _delete),
    ]


def _shown(call: Call, webhook: Webhook) -> dict[str, Any]:
    return {
        "id": webhook.id,
        "type": "webhook",
        "createdAt": webhook.created_at,
        "fields": {
            "name": webhook.name,
            "events": [{"eventType": event} for event in webhook.events],
            "notification": {"url": webhook.url, "version": webhook.version},  # without the secret
        },
        "links": {"self": f"{call.api}/webhooks/{webhook.id}"},
    }


def _webhook(call: Call) -> Webhook:
    found = call.workspace.webhooks.get(call.path_id("webhookId", "webhook"))
    if found is None:
        raise not_found("webhook")
    return found


async def _create(call: Call) -> Response:
    fields = call.body(WebhookCreate).data.fields
    target = fields.notification
    insecure = call.sandbox.config.allow_insecure_callbacks
    check_callback_url(target.url, "/data/fields/notification/url", insecure=insecure)
    webhook = Webhook(
        id=new_id(),
        name=fields.name,
        events=[event.eventType for event in fields.events],
        url=target.url,
        version=target.version,
        authorization=target.authorization,
        created_at=now_text(),
    )
    if not call.ignores_write:
        call.workspace.webhooks[webhook.id] = webhook
        call.sandbox.changed()
    shown = _shown(call, webhook)
    return JSONResponse({"data": {key: shown[key] for key in ("id", "type", "links")}}, status_code=201)


async def _list(call: Call) -> Response:
    return call.page(list(call.workspace.webhooks.values()), lambda webhook: _shown(call, webhook))


async def _get(call: Call) -> Response:
    return JSONResponse({"data": _shown(call, _webhook(call))})


async def _delete(call: Call) -> Response:
    webhook = _webhook(call)
    if not call.ignores_write:
        del call.workspace.webhooks[webhook.id]
        call.sandbox.delivery.forget(webhook.id)
        call.sandbox.changed()
    return Response(status_code=204)
