"""Every page opens and states the facts; filters, actions and the read-only page do what they say."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta

import httpx
import pytest

from functional.web_world import (
    BOARD_TOKEN,
    PAIRABLE_FEATURE,
    TRACKER_TOKEN,
    Seeded,
    World,
    seed,
)
from keepstep.domain.events import Act, Entry, NoticeKind
from keepstep.domain.fields import Field, Side
from keepstep.domain.integration import IntegrationState
from keepstep.domain.link import LinkState
from keepstep.ports.storage import JournalQuery, LinkQuery

DASH = "\N{EN DASH}"


@dataclass
class Site:
    world: World
    seeded: Seeded
    client: httpx.AsyncClient

    async def get(self, path: str) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        return answer.text

    async def post(self, path: str, **data: object) -> httpx.Response:
        page = (await self.client.get("/")).text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        assert csrf is not None
        return await self.client.post(path, data={"csrf": csrf[1], **data})

    def path(self, key: str, section: str = "") -> str:
        return f"/integrations/{self.seeded.integrations[key].id}" + (f"/{section}" if section else "")

    def link(self, key: str) -> str:
        return f"/links/{self.seeded.links[key].id}"

    async def stored(self, key: str) -> object:
        async with self.world.storage.begin() as uow:
            return await uow.integrations.get(self.seeded.integrations[key].id)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    world = World()
    seeded = await seed(world)
    async with world.client() as client:
        yield Site(world, seeded, client)


def paths(site: Site) -> list[str]:
    main = site.path("main")
    sections = [main, *(f"{main}/{each}" for each in ("activity", "attention", "rules", "delete"))]
    others = [site.path(each) for each in ("calm", "auth lost", "paused", "connecting", "failed", "removing")]
    links = [site.link(each) for each in site.seeded.links]
    signed = [site.world.pages.address(each.id) for each in site.seeded.links.values()]
    return ["/", "/attention", "/system", *sections, *others, *links, *signed]


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


async def test_every_page_opens_and_none_shows_a_secret(site):
    secrets = [BOARD_TOKEN, TRACKER_TOKEN, "inbound-secret-one-2222", "inbound-secret-two-3333"]
    for path in paths(site):
        page = await site.get(path)
        assert "<h1>" in page, path
        assert not [each for each in secrets if each in page], path
        assert " style=" not in page, f"{path}: an inline style is refused by our own policy"
        assert "<script>" not in page, path
        assert "None" not in text_of(page), path


async def test_every_answer_tells_browsers_what_it_may_do(site):
    for path in ("/", "/login", "/nowhere", "/static/keepstep.css", "/healthz"):
        headers = (await site.client.get(path)).headers
        assert "default-src 'self'" in headers["content-security-policy"], path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"], path


async def test_pages_behind_the_login_send_visitors_there(site):
    async with site.world.client(logged_in=False) as visitor:
        for path in ["/", "/attention", "/system", site.path("main"), site.link("conflict")]:
            answer = await visitor.get(path)
            assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login"), path
        for path in (site.path("main", "pause"), site.link("conflict") + "/unlink"):
            assert (await visitor.post(path)).status_code in (303, 403), path
    assert (await site.stored("main")).state is IntegrationState.ACTIVE


async def test_home_lists_what_needs_somebody_first(site):
    page = text_of(await site.get("/"))
    names = [
        "Data platform",
        "Old portal",
        "Payments",
        "Roadmap to GitLab",
        "Website",
        "Design system",
        "Mobile apps",
    ]
    assert sorted(names, key=page.index) == names
    assert "It may have expired on 3 November." in page
    assert "Acme ↔ and GitLab / demo/roadmap" in page
    assert "65 in step" in page


async def test_an_empty_home_says_what_to_do():
    world = World()
    world.boards = (("Productboard's board", "http://127.0.0.1:1"),)
    async with world.client() as client:
        page = (await client.get("/")).text
    assert "Nothing is connected yet" in page
    assert 'href="/connect"' in page
    assert 'href="http://127.0.0.1:1"' in page


async def test_links_are_paged_by_fifty(site):
    first, second = await site.get(site.path("main")), await site.get(site.path("main") + "?page=2")
    assert f"1{DASH}50 of 72" in first
    assert f"51{DASH}72 of 72" in second
    assert len(re.findall(r'name="link" value=', first)) == 50
    assert len(re.findall(r'name="link" value=', second)) == 22


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("state=attention", 4), ("state=working", 2), ("state=in-step", 65), ("state=set+aside", 1),
        ("q=passkey", 4), ("q=%2317", 1), ("q=nothing+like+it", 0), ("q=passkey&state=attention", 1),
    ],
)  # fmt: skip
async def test_links_can_be_searched_and_filtered(site, query, count):
    page = await site.get(f"{site.path('main')}?{query}")
    assert len(re.findall(r'name="link" value=', page)) == min(count, 50)
    assert (f" of {count}<" if count else "No Link matches") in page


async def test_links_can_be_sorted_by_title(site):
    page = await site.get(site.path("calm") + "?sort=title")
    titles = re.findall(r'<td class="main-cell"><a href="/links/[^"]+">([^<]+)', page)
    assert len(titles) == 8
    assert titles == sorted(titles, key=str.lower)


@pytest.mark.parametrize("query", ["page=0", "page=x", "page=999999999999", "state=bogus", "sort=bogus"])
async def test_what_cannot_be_read_in_a_list_s_address_does_no_harm(site, query):
    assert (await site.client.get(f"{site.path('main')}?{query}")).status_code == 200


async def test_the_chosen_links_are_tried_again(site):
    chosen = [site.seeded.links[each].id for each in ("aside", "refused")]
    answer = await site.post(site.path("main", "links/try-again"), link=chosen)
    assert answer.headers["location"].endswith("?done=tried")
    assert {f"link:{each}" for each in chosen} <= set(site.world.jobs.waiting)
    async with site.world.storage.begin() as uow:
        assert (await uow.links.get(chosen[0])).state is LinkState.LINKED
    answer = await site.post(site.path("main", "links/try-again"))
    assert "Nothing was chosen" in await site.get(answer.headers["location"])


async def test_the_journal_is_filtered_by_field_side_and_act(site):
    page = site.path("main", "activity")
    assert f"1{DASH}46 of 46" in await site.get(page)
    assert f"1{DASH}2 of 2" in await site.get(f"{page}?field=description")
    assert f"1{DASH}1 of 1" in await site.get(f"{page}?side=feature")
    assert f"1{DASH}1 of 1" in await site.get(f"{page}?act=overruled")
    assert "Nothing of this kind was done" in await site.get(f"{page}?act=second+ticket+with+this+marker")


async def test_an_entry_of_a_link_that_is_gone_stays(site):
    async with site.world.storage.begin() as uow:
        await uow.links.delete(site.seeded.links["linked"].id)
        await uow.commit()
    page = await site.get(site.path("main", "activity"))
    assert '<span class="faint">(unlinked)</span>' in page
    assert "of a Link that is gone" in await site.get(site.path("main", "activity?field=description"))


async def test_an_entry_shows_before_and_after_as_words(site):
    page = await site.get(site.path("main", "activity"))
    assert "workflow::ready" in text_of(page)
    assert "label:workflow::ready" not in page, "names, not ids"
    assert re.search(r"<ins>[^<]*Also on shared machines\.</ins>", page)
    assert "&lt;li&gt;" not in page


async def test_names_of_statuses_are_asked_for_once_and_missed_without_harm(site):
    link = site.seeded.links["linked"]
    old = Entry(site.world.clock.now(), Act.WROTE, link.integration_id, link.id, Side.TICKET, Field.STATUS,
                "label:workflow::review", "closed")  # fmt: skip
    await site.world.save(old)
    site.world.outside.down = True
    site.world.clock.advance(timedelta(hours=1))
    assert "label:workflow::review" in await site.get(site.path("main", "activity"))
    site.world.outside.down = False
    site.world.clock.advance(timedelta(hours=1))
    before = site.world.outside.calls
    for _ in range(3):
        assert "label:workflow::review" not in await site.get(site.path("main", "activity"))
    assert site.world.outside.calls == before + 2


async def test_attention_names_cause_and_cure_of_each(site):
    for path in ("/attention", site.path("main", "attention")):
        page = text_of(await site.get(path))
        assert "Both sides changed the description." in page
        assert "GitLab accepted the new title but did not store it." in page
        assert "Check that GitLab is up, then try again." in page
        assert "The ticket does not answer any more." in page
    assert "workflow::review has no counterpart" in text_of(await site.get(site.path("main", "attention")))
    assert "Paste a new token" in text_of(await site.get("/attention"))


async def test_the_mapping_marks_what_has_no_counterpart(site):
    page = text_of(await site.get(site.path("main", "rules")))
    assert "workflow::review not mapped" in page
    assert "In progress workflow::doing" in page
    assert "a person decides on the Link" in page


async def test_pause_resume_and_sync(site):
    assert (await site.post(site.path("main", "pause"))).headers["location"].endswith("?done=paused")
    assert (await site.stored("main")).pause.by_person
    assert "Paused by admin" in await site.get(site.path("main"))
    refused = await site.post(site.path("main", "sync"))
    assert refused.status_code == 409
    assert "it can be synced when it is active" in refused.text
    await site.post(site.path("main", "resume"))
    assert (await site.stored("main")).state is IntegrationState.ACTIVE
    assert (await site.post(site.path("main", "sync"))).headers["location"].endswith("?done=syncing")


async def test_a_post_without_the_session_s_token_is_refused(site):
    for path in (site.path("main", "pause"), site.path("main", "delete"), site.link("linked") + "/unlink"):
        assert (await site.client.post(path)).status_code == 403
        assert (await site.client.post(path, data={"csrf": "guessed"})).status_code == 403
    assert (await site.stored("main")).state is IntegrationState.ACTIVE


async def test_linking_by_hand_names_the_wrong_field_and_keeps_what_was_entered(site):
    path = site.path("main", "links")
    answer = await site.post(path, feature="", ticket="#900")
    assert answer.status_code == 422
    assert 'id="e-feature"' in answer.text
    assert 'value="#900"' in answer.text
    answer = await site.post(path, feature="0f000000-0000-4000-8000-00000000dead", ticket="#900")
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    site.world.outside.down = True
    answer = await site.post(path, feature=PAIRABLE_FEATURE, ticket="#900")
    assert "GitLab does not answer." in answer.text
    assert f'value="{PAIRABLE_FEATURE}"' in answer.text


async def test_linking_by_hand_leads_to_the_new_link(site):
    answer = await site.post(site.path("main", "links"), feature=PAIRABLE_FEATURE, ticket="#900")
    assert answer.status_code == 303
    page = await site.get(answer.headers["location"])
    assert "Pay by invoice" in page
    assert "#900" in page


async def test_connecting_shows_its_steps_and_what_was_undone(site):
    page = text_of(await site.get(site.path("connecting")))
    assert "The token works for Acme." in page
    assert "under way" in page
    failed = await site.get(site.path("failed"))
    assert "It needs the role Maintainer." in failed
    assert "The column was made, then removed again." in failed
    assert site.path("failed", "try-again") in failed
    await site.post(site.path("failed", "try-again"))
    assert (await site.stored("failed")).failure == ""


async def test_connecting_says_until_when_it_waits_for_a_limit(site):
    made = await site.stored("connecting")
    assert "goes on by itself" not in await site.get(site.path("connecting"))
    async with site.world.storage.begin() as uow:
        await uow.integrations.save(replace(made, retry_at=site.world.clock.now() + timedelta(minutes=12)))
        await uow.commit()
    page = text_of(await site.get(site.path("connecting")))
    assert "A limit of calls is waited for: it goes on by itself in 12 min, at " in page
    assert "This takes a few seconds" not in page


async def test_a_connect_that_failed_can_be_discarded(site):
    made = await site.stored("failed")
    async with site.world.storage.begin() as uow:
        await uow.integrations.save(
            replace(
                made, registrations=replace(made.registrations, column=None, subscription=None, hook=None)
            )
        )
        await uow.commit()
    answer = await site.post(site.path("failed", "discard"))
    assert answer.headers["location"] == "/?done=discarded"
    assert "Data platform" not in await site.get("/")


async def test_a_fresh_integration_shows_how_to_add_the_column(site):
    page = await site.get(site.path("paused"))
    assert "Add the column to your board" in page
    assert "its columns menu" in text_of(page)


async def test_deleting_names_numbers_then_shows_the_steps(site):
    page = text_of(await site.get(site.path("main", "delete")))
    assert "1 column" in page
    assert "2 webhooks" in page
    assert "71 Links" in page
    assert "Every feature and every ticket" in page
    answer = await site.post(site.path("main", "delete"), clean_tickets="yes")
    made = await site.stored("main")
    assert made.state is IntegrationState.REMOVING
    assert "links" in [step.name for step in made.steps]
    assert "Removing Roadmap to GitLab" in await site.get(answer.headers["location"])


async def test_a_removal_that_is_stuck_can_be_forgotten(site):
    page = text_of(await site.get(site.path("removing")))
    assert "Productboard did not answer" in page
    assert "tried again by itself in 4 min" in page
    assert "You can delete it by hand over there." in page
    await site.post(site.path("removing", "forget"))
    assert (await site.stored("removing")).forget


async def test_a_removal_that_ended_meanwhile_is_told_as_done(site):
    async with site.world.storage.begin() as uow:
        await uow.integrations.delete(site.seeded.integrations["removing"].id)
        await uow.commit()
    for action in ("try-again", "forget"):
        answer = await site.post(site.path("removing", action))
        assert answer.headers["location"] == "/?done=removed"
    page = await site.client.get(site.path("removing") + "?done=removing")
    assert page.headers["location"] == "/?done=removed"
    assert (await site.client.get(site.path("removing"))).status_code == 404


async def test_a_link_says_why_each_value_is_what_it_is(site):
    page = text_of(await site.get(site.link("linked")))
    assert "The ticket changed in GitLab. Kept the same on both sides." in page
    assert "the other value is kept in the journal" in page
    assert "Productboard wins" in page


async def test_keepstep_s_own_lines_in_a_ticket_are_left_out(site):
    link = site.seeded.links["linked"]
    footer = (
        f"[Feature](https://example.org/f) kept in step by [Keepstep](https://example.org/l) `{link.marker}`"
    )
    ticket = replace(link.base.ticket, description=f"The goal.\n\n* kept as it was\n\n---\n\n{footer}")
    async with site.world.storage.begin() as uow:
        await uow.links.save(replace(link, base=replace(link.base, ticket=ticket)))
        await uow.commit()
    page = await site.get(site.link("linked"))
    assert "* kept as it was" in page
    assert link.marker not in page


async def test_a_link_says_who_changed_a_value_last(site):
    assert re.search(r"last touched 3 min ago by linus", text_of(await site.get(site.link("linked"))))


async def test_a_conflict_shows_both_changes_and_takes_a_decision(site):
    page = await site.get(site.link("conflict"))
    assert re.search(r"<del>without</del><ins>with</ins>", page)
    assert "<ins>typing." in page
    assert (
        await site.post(site.link("conflict") + "/decide", field="description", keep="nobody")
    ).status_code == 422
    answer = await site.post(site.link("conflict") + "/decide", field="description", keep="ticket")
    assert answer.headers["location"].endswith("?done=decided")
    async with site.world.storage.begin() as uow:
        (row,) = await uow.inbox.unhandled(site.seeded.links["conflict"].id)
    assert (row.kind, row.actor) == (NoticeKind.DECIDE, "admin")
    assert row.detail["side"] == "ticket"
    waiting = "Waits for its job A decision, asked for in Keepstep, by admin"
    assert waiting in text_of(await site.get(site.link("conflict")))
    shared = site.world.pages.address(site.seeded.links["conflict"].id)
    assert "Waits for its job" not in await site.get(shared)


async def test_an_overruled_value_can_be_put_back(site):
    async with site.world.storage.begin() as uow:
        (entry,), _ = await uow.journal.page(JournalQuery(acts=(Act.OVERRULED,)))
    assert "Put the earlier value back" in await site.get(site.link("linked"))
    answer = await site.post(site.link("linked") + "/put-back", entry=entry.id)
    assert answer.headers["location"].endswith("?done=put-back")
    async with site.world.storage.begin() as uow:
        rows = await uow.inbox.unhandled(site.seeded.links["linked"].id)
    assert [row.kind for row in rows] == [NoticeKind.DECIDE]


async def test_sync_now_and_unlink(site):
    await site.post(site.link("aside") + "/sync")
    assert f"link:{site.seeded.links['aside'].id}" in site.world.jobs.waiting
    page = text_of(await site.get(site.link("linked")))
    assert "Feature and ticket stay, and no longer follow each other." in page
    await site.post(site.link("linked") + "/unlink")
    async with site.world.storage.begin() as uow:
        assert (await uow.links.get(site.seeded.links["linked"].id)).state is LinkState.UNLINKING


async def test_what_people_wrote_cannot_become_part_of_the_page(site):
    evil = (
        '<script>alert(1)</script><img src=x onerror=alert(2)><a href="javascript:alert(3)">x</a><p>kept</p>'
    )
    link = site.seeded.links["linked"]
    base = replace(link.base, feature=replace(link.base.feature, title=evil, description=evil),
                   ticket=replace(link.base.ticket, description=evil))  # fmt: skip
    async with site.world.storage.begin() as uow:
        await uow.links.save(replace(link, base=base, feature_title=evil, ticket_title=evil))
        await uow.commit()
    signed = site.world.pages.address(link.id)
    for path in (site.link("linked"), site.path("main"), site.path("main", "activity"), signed):
        page = await site.get(path)
        assert "<script>alert" not in page, path
        assert "<img" not in page, path
        assert 'href="javascript' not in page, path
    assert "<p>kept</p>" in await site.get(signed)


async def test_the_signed_page_opens_without_a_login_and_offers_nothing_to_do(site):
    async with site.world.client(logged_in=False) as visitor:
        for link in site.seeded.links.values():
            answer = await visitor.get(site.world.pages.address(link.id))
            assert answer.status_code == 200
            assert "<form" not in answer.text
            assert "/integrations/" not in answer.text
            assert "grace" not in answer.text, "no names of people"
            for other in site.seeded.links.values():
                if other.id != link.id:
                    assert other.id not in answer.text
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "noindex" in answer.headers["x-robots-tag"]


async def test_the_signed_address_cannot_be_forged(site):
    link = site.seeded.links["linked"]
    good = site.world.pages.address(link.id).rsplit("/", 1)[1]
    other = good.replace(link.id, site.seeded.links["conflict"].id)
    forged = [link.id, f"{link.id}.", f"{link.id}.AAAA", good[:-1], good[:-1] + ("A" if good[-1] != "A" else "B"),
              other, good + "x", "x" * 5000, "%00", "ü"]  # fmt: skip
    async with site.world.client(logged_in=False) as visitor:
        for each in forged:
            answer = await visitor.get(f"/l/{each}")
            assert answer.status_code == 404, each
            assert link.feature_title not in answer.text


async def test_the_signed_page_of_a_link_that_is_gone_says_so(site):
    link = site.seeded.links["linked"]
    async with site.world.storage.begin() as uow:
        await uow.links.delete(link.id)
        await uow.commit()
    answer = await site.client.get(site.world.pages.address(link.id))
    assert answer.status_code == 404
    assert "are not kept in step any more" in answer.text


async def test_the_system_page_says_whether_the_installation_is_well(site):
    page = text_of(await site.get("/system"))
    for fact in ("PostgreSQL 18.1, embedded", "48 MB", "1 of 2", "worker-2 Silent", "42 s", "0.1.0"):
        assert fact in page, fact
    site.world.readiness = replace(
        site.world.readiness,
        checks=(replace(site.world.readiness.checks[0], ok=False, detail="Not migrated."),),
    )
    assert "Keepstep cannot work: database." in text_of(await site.get("/system"))


async def test_what_was_done_is_said_only_in_our_own_words(site):
    assert "Nothing flows until you resume" in await site.get("/?done=paused")
    assert "forged" not in await site.get("/?done=forged+words")


async def test_counts_agree_with_the_lists(site):
    async with site.world.storage.begin() as uow:
        _, total = await uow.links.page(LinkQuery(site.seeded.integrations["auth lost"].id))
    assert f"1{DASH}{total} of {total}" in await site.get(site.path("auth lost"))
