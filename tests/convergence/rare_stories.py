"""Longer stories, each for one way to go wrong, from one rest to the next."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from convergence.policies import MAPS
from convergence.stories import FEATURES, Stories, places
from convergence.twin_world import NAMES
from keepstep.domain.fields import Field, Side
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy, SyncPolicy


class RareStories(Stories):
    """For `convergence.machine.Convergence`, as those they add to."""

    @rule()
    def both_sides_get_another_notation(self):
        """One after the other, the ticket first, whose notation is ours: nothing of it is carried over."""
        for side in (1, 0):
            self.settle()
            self.edit(self.ends()[side], "reformat", 0, 0)
        self.settle()

    @rule(then=st.integers(1, 3))
    def two_statuses_mean_one(self, then):
        """The feature takes the status that the ticket's does not map back to; then the ticket moves on alone."""
        self.settle()
        ours = FieldPolicy(Direction.BOTH, ConflictRule.PRODUCTBOARD)
        for name in NAMES:
            self.the_policy_changes(name, SyncPolicy(dict.fromkeys(Field, ours), MAPS[0]))
        idea = 0
        for side, place in ((0, idea), (1, then)):
            self.settle()
            self.edit(self.ends()[side], "status", place, place)
        self.settle()

    @rule(
        name=st.sampled_from(NAMES), feature=st.sampled_from(FEATURES), seconds=st.sampled_from((0, 1.5, 5.0))
    )
    def a_click_is_answered_late(self, name, feature, seconds):
        """Its job is done before the answer arrives, which then says less than the cell did."""
        self.clicks(name, feature, "unlink", 1, late=False)
        self.settle()
        self.clicks(name, feature, "push", 0, late=True)
        self.notified_and_done()
        self.time_passes(seconds)
        self.settle()

    @rule(edit=st.sampled_from(("title", "status", "new block")), place=places, after=st.integers(0, 3))
    def news_come_while_a_job_runs(self, edit, place, after):
        """Of the other side, told at once: that row is for the next job."""
        self.settle()
        feature, ticket = self.ends()

        async def act():
            self.edit(feature, edit, place, place)
            await self.world.deliver_all()

        self.edit(ticket, "new block" if edit != "new block" else "title", place, place)
        self.world.chaos.lie_in_wait("person", after, act)
        self.notified_and_done()
        self.settle()

    @rule(
        name=st.sampled_from(NAMES),
        places=st.tuples(places, places, places),
        footer=st.sampled_from(("drop footer", "tick")),
    )
    def an_edit_may_not_flow(self, name, places, footer):
        """Of the ticket, while the field goes to the ticket only; then the feature is edited twice."""
        self.settle()
        policy = self.policies[name][-1]
        one_way = {each: FieldPolicy(Direction.TO_TICKET, ConflictRule.PRODUCTBOARD) for each in Field}
        self.the_policy_changes(name, SyncPolicy(one_way, policy.status_map))
        self.settle()
        self.edit(self.ends()[1], "new block", places[0], 0)
        self.settle()
        self.edit(self.ends()[1], footer, 0, 0)
        for place in places[1:]:
            self.settle()
            self.edit(self.ends()[0], "new block", place, 0)
        self.settle()

    @rule(edit=st.sampled_from(("title", "status", "new block", "reword")), place=places)
    def an_echo_is_answered_from_the_past(self, edit, place):
        """The read after our own write still shows what stood there before it."""
        self.settle()
        self.edit(self.ends()[0], edit, place, place)
        self.notified_and_done()
        self.world.chaos.lie_in_wait("stale", 0)
        self.notified_and_done()
        self.settle()

    @rule(
        edit=st.sampled_from(("title", "reword", "new block")),
        places=st.tuples(places, places, places),
        slow=st.sampled_from(("slow", "very slow")),
        call=st.integers(0, 2),
    )
    def an_edit_falls_behind_a_slow_call(self, edit, places, slow, call):
        """Both sides changed; somebody edits the feature again while the ticket is read, or written, at length."""
        self.settle()
        feature, ticket = self.ends()
        self.edit(ticket, edit, places[0], places[0])
        self.edit(feature, "status" if edit == "title" else edit, places[1], places[1])

        async def act():
            self.edit(feature, "title" if edit == "title" else "reword", places[2], places[2])

        self.world.chaos.lie_in_wait("person", call, act)
        self.world.chaos.lie_in_wait(slow, call)
        self.notified_and_done()
        self.settle()

    @rule(block=st.integers(0, 3), to=st.tuples(st.integers(0, 3), st.integers(0, 3)))
    def both_move_one_block(self, block, to):
        """To two places."""
        self.settle()
        for end, place in zip(self.ends(), to, strict=True):
            self.edit(end, "move block", block, place)
        self.settle()

    @rule(edit=st.sampled_from(("title", "status", "new block")), place=places)
    def a_side_is_hidden_for_a_moment(self, edit, place):
        """While news of the other one come; they are not forgotten when it is there again."""
        self.settle()
        feature, ticket = self.ends()
        found = [each for each in self.items() if each.is_there]
        if not found or not found[ticket].project:
            return
        item = found[ticket]
        self.edit(feature, edit, place, place)
        item.hidden = True
        self.notified_and_done()
        item.hidden = False
        self.settle()

    @rule(
        edit=st.sampled_from(("title", "status", "reword", "new block")), side=st.integers(0, 1), place=places
    )
    def a_write_is_not_carried_out(self, edit, side, place):
        """The other side says yes and changes nothing: what was edited stays as it was edited."""
        self.settle()
        self.edit(self.ends()[side], edit, place, place)
        self.world.chaos.lie_in_wait("ignore", 0)
        self.notified_and_done()
        self.settle()

    @rule(
        edit=st.sampled_from(("reword", "new block", "title", "status")),
        places=st.tuples(places, places),
        call=st.integers(1, 2),
    )
    def both_tickets_of_one_feature_are_edited(self, edit, places, call):
        """And the feature in another field, so that it is read first; then two workers carry it all at one moment."""
        for name in NAMES:
            self.clicks(name, FEATURES[0], "push", 2, late=False)
        self.settle()
        found = [each for each in self.items() if each.is_there]
        mine = [
            at
            for at, each in enumerate(found)
            if each.project and self.oracle._family(Side.TICKET, each.id) == FEATURES[0]
        ]
        for ticket, place in zip(mine[-2:], places, strict=False):
            self.edit(ticket, edit, place, place)
        self.edit(0, "title" if edit == "status" else "status", places[0], places[1])
        self.world.chaos.lie_in_wait("worker", call, lambda: self.world.other_worker(fenced=False))
        self.notified_and_done()
        self.settle()

    @rule(
        name=st.sampled_from(NAMES),
        feature=st.sampled_from(FEATURES),
        fault=st.sampled_from(("drop answer", "late")),
        seconds=st.sampled_from((0, 0.3, 1.5)),
    )
    def clicks_follow_a_create_in_doubt(self, name, feature, fault, seconds):
        """Long before the search can show what was made: one looks for it, and so does the next."""
        self.clicks(name, feature, "unlink", 1, late=False)
        self.settle()
        self.the_search_lags(9)
        self.world.chaos.lie_in_wait(fault, 0)
        self.clicks(name, feature, "push", 1, late=False)
        self.do(self.world.rescue())
        for _ in range(2):
            self.time_passes(seconds)
            self.clicks(name, feature, "push", 1, late=False)
        self.settle()

    @rule(
        edit=st.sampled_from(("reword", "new block", "title")),
        side=st.integers(0, 1),
        places=st.tuples(places, places),
    )
    def the_board_stores_less_than_was_written(self, edit, side, places):
        """The struck words of the ticket come to the feature unstruck; then there is one more edit."""
        self.settle()
        self.edit(self.ends()[1], "struck block", places[0], places[0])
        self.settle()
        self.edit(self.ends()[side], edit, places[1], places[1])
        self.settle()

    @rule(which=places)
    def the_wake_of_an_unlink_is_lost(self, which):
        self.acts_in_keepstep(which, "unlink")
        self.a_wake_is_lost()
        self.settle()

    @rule(
        edit=st.sampled_from(("title", "status", "new block")),
        side=st.integers(0, 1),
        places=st.tuples(places, places),
        call=st.integers(0, 1),
    )
    def a_worker_is_thought_dead(self, edit, side, places, call):
        """While it reads. Another one takes its Link over, with an edit that it has not seen; then it goes on."""
        self.settle()
        end = self.ends()[side]

        async def act():
            self.edit(end, edit, places[1], places[1])
            await self.world.deliver_all()

        self.edit(end, edit, places[0], places[0])
        self.world.chaos.lie_in_wait("person", call, act)
        self.world.chaos.lie_in_wait("worker", call, lambda: self.world.other_worker(fenced=True))
        self.notified_and_done()
        self.settle()
