"""A person's edits on either side, and proof that they arrived on the other."""

from dataclasses import dataclass
from enum import StrEnum

from bench.figures import BenchError
from bench.stage import Pair, Stage


class Way(StrEnum):
    TO_TICKET = "feature to ticket"
    TO_FEATURE = "ticket to feature"


class What(StrEnum):
    TITLE = "title"
    STATUS = "status"
    DESCRIPTION = "description"


@dataclass(frozen=True, slots=True)
class Edit:
    """`number` makes every edit another value; it goes up by one with each edit of a pair."""

    way: Way
    what: What
    pair: Pair
    number: int

    @property
    def title(self) -> str:
        return f"{self.what.value} {self.number} of {self.pair.feature[:8]}"

    async def make(self, stage: Stage) -> None:
        await (self._on_feature(stage) if self.way is Way.TO_TICKET else self._on_ticket(stage))

    async def _on_feature(self, stage: Stage) -> None:
        board, token, feature = stage.board, self.pair.column.person_token, self.pair.feature
        match self.what:
            case What.TITLE:
                await board.edit(token, feature, name=self.title)
            case What.STATUS:
                await board.edit(token, feature, status={"id": self._feature_status()})
            case What.DESCRIPTION:
                text = (await board.show(token, feature))["description"]
                await board.edit(token, feature, description=self._revised(text))

    async def _on_ticket(self, stage: Stage) -> None:
        tracker, pair = stage.tracker, self.pair
        where = pair.column.person_token, pair.column.project, pair.issue
        match self.what:
            case What.TITLE:
                await tracker.edit(*where, title=self.title)
            case What.STATUS:
                await tracker.edit(*where, state_event="close" if self.number % 2 else "reopen")
            case What.DESCRIPTION:
                text = (await tracker.show(*where))["description"]
                await tracker.edit(*where, description=self._revised(text))

    def _feature_status(self) -> str:
        """Odd edits close the ticket, even ones open it again."""
        wanted = "closed" if self.number % 2 else "opened"
        found = self.pair.column.status_map["to_ticket"]
        return next(feature for feature, ticket in found.items() if ticket == wanted)

    def _revised(self, text: str) -> str:
        before, after = f"Revision {self.number - 1}.", f"Revision {self.number}."
        if before not in text:
            raise BenchError(f"The {self.way.value} edit does not find {before!r}.")
        return text.replace(before, after)

    async def check(self, stage: Stage) -> None:
        """Raises BenchError when the other side does not show it."""
        column = self.pair.column
        ticket = await stage.tracker.show(column.person_token, column.project, self.pair.issue)
        feature = await stage.board.show(column.person_token, self.pair.feature)
        closed_as = column.status_map["to_feature"]["closed"]
        arrived = {
            What.TITLE: ticket["title"] == feature["name"] == self.title,
            What.STATUS: (ticket["state"] == "closed")
            == bool(self.number % 2)
            == (feature.get("status", {}).get("id") == closed_as or self._means_closed(feature)),
            What.DESCRIPTION: all(
                f"Revision {self.number}." in each["description"] for each in (ticket, feature)
            ),
        }
        if not arrived[self.what]:
            raise BenchError(f"A {self.what.value} edit, {self.way.value}, did not arrive on the other side.")

    def _means_closed(self, feature: dict[str, dict[str, str]]) -> bool:
        status = feature.get("status", {}).get("id", "")
        return self.pair.column.status_map["to_ticket"].get(status) == "closed"
