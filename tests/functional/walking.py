"""The way through the Connect wizard, as a browser without a script goes it."""

import re
from html import unescape

from outside_world import BOARD_TOKEN, BOARD_URL, TRACKER_TOKEN, TRACKER_URL


def inputs(page):
    """Names and values that the page's forms would send: inputs, chosen options."""
    found = {}
    for tag in re.findall(r"<input [^>]*>", page.text):
        attributes = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        if attributes.get("type") != "radio" or "checked" in tag:
            found[unescape(attributes.get("name", ""))] = unescape(attributes.get("value", ""))
    for name, options in re.findall(r'<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>', page.text, re.DOTALL):
        chosen = re.search(r'<option(?: value="([^"]*)")?[^>]* selected[^>]*>([^<]*)', options)
        if chosen:
            found[unescape(name)] = unescape(chosen[1] if chosen[1] is not None else chosen[2])
    return found


def words(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page.text)).split())


async def to_tracker(member):
    page = await member.send("/connect/productboard", board_token=BOARD_TOKEN, board_url=BOARD_URL)
    assert page.url.path == "/connect/tracker", words(page)
    return page


async def to_project(member, kind="gitlab", url=TRACKER_URL):
    await to_tracker(member)
    return await member.send("/connect/tracker", kind=kind, tracker_url=url, tracker_token=TRACKER_TOKEN)


async def to_mapping(member, labels=("workflow::doing", "workflow::review")):
    await to_project(member)
    await member.send("/connect/tracker/project", project="1")
    page = await member.fill("/connect/tracker/settings", {"setting.status_labels": list(labels)})
    assert page.url.path == "/connect/mapping", words(page)
    return page


async def to_review(member):
    page = await member.fill("/connect/mapping", inputs(await to_mapping(member)))
    assert page.url.path == "/connect/review", words(page)
    return page


async def only_integration(place):
    async with place.storage.begin() as uow:
        (found,) = await uow.integrations.list_all()
    return found
