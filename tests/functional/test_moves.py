"""A ticket that moves to another project stays in step there, if our token sees it."""

from keepstep.domain.events import Act


async def test_a_moved_ticket_stays_in_step_where_it_is_now(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await world.tracker("POST", f"/projects/1/issues/{issue['iid']}/move", {"to_project_id": 2})

    async def followed():
        found = await world.link_of(integration, feature["id"])
        return found if found and found.ticket.project == "2" else None

    link = await world.until(followed)
    await world.quiet()
    moved = await world.issue(int(link.ticket.key), project=2)
    assert (moved["title"], moved["state"]) == (issue["title"], "opened")
    told = [each for each in await world.journal(link) if each.act is Act.MOVED]
    assert len(told) == 1
    assert (told[0].before, told[0].after) == (issue["web_url"], moved["web_url"])
    cell = await world.cell(integration, feature["id"])
    assert cell["targetUrl"] == moved["web_url"]


async def test_a_moved_ticket_follows_its_feature_and_is_found_by_looking(world):
    integration = await world.connect()
    feature, issue, _ = await world.pushed(integration)
    await world.tracker("POST", f"/projects/1/issues/{issue['iid']}/move", {"to_project_id": 2})

    async def followed():
        found = await world.link_of(integration, feature["id"])
        return found if found and found.ticket.project == "2" else None

    link = await world.until(followed)
    await world.quiet()
    await world.edit_feature(feature["id"], name="Said in Productboard")

    async def titled():
        found = await world.issue(int(link.ticket.key), project=2)
        return found["title"] == "Said in Productboard"

    await world.until(titled)
    await world.quiet()
    # No webhook of ours is in that project: the poll looks there as well.
    await world.edit_issue(int(link.ticket.key), project=2, title="Said in the other project")
    await world.quiet()
    await world.poll(integration)

    async def told():
        return (await world.feature(feature["id"]))["fields"]["name"] == "Said in the other project"

    await world.until(told)
