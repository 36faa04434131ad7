"""Stories of several steps that chance alone would tell too seldom; the machine tells them among its single steps."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from convergence.people import EDITS
from convergence.twin_world import NAMES
from keepstep.domain.fields import Side

FEATURES = tuple(f"f0000000-0000-4000-8000-00000000000{at}" for at in (1, 2))

places = st.integers(0, 7)


class Stories(RuleBasedStateMachine):
    """For `convergence.machine.Convergence`, whose steps they are made of."""

    def ends(self):
        """Both ends of the first ticket that is there, as places among all items; else of the first feature alone."""
        found = [each for each in self.items() if each.is_there]
        ticket = next((each for each in found if each.project), None)
        if ticket is None:
            return 0, 0
        feature = self.oracle._family(Side.TICKET, ticket.id)
        mine = [at for at, each in enumerate(found) if each.id == feature and not each.project]
        return (mine or [found.index(ticket)])[0], found.index(ticket)

    @rule(
        edit=st.sampled_from(
            (*EDITS, "title", "status", "status", "reformat", "struck block", "struck block")
        ),
        side=st.integers(0, 1),
        place=places,
    )
    def one_edit_between_two_rests(self, edit, side, place):
        """The plainest of all stories, judged most sharply: what is edited alone stays as it was left."""
        self.settle()
        restless, written = set(self.ledger.restless), len(self.world.chaos.writes)
        self.edit(self.ends()[side], edit, place, place)
        self.settle()
        needless = [each for each in self.world.chaos.writes[written:] if each.endswith(" write")]
        assert edit != "reformat" or restless or not needless, f"Only the notation changed: {needless}"

    @rule(
        edit=st.sampled_from(("reword", "new block", "swap blocks", "move block", "title", "status")),
        places=st.tuples(*[places] * 4),
        rested=st.booleans(),
    )
    def both_sides_edit(self, edit, places, rested):
        """Before anything of it is carried over."""
        if rested:
            self.settle()
        feature, ticket = self.ends()
        self.edit(feature, edit, places[0], places[1])
        self.edit(ticket, edit, places[2], places[3])
        if rested:
            self.settle()

    @rule(
        edit=st.sampled_from(("reword", "new block", "title", "status")),
        side=st.integers(0, 1),
        place=places,
        kind=st.sampled_from(("before write", "after write")),
    )
    def somebody_is_faster(self, edit, side, place, kind):
        """At the side that an edit is being carried to, in the same field."""
        ends = self.ends()

        async def act():
            self.edit(ends[1 - side], edit, place + 1, place)

        self.edit(ends[side], edit, place, place)
        self.world.chaos.lie_in_wait(kind, 0, act)
        self.notified_and_done()

    @rule(
        name=st.sampled_from(NAMES),
        feature=st.sampled_from(FEATURES),
        fault=st.sampled_from(("drop answer", "die after", "late", "time-out")),
        lag=st.sampled_from((0, 9)),
        again=st.sampled_from(("push", "give up", "nothing")),
    )
    def a_push_goes_badly(self, name, feature, fault, lag, again):
        """Its create first of all; then whoever clicked does not wait."""
        self.the_search_lags(lag)
        self.world.chaos.lie_in_wait(fault, 0)
        self.clicks(name, feature, "push", 1, late=False)
        self.do(self.world.rescue())
        if again == "give up":
            self.world.clock.advance(1000)
            for calls in range(8):
                self.world.chaos.lie_in_wait("down", calls)
            self.the_loop_runs()
            self.notified_and_done()
            self.clicks(name, feature, "dismiss", 1, late=False)
        if again != "nothing":
            self.clicks(name, feature, "push", 1, late=False)

    @rule(
        edit=st.sampled_from(("reword", "new block", "title", "status")),
        places=st.tuples(places, places, places),
        after=st.integers(0, 4),
    )
    def two_tickets_of_one_feature(self, edit, places, after):
        """All three edited, and carried over at once by two workers."""
        self.edit(self.ends()[0], edit, places[2], places[2])
        tickets = [
            at for at, each in enumerate(each for each in self.items() if each.is_there) if each.project
        ]
        for ticket, place in zip(tickets[:2], places, strict=False):
            self.edit(ticket, edit, place, place)
        self.world.chaos.lie_in_wait("worker", after, lambda: self.world.other_worker(fenced=False))
        self.notified_and_done()
