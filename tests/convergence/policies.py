"""What the integrations of a run are told to do: rules, directions, and two pairs of status maps."""

from hypothesis import strategies as st

from keepstep.domain.fields import Field
from keepstep.domain.policy import ConflictRule, Direction, FieldPolicy, StatusMap, SyncPolicy

MAPS = (
    StatusMap(
        {"idea": "opened", "planned": "opened", "doing": "label:doing", "done": "closed"},
        {"opened": "planned", "label:doing": "doing", "label:review": "doing", "closed": "done"},
    ),
    StatusMap(
        {"idea": "opened", "planned": "label:doing", "doing": "label:review", "done": "closed"},
        {"opened": "idea", "label:doing": "planned", "label:review": "doing", "closed": "done"},
    ),
)
"""The first is many to one in both directions, the second one to one; neither knows `odd`."""

conflict_rules = st.sampled_from(ConflictRule)
directions = st.sampled_from((*[Direction.BOTH] * 5, *Direction))
policies = st.builds(
    lambda rules, ways, status_map: SyncPolicy(
        {name: FieldPolicy(way, rule) for name, rule, way in zip(Field, rules, ways, strict=True)},
        status_map,
    ),
    st.tuples(conflict_rules, conflict_rules, conflict_rules),
    st.tuples(directions, directions, directions),
    st.sampled_from(MAPS),
)
both_ways = st.builds(
    lambda rules, status_map: SyncPolicy(
        {name: FieldPolicy(Direction.BOTH, rule) for name, rule in zip(Field, rules, strict=True)},
        status_map,
    ),
    st.tuples(conflict_rules, conflict_rules, conflict_rules),
    st.sampled_from(MAPS),
)
