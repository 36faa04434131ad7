"""Waking the job of a Link or of an Integration, always *after* the commit that gives it work.

A wake says only "there is something to do"; what to do stands in the inbox. Per key at most one job waits and
one runs. Machines' jobs of several integrations take turns, however many of one of them wait. A lost wake (a crash
between commit and wake) is found by the sweep.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Protocol

from keepstep.domain.ids import IntegrationId, LinkId


class Urgency(StrEnum):
    """Who woke: a person's job overtakes the machine's and has slots of its own."""

    PERSON = "person"
    MACHINE = "machine"


class Jobs(Protocol):
    async def wake_link(self, link: LinkId, urgency: Urgency = Urgency.MACHINE) -> None:
        """Make sure a job of this Link waits. If one waits already, a person's wake makes that one urgent."""

    async def wake_integration(self, integration: IntegrationId) -> None:
        """Make sure a job of this Integration (connect, re-point, remove) waits."""

    async def links_with_a_job(self, links: Collection[LinkId]) -> set[LinkId]:
        """Which of these have a job that waits or runs; the sweep wakes the others."""
