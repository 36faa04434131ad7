"""What is interrupted, and what has to be true afterwards; judged by reading both emulators."""

import itertools
import re

from acceptance.emulators import PROJECT
from crash.site import MAIN

_numbers = itertools.count(1)
_BY_BUTTON = {"push": "button.push", "unlink": "button.unlink"}


class Scenario:
    """One stimulus on things of its own. `stage` prepares, `values` are the action's, `check` judges."""

    action: str

    def __init__(self, site):
        self.site = site
        self.name = f"crash{next(_numbers):05}x"
        self.stage()

    def stage(self):
        raise AssertionError("each scenario has a stage of its own")

    def values(self):
        raise AssertionError("each scenario has values of its own")

    def check(self):
        raise AssertionError("each scenario has a check of its own")

    # ---- what several of them need

    def push_one(self, column):
        feature = self.site.new_feature(self.name)
        self.site.do("click", column=column, feature=feature, trigger=_BY_BUTTON["push"])
        return feature

    def check_pushed(self, column, feature):
        """One ticket, in step and shown; a click that was never acknowledged is made once more."""
        if self.site.board.cell(column, feature)["state"] != "connected":
            shown = self.site.board.cell(column, feature)["state"]
            assert shown in ("initial", "error"), f"the button is stuck: {shown}"
            assert not self.site.tickets(self.name), "a ticket that no cell shows"
            self.site.do("click", column=column, feature=feature, trigger=_BY_BUTTON["push"])
        return self.check_connected(column, feature, self.name)

    def check_connected(self, column, feature, title):
        tickets = self.site.tickets(title)
        assert len(tickets) == 1, f"{len(tickets)} tickets for one push"
        cell = self.site.board.cell(column, feature)
        assert cell["state"] == "connected", f"the cell says {cell}"
        assert cell["targetUrl"] == tickets[0]["web_url"], f"the cell leads to {cell['targetUrl']}"
        marks = re.findall(r"keepstep[0-9a-f]{32}", tickets[0]["description"])
        assert len(set(marks)) == 1, f"markers in the ticket: {marks}"
        return tickets[0]


class Push(Scenario):
    action = "click"

    def stage(self):
        self.feature = self.site.new_feature(self.name)

    def values(self):
        return {"column": self.site.column, "feature": self.feature, "trigger": _BY_BUTTON["push"]}

    def check(self):
        self.check_pushed(self.site.column, self.feature)


class _OfALink(Scenario):
    def stage(self):
        self.feature = self.push_one(self.site.column)
        self.ticket = str(self.check_connected(self.site.column, self.feature, self.name)["iid"])
        self.title = f"{self.name} edited"

    def check(self):
        feature, ticket = self.site.feature(self.feature), self.site.tracker.issue(self.ticket)
        assert feature["name"] == self.title, f"the feature is called {feature['name']}"
        assert "edited by a person" in feature["description"], feature["description"]
        assert "edited by a person" in ticket["description"], ticket["description"]
        assert feature["status"]["name"] == "In progress", feature["status"]
        assert "workflow::doing" in ticket["labels"], ticket["labels"]
        self.check_connected(self.site.column, self.feature, self.title)


class SyncToTicket(_OfALink):
    action = "edit_feature"

    def values(self):
        fields = {
            "name": self.title,
            "description": "<p>edited by a person</p>",
            "status": {"name": "In progress"},
        }
        return {"feature": self.feature, "fields": fields}


class SyncToFeature(_OfALink):
    action = "edit_ticket"

    def values(self):
        before = self.site.tracker.issue(self.ticket)["description"]
        fields = {
            "title": self.title,
            "description": f"edited by a person\n\n{before}",
            "add_labels": "workflow::doing",
        }
        return {"ticket": self.ticket, "fields": fields}


class Poll(SyncToFeature):
    """The notification of the edit was lost."""

    action = "poll"

    def stage(self):
        super().stage()
        self.site.do("poll")  # the first one of all looks up every Link by its id
        lost = {"match": "POST *", "direction": "out", "lose": True, "times": None}
        rule = self.site.tracker.call("POST", "/_sandbox/faults", lost)["id"]
        self.site.do("edit_ticket", **super().values())
        self.site.tracker.call("DELETE", f"/_sandbox/faults/{rule}")

    def values(self):
        return {}


