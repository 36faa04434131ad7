"""What collecting a bulk run works with, and the collecting of features to be pushed.

Everything is stored with the run's revision: a second process, or a person who drops the run, ends the collecting.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from keepstep.app.context import Context
from keepstep.app.opening import Sides
from keepstep.domain.bulk import BulkItem, BulkOutcome, BulkRun, why_not_pushed
from keepstep.domain.feature import Feature
from keepstep.domain.ids import FeatureId
from keepstep.domain.integration import Integration
from keepstep.domain.link import Link
from keepstep.ports.locks import Held
from keepstep.ports.storage import UnitOfWork

BATCH = 100
_T = TypeVar("_T")


@dataclass
class Collecting:
    """One run that is being collected."""

    ctx: Context
    held: Held
    integration: Integration
    run: BulkRun
    sides: Sides

    async def store(self, uow: UnitOfWork, items: Sequence[BulkItem]) -> None:
        """Commits. Raises LockLostError or StaleRevisionError when the run is not ours any more."""
        self.held.check()
        self.run = await uow.bulk_runs.save(self.run)
        await uow.bulk_items.add(items)
        await uow.commit()

    async def open_links(self, uow: UnitOfWork, features: Sequence[FeatureId]) -> dict[FeatureId, Link]:
        links = await uow.links.of_features(self.integration.id, features)
        return {link.feature_id: link for link in links if link.is_open}


async def collect_features(collecting: Collecting) -> None:
    selected = collecting.sides.board.features.iter_selected(collecting.run.selection)
    async for features in batches(selected):
        async with collecting.ctx.storage.begin() as uow:
            known = await collecting.open_links(uow, [each.id for each in features])
            items = [_to_push(collecting.run, each, known.get(each.id)) for each in features]
            await collecting.store(uow, items)


def _to_push(run: BulkRun, feature: Feature, link: Link | None) -> BulkItem:
    item = item_of(run, feature)
    reason = why_not_pushed(link) if link else ""
    return item.became(BulkOutcome.SKIPPED, reason) if reason else item


def item_of(run: BulkRun, feature: Feature) -> BulkItem:
    return BulkItem(
        run_id=run.id,
        feature_id=feature.id,
        feature_title=feature.title,
        feature_url=feature.url,
        feature_status=feature.status.name if feature.status else "",
    )


async def batches(found: AsyncIterator[_T]) -> AsyncIterator[list[_T]]:
    batch: list[_T] = []
    async for each in found:
        batch.append(each)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
