"""The same world over both emulators: real adapters, HTTP in one process, real webhook bodies in the queue.

What goes wrong still happens at the ports: every call of an adapter is one that a mishap may strike. Hidden items are
hidden there as well; everything else is what the emulators make of it.
"""

import json
from dataclasses import replace

import httpx

from convergence.emulators import SECRET, EmulatedBoard, EmulatedTracker
from convergence.through import EmulatedOutside
from convergence.twin_world import NAMES, RULES, TwinWorld
from keepstep.adapters.outside import OutsideWorld
from keepstep.app import receive
from keepstep.domain.ids import IntegrationId
from keepstep.domain.integration import BoardAccount, ProjectRef, TrackerAccount
from keepstep_sandbox.gittab.seeding import SERVICE_TOKEN

from world import BOARD, BOARD_TOKEN, TRACKER, ByHost

PROJECTS = dict(zip(NAMES, ("1", "2"), strict=True))


class EmulatorWorld(TwinWorld):
    def build_outside(self):
        self.board = EmulatedBoard(self.clock, self.queue, RULES.public_url)
        self.tracker = EmulatedTracker(self.clock, self.queue, RULES.public_url)
        network = ByHost()
        network.add(BOARD, self.board.app)
        network.add(TRACKER, self.tracker.app)
        self._real = OutsideWorld(allow_private=True, transport=network)
        self.outside = EmulatedOutside(self._real, self.board, self.tracker, self.chaos, self.clock)

    async def aclose(self):
        await self._real.aclose()
        for each in (self.board, self.tracker):
            await each.app.state.sandbox.aclose()

    async def begin(self, policies):
        for name in NAMES:
            self.board.register(name)
            self.tracker.register(name, PROJECTS[name])
        await super().begin(policies)

    def integration_of(self, name, policy, ref):
        plain = super().integration_of(name, policy, ref)
        board, tracker = self._tokens
        return replace(
            plain,
            board=BoardAccount(f"{BOARD}/v2", board),
            tracker=TrackerAccount("gittab", TRACKER, tracker),
            tracker_settings={"status_labels": ("doing", "review")},
            project=ProjectRef(PROJECTS[name], f"demo/{name}"),
        )

    async def keep_secrets(self):
        self._tokens = await self.ctx.vault.put(BOARD_TOKEN), await self.ctx.vault.put(SERVICE_TOKEN)
        return await self.ctx.vault.put(SECRET)

    async def deliver(self, which, *, keep=False):
        if not self.queue:
            return
        at = which % len(self.queue)
        callback = self.queue[at] if keep else self.queue.pop(at)
        _, _, side, name, *_ = httpx.URL(callback.url).path.split("/")
        body, headers = json.dumps(dict(callback.body)).encode(), httpx.Headers(dict(callback.headers))
        if side == "productboard":
            await receive.from_board(self.ctx, IntegrationId(name), headers["Authorization"], body)
        else:
            await receive.from_tracker(self.ctx, IntegrationId(name), headers, body)

    def click_body(self, column, feature, trigger):
        return self.board.click_body(column, feature, trigger)
