"""Connecting, changing, moving and removing an integration: nothing half done, nothing left behind."""

import asyncio
from dataclasses import replace

import pytest

from keepstep.app import connect, manage, removing, sweep
from keepstep.app.context import Context
from keepstep.app.opening import open_tracker
from keepstep.domain.errors import InvalidInputError, MissingError
from keepstep.domain.integration import IntegrationState, ProjectRef, StepName, StepState
from keepstep.ports.errors import AuthLostError
from keepstep.ports.storage import JournalQuery

from world import BOARD_TOKEN, SERVICE, TRACKER_TOKEN


async def test_connecting_makes_column_subscription_and_hook_each_with_a_secret(world):
    integration = await world.connect()
    assert integration.state is IntegrationState.ACTIVE
    assert [step.state for step in integration.steps] == [StepState.DONE] * 5
    (column,) = await _columns(world)
    assert column["id"] == integration.registrations.column
    assert column["fields"]["type"] == f"dev.keepstep.i{integration.id}"
    assert column["fields"]["initialState"] == {"label": "Push"}
    (subscription,) = await _subscriptions(world)
    assert subscription["id"] == integration.registrations.subscription
    (hook,) = await _hooks(world)
    assert hook["url"] == f"{SERVICE}/hooks/tracker/{integration.id}"
    assert hook["token_present"]
    assert hook["signing_token_present"]
    assert integration.registrations.hook_signed


@pytest.mark.parametrize(
    ("emulator", "match", "failing", "undone"),
    [
        ("gittab", "POST /api/v4/projects/1/hooks", StepName.HOOK, {StepName.COLUMN, StepName.SUBSCRIPTION}),
        ("productboard", "POST /v2/webhooks", StepName.SUBSCRIPTION, {StepName.COLUMN}),
        ("productboard", "POST /v2/plugin-integrations", StepName.COLUMN, set()),
        ("gittab", "GET /api/v4/projects/1", StepName.TRACKER, set()),
    ],
)
async def test_a_step_that_fails_undoes_those_before(world, emulator, match, failing, undone):
    world.fault(emulator, match=match, status=500, times=None)
    failed = await world.connect()
    assert failed.state is IntegrationState.CONNECTING
    assert "500" in failed.failure
    states = {step.name: step.state for step in failed.steps}
    assert states[failing] is StepState.FAILED
    assert {name for name, state in states.items() if state is StepState.UNDONE} == undone
    assert await _columns(world) == await _subscriptions(world) == await _hooks(world) == []
    world.clear_faults()
    await connect.try_again(world.ctx, failed.id, "tester")
    await world.until(lambda: _is(world, failed, IntegrationState.ACTIVE))
    assert len(await _columns(world)) == 1


@pytest.mark.parametrize(
    ("emulator", "match", "step"),
    [
        ("productboard", "GET /v2/entities", StepName.BOARD),
        ("productboard", "POST /v2/webhooks", StepName.SUBSCRIPTION),
        ("gittab", "POST /api/v4/projects/1/hooks", StepName.HOOK),
    ],
)
async def test_a_step_that_meets_a_limit_waits_and_goes_on(world, emulator, match, step):
    """The token may be busy with other things: nothing is undone, and it connects without anybody's doing."""
    world.fault(emulator, match=match, status=429, headers={"Retry-After": "2"})
    connecting = asyncio.create_task(world.connect())
    waiting = await world.until(lambda: _waiting(world))
    assert waiting.state is IntegrationState.CONNECTING
    assert not waiting.failure
    states = {each.name: each for each in waiting.steps}
    assert states[step].state is StepState.RUNNING
    assert "goes on in 2 s" in states[step].detail
    assert await sweep.wake_integrations(world.ctx) == 0, "Not before that time."
    await world.until(lambda: sweep.wake_integrations(world.ctx))
    connected = await connecting
    assert connected.state is IntegrationState.ACTIVE
    assert connected.retry_at is None
    assert len(await _columns(world)) == len(await _subscriptions(world)) == len(await _hooks(world)) == 1
    assert not [each for each in world.calls() if each.startswith("DELETE")], "Nothing was undone."


