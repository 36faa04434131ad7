"""The page of what would be detached, and the doctor's page."""

import re
from dataclasses import replace

import pytest
from test_pages import Site, site

from keepstep.domain.events import Notice, NoticeKind, Source
from keepstep.domain.fields import Side
from keepstep.domain.integration import IntegrationState, PauseCause
from keepstep.domain.link import LinkState

__all__ = ["site"]


@pytest.fixture
async def stopped(site: Site) -> str:
    key = next(iter(site.seeded.integrations))
    async with site.world.storage.begin() as uow:
        found = await uow.integrations.get(site.seeded.integrations[key].id)
        cause = PauseCause("More are gone.", found.created_at, guard=True)
        await uow.integrations.save(replace(found, state=IntegrationState.PAUSED, pause=cause))
        await uow.commit()
    return key


async def test_a_stop_leads_to_the_page_and_going_on_resumes(site: Site, stopped: str):
    assert site.path(stopped, "detaching") in await site.get(site.path(stopped))
    page = await site.get(site.path(stopped, "detaching"))
    assert "Go on and detach them" in page
    assert "Stay paused" in page
    answer = await site.post(site.path(stopped, "detaching"))
    assert answer.status_code in (200, 303)
    after = await site.stored(stopped)
    assert after.state is IntegrationState.ACTIVE
    assert after.detach_until is not None


async def test_a_link_that_is_only_told_to_be_gone_is_not_called_in_step(site: Site, stopped: str):
    link = next(each for each in site.seeded.links.values() if each.state is LinkState.LINKED)
    async with site.world.storage.begin() as uow:
        notice = Notice(link.integration_id, NoticeKind.DELETED, Source.WEBHOOK, link.created_at)
        await uow.inbox.add(replace(notice, side=Side.FEATURE, subject=link.feature_id, link_id=link.id))
        owner = await uow.integrations.get(link.integration_id)
        cause = PauseCause("More are gone.", owner.created_at, guard=True)
        await uow.integrations.save(replace(owner, state=IntegrationState.PAUSED, pause=cause))
        await uow.commit()
    page = await site.get(f"/integrations/{link.integration_id}/detaching")
    _, _, shown = page.partition(f'href="/links/{link.id}"')
    reason = shown.partition("</li>")[0]
    assert "A deletion was told of." in reason
    assert "In step" not in reason


async def test_the_doctor_has_a_page_with_each_finding_and_its_cure(site: Site):
    async with site.world.storage.begin() as uow:
        for each in await uow.integrations.list_all():
            stuck = replace(each, state=IntegrationState.REMOVING, failure="GitLab keeps its webhook.")
            await uow.integrations.save(stuck)
        await uow.commit()
    assert "/system/doctor" in await site.get("/system")
    page = await site.get("/system/doctor")
    assert len(re.findall(r'<section class="card"', page)) == len(site.seeded.integrations)
    assert "GitLab keeps its webhook." in page
    assert "forget it anyway" in page
