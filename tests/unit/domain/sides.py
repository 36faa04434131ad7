"""Both sides of a Link as text, and what the pure core plans for them.

The laws are tried on the same examples each time, or on as many new ones as `KEEPSTEP_DOMAIN_EXAMPLES` says.
"""

import os
from dataclasses import dataclass

from hypothesis import HealthCheck, settings

from keepstep.adapters.formats.markdown import GITLAB, Markdown
from keepstep.adapters.formats.productboard_html import ProductboardHtml
from keepstep.domain.document import Document
from keepstep.domain.fields import Field, Side, Snapshot
from keepstep.domain.footer import footer_blocks
from keepstep.domain.ids import StatusId
from keepstep.domain.link import Base
from keepstep.domain.plan import make_plan
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy, StatusMap, SyncPolicy
from keepstep.domain.rules import DescriptionRule, field_rules

BOARD, TICKET = ProductboardHtml(), Markdown(GITLAB)
MARKER = "keepstep" + "0" * 32
FOOTER = footer_blocks("https://pb.example/f/1", "https://keepstep.example/links/1", MARKER)

_ASKED_FOR = os.environ.get("KEEPSTEP_DOMAIN_EXAMPLES", "")
some = settings(
    max_examples=int(_ASKED_FOR or 40),
    derandomize=not _ASKED_FOR,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def html_of(markdown):
    return BOARD.write(TICKET.read(markdown))


def snapshot(*, title="Title", description="", status=None):
    return Snapshot(title, description, StatusId(status) if status else None)


def policy_of(name, direction=Direction.BOTH, rule=ConflictRule.NEWEST, status_map=None):
    return SyncPolicy({name: FieldPolicy(direction, rule)}, status_map or StatusMap())


def planned(base, now, policy=None, *, newest=Side.FEATURE, footer=(), decided=None, refusals=None):
    """`base` and `now` are (feature, ticket) snapshots."""
    policy = policy or SyncPolicy()
    rules = field_rules(policy.status_map, DescriptionRule(BOARD, TICKET, footer, MARKER), 255)
    return make_plan(
        rules, policy, Base(*base), Base(*now), newest=newest, decided=decided, refusals=refusals
    )


@dataclass(frozen=True)
class Merged:
    """What both sides show when a plan for the description is carried out."""

    html: str
    markdown: str
    plan: object

    @property
    def feature(self) -> Document:
        return BOARD.read(self.html)

    @property
    def ticket(self) -> Document:
        return TICKET.read(self.markdown)

    @property
    def losers(self):
        return [write.loser for write in self.plan.writes if write.loser is not None]


def merged(base, feature, ticket, **options):
    """`base` and the two edited texts as Markdown, so that a test reads the same on both sides."""
    before = (snapshot(description=html_of(base)), snapshot(description=base))
    html = BOARD.write(TICKET.read(feature)) if feature != base else before[0].description
    return carried_out(before, (snapshot(description=html), snapshot(description=ticket)), **options)


def carried_out(before, now, rule=ConflictRule.NEWEST, direction=Direction.BOTH, **options):
    plan = planned(before, now, policy_of(Field.DESCRIPTION, direction, rule), **options)
    written = {write.target: write.value for write in plan.writes}
    return Merged(
        written.get(Side.FEATURE, now[0].description), written.get(Side.TICKET, now[1].description), plan
    )