async def test_a_failed_one_can_be_discarded(world):
    world.fault(
        "gittab", match="POST /api/v4/projects/1/hooks", status=422, body={"error": "Invalid url given"}
    )
    failed = await world.connect()
    assert "422" in failed.failure
    await connect.discard(world.ctx, failed.id)
    with pytest.raises(MissingError):
        await world.integration(failed)


async def test_a_crash_between_create_and_commit_leaves_no_orphan(world):
    """The column exists already with our type, the hook with our address: both are found, not made again."""
    world.worker_runs = False
    connecting = asyncio.create_task(world.connect())
    while not world.jobs.waiting:
        await asyncio.sleep(0.01)
    world.fault("productboard", match="POST /v2/plugin-integrations", drop=True, when="after")
    world.worker_runs = True
    failed = await connecting
    assert failed.failure
    await connect.try_again(world.ctx, failed.id, "tester")
    await world.until(lambda: _is(world, failed, IntegrationState.ACTIVE))
    assert len(await _columns(world)) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"name": " "}, "name"), ({"button": "x" * 11}, "button"), ({"button": ""}, "button"), ({"kind": "paper"}, "kind"),
     ({"project": ProjectRef("", "")}, "project")],
)  # fmt: skip
async def test_bad_input_names_its_field(world, changes, field):
    with pytest.raises(InvalidInputError) as refused:
        await world.connect(**changes)
    assert refused.value.field == field


async def test_name_and_button_change_the_column(world):
    integration = await world.connect()
    await manage.change(
        world.ctx, integration.id, manage.Changes(name="New name", button="To GitTab"), "tester"
    )
    (column,) = await _columns(world)
    assert (column["fields"]["name"], column["fields"]["initialState"]["label"]) == ("New name", "To GitTab")


async def test_the_project_changes_only_while_nothing_is_linked(world):
    integration = await world.connect()
    second = manage.Changes(project=ProjectRef("2", "demo/mobile"))
    moved = await manage.change(world.ctx, integration.id, second, "tester")
    assert moved.project.name.endswith("mobile")
    await world.until(lambda: _hooks(world, 2))
    assert await _hooks(world, 1) == []
    feature = (await world.features())[0]
    current = await world.integration(moved)
    assert (await world.click(current, feature["id"]))["state"] == "connected"
    assert len(await world.issues(2)) == 1
    with pytest.raises(InvalidInputError) as refused:
        await manage.change(
            world.ctx, integration.id, manage.Changes(project=ProjectRef("1", "demo/roadmap")), "tester"
        )
    assert refused.value.field == "project"
    changes = manage.Changes(tracker_url="http://other.test")
    with pytest.raises(InvalidInputError) as refused:
        await manage.change(world.ctx, integration.id, changes, "tester")
    assert refused.value.field == "tracker_url"


async def test_a_new_public_address_repoints_everything(world):
    integration = await world.connect()
    await _move_house(world, "http://moved.test")
    await world.until(lambda: _points_to(world, integration, "http://moved.test"))
    (hook,) = await _hooks(world)
    assert hook["url"].startswith("http://moved.test/hooks/tracker/")
    assert len(await _subscriptions(world)) == 1
    feature = (await world.features())[0]
    assert (await world.click(integration, feature["id"]))["state"] == "connected"


async def test_a_new_token_is_verified_before_it_is_kept(world):
    integration = await world.connect()
    with pytest.raises(AuthLostError):
        await manage.replace_token(world.ctx, integration.id, "tracker", "glpat-wrong", "tester")
    assert await world.ctx.vault.open(integration.tracker.token) == TRACKER_TOKEN
    await manage.replace_token(world.ctx, integration.id, "board", BOARD_TOKEN, "tester")


async def test_removing_takes_everything_back(world):
    integration = await world.connect()
    _, issue, link = await world.pushed(integration)
    await removing.remove(world.ctx, integration.id, "tester", clean_tickets=True)
    await world.until(lambda: _is_gone(world, integration))
    assert await _columns(world) == await _subscriptions(world) == await _hooks(world) == []
    assert link.marker not in (await world.issue(issue["iid"]))["description"]
    with pytest.raises(MissingError):
        await world.ctx.vault.open(integration.tracker.token)


