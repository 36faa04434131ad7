"""One job's working set: the Link as it is being changed, what it took from the inbox, and the fence before writes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from keepstep.app.context import Context
from keepstep.app.opening import Sides, description_rule
from keepstep.domain.calls import CallClass
from keepstep.domain.errors import StaleRevisionError
from keepstep.domain.events import Act, Entry, Notice, NoticeKind, Source
from keepstep.domain.fields import Field, Side
from keepstep.domain.integration import Integration
from keepstep.domain.link import Link
from keepstep.domain.merge import FieldRule
from keepstep.domain.rules import DescriptionRule, field_rules
from keepstep.ports.locks import Held
from keepstep.ports.storage import UnitOfWork


@dataclass
class Work:
    """Changes to `link` are made here and committed together with the journal and the rows they handle."""

    ctx: Context
    held: Held
    integration: Integration
    link: Link
    rows: Sequence[Notice]
    sides: Sides = field(init=False)
    journal: list[Entry] = field(default_factory=list)
    halves: dict[Field, dict[Side, str]] = field(default_factory=dict)
    """Of merges that write both sides: what the sides confirmed so far."""
    _description: DescriptionRule | None = None

    @property
    def now(self) -> datetime:
        return self.ctx.clock.now()

    @property
    def project(self) -> str:
        return self.integration.project.id

    @property
    def description(self) -> DescriptionRule:
        if self._description is None or not self._description.footer:
            self._description = description_rule(self.ctx, self.link, self.sides.tracker)
        return self._description

    @property
    def rules(self) -> dict[Field, FieldRule]:
        limit = self.sides.tracker.manifest.title_limit
        return dict(field_rules(self.integration.policy.status_map, self.description, limit))

    def actor(self, target: Side | None = None) -> str:
        """The person behind the newest row, where one is known; of a write, not whoever touched its target.

        A tracker names us as the actor of our own echo, which may ride in the same job.
        """
        return next(
            (
                row.actor
                for row in reversed(self.rows)
                if row.actor and (target is None or row.side is not target or row.source in PERSONAL)
            ),
            "",
        )

    def has(self, *kinds: NoticeKind) -> bool:
        return any(row.kind in kinds for row in self.rows)

    def tell(
        self,
        act: Act,
        reason: str = "",
        *,
        side: Side | None = None,
        field: Field | None = None,
        before: str | None = None,
        after: str | None = None,
        answer: str = "",
        actor: str = "",
    ) -> None:
        entry = Entry(
            self.now,
            act,
            self.integration.id,
            self.link.id,
            side,
            field,
            before,
            after,
            reason,
            actor or self.actor(side),
            answer,
        )
        self.journal.append(entry)

    async def fence(self) -> None:
        """Right before every outside write: the lock is ours and nobody saved the Link since.

        Raises LockLostError or StaleRevisionError; a worker thought dead stops here instead of writing twice.
        """
        self.held.check()
        async with self.ctx.storage.begin() as uow:
            stored = await uow.links.get(self.link.id)
        if stored.revision != self.link.revision:
            raise StaleRevisionError("The Link was changed while its job ran.")

    async def save(self) -> None:
        """Commit the Link as it is now, without handling any row."""
        self.held.check()
        async with self.ctx.storage.begin() as uow:
            self.link = await uow.links.save(self.link)
            await uow.commit()

    async def finish_in(self, uow: UnitOfWork) -> None:
        """Into this transaction: the Link, the journal, and exactly the rows that were taken at the start."""
        self.held.check()
        self.link = await uow.links.save(self.link)
        await uow.journal.add(*self.journal)
        await uow.inbox.mark_handled([row.id for row in self.rows], self.now)

    async def finish(self) -> None:
        async with self.ctx.storage.begin() as uow:
            await self.finish_in(uow)
            await uow.commit()
        self.settle_rows()

    def settle_rows(self) -> None:
        self.journal, self.rows = [], ()

    def change(self, **changes: object) -> None:
        self.link = replace(self.link, **changes)  # type: ignore[arg-type]


PERSONAL = frozenset({Source.CLICK, Source.PERSON})


_CLASSES = {
    Source.CLICK: CallClass.CLICK,
    Source.PERSON: CallClass.CLICK,
    Source.WEBHOOK: CallClass.NOTIFICATION,
    Source.TIMER: CallClass.NOTIFICATION,
    Source.POLL: CallClass.SWEEP,
    Source.BULK: CallClass.BULK,
}
"""For whom a Link's job makes its calls, by who said that there is something to do."""


def call_class(rows: Sequence[Notice]) -> CallClass:
    """Of the most urgent row; a job that finds none goes on with what an earlier one began."""
    return min((_CLASSES[row.source] for row in rows), default=CallClass.NOTIFICATION)


def by_person(rows: Sequence[Notice]) -> bool:
    return any(row.source in PERSONAL for row in rows)
