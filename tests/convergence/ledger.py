"""What people did, written down by their own hands: against this, and not against the service, a run is judged."""

from collections import defaultdict
from dataclasses import dataclass, field

from convergence.people import tokens
from keepstep.domain.fields import Field, Side

DECIDED = "decided"
"""Not an edit at one side: a person chose or put back a value of both."""


@dataclass
class Ledger:
    alive: dict[str, tuple[str, Field, Side, str]] = field(default_factory=dict)
    """Word to (feature, field, side, item): a person wrote it there, and nobody took it away."""
    dead: dict[str, tuple[str, Field, Side, str]] = field(default_factory=dict)
    just_dead: set[str] = field(default_factory=set)
    """Those taken away since the last rest, and of a feature in `swapped` since longer."""
    edits: dict[tuple[str, Field], list[tuple[Side, str, str]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """(feature, field) to (side, item, edit) since the last rest."""
    left: dict[tuple[Side, str, Field], str] = field(default_factory=dict)
    """How a person left a value."""
    muddled: set[tuple[str, Field]] = field(default_factory=set)
    """A person brought old values back: a word may be there again, or twice."""
    at_rest: dict[tuple[Side, str], object] = field(default_factory=dict)
    """What every item showed at the last rest."""
    restless: set[str] = field(default_factory=set)
    """Features with something open at the last rest, or whose Links or rules changed since."""
    untraceable: set[str] = field(default_factory=set)
    """Tickets that were hidden, deleted or lost their marker: nobody can find those."""
    loose: set[str] = field(default_factory=set)
    """Features whose ticket was edited before we knew it: what is missing there counts as the tracker's loss."""
    hidden: set[str] = field(default_factory=set)
    gaps_seen: int = 0
    swapped: set[str] = field(default_factory=set)
    """Features of whose text blocks were moved since its base was last what its sides show."""

    def note(self, feature, side, item, name, edit, before, after):
        """One edit by a person: `before` and `after` as the item shows them."""
        gone, come = set(tokens(before)) - set(tokens(after)), set(tokens(after)) - set(tokens(before))
        for word in gone:
            self.alive.pop(word, None)
            self.dead[word] = (feature, name, side, item)
            self.just_dead.add(word)
        for word in come:
            if self.dead.pop(word, None) is not None:
                self.muddled.add((feature, name))
            else:
                self.alive[word] = (feature, name, side, item)
        self.edits[feature, name].append((side, item, edit))
        if edit in ("swap blocks", "move block"):
            self.swapped.add(feature)
        self.left[side, item, name] = after

    def decided(self, feature, name):
        """Nobody follows the words of this field any more that were there before."""
        self.alive = {word: each for word, each in self.alive.items() if each[:2] != (feature, name)}
        self.muddled.add((feature, name))
        self.edits[feature, name].append((Side.FEATURE, feature, DECIDED))
        self.restless.add(feature)

    def rested(self, items, restless, apart):
        """`apart`: features with a text that their Link's base has not come to know, as where it may not flow."""
        self.swapped &= apart
        self.edits.clear()
        self.just_dead = {w for w in self.just_dead if w in self.dead and self.dead[w][0] in self.swapped}
        self.left.clear()
        self.at_rest = items
        self.restless = restless
