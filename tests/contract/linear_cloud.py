"""Linear in memory: every query is checked and carried out by graphql-core over the vendor's own schema, so an answer
has exactly the fields that were asked for, and a question the vendor would not take fails the test.

What the schema does not say (words of errors, trash and archive, text that comes back normalised) follows what others
have met; `keepstep.adapters.trackers.linear` says where.
"""

import hashlib
import hmac
import json
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID, uuid4

import httpx
import pytest

from wire.openapi import spec_files

graphql = pytest.importorskip(
    "graphql", reason="graphql-core, which carries out Linear's queries, is not installed"
)

ADMIN, MEMBER, READER = "lin_api_admin-key-1", "lin_api_member-key-1", "lin_api_reader-key-1"
PAGES = "https://linear.app/acme"
_STATES = (
    ("Done", "completed", 1), ("Todo", "unstarted", 2), ("In Review", "started", 9), ("In Progress", "started", 3),
    ("Backlog", "backlog", 0), ("Canceled", "canceled", 4), ("Triage", "triage", 0),
)  # fmt: skip


@cache
def schema():
    (file,) = spec_files("linear/linear-schema.graphql")
    return graphql.build_schema(file.read_text())


@cache
def checked(query):
    document = graphql.parse(query)
    faults = graphql.validate(schema(), document)
    assert not faults, faults
    return document


def fault(message, code="INPUT_ERROR", status=400, shown=""):
    more = {"userPresentableMessage": shown} if shown else {}
    return graphql.GraphQLError(message, extensions={"code": code, "statusCode": status, **more})


def absent(kind):
    return fault(f"Entity not found: {kind}", shown=f"Could not find referenced {kind}.")


def as_stored(text):
    """Trimmed lines, and Linear's own bullets."""
    lines = [re.sub(r"^(\s*)\* ", r"\1- ", line.rstrip()) for line in (text or "").strip().split("\n")]
    return "\n".join(lines)


@dataclass
class Fault:
    """What happens to the next call of this operation; before it is carried out, or after."""

    operation: str = ""
    status: int = 200
    content: bytes = b""
    headers: dict = field(default_factory=dict)
    drop: bool = False
    after: bool = False


