"""Longer stories, with a rest after each step: for the mutants, where time is not short."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from convergence.policies import MAPS
from convergence.stories import FEATURES, Stories, places
from convergence.twin_world import NAMES
from keepstep.domain.fields import Field
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy, SyncPolicy


class RareStories(Stories):
    """To be mixed into the machine."""

    @rule()
    def both_sides_get_another_notation(self):
        """One after the other: nothing of it is carried over."""
        for side in (0, 1):
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

    @rule(name=st.sampled_from(NAMES), places=st.tuples(places, places, places))
    def an_edit_may_not_flow(self, name, places):
        """Of the ticket, while the field goes to the ticket only; then the feature is edited twice."""
        self.settle()
        policy = self.policies[name][-1]
        one_way = {each: FieldPolicy(Direction.TO_TICKET, ConflictRule.PRODUCTBOARD) for each in Field}
        self.the_policy_changes(name, SyncPolicy(one_way, policy.status_map))
        for side, place in ((1, places[0]), (0, places[1]), (0, places[2])):
            self.settle()
            self.edit(self.ends()[side], "new block", place, 0)
        self.settle()
