"""Productboard's calls to us: clicks and notifications. Who calls is proven before, by `Authorization`.

A notification names neither actor nor time nor values, and has no id of its own: it is a hint to read again. Its
addresses (`links.target`, `feature.links.self`) are v1's even in v2's files and are never followed.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from keepstep.adapters.incoming import Id, Incoming, Name, json_object, read_as
from keepstep.adapters.productboard.wire import wire_from_cell
from keepstep.domain.column import Cell
from keepstep.domain.ids import FeatureId
from keepstep.ports.errors import UnreadableError
from keepstep.ports.productboard import ColumnClick, FeatureNotice

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_LONGEST_WORD = 200
_LONGEST_ADDRESS = 2000


class _Page(Incoming):
    html: str | None = None


class _Clicked(Incoming):
    id: Id
    links: _Page | None = None


class _Person(Incoming):
    name: Name | None = None
    email: Name | None = None


class _Click(Incoming):
    integration: Id = Field(alias="integrationId")
    trigger: str = Field(min_length=1, max_length=_LONGEST_WORD)
    feature: _Clicked
    """Named so for any entity: the type is told by reading it."""
    user: _Person | None = Field(default=None, alias="triggeredByUser")


class _Target(Incoming):
    target: str | None = None


class _Notification(Incoming):
    event: str = Field(alias="eventType", min_length=1, max_length=_LONGEST_WORD)
    id: Id | None = None
    links: _Target | None = None


class ProductboardWire:
    def read_click(self, body: bytes) -> ColumnClick:
        click = read_as(_Click, _data(body), "a click on the column", under=("data",))
        user = click.user or _Person()
        return ColumnClick(
            trigger=click.trigger,
            column=click.integration,
            feature=FeatureId(click.feature.id),
            feature_url=_address(click.feature.links),
            actor=user.name or user.email or "",
        )

    def read_notification(self, body: bytes) -> Sequence[FeatureNotice]:
        """One, as documented, or a list, as a client has guarded against."""
        data = _data(body)
        found = data if isinstance(data, list) else [data]
        return [_notice(read_as(_Notification, each, "a notification", under=("data",))) for each in found]

    def write_answer(self, cell: Cell) -> dict[str, object]:
        return wire_from_cell(cell)


def _address(links: _Page | None) -> str:
    """Shown as a link until the feature has been read; one that is longer than any address is left out."""
    found = (links.html if links else None) or ""
    return found if len(found) <= _LONGEST_ADDRESS else ""


def _notice(notification: _Notification) -> FeatureNotice:
    """Events of other things (notes, releases, ...) concern no feature.

    `feature` covered subfeatures in v1 and likely does in v2; `subfeature` does not exist, but would be welcome.
    """
    kind, _, what = notification.event.partition(".")
    if kind not in ("feature", "subfeature"):
        return FeatureNotice(notification.event, None, deleted=False)
    feature = notification.id or _last_id(notification.links)
    return FeatureNotice(
        notification.event,
        FeatureId(feature) if feature else None,
        deleted=what == "deleted" and bool(feature),
    )


def _last_id(links: _Target | None) -> str | None:
    found = _UUID.findall((links.target if links else None) or "")
    return found[-1] if found else None


def _data(body: bytes) -> Any:
    content = json_object(body)
    if "data" not in content:
        raise UnreadableError('The body has to be {"data": ...}.')
    return content["data"]
