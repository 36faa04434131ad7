"""Records to fill a storage with."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from keepstep.domain.events import Notice, NoticeKind, Source
from keepstep.domain.fields import Side
from keepstep.domain.ids import FeatureId, IntegrationId, LinkId, SecretRef, StatusId, TicketId
from keepstep.domain.integration import (
    BoardAccount,
    Integration,
    IntegrationState,
    ProjectRef,
    TrackerAccount,
)
from keepstep.domain.link import Link, LinkState
from keepstep.domain.policy import SyncPolicy
from keepstep.domain.ticket import StatusCategory, TicketRef, TicketStatus

NOW = datetime(2026, 3, 4, 12, 30, 15, 123456, tzinfo=UTC)
ACCOUNT = TrackerAccount("gittab", "http://127.0.0.1:1", SecretRef("tracker-token"))


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def integration(
    name: str = "one", state: IntegrationState = IntegrationState.ACTIVE, **more: Any
) -> Integration:
    made = Integration(
        id=IntegrationId(f"i{name}"),
        name=name,
        state=state,
        board=BoardAccount("http://127.0.0.1:2", SecretRef("board-token")),
        tracker=ACCOUNT,
        project=ProjectRef("1", "demo/roadmap"),
        button="Push",
        policy=SyncPolicy(),
        board_secret=SecretRef("board-secret"),
        hook_secret=SecretRef("hook-secret"),
        created_at=NOW,
    )
    return replace(made, **more)


def link(number: int, state: LinkState = LinkState.LINKED, *, of: str = "one", **more: Any) -> Link:
    made = Link(
        id=LinkId(f"{number:032x}"),
        integration_id=IntegrationId(f"i{of}"),
        feature_id=FeatureId(f"feature-{number}"),
        state=state,
        created_at=at(number),
        account=ACCOUNT.key,
        feature_title=f"Feature {number}",
    )
    return replace(made, **more)


def ticket(number: int) -> TicketRef:
    return TicketRef(
        TicketId(f"t{number}"), "1", str(number), f"#{number}", f"http://tracker.test/issues/{number}"
    )


OPENED = TicketStatus(StatusId("opened"), "Open", StatusCategory.TODO)


def notice(link_id: LinkId | None, seconds: float = 0, *, of: str = "one", **more: Any) -> Notice:
    made = Notice(
        integration_id=IntegrationId(f"i{of}"),
        kind=NoticeKind.CHANGED,
        source=Source.WEBHOOK,
        received_at=at(seconds),
        side=Side.TICKET,
        subject="t1",
        link_id=link_id,
    )
    return replace(made, **more)
