"""What marks an issue as ours besides its text: an attachment that leads back to the feature.

Linear keeps one attachment for an address and issue; making it again brings it up to date (the vendor's schema says
so). Its metadata holds our marker, by which it is found again.
"""

from keepstep.adapters.trackers.linear import queries
from keepstep.adapters.trackers.linear.client import LinearClient
from keepstep.adapters.trackers.linear.wire import AttachmentWire
from keepstep.domain.ticket import TicketRef
from keepstep.ports.errors import NotThereError

_KEY = "keepstep"
_TITLE = "Feature in Productboard"


async def attach(client: LinearClient, ref: TicketRef, marker: str, link_back: str) -> None:
    if not link_back:
        return
    body = {"issueId": ref.id, "url": link_back, "title": _TITLE, "metadata": {_KEY: marker}}
    await client.change(queries.ATTACH, "attachmentCreate", {"input": body}, f"the link back on {ref.label}")


async def detach(client: LinearClient, ref: TicketRef, marker: str) -> None:
    try:
        data = await client.ask(queries.ATTACHMENTS, {"id": ref.id}, f"the attachments of {ref.label}")
    except NotThereError:
        return
    for each in data.at("issue", "attachments").nodes(AttachmentWire):
        if each.metadata.get(_KEY) == marker:
            await _delete(client, ref, each.id)


async def _delete(client: LinearClient, ref: TicketRef, attachment: str) -> None:
    try:
        await client.change(
            queries.DETACH, "attachmentDelete", {"id": attachment}, f"the link back on {ref.label}"
        )
    except NotThereError:
        return
