"""Who is called first when calls are scarce, and what stands still when an account has had enough: by order and count.

Two tenants share one service. Each has tokens of its own, and so a budget of its own.
"""

import asyncio
import re
import time
from dataclasses import dataclass, field

import httpx
import pytest
from api_caller import Caller

from keepstep.app import overview, sweep
from keepstep.app.overview import HealthWord
from keepstep.domain.calls import CallClass
from keepstep.domain.fields import Side
from keepstep.domain.integration import Integration, ProjectRef
from keepstep.domain.link import LinkState

from world import BOARD, BOARD_TOKEN, SERVICE, TRACKER, World

OTHER_BOARD, OTHER_TRACKER = "the-other-tenants-productboard", "the-other-tenants-gittab"
FLOOD = 160
"""Calls; at 40 a second they take four seconds."""


@dataclass
class Tenants:
    world: World
    flooded: Integration
    other: Integration
    features: list[str] = field(default_factory=list)

    def made(self, token: str, since: float = 0.0, path: str = "") -> list[str]:
        """Paths of the calls to Productboard with this token, in order."""
        return [
            f"{each.method} {each.path.partition('?')[0]}"
            for each in sorted(self.world.productboard.state.sandbox.journal._entries, key=_began)
            if each.direction == "in"
            and each.started_at >= since
            and each.request_headers.get("authorization") == f"Bearer {token}"
            and path in each.path
        ]

    async def flood(self, call_class: CallClass) -> list[asyncio.Task[object]]:
        """So many reads of the workspace of the first tenant."""
        board = self.world.outside.open_board(f"{BOARD}/v2", BOARD_TOKEN)
        with self.world.outside.calling(call_class, patience=60):
            return [asyncio.create_task(board.workspace.list_statuses()) for _ in range(FLOOD)]


def _began(entry) -> float:
    return entry.started_at


@pytest.fixture
async def tenants(world: World) -> Tenants:
    for emulator, address, seed in (
        ("productboard", BOARD, {"tokens": [{"token": OTHER_BOARD}]}),
        ("gittab", TRACKER, {"tokens": [{"token": OTHER_TRACKER, "projects": [2]}]}),
    ):
        answer = await world.client.post(f"{address}/_sandbox/seed", json=seed)
        assert answer.status_code < 300, (emulator, answer.text)
    flooded = await world.connect(name="Flooded")
    other = await world.connect(
        name="Other",
        board_token=await world.ctx.vault.put(OTHER_BOARD),
        tracker_token=await world.ctx.vault.put(OTHER_TRACKER),
        project=ProjectRef("2", "demo/mobile"),
    )
    await world.quiet()
    return Tenants(world, flooded, other, [each["id"] for each in await world.features()])


@pytest.mark.parametrize("call_class", [CallClass.NOTIFICATION, CallClass.SWEEP, CallClass.BULK])
@pytest.mark.parametrize("tenant", ["flooded", "other"])
async def test_a_click_is_done_while_a_flood_of_the_less_urgent_goes_on(
    tenants: Tenants, call_class: CallClass, tenant: str
):
    """The click's calls came last and are made first, on the flooded token and on another's."""
    world, began = tenants.world, time.time()
    integration = getattr(tenants, tenant)
    token = BOARD_TOKEN if tenant == "flooded" else OTHER_BOARD
    flood = await tenants.flood(call_class)
    await world.until(lambda: _some(tenants.made(BOARD_TOKEN, began), 10))
    before = len(tenants.made(BOARD_TOKEN, began))
    connection = await world.click(integration, tenants.features[0])
    assert connection["state"] == "connected"
    order = tenants.made(token, began)
    mine = [place for place, call in enumerate(order) if tenants.features[0] in call]
    assert mine, "The click reads its feature."
    if tenant == "flooded":
        assert mine[0] - before <= 8, "Only a few calls of the flood went before the click's first."
    assert sum(task.done() for task in flood) < FLOOD / 2, (
        "The flood is far from over when the click is done."
    )
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)


async def _some(calls: list[str], number: int) -> bool:
    return len(calls) >= number


async def test_no_second_holds_more_than_productboard_allows(tenants: Tenants):
    """Under a flood of every class at once: none is answered 429."""
    tasks = [task for call_class in CallClass for task in (await tenants.flood(call_class))[:40]]
    await asyncio.gather(*tasks)
    journal = tenants.world.productboard.state.sandbox.journal._entries
    assert not [each for each in journal if each.status == 429]


async def _refused(tenants: Tenants, seconds: int) -> None:
    """The next read of a feature is answered 429; one edit meets it."""
    tenants.world.fault(
        "productboard", match="GET /v2/entities/*", status=429, headers={"Retry-After": str(seconds)}, times=1
    )
    await tenants.world.edit_feature(tenants.features[0], name="Meets the limit")


@pytest.fixture
async def linked(tenants: Tenants) -> Tenants:
    """Four Links of the first tenant, at rest."""
    for feature in tenants.features[:4]:
        assert (await tenants.world.click(tenants.flooded, feature))["state"] == "connected"
    await tenants.world.quiet()
    return tenants