class Unlink(_OfALink):
    action = "click"

    def values(self):
        return {"column": self.site.column, "feature": self.feature, "trigger": _BY_BUTTON["unlink"]}

    def check(self):
        if self.site.board.cell(self.site.column, self.feature)["state"] != "initial":
            # The click got no answer: the Link lives on unharmed, and the person unlinks once more.
            self.check_connected(self.site.column, self.feature, self.name)
            self.site.do("click", **self.values())
        cell = self.site.board.cell(self.site.column, self.feature)
        assert cell == {"state": "initial"}, f"the cell says {cell}"
        tickets = self.site.tickets(self.name)
        assert [str(each["iid"]) for each in tickets] == [self.ticket], "the ticket stays, and is one"
        assert "keepstep" not in (tickets[0]["description"] or ""), tickets[0]["description"]


class Connect(Scenario):
    action = "connect"

    def stage(self):
        self.before = self.site.integrations_outside()

    def values(self):
        return {"name": self.name}

    def check(self):
        column = self.site.column_of(self.name)
        if column is None:
            assert self.site.integrations_outside() == self.before, "something was left outside"
            return
        found = self.site.registered(column["fields"]["type"].rpartition(".i")[2])
        assert found == (1, 1, 1), f"columns, subscriptions, hooks: {found}"
        self.check_pushed(column["id"], self.push_one(column["id"]))
        self.site.do("remove", name=self.name)
        assert self.site.integrations_outside() == self.before, "something was left outside"


class Remove(Scenario):
    action = "remove"

    def stage(self):
        self.before = self.site.integrations_outside()
        self.site.do("connect", name=self.name)
        column = self.site.column_of(self.name)
        assert column is not None, "the integration that is to be deleted did not connect"
        self.feature = self.push_one(column["id"])

    def values(self):
        return {"name": self.name}

    def check(self):
        column = self.site.column_of(self.name)
        if column is not None:
            # Nothing was committed: it works as before, and the person deletes it once more.
            self.check_connected(column["id"], self.feature, self.name)
            self.site.do("remove", name=self.name)
        assert self.site.integrations_outside() == self.before, "something was left outside"
        tickets = self.site.tickets(self.name)
        assert len(tickets) == 1, "the ticket stays, and is one"
        assert "keepstep" not in (tickets[0]["description"] or ""), tickets[0]["description"]


class BulkPush(Scenario):
    action = "bulk_push"

    def stage(self):
        self.titles = [f"{self.name} {each}" for each in ("one", "two")]
        self.features = [self.site.new_feature(each) for each in self.titles]

    def values(self):
        return {"name": self.name}

    def check(self):
        if any(not self.site.tickets(each) for each in self.titles):
            # Not started: the person does it once more, over whatever there is.
            self.site.do(self.action, **self.values())
        for feature, title in zip(self.features, self.titles, strict=True):
            self.check_connected(self.site.column, feature, title)


class BulkLink(Scenario):
    """One pair by CSV; the feature's title is to stay."""

    action = "bulk_link"

    def stage(self):
        self.feature = self.site.new_feature(self.name)
        body = {"title": f"{self.name} before", "description": "words of the ticket"}
        self.ticket = str(self.site.tracker.call("POST", f"{PROJECT}/issues", body)["iid"])
        self.site.do("poll")  # and so the ticket's own notification has come and gone

    def values(self):
        return {"csv": f"{self.feature},#{self.ticket}"}

    def check(self):
        if not self.site.tickets(self.name):
            self.site.do(self.action, **self.values())
        made = self.check_connected(self.site.column, self.feature, self.name)
        assert str(made["iid"]) == self.ticket, "another ticket was made"
        assert "words of the ticket" in made["description"], made["description"]
        described = self.site.feature(self.feature).get("description") or ""
        assert "words of the ticket" in described, "an empty description takes the other side's"


SCENARIOS = {
    "push": Push,
    "sync to ticket": SyncToTicket,
    "sync to feature": SyncToFeature,
    "poll": Poll,
    "unlink": Unlink,
    "bulk push": BulkPush,
    "bulk link": BulkLink,
    "connect": Connect,
    "delete integration": Remove,
}


def check_all_at_rest(site):
    """Over everything that was done on this site: no marker stands in two tickets."""
    seen, page = {}, 1
    while found := site.tracker.call(
        "GET", f"{PROJECT}/issues", state="all", scope="all", per_page=100, page=page
    ):
        for each in found:
            for mark in set(re.findall(r"keepstep[0-9a-f]{32}", each["description"] or "")):
                assert mark not in seen, f"tickets {seen[mark]} and {each['iid']} carry one marker"
                seen[mark] = each["iid"]
        page += 1
    assert site.column_of(MAIN) is not None
