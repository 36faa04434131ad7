"""The ports of both sides through the real adapters, with chaos between and every read and write noted."""

from dataclasses import replace

from convergence.doors import DoorsOfBoard, DoorsOfTracker, Reads


class ThroughBoard(DoorsOfBoard):
    def __init__(self, real, twin, chaos, reads):
        super().__init__(twin, chaos, reads)
        self._real = real

    async def verify(self):
        return await self._chaos.call("board verify", self._real.workspace.verify)

    async def fetch_feature(self, feature):
        async def fetch():
            self._twin.get(feature)
            return self._reads.serve(feature, await self._real.features.fetch_feature(feature))

        return await self._chaos.call("board fetch", fetch, stale=lambda: self._reads.older(feature))

    async def list_features(self, features):
        async def fetch():
            return _in_sight(
                self._twin, await self._real.features.list_features(features), lambda each: each.id
            )

        return await self._chaos.call("board list", fetch)

    async def write_feature(self, feature, changes):
        last, began = self._reads.last(feature), self._chaos.clock.now()

        async def write():
            self._twin.get(feature)
            self._reads.writing(feature, _values(changes), last, began)
            await self._real.features.write_feature(feature, changes)

        async def ignore():
            self._reads.ignoring(feature, _values(changes), last)

        await self._chaos.call("board write", write, write=True, ignored=ignore)

    async def iter_changed(self, kind, since):
        async def fetch():
            return [each async for each in self._real.features.iter_changed(kind, since)]

        found = await self._chaos.call("board changed", fetch)
        for each in _in_sight(self._twin, found, lambda each: each.id):
            yield each

    async def fetch_cell(self, column, feature):
        async def fetch():
            self._twin.get(feature)
            return await self._real.columns.fetch_cell(column, feature)

        return await self._chaos.call("board cell", fetch)

    async def list_unsettled(self, column):
        return await self._chaos.call("board cells", lambda: self._real.columns.list_unsettled(column))

    async def put_cell(self, column, feature, cell):
        async def put():
            self._twin.get(feature)
            await self._real.columns.put_cell(column, feature, cell)

        await self._chaos.call(f"board put cell {cell.state}", put, write=True)


class ThroughTracker(DoorsOfTracker):
    def __init__(self, real, twin, chaos, reads):
        super().__init__(twin, chaos, reads)
        self._real = real

    async def verify(self):
        return await self._chaos.call("tracker verify", self._real.account.verify)

    async def get_project(self, project):
        return await self._chaos.call("tracker project", lambda: self._real.account.get_project(project))

    async def fetch_ticket(self, ref):
        async def fetch():
            self._twin.get(ref.id)
            return self._reads.serve(ref.id, await self._real.tickets.fetch_ticket(ref))

        return await self._chaos.call("tracker fetch", fetch, stale=lambda: self._reads.older(ref.id))

    async def list_tickets(self, project, refs):
        async def fetch():
            found = await self._real.tickets.list_tickets(project, refs)
            return _in_sight(self._twin, found, lambda each: each.ref.id)

        return await self._chaos.call("tracker list", fetch)

    async def find_by_marker(self, project, marker):
        async def find():
            found = await self._real.tickets.find_by_marker(project, marker)
            return _in_sight(self._twin, found, lambda each: each.ref.id)

        return await self._chaos.call("tracker search", find)

    async def create_ticket(self, project, draft):
        async def create():
            made = await self._real.tickets.create_ticket(project, draft)
            return self._reads.serve(made.ref.id, made)

        return await self._chaos.call("tracker create", create, write=True)

    async def write_ticket(self, ref, changes):
        last, began = self._reads.last(ref.id), self._chaos.clock.now()

        async def ignore():
            self._twin.get(ref.id)
            self._reads.ignoring(ref.id, _values(changes), last)
            return self._reads.serve(ref.id, await self._real.tickets.fetch_ticket(ref))

        async def write():
            self._twin.get(ref.id)
            self._reads.writing(ref.id, _values(changes), last, began)
            return self._reads.serve(ref.id, await self._real.tickets.write_ticket(ref, changes))

        return await self._chaos.call("tracker write", write, write=True, ignored=ignore)

    async def ensure_marks(self, ref, marker, link_back):
        await self._real.tickets.ensure_marks(ref, marker, link_back)

    async def remove_marks(self, ref, marker):
        await self._real.tickets.remove_marks(ref, marker)

    async def ensure_comment(self, ref, text, key):
        async def comment():
            self._twin.get(ref.id)
            await self._real.tickets.ensure_comment(ref, text, key)

        await self._chaos.call("tracker comment", comment, write=True)

    async def iter_changed(self, project, since):
        async def fetch():
            return [each async for each in self._real.tickets.iter_changed(project, since)]

        found = await self._chaos.call("tracker changed", fetch)
        for each in _in_sight(self._twin, found, lambda each: each.ref.id):
            yield each


class EmulatedOutside:
    """Implements `keepstep.ports.outside.Outside` around the real one."""

    def __init__(self, real, board, tracker, chaos, clock):
        self._real, self._board, self._tracker, self._chaos = real, board, tracker, chaos
        self.board_reads, self.tracker_reads = Reads(board, clock), Reads(tracker, clock)

    @property
    def gaps(self):
        return [*self.board_reads.gaps, *self.tracker_reads.gaps]

    def open_board(self, base_url, token):
        real = self._real.open_board(base_url, token)
        doors = ThroughBoard(real, self._board, self._chaos, self.board_reads)
        return replace(real, workspace=doors, features=doors, columns=doors, subscriptions=doors)

    def open_tracker(self, kind, base_url, token, settings):
        real = self._real.open_tracker(kind, base_url, token, settings)
        doors = ThroughTracker(real, self._tracker, self._chaos, self.tracker_reads)
        return replace(real, account=doors, tickets=doors, notifications=doors)

    def __getattr__(self, name):
        return getattr(self._real, name)


def _in_sight(twin, found, id_of):
    items = twin.items
    return [each for each in found if id_of(each) in items and items[id_of(each)].is_there]


def _values(changes):
    return {"title": changes.title, "description": changes.description, "status": changes.status}