async def test_one_429_stops_every_link_of_the_token_until_then_and_no_other(linked: Tenants):
    world = linked.world
    await _refused(linked, 4)
    await world.until(lambda: _held(linked, 1))
    stopped = time.time()
    for number, feature in enumerate(linked.features[1:4]):
        await world.edit_feature(feature, name=f"Waits {number}")
    await world.until(lambda: _held(linked, 4))
    connection = await world.click(linked.other, linked.features[5])
    assert connection["state"] == "connected"
    assert not linked.made(BOARD_TOKEN, stopped), "Nobody calls with this token before the time told."
    for link in await world.links(linked.flooded):
        assert (link.attempts, link.state, link.held_by) == (0, LinkState.LINKED, Side.FEATURE)
    await world.until(lambda: _in_step(linked, [f"Waits {number}" for number in range(3)]), 30)
    await world.quiet()
    first = min(_times(linked, BOARD_TOKEN, stopped))
    assert first - stopped >= 3
    assert not await _held(linked, 1)


def _times(tenants: Tenants, token: str, since: float) -> list[float]:
    return [
        each.started_at
        for each in tenants.world.productboard.state.sandbox.journal._entries
        if each.started_at >= since and each.request_headers.get("authorization") == f"Bearer {token}"
    ]


async def _held(tenants: Tenants, number: int) -> bool:
    return sum(link.held_by is not None for link in await tenants.world.links(tenants.flooded)) >= number


async def _in_step(tenants: Tenants, titles: list[str]) -> bool:
    shown = {issue["title"] for issue in await tenants.world.issues()}
    return set(titles) <= shown


async def test_a_click_on_a_closed_account_is_told_until_when(linked: Tenants):
    world = linked.world
    await _refused(linked, 600)
    await world.until(lambda: _held(linked, 1))
    connection = await world.click(linked.flooded, linked.features[6])
    assert connection["state"] == "error"
    assert re.search(r"Productboard has had enough requests.* at \d\d:\d\d UTC", str(connection))
    link = await world.link_of(linked.flooded, linked.features[6])
    assert link is not None
    assert (link.state, link.attempts) == (LinkState.PUSHING, 0), (
        "It is pushed by itself when the time has come."
    )


async def test_page_api_and_metrics_say_until_when_and_how_many_wait(linked: Tenants):
    world = linked.world
    await _refused(linked, 600)
    await world.until(lambda: _held(linked, 1))
    for feature in linked.features[1:4]:
        await world.edit_feature(feature, name="Waits as well")
    await world.until(lambda: _held(linked, 4))
    row = (await overview.view_integration(world.ctx, linked.flooded.id)).row
    assert row.health.word is HealthWord.WORKING
    sentence = r"Paused until \d\d:\d\d UTC by Productboard's limit of calls, 4 Links wait\."
    assert re.fullmatch(sentence, row.health.sentence)
    assert "nothing is lost" in row.health.cure
    shown = await (await Caller.open(world)).get(f"/integrations/{linked.flooded.id}")
    (limit,) = shown["limits"]
    assert (limit["side"], limit["name"], limit["waiting"]) == ("feature", "Productboard", 4)
    metrics = (await world.client.get("http://keepstep.test/metrics")).text
    assert re.search(
        r'keepstep_integration_links_held_back\{integration="\w{8}",side="feature"\} 4\n', metrics
    )
    left = re.search(r'keepstep_integration_calls_paused_seconds\{[^}]*side="feature"\} ([\d.]+)', metrics)
    assert left
    assert 500 < float(left[1]) <= 600
    page = await _page(world, f"/integrations/{linked.flooded.id}")
    assert re.search(sentence, page.replace("&#39;", "'"))
    assert page.count("Waiting") == 4
    other = (await overview.view_integration(world.ctx, linked.other.id)).row
    assert not other.limits


async def _page(world: World, path: str) -> str:
    made = await world.people.create_admin("grace")
    form = {"name": "grace", "password": made.password}
    async with httpx.AsyncClient(transport=world.network, base_url=SERVICE, follow_redirects=True) as client:
        await client.post("/login", data=form)
        answer = await client.get(path)
    assert answer.status_code == 200
    return answer.text


async def test_what_arrives_while_it_waits_makes_no_call_and_keeps_its_time(linked: Tenants):
    world = linked.world
    await _refused(linked, 600)
    await world.until(lambda: _held(linked, 1))
    link = await world.link_of(linked.flooded, linked.features[0])
    stopped = time.time()
    for number in range(3):
        await world.edit_feature(linked.features[0], name=f"Again {number}")
        await sweep.wake_due(world.ctx)
        await world.quiet(0.1)
    after = await world.link_of(linked.flooded, linked.features[0])
    assert after is not None
    assert link is not None
    assert after.retry_at == link.retry_at
    assert not linked.made(BOARD_TOKEN, stopped)
