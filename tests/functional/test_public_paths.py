"""What a proxy has to show the world: `/hooks/` and `/l/`, and nothing beside them."""

import re

import pytest

from functional.web_world import World, seed


@pytest.fixture
async def world():
    world = World()
    world.seeded = await seed(world)
    return world


def loaded_by(page):
    """Addresses that the browser fetches by itself."""
    found = re.findall(r'<(?:link|script|img)\b[^>]*?\b(?:href|src)="([^"]+)"', page)
    assert len(found) >= 3
    return found


@pytest.mark.parametrize("where", ["a Link", "no Link"])
async def test_a_signed_page_loads_only_what_lies_below_its_own_path(world, where):
    link = next(iter(world.seeded.links.values()))
    address = world.pages.address(link.id) if where == "a Link" else "/l/forged"
    async with world.client(logged_in=False) as visitor:
        page = (await visitor.get(address)).text
        for each in loaded_by(page):
            assert each.startswith("/l/static/"), each
            answer = await visitor.get(each)
            assert answer.status_code == 200
            for inner in re.findall(r'url\("([^"]+)"\)|from "([^"]+)"', answer.text):
                beside = "".join(inner)
                assert not beside.startswith("/"), beside
                assert (await visitor.get(f"/l/static/{beside}")).status_code == 200


async def test_other_pages_load_from_the_usual_place(world):
    async with world.client() as client:
        assert all(each.startswith("/static/") for each in loaded_by((await client.get("/")).text))
