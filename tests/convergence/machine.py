"""The state machine: everything that may happen, in any order, to the real use cases over the twins."""

import asyncio
import contextlib
import itertools
from datetime import timedelta

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from convergence.chaos import FAULTS, Killed
from convergence.choices import edited_field
from convergence.ledger import Ledger
from convergence.oracle import Oracle
from convergence.people import EDITS, Hand, tokens
from convergence.policies import both_ways, policies
from convergence.rare_stories import RareStories
from convergence.stories import FEATURES
from convergence.twin_world import NAMES, TwinWorld
from keepstep.app import links as people_links
from keepstep.domain.errors import KeepstepError
from keepstep.domain.events import Act
from keepstep.domain.fields import Side
from keepstep.domain.ids import StatusId
from keepstep.domain.link import LinkState

FIRST_TEXT = "<h2>w1 w2</h2><p>w3 w4 w5</p><p>w6 w7</p><ul><li>w8</li><li>w9</li></ul>"

places = st.integers(0, 7)
soon = st.integers(0, 6)


class Convergence(RareStories):
    World = TwinWorld

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = self.World()
        self.ledger = Ledger()
        self.policies = {}
        self.oracle = Oracle(self.world, self.ledger, self.policies)
        self.words = itertools.count(100)
        self.lost_notifications = 0

    def do(self, coroutine):
        self.loop.run_until_complete(self._noting(coroutine))

    async def _noting(self, coroutine):
        """Where the process dies in the middle, what it did until then stands."""
        known = dict(self.world.owners())
        with contextlib.suppress(Killed):
            await coroutine
        new = [feature for link, (_, feature) in self.world.owners().items() if link not in known]
        self.ledger.restless.update(new)
        await self.oracle.check_always()

    # ---- the beginning

    @initialize(one=both_ways, two=policies, both=st.booleans())
    def begin(self, one, two, both):
        for feature in FEATURES:
            self.world.board.add(feature, f"Feature {feature[-1]}", FIRST_TEXT, StatusId("planned"))
        self.policies.update({name: [policy] for name, policy in zip(NAMES, (one, two), strict=True)})
        self.do(self.world.begin((one, two)))
        for name in NAMES if both else NAMES[:1]:
            self.do(self.world.click(name, FEATURES[0], "push", jobs_meanwhile=2))
        self.settle()

    # ---- people at both sides

    def items(self):
        return [each for twin in (self.world.board, self.world.tracker) for each in twin.items.values()]

    def edit(self, which, edit, place, other):
        """A person at one item; nothing, when it cannot be done there."""
        found = [each for each in self.items() if each.is_there]
        if not found:
            return
        item = found[which % len(found)]
        side = Side.TICKET if item.project else Side.FEATURE
        twin = self.world.tracker if item.project else self.world.board
        feature = self.oracle._family(side, item.id)
        hand = Hand(place, other, tuple(f"w{next(self.words)}" for _ in range(3)))
        name, value = edited_field(side, item, edit, hand)
        before = item.snapshot.value(name)
        if value == before:
            return
        if self.world.is_in_doubt(side, item, name):
            self.ledger.muddled.add((feature, name))
        twin.put(item.id, **{name.value: value})
        after = item.snapshot.value(name)
        if side is Side.TICKET and not self.world.is_attached(item):
            self.ledger.loose.add(feature)
        if edit == "drop footer":
            self.ledger.untraceable.add(item.id)
        self.ledger.note(feature, side, item.id, name, edit, before, after)

    @rule(
        which=places, edit=st.sampled_from((*EDITS, "title", "status", "restore")), place=places, other=places
    )
    def edits(self, which, edit, place, other):
        self.edit(which, edit, place, other)

    @rule(
        which=places,
        edit=st.sampled_from(
            ("reword", "new block", "delete block", "strike", "bold", "reformat", "title", "status")
        ),
        place=places,
        fault=st.sampled_from((*FAULTS, "nothing")),
        after=st.integers(0, 2),
    )
    def an_edit_is_carried_over_badly(self, which, edit, place, fault, after):
        """The whole way of one edit at once, with one thing going wrong on it."""
        self.edit(which, edit, place, place)
        if fault != "nothing":
            self.world.chaos.lie_in_wait(fault, after)
        self.notified_and_done()

    @rule(places=st.tuples(*[places] * 4), settled=st.booleans())
    def statuses_go_to_and_fro(self, places, settled):
        for which, place in (places[:2], places[2:]):
            self.edit(which, "status", place, place)
            self.notified_and_done()
        if settled:
            self.settle()

    @rule(
        after=soon,
        kind=st.sampled_from(("person", "before write", "after write")),
        which=places,
        edit=st.sampled_from(("reword", "new block", "delete block", "title", "status", "bold")),
        place=places,
    )
    def somebody_edits_meanwhile(self, after, kind, which, edit, place):
        async def act():
            self.edit(which, edit, place, place)

        self.world.chaos.lie_in_wait(kind, after, act)

    @rule(feature=st.sampled_from(FEATURES), how=st.sampled_from(("hide", "show", "delete")), ticket=places)
    def comes_and_goes(self, feature, how, ticket):
        tickets = list(self.world.tracker.items.values())
        item = tickets[ticket % len(tickets)] if tickets and ticket % 2 else self.world.board.items[feature]
        twin = self.world.tracker if item.project else self.world.board
        family = self.oracle._family(twin.side, item.id)
        if how == "show":
            item.hidden = False
            return
        self.ledger.hidden.add(family)
        self.ledger.restless.add(family)
        self.ledger.untraceable.add(item.id)
        if how == "hide":
            item.hidden = True
        elif item.is_there and len([each for each in self.world.board.items.values() if each.is_there]) > 1:
            twin.delete(item.id)

    # ---- notifications, jobs, time

    @rule(which=places, how=st.sampled_from(("deliver", "double", "lose")))
    def a_notification(self, which, how):
        if how == "lose" and self.world.queue:
            self.lost_notifications += 1
            self.world.queue.pop(which % len(self.world.queue))
        else:
            self.do(self.world.deliver(which, keep=how == "double"))

    @rule()
    def all_notifications(self):
        self.do(self.world.deliver_all())

    @rule(which=places, worker=st.integers(0, 1))
    def a_job_runs(self, which, worker):
        self.do(self.world.work(which, worker))

    @rule()
    def notified_and_done(self):
        async def go():
            await self.world.deliver_all()
            await self.world.drain()

        self.do(go())

    @rule()
    def a_wake_is_lost(self):
        self.world.jobs._waiting.clear()

    @rule(after=soon, fenced=st.booleans())
    def another_worker_meanwhile(self, after, fenced):
        self.world.chaos.lie_in_wait("worker", after, lambda: self.world.other_worker(fenced=fenced))

    @rule(seconds=st.sampled_from((0.3, 1.5, 5.0, 30.0, 400.0, 1000.0)))
    def time_passes(self, seconds):
        self.world.clock.advance(seconds)

    @rule()
    def the_loop_runs(self):
        async def go():
            await self.world.rescue()
            await self.world.sweep()

        self.do(go())

    @rule(kind=st.sampled_from(FAULTS), after=soon)
    def something_will_fail(self, kind, after):
        self.world.chaos.lie_in_wait(kind, after)

    @rule(seconds=st.sampled_from((0, 9)))
    def the_search_lags(self, seconds):
        self.world.tracker.search_lag = timedelta(seconds=seconds)

    # ---- people in the column and in Keepstep

    @rule(
        name=st.sampled_from(NAMES),
        feature=st.sampled_from(FEATURES),
        trigger=st.sampled_from(("push", "push", "unlink", "dismiss")),
        jobs=st.integers(0, 3),
        late=st.booleans(),
    )
    def clicks(self, name, feature, trigger, jobs, late):
        self._click_began(feature)
        self.do(self.world.click(name, feature, trigger, jobs_meanwhile=jobs, late=late))

    @rule(
        after=soon, feature=st.sampled_from(FEATURES), trigger=st.sampled_from(("push", "unlink", "dismiss"))
    )
    def somebody_clicks_meanwhile(self, after, feature, trigger):
        async def act():
            self._click_began(feature)
            await self.world.click("a", feature, trigger)

        self.world.chaos.lie_in_wait("person", after, act)

    def _click_began(self, feature):
        self.ledger.restless.add(feature)

    @rule(name=st.sampled_from(NAMES), policy=policies)
    def the_policy_changes(self, name, policy):
        self.policies[name].append(policy)
        self.ledger.restless.update(FEATURES)
        self.do(self.world.set_policy(name, policy))

    @rule(
        which=places, act=st.sampled_from(("sync", "decide feature", "decide ticket", "put back", "unlink"))
    )
    def acts_in_keepstep(self, which, act):
        self.do(self._act_in_keepstep(which, act))

    async def _act_in_keepstep(self, which, act):
        links = await self.world.links()
        if not links:
            return
        link, ctx = links[which % len(links)], self.world.ctx
        try:
            match act:
                case "sync":
                    self.ledger.restless.add(link.feature_id)
                    await people_links.sync_now(ctx, link.id, "ann")
                case "unlink":
                    self.ledger.restless.add(link.feature_id)
                    await people_links.unlink(ctx, link.id, "ann")
                case "put back":
                    lost = [each for each in await self.world.journal(link.id) if each.act is Act.OVERRULED]
                    for entry in lost[:1]:
                        await people_links.put_back(ctx, entry.id, "ann")
                        self.ledger.decided(link.feature_id, entry.field)
                case _:
                    for name in list(link.conflicts)[:1]:
                        side = Side.FEATURE if act == "decide feature" else Side.TICKET
                        await people_links.decide(ctx, link.id, name, side, "ann")
                        self.ledger.decided(link.feature_id, name)
        except KeepstepError:
            event(f"refused: {act}")

    # ---- what must hold

    @rule()
    def settle(self):
        self.do(self._settle())

    async def _settle(self):
        world = self.world
        await world.calm_down()
        aside = [link.id for link in await world.links() if link.state is LinkState.SET_ASIDE and link.ticket]
        for link in aside:
            await people_links.try_again(world.ctx, [link], "ann")
            await world.come_to_rest()
        await self.oracle.check_cells_of_links()
        await (self.oracle.check_words() if self.missed else self.oracle.check_rest())
        await world.poll()
        await world.come_to_rest()
        await self.oracle.check_rest()
        writes = len(world.chaos.writes)
        await world.poll()
        await world.come_to_rest()
        assert world.chaos.writes[writes:] == [], f"Not quiet: {world.chaos.writes[writes:]}"
        event(f"edits lost in the gap: {min(3, len(world.outside.gaps) - self.ledger.gaps_seen)}")
        self._rested(await world.links())

    @property
    def missed(self):
        """Something that notifications alone cannot bring about since the last rest."""
        return (
            self.lost_notifications
            or self.world.unheard
            or self.world.chaos.happened["stale"]
            or self.ledger.hidden
        )

    def _rested(self, links):
        self.ledger.gaps_seen = len(self.world.outside.gaps)
        self.world.unheard.clear()
        self.world.chaos.happened.clear()
        self.lost_notifications = 0
        twins = (self.world.board, self.world.tracker)
        shown = {(twin.side, each.id): each.snapshot for twin in twins for each in twin.items.values()}
        restless = {each.feature_id for each in links if self.oracle.is_restless(each)}
        self.ledger.rested(
            shown, restless, {each.feature_id for each in links if self._is_apart(each, shown)}
        )

    def _is_apart(self, link, shown):
        """Its text may not flow, so that the base is still that of an earlier time."""
        if link.ticket is None or link.base is None:
            return False
        ends = {Side.FEATURE: link.feature_id, Side.TICKET: link.ticket.id}
        return any(
            tokens(link.base.side(side).description) != tokens(shown[side, end].description)
            for side, end in ends.items()
        )

    def teardown(self):
        try:
            if self.policies:
                self.settle()
        finally:
            self.loop.run_until_complete(self.world.aclose())
            self.loop.close()