class LinearCloud(httpx.AsyncBaseTransport):
    """Skips the test at once where the vendor's schema is not at hand: inside a call nobody would hear of it."""

    def __init__(self):
        schema()
        self.users = {
            key: {"id": str(uuid4()), "name": name, "email": f"{name}@example.com", "admin": key == ADMIN,
                  "active": True}
            for key, name in ((ADMIN, "amara"), (MEMBER, "mo"), (READER, "rhea"))
        }  # fmt: skip
        self.teams, self.states, self.labels, self.projects = {}, {}, {}, {}
        self.issues, self.attachments, self.comments, self.hooks = {}, {}, {}, {}
        self.faults, self.asked, self.deliveries, self.now = [], [], [], datetime.now(UTC)
        self.post = None
        """Where deliveries go; without it they are only kept."""
        self.eng, self.web = self.add_team("ENG", "Engineering"), self.add_team("WEB", "Web")
        for name, team in (("bug", self.eng), ("productboard", None), ("site", self.web)):
            self.add_label(name, team)
        self.projects["p-1"] = {"id": str(uuid4()), "name": "Exports", "team": self.eng["id"]}

    # ---- what is there

    def add_team(self, key, name, **more):
        team = {"id": str(uuid4()), "key": key, "name": name, "retiredAt": None, "numbers": 0, **more}
        team["states"] = lambda _info, **args: _page(self.states_of(team["id"]), args)
        team["members"] = lambda _info, **args: _page(list(self.users.values()), args)
        team["projects"] = lambda _info, **args: _page(
            [each for each in self.projects.values() if each["team"] == team["id"]], args
        )
        self.teams[team["id"]] = team
        for state, kind, position in _STATES:
            self.add_state(team, state, kind, position)
        return team

    def add_state(self, team, name, kind, position=0):
        made = {"id": str(uuid4()), "name": name, "type": kind, "position": position, "team": team["id"]}
        self.states[made["id"]] = made
        return made

    def add_label(self, name, team=None, *, is_group=False):
        made = {"id": str(uuid4()), "name": name, "team": team, "isGroup": is_group}
        self.labels[made["id"]] = made
        return made

    def states_of(self, team):
        return [each for each in self.states.values() if each["team"] == team]

    def state(self, name, team=None):
        return next(each for each in self.states_of((team or self.eng)["id"]) if each["name"] == name)

    # ---- what people do

    def add_issue(self, title, team=None):
        self._user = self.users[MEMBER]
        return self._issue_create({"teamId": (team or self.eng)["id"], "title": title})["issue"]

    def edit(self, issue, **changes):
        self._user = self.users[MEMBER]
        return self._issue_update(issue, changes)["issue"]

    def move(self, issue, team):
        return self.edit(issue, teamId=team["id"])

    def trash(self, issue, *, trashed=True):
        self._user = self.users[MEMBER]
        kept = self.issues[issue]
        self._touch(kept, {"trashed": trashed or None, "archivedAt": self._moment() if trashed else None})
        self._tell("update", kept)

    def archive(self, issue):
        self._touch(self.issues[issue], {"archivedAt": self._moment()})

    def remove(self, issue):
        self._user = self.users[MEMBER]
        self._tell("remove", self.issues.pop(issue))

    # ---- the network

    async def handle_async_request(self, request):
        assert (request.method, request.url.path) == ("POST", "/graphql")
        body = json.loads(request.content)
        operation = graphql.get_operation_ast(checked(body["query"])).name.value
        self.asked.append((operation, body["variables"]))
        rule = next((each for each in self.faults if each.operation in ("", operation)), None)
        if rule:
            self.faults.remove(rule)
        if rule is None or rule.after:
            answer = self._answer(request.headers.get("authorization", ""), body)
        if rule and rule.drop:
            raise httpx.ReadError("connection lost", request=request)
        if rule:
            return httpx.Response(rule.status, content=rule.content, headers=rule.headers)
        return answer

    def _answer(self, key, body):
        self._user = self.users.get(key)
        if self._user is None:
            error = fault("Authentication required, not authenticated", "AUTHENTICATION_ERROR", 401)
            return httpx.Response(400, json={"errors": [error.formatted], "data": None})
        self._writes = key != READER
        done = graphql.execute_sync(
            schema(), checked(body["query"]), self._root(), variable_values=body["variables"]
        )
        for error in done.errors or ():
            assert getattr(error.original_error, "extensions", None), f"not the vendor's: {error!r}"
        return httpx.Response(200, json=done.formatted)

    def _root(self):
        reads = {
            "team": lambda key: self._get(self.teams, key, "Team"),
            "issue": self._issue,
            "webhook": lambda key: self._get(self._admins(self.hooks), key, "Webhook"),
            "webhookCreate": lambda given: self._hook(str(uuid4()), given),
            "webhookUpdate": self._hook_update,
            "webhookDelete": lambda key: self._pop(self._admins(self.hooks), key, "Webhook"),
        }
        writes = {
            "issueCreate": self._issue_create,
            "issueUpdate": self._issue_update,
            "issueUnarchive": self._issue_unarchive,
            "attachmentCreate": self._attachment_create,
            "attachmentDelete": lambda key: self._pop(self.attachments, key, "Attachment"),
            "commentCreate": self._comment_create,
        }
        return {
            "viewer": self._user,
            "organization": {"name": "Acme", "urlKey": "acme"},
            "teams": self._list(self.teams),
            "issues": self._issues,
            "issueLabels": self._list(self.labels),
            "webhooks": lambda _info, **args: _page(list(self._admins(self.hooks).values()), args),
            **{name: _in_order(resolve) for name, resolve in reads.items()},
            **{name: self._writing(_in_order(resolve)) for name, resolve in writes.items()},
        }

    def _writing(self, resolve):
        def guarded(info, **args):
            if not self._writes:
                raise fault("Forbidden", "FORBIDDEN", 403, "This key may not write.")
            return resolve(info, **args)

        return guarded

    def _admins(self, things):
        if not self._user["admin"]:
            shown = 'You need to have the "Admin" scope to create webhooks.'
            raise fault("Invalid role: admin required", "FORBIDDEN", 403, shown)
        return things

    @staticmethod
    def _get(things, key, kind):
        if key not in things:
            raise absent(kind)
        return things[key]

    def _pop(self, things, key, kind):
        self._get(things, key, kind)
        del things[key]
        return {"success": True}

    @staticmethod
    def _list(things):
        return lambda _info, **args: _page(
            [each for each in things.values() if _fits(each, args.get("filter") or {})], args
        )

    # ---- issues

    def _issue(self, key):
        for each in self.issues.values():
            if key in (each["identifier"], *each["previousIdentifiers"]):
                return each
        return self._get(self.issues, key, "Issue")

    def _issues(self, _info, **args):
        found = [each for each in self.issues.values() if _fits(each, args["filter"])]
        if not args.get("includeArchived"):
            found = [each for each in found if each["archivedAt"] is None]
        for sort in args.get("sort") or ():
            assert sort["updatedAt"]["order"] == "Ascending"
            found.sort(key=lambda each: (each["updatedAt"], each["id"]))
        return _page(found, args)

    def _issue_create(self, given):
        key = given.get("id") or str(uuid4())
        if key in self.issues:
            raise fault("conflict on insert of Issue", shown=f"Entity Issue with id {key} already exists.")
        assert UUID(key).version == 4
        team = self._get(self.teams, given["teamId"], "Team")
        issue = {
            "id": key, "createdAt": self._moment(), "archivedAt": None, "trashed": None, "previousIdentifiers": [],
            "state": self.state("Triage", team), "title": "", "description": None,
        }  # fmt: skip
        issue["attachments"] = lambda _info, **args: _page(
            [each for each in self.attachments.values() if each["issue"] == key], args
        )
        issue["labels"] = lambda _info, **args: _page(issue["labelled"], args)
        self._enter(issue, team)
        self._touch(
            issue, {**self._changes(issue, given), "labelled": self._labelled(given), "wanted": dict(given)}
        )
        self.issues[key] = issue
        self._tell("create", issue)
        return {"success": True, "issue": issue}

    def _labelled(self, given):
        wanted = given.get("labelIds") or []
        if not set(wanted) <= set(self.labels):
            raise fault("Entity not found: IssueLabel: labelIds contained an entry that could not be found.")
        return [self.labels[each] for each in wanted]

    def _issue_update(self, key, given):
        issue = self._get(self.issues, key, "Issue")
        if issue["archivedAt"]:
            raise absent("Issue")
        before = issue["team"]["id"]
        if given.get("teamId", before) != before:
            issue["previousIdentifiers"].append(issue["identifier"])
            self._enter(issue, self.teams[given["teamId"]])
            issue["state"] = self.state(issue["state"]["name"], issue["team"])
        changes = self._changes(issue, given)
        if issue["team"]["id"] != before or any(issue[name] != value for name, value in changes.items()):
            self._touch(issue, changes)
            self._tell("update", issue, before)
        return {"success": True, "issue": issue}

    def _changes(self, issue, given):
        changes = {}
        if "title" in given:
            if len(given["title"]) > 255:
                raise fault(
                    "Argument Validation Error",
                    shown="title must be shorter than or equal to 255 characters.",
                )
            changes["title"] = given["title"].strip()
        if "description" in given:
            changes["description"] = as_stored(given["description"])
        if "stateId" in given:
            state = self._get(self.states, given["stateId"], "WorkflowState")
            if state["team"] != issue["team"]["id"]:
                raise fault(
                    "Discrepancy between issue state and team", shown="The issue state is of another team."
                )
            changes["state"] = state
        return changes

    def _issue_unarchive(self, key):
        self._touch(self._get(self.issues, key, "Issue"), {"archivedAt": None})
        return {"success": True}

    def _enter(self, issue, team):
        team["numbers"] += 1
        issue |= {"team": team, "identifier": f"{team['key']}-{team['numbers']}"}
        issue["url"] = f"{PAGES}/issue/{issue['identifier']}/a-title"

    def _touch(self, issue, changes):
        issue |= {**changes, "updatedAt": self._moment()}

    def _moment(self):
        self.now = max(datetime.now(UTC), self.now + timedelta(milliseconds=1))
        return moment(self.now)

    # ---- what belongs to issues

    def _attachment_create(self, given):
        issue = self._get(self.issues, given["issueId"], "Issue")
        if issue["archivedAt"]:
            raise absent("Issue")
        same = (e for e in self.attachments.values() if (e["issue"], e["url"]) == (issue["id"], given["url"]))
        kept = next(same, None) or {"id": str(uuid4()), "issue": issue["id"]}
        self.attachments[kept["id"]] = kept | {**given, "metadata": given.get("metadata") or {}}
        return {"success": True, "attachment": kept}

    def _comment_create(self, given):
        self._get(self.issues, given["issueId"], "Issue")
        if given["id"] in self.comments:
            raise fault("conflict on insert of Comment", shown="Entity Comment already exists.")
        self.comments[given["id"]] = dict(given)
        return {"success": True}

    # ---- webhooks

    def _hook_update(self, key, given):
        return self._hook(self._get(self._admins(self.hooks), key, "Webhook")["id"], given)

    def _hook(self, key, given):
        kept = self._admins(self.hooks).get(key, {"id": key, "failures": []})
        if not given["url"].startswith("http"):
            raise fault("url must be a valid URL")
        self.hooks[key] = kept | given
        return {"success": True, "webhook": self.hooks[key]}

    def _tell(self, action, issue, *left):
        """To the webhooks of its team, and of one that it has just left."""
        teams = {issue["team"]["id"], *left}
        for hook in self.hooks.values():
            if hook["enabled"] and "Issue" in hook["resourceTypes"] and hook["teamId"] in teams:
                data = {name: issue[name] for name in ("id", "identifier", "title", "trashed", "updatedAt")}
                request = delivery(hook["url"], hook["secret"], {"action": action, "data": data}, self._user)
                self.deliveries.append(request)
                if self.post:
                    self.post(request)