async def test_removing_survives_an_upstream_that_is_down(world):
    integration = await world.connect()
    await world.pushed(integration)
    world.fault("gittab", match="* /api/v4/*", status=503, times=None)
    await removing.remove(world.ctx, integration.id, "tester", clean_tickets=False)
    stuck = await world.until(lambda: _with_failure(world, integration))
    assert "503" in stuck.failure
    assert await _columns(world) == []
    world.clear_faults()
    await connect.try_again(world.ctx, integration.id, "tester")
    await world.until(lambda: _is_gone(world, integration))
    assert await _hooks(world) == []


async def test_forget_anyway_ends_it(world):
    integration = await world.connect()
    feature, _, _ = await world.pushed(integration)
    world.fault("gittab", match="* /api/v4/*", status=503, times=None)
    await removing.remove(world.ctx, integration.id, "tester", clean_tickets=True)
    await world.until(lambda: _with_failure(world, integration))
    await removing.forget_anyway(world.ctx, integration.id, "tester")
    await world.until(lambda: _is_gone(world, integration))
    assert feature["id"]


async def _pushed(world, integration, number):
    for each in (await world.features())[:number]:
        await world.click(integration, each["id"])
    await world.quiet()
    async with world.ctx.storage.begin() as uow:
        return await uow.links.list_after(integration.id, None, number)


def _edits(world):
    return [each for each in world.calls() if each.startswith("PUT") and "/issues/" in each]


async def _descriptions(world):
    return [each["description"] for each in await world.issues()]


async def test_cleaning_many_tickets_goes_on_where_its_last_job_stopped(world, monkeypatch):
    monkeypatch.setattr(removing, "_SHIFT_SECONDS", 0.0)
    integration = await world.connect()
    links = await _pushed(world, integration, 3)
    world.worker_runs = False
    await removing.remove(world.ctx, integration.id, "tester", clean_tickets=True)
    for left in (3, 2, 1):
        await connect.run_integration(world.ctx, integration.id)
        steps = {each.name: each for each in (await world.integration(integration)).steps}
        assert steps[StepName.LINKS].state is StepState.RUNNING
        assert steps[StepName.LINKS].detail.startswith(f"{left} Link")
    written = _edits(world)
    await connect.run_integration(world.ctx, integration.id)
    assert await _is_gone(world, integration)
    assert _edits(world) == written
    for text in await _descriptions(world):
        assert not any(link.marker in text for link in links)


async def test_a_ticket_that_refuses_to_be_cleaned_stops_no_other(world):
    integration = await world.connect()
    refusing, *others = await _pushed(world, integration, 3)
    path = f"/api/v4/projects/1/issues/{refusing.ticket.key}"
    world.fault("gittab", match=f"PUT {path}", status=400, times=None)
    await removing.remove(world.ctx, integration.id, "tester", clean_tickets=True)
    await world.until(lambda: _is_gone(world, integration))
    texts = " ".join(await _descriptions(world))
    assert refusing.marker in texts
    assert not any(link.marker in texts for link in others)


async def test_cleaning_takes_our_marks_off_as_well(world, monkeypatch):
    integration = await world.connect()
    _, _, link = await world.pushed(integration)
    removed = []

    async def remove_marks(self, ref, marker):
        removed.append((ref.id, marker))

    monkeypatch.setattr(
        type((await open_tracker(world.ctx, integration)).tickets), "remove_marks", remove_marks
    )
    await removing.remove(world.ctx, integration.id, "tester", clean_tickets=True)
    await world.until(lambda: _is_gone(world, integration))
    assert removed == [(link.ticket.id, link.marker)]


