"""The world with a cloud in memory in it, for the main job over trackers without an emulator."""

import asyncio

from keepstep.domain.ids import StatusId
from keepstep.domain.policy import StatusMap, SyncPolicy

from world import LOOK_SECONDS


class CloudTown:
    def __init__(self, world, cloud, host):
        self.world, self.cloud, self.posts, self.answers = world, cloud, set(), []
        """`answers`: the status codes with which we answered deliveries."""
        cloud.post = self._post
        world.network.apps[host] = cloud

    def calls(self):
        """How many calls the cloud got."""
        return len(self.cloud.asked)

    def _post(self, *delivery):
        task = asyncio.get_running_loop().create_task(self.deliver(*delivery))
        self.posts.add(task)
        task.add_done_callback(self.posts.discard)

    async def deliver(self, request):
        self.answers.append((await self.world.client.send(request)).status_code)

    async def policy(self, to_ticket, to_feature):
        """Both by the names of Productboard's statuses and the ids of the tracker's."""
        ids = await self.world.statuses()
        return SyncPolicy(
            status_map=StatusMap(
                {StatusId(ids[one]): StatusId(other) for one, other in to_ticket.items()},
                {StatusId(one): StatusId(ids[other]) for one, other in to_feature.items()},
            )
        )

    async def click(self, integration, status="In progress"):
        """On the first feature of that status; its Link once it has a ticket, at rest."""
        features = await self.world.features()
        feature = next(each for each in features if each["fields"]["status"]["name"] == status)
        await self.world.click(integration, feature["id"])
        link = await self.until(lambda: self.linked(integration, feature["id"]))
        await self.quiet()
        return link

    async def linked(self, integration, entity):
        link = await self.world.link_of(integration, entity)
        return link if link and link.ticket else None

    async def feature(self, entity):
        return (await self.world.feature(entity))["fields"]

    async def until(self, probe):
        async def asked():
            found = probe()
            return await found if asyncio.iscoroutine(found) else found

        return await self.world.until(asked)

    async def quiet(self, seconds=0.3):
        """Nobody calls the cloud, Productboard or us for so long."""
        last, unchanged = None, 0
        while self.posts or unchanged < seconds / LOOK_SECONDS:
            now = (self.calls(), len(self.world.calls()), len(self.world.calls(direction="out")))
            last, unchanged = now, unchanged + 1 if now == last else 0
            await asyncio.sleep(LOOK_SECONDS)
        assert not self.world.crashes, self.world.crashes