def _in_order(resolve):
    """A resolver that takes the arguments as the schema has them, by place."""
    return lambda _info, **args: resolve(*args.values())


def moment(at):
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def delivery(url, secret, event, actor, at=None):
    """A request as Linear sends it."""
    body = {
        **event, "type": "Issue", "actor": {"id": actor["id"], "type": "user", "name": actor["name"]},
        "webhookTimestamp": int((at or time.time()) * 1000),
    }  # fmt: skip
    content = json.dumps(body).encode()
    signature = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/json", "linear-signature": signature, "linear-delivery": str(uuid4()),
        "linear-event": "Issue",
    }  # fmt: skip
    return httpx.Request("POST", url, content=content, headers=headers)


def _page(found, args):
    """A cursor is the id of the last one shown."""
    keys = [each["id"] for each in found]
    start = keys.index(args["after"]) + 1 if args.get("after") else 0
    shown = found[start : start + args.get("first", 50)]
    more = start + len(shown) < len(found)
    return {
        "nodes": shown,
        "pageInfo": {"hasNextPage": more, "endCursor": shown[-1]["id"] if shown else None},
    }


def _fits(thing, wanted):
    """A thing of a relation is compared by its fields, a value by its comparators."""
    for name, rule in wanted.items():
        if name == "or":
            if not any(_fits(thing, each) for each in rule):
                return False
        elif name == "null":
            if (thing is None) is not rule:
                return False
        elif name in _COMPARE:
            if not _COMPARE[name](thing, rule):
                return False
        elif thing is None or not _fits(thing[name], rule):
            return False
    return True


_COMPARE = {
    "eq": lambda value, wanted: value == wanted,
    "in": lambda value, wanted: value in wanted,
    "gte": lambda value, wanted: value >= wanted,
}