async def test_forget_anyway_ends_cleaning_that_was_interrupted(world):
    integration = await world.connect()
    await _pushed(world, integration, 2)
    world.worker_runs = False
    await removing.remove(world.ctx, integration.id, "tester", clean_tickets=True)
    world.fault("gittab", match="GET /api/v4/projects/1/issues/*", delay_s=5, times=None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await connect.run_integration(world.ctx, integration.id)
    await removing.forget_anyway(world.ctx, integration.id, "tester")
    async with asyncio.timeout(1):
        await connect.run_integration(world.ctx, integration.id)
    assert await _is_gone(world, integration)


async def test_while_it_is_being_removed_clicks_are_told_and_hooks_dropped(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    world.worker_runs = False
    await removing.remove(world.ctx, integration.id, "tester", clean_tickets=False)
    connection = await world.click(integration, feature["id"])
    assert connection["state"] == "error"
    assert "being removed" in connection["message"]
    await world.edit_issue(issue["iid"], title="Too late")
    await asyncio.sleep(0.2)
    async with world.ctx.storage.begin() as uow:
        assert await uow.inbox.waiting(integration.id) == 0


async def test_several_integrations_side_by_side(world):
    first = await world.connect()
    second = await world.connect(name="Mobile", project=ProjectRef("2", "demo/mobile"))
    features = await world.features()
    assert (await world.click(first, features[0]["id"]))["state"] == "connected"
    assert (await world.click(second, features[1]["id"]))["state"] == "connected"
    assert [len(await world.issues(project)) for project in (1, 2)] == [1, 1]


@pytest.mark.parametrize(
    ("door", "status"),
    [("productboard/{}/events", 401), ("tracker/{}", 401), ("productboard/{}/action", 401)],
)
async def test_a_wrong_secret_is_401_and_stores_nothing(world, door, status):
    integration = await world.connect()
    url = f"{SERVICE}/hooks/" + door.format(integration.id)
    headers = {"Authorization": "Bearer guess", "X-Gitlab-Token": "guess"}
    answer = await world.client.post(url, content=b"{}", headers=headers)
    assert answer.status_code == status
    async with world.ctx.storage.begin() as uow:
        assert await uow.inbox.waiting(integration.id) == 0


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"data": 5}', b"null", b"\xff\xfe", b"[" * 100_000])
async def test_a_malformed_notification_is_400(world, body):
    integration = await world.connect()
    secret = await world.ctx.vault.open(integration.board_secret)
    url = f"{SERVICE}/hooks/productboard/{integration.id}/events"
    answer = await world.client.post(url, content=body, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"]


async def test_no_secret_is_in_the_journal_or_a_repr(world):
    integration = await world.connect()
    async with world.ctx.storage.begin() as uow:
        entries, _ = await uow.journal.page(_every())
    secrets = [BOARD_TOKEN, TRACKER_TOKEN, await world.ctx.vault.open(integration.board_secret)]
    told = repr(integration) + repr(entries)
    assert not [secret for secret in secrets if secret in told]


def _every():
    return JournalQuery(limit=1000)


async def _columns(world):
    return (await world.board("GET", "/v2/plugin-integrations", token=BOARD_TOKEN))["data"]


async def _subscriptions(world):
    return (await world.board("GET", "/v2/webhooks", token=BOARD_TOKEN))["data"]


async def _hooks(world, project=1):
    headers = {"PRIVATE-TOKEN": TRACKER_TOKEN}
    answer = await world.client.get(f"http://gittab.test/api/v4/projects/{project}/hooks", headers=headers)
    return answer.json()


async def _is(world, integration, state):
    return (await world.integration(integration)).state is state


async def _with_failure(world, integration):
    found = await world.integration(integration)
    return found if found.failure else None


async def _is_gone(world, integration):
    try:
        await world.integration(integration)
    except MissingError:
        return True
    return False


async def _points_to(world, integration, address):
    return (await world.integration(integration)).registrations.public_url == address


async def _move_house(world, address):
    """As a restart with another KEEPSTEP_PUBLIC_URL."""
    world.network.add(address, world.service)
    old: Context = world.ctx
    world.ctx = replace(old, rules=replace(old.rules, public_url=address))
    await sweep.wake_integrations(world.ctx)


async def _waiting(world):
    async with world.ctx.storage.begin() as uow:
        return next((each for each in await uow.integrations.list_all() if each.retry_at is not None), None)
