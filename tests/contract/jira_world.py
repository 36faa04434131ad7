"""Jira Cloud in memory: what it refuses, and how it lags. Requests are held against the vendor's OpenAPI, documents
against the vendor's schema of them.

The workflow of both projects: To Do → In Progress ⇄ Review → Done (asks for a resolution) → Reopened → To Do, and from
everywhere to Dropped, from where it goes on to Reopened or In Progress.
"""

import base64
import hashlib
import hmac
import itertools
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import httpx
from jsonschema import Draft4Validator

from keepstep.adapters.trackers.jira import JIRA
from keepstep.testing.tracker_world import Fault, TrackerWorld
from wire.openapi import Checked, spec_files

HOOK = "https://keepstep.example/hooks/tracker/kit"
SECRET = "our-secret-of-256-bits-and-more"
EMAIL, SITE = "bot@example.com", "https://acme.atlassian.net"
ZONE = "America/New_York"
TYPE = "10002"
CATEGORY = {"1": "new", "3": "indeterminate", "4": "indeterminate", "5": "done", "6": "new", "7": "done"}
NAMES = {"1": "To Do", "3": "In Progress", "4": "Review", "5": "Done", "6": "Reopened", "7": "Dropped"}
STEPS = {"1": ["3"], "3": ["4"], "4": ["3", "5"], "5": ["6"], "6": ["1"], "7": ["6", "3"]}
RESOLUTIONS = [{"id": "10000", "name": "Done"}, {"id": "10001", "name": "Won't Do"}]
COUNTER = itertools.count(1)
QUICK = replace(JIRA, service=replace(JIRA.service, limits=()))
"""Our own pace would take most of the time."""
JQL = re.compile(
    r"project = (?P<project>\d+)(?: AND issuetype = (?P<type>\d+))?(?: AND status = (?P<status>\d+))?"
    r'(?: AND labels = "(?P<label>[^"]+)")?(?: AND updated >= "(?P<updated>[^"]+)")? ORDER BY (?P<order>\w+) \w+.*'
)


def status(id_):
    return {"id": id_, "name": NAMES[id_], "statusCategory": {"key": CATEGORY[id_]}}


class JiraCloud(httpx.AsyncBaseTransport):
    def __init__(self, *, seeded=True, admin=True):
        (adf,) = spec_files("jira-cloud/adf-v1-full.schema.json")
        self.adf = Draft4Validator(json.loads(adf.read_text()))
        # What is remembered of workflows is kept by account: each world has its own.
        self.token, self.admin = f"atlassian-token-{next(COUNTER)}", admin
        self.projects = {
            "10000": {"id": "10000", "key": "ENG", "name": "Engineering"},
            "10001": {"id": "10001", "key": "OPS", "name": "Operations"},
        }
        self.issues, self.hooks, self.requests, self.required = {}, {}, [], []
        self.lag, self.page_size, self.ignores, self.post = 0, 100, 0, None
        self.numbers, self.ids, self.now = itertools.count(1), itertools.count(10040), datetime.now(UTC)
        if seeded:
            for each in NAMES:
                self.add("10000", "Seed", at=each, created=self.now - timedelta(days=9))

    def tick(self):
        self.now = max(self.now + timedelta(milliseconds=1), datetime.now(UTC))
        return self.now

    def add(self, project, summary, at="1", created=None, **more):
        created = created or self.tick()
        id_ = str(next(self.ids))
        self.issues[id_] = {
            "id": id_, "key": f"{self.projects[project]['key']}-{next(self.numbers)}", "project": project,
            "summary": summary, "description": None, "labels": [], "status": at, "resolution": None,
            "created": created, "updated": created, "properties": {}, "links": {}, "comments": [],
            "hidden": self.lag, **more,
        }  # fmt: skip
        return self.issues[id_]

    def edit(self, issue, event="jira:issue_updated", **changes):
        before = {name: issue[name] for name in changes}
        issue.update(changes)
        if before != changes or event != "jira:issue_updated":
            issue["updated"] = self.tick()
            self.tell(event, issue)

    def delete(self, issue):
        del self.issues[issue["id"]]
        self.tell("jira:issue_deleted", issue)

    def move(self, issue, project):
        key = f"{self.projects[project]['key']}-{next(self.numbers)}"
        self.edit(issue, project=project, key=key)

    def tell(self, event, issue):
        for hook in self.hooks.values():
            jql = hook["filters"]["issue-related-events-section"]
            if event not in hook["events"] or not hook["enabled"] or jql != f"project = {issue['project']}":
                continue
            fields = {"summary": issue["summary"]}
            content = {"webhookEvent": event, "user": {"displayName": "Ann"}}
            body = json.dumps(
                {**content, "issue": {"id": issue["id"], "key": issue["key"], "fields": fields}}
            ).encode()
            proof = hmac.new(hook["secret"].encode(), body, hashlib.sha256).hexdigest()
            headers = {
                "X-Hub-Signature": f"sha256={proof}",
                "X-Atlassian-Webhook-Identifier": f"delivery-{next(COUNTER)}",
                "Content-Type": "application/json",
            }
            if self.post:
                self.post(httpx.Request("POST", hook["url"], headers=headers, content=body))

    # ---- answers

    async def handle_async_request(self, request):
        await request.aread()
        self.requests.append(request)
        answer = self.answer(request)
        code, body = answer if isinstance(answer, tuple) else (200, answer)
        return httpx.Response(code, json=body) if body is not None else httpx.Response(code)

    def answer(self, request):
        pair = base64.b64encode(f"{EMAIL}:{self.token}".encode()).decode()
        if request.headers["authorization"] != f"Basic {pair}":
            return 401, {"errorMessages": ["Client must be authenticated"]}
        path = request.url.path
        self.last_part = path.rpartition("/")[2]
        body = json.loads(request.content) if request.content else None
        query = dict(request.url.params)
        if path.startswith("/rest/webhooks/1.0/webhook"):
            return self.on_hooks(request.method, path.rpartition("/")[2], body)
        for pattern, name in ROUTES:
            found = re.fullmatch(pattern, f"{request.method} {path.removeprefix('/rest/api/3')}")
            if found:
                return getattr(self, name)(*found.groups(), query, body)
        raise AssertionError(f"{request.method} {path}")

    def on_myself(self, _, __):
        return {"accountId": "5c5f", "displayName": "Keepstep Bot", "timeZone": ZONE}

    def on_rights(self, query, _):
        return {"permissions": {each: {"havePermission": True} for each in query["permissions"].split(",")}}

    def on_projects(self, query, _):
        word = query.get("query", "").lower()
        found = [each for each in self.projects.values() if word in (each["name"] + each["key"]).lower()]
        return {"values": found, "isLast": True, "total": len(found)}

    def project(self, wanted):
        return next((each for each in self.projects.values() if wanted in (each["id"], each["key"])), None)

    def on_project(self, wanted, _, __):
        return self.project(wanted) or (404, {"errorMessages": ["No project could be found"]})

    def on_statuses(self, _, __, ___):
        return [{"id": TYPE, "name": "Story", "subtask": False, "statuses": [status(each) for each in NAMES]}]

    def on_labels(self, _, __):
        return {"values": ["backend", "urgent"], "isLast": True, "total": 2}

    def on_types(self, _, __, ___):
        types = [
            {"id": TYPE, "name": "Story", "subtask": False},
            {"id": "10009", "name": "Sub", "subtask": True},
        ]
        return {"issueTypes": types, "total": 2}

    def on_fields(self, _, __, ___, ____):
        summary = {"fieldId": "summary", "name": "Summary", "required": True, "schema": {"type": "string"}}
        return {"fields": [summary, *self.required], "total": 1 + len(self.required)}

    def on_people(self, _, __):
        return [{"accountId": "5c5f", "displayName": "Keepstep Bot"}]

    def on_priorities(self, _, __):
        return {"values": [{"id": "2", "name": "High"}], "isLast": True}

    def on_create(self, _, body):
        fields = body["fields"]
        errors = self.refusals(fields)
        for each in self.required:
            if each["fieldId"] not in fields:
                errors[each["fieldId"]] = f"{each['name']} is required."
        if errors:
            return 400, {"errorMessages": [], "errors": errors}
        issue = self.add(
            fields["project"]["id"],
            fields["summary"],
            description=fields.get("description"),
            labels=fields["labels"],
            properties={each["key"]: each["value"] for each in body["properties"]},
            others={name: value for name, value in fields.items() if name.startswith("customfield_")},
        )
        self.tell("jira:issue_created", issue)
        return 201, {"id": issue["id"], "key": issue["key"], "self": f"{SITE}/rest/api/3/issue/{issue['id']}"}

    def refusals(self, fields):
        summary = fields.get("summary", "x")
        errors = {}
        if not summary.strip() or "\n" in summary or len(summary) > 255:
            errors["summary"] = "The summary is invalid."
        if fields.get("description"):
            self.adf.validate(fields["description"])
        if any(" " in each for each in fields.get("labels", ())):
            errors["labels"] = "The label can't contain spaces."
        return errors

    def issue(self, wanted):
        return next((each for each in self.issues.values() if wanted in (each["id"], each["key"])), None)

    def shown(self, issue):
        fields = {name: issue[name] for name in ("summary", "description", "labels")}
        for name in ("created", "updated"):
            fields[name] = issue[name].isoformat(timespec="milliseconds")
        kind = {"id": TYPE, "name": "Story"}
        fields |= {
            "status": status(issue["status"]),
            "project": self.projects[issue["project"]],
            "issuetype": kind,
        }
        return {"id": issue["id"], "key": issue["key"], "fields": fields}

    def on_issue(self, method, wanted, rest, query, body):
        issue = self.issue(wanted)
        if issue is None:
            return 404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}
        if method != "GET" and self.ignores:
            self.ignores -= 1
            return 204, None
        name = {"": "fields"}.get(rest, rest.strip("/").partition("/")[0])
        return getattr(self, f"{method.lower()}_{name}")(issue, query, body)

    def get_fields(self, issue, _, __):
        return self.shown(issue)

    def put_fields(self, issue, _, body):
        fields = dict(body.get("fields", {}))
        fields.pop("status", None)  # ignored without a word
        if errors := self.refusals(fields):
            return 400, {"errorMessages": [], "errors": errors}
        for each in body.get("update", {}).get("labels", ()):
            kept = [one for one in issue["labels"] if one not in each.values()]
            fields["labels"] = [*kept, each["add"]] if "add" in each else kept
        self.edit(issue, **fields)
        return 204, None

    def steps_of(self, issue):
        found = []
        for to in [*STEPS[issue["status"]], *(["7"] if issue["status"] != "7" else [])]:
            screen = {
                "name": "Resolution",
                "required": True,
                "allowedValues": RESOLUTIONS,
                "schema": {"type": "resolution"},
            }
            found.append({
                "id": f"{issue['status']}{to}", "name": f"To {NAMES[to]}", "to": status(to), "isGlobal": to == "7",
                "isAvailable": True, "fields": {"resolution": screen} if to == "5" else {},
            })  # fmt: skip
        return found

    def get_transitions(self, issue, _, __):
        return {"transitions": self.steps_of(issue)}

    def post_transitions(self, issue, _, body):
        step = next((each for each in self.steps_of(issue) if each["id"] == body["transition"]["id"]), None)
        if step is None:
            return 400, {
                "errorMessages": ["It seems that you have tried to perform an illegal workflow operation."]
            }
        given = body.get("fields", {})
        if missing := set(step["fields"]) - set(given):
            return 400, {"errorMessages": [], "errors": {each: f"{each} is required." for each in missing}}
        resolution = given.get("resolution", {}).get("id")
        self.edit(issue, status=step["to"]["id"], resolution=resolution)
        return 204, None

    def put_properties(self, issue, _, body):
        issue["properties"][self.last_part] = body
        return 200, None

    def delete_properties(self, issue, _, __):
        gone = issue["properties"].pop(self.last_part, None)
        return (204, None) if gone else (404, {"errorMessages": ["none"]})

    def post_remotelink(self, issue, _, body):
        new = body["globalId"] not in issue["links"]
        issue["links"][body["globalId"]] = body
        return (201 if new else 200), {"id": 1, "self": ""}

    def delete_remotelink(self, issue, query, _):
        return (
            (204, None) if issue["links"].pop(query["globalId"], None) else (404, {"errorMessages": ["none"]})
        )

    def get_comment(self, issue, _, __):
        return {"comments": issue["comments"][::-1], "total": len(issue["comments"])}

    def post_comment(self, issue, _, body):
        self.adf.validate(body["body"])
        issue["comments"].append(body)
        return 201, {"id": "1", **body}

    def on_bulk(self, _, body):
        return {
            "issues": [
                self.shown(each) for each in self.issues.values() if each["id"] in body["issueIdsOrKeys"]
            ]
        }

    def on_search(self, _, body):
        found = JQL.fullmatch(body["jql"])
        assert found, body["jql"]
        hits = []
        for each in sorted(self.issues.values(), key=lambda one: one[found["order"]]):
            if each["hidden"]:
                each["hidden"] -= 1
            elif self.fits(each, found):
                hits.append(each)
        start, size = int(body.get("nextPageToken", 0)), min(body["maxResults"], self.page_size)
        page = {"issues": [self.shown(each) for each in hits[start : start + size]]}
        end = start + size
        return page | ({"nextPageToken": str(end), "isLast": False} if end < len(hits) else {"isLast": True})

    @staticmethod
    def fits(issue, found):
        if found["updated"]:
            since = datetime.strptime(found["updated"], "%Y/%m/%d %H:%M").replace(tzinfo=ZoneInfo(ZONE))
            if issue["updated"] < since:
                return False
        same = issue["project"] == found["project"] and found["status"] in (None, issue["status"])
        return same and (found["label"] is None or found["label"] in issue["labels"])

    def on_hooks(self, method, id_, body):
        if not self.admin:
            return 403, {"messages": [{"key": "You are not an administrator."}]}
        if method == "POST":
            id_ = str(next(COUNTER))
        elif id_ == "webhook":
            return [self.hook(each) for each in self.hooks]
        elif id_ not in self.hooks:
            return 404, {"messages": [{"key": "webhook.unavailable"}]}
        if method == "DELETE":
            del self.hooks[id_]
            return 204, None
        if body:
            self.hooks[id_] = body
        return (201 if method == "POST" else 200), self.hook(id_)

    def hook(self, id_):
        shown = {name: value for name, value in self.hooks[id_].items() if name != "secret"}
        return {**shown, "self": f"{SITE}/rest/webhooks/1.0/webhook/{id_}"}


ROUTES = (
    ("GET /myself", "on_myself"),
    ("GET /mypermissions", "on_rights"),
    ("GET /project/search", "on_projects"),
    ("GET /project/([^/]+)", "on_project"),
    ("GET /project/([^/]+)/statuses", "on_statuses"),
    ("GET /label", "on_labels"),
    ("GET /issue/createmeta/([^/]+)/issuetypes", "on_types"),
    ("GET /issue/createmeta/([^/]+)/issuetypes/([^/]+)", "on_fields"),
    ("GET /user/assignable/search", "on_people"),
    ("GET /priority/search", "on_priorities"),
    ("POST /issue", "on_create"),
    ("POST /issue/bulkfetch", "on_bulk"),
    ("POST /search/jql", "on_search"),
    ("(GET|PUT|POST|DELETE) /issue/([^/]+)((?:/.*)?)", "on_issue"),
)


class CheckedJira(Checked):
    """Hooks and labels are not in the vendor's file at hand."""

    def __init__(self, cloud):
        super().__init__(cloud, spec_files("jira-cloud/jira-cloud-v3.openapi.json"), "")

    def check(self, method, path, request):
        if not path.startswith("/rest/webhooks/1.0/") and path != "/rest/api/3/label":
            super().check(method, path, request)


class JiraWorld(TrackerWorld):
    adapter = QUICK
    base_url = SITE
    project, unknown_project = "10000", "99999"
    secret = SECRET
    settings = MappingProxyType({"email": EMAIL, "transitions": "four", "resolution": "10000"})
    defaults = MappingProxyType({"type": TYPE})
    ran_on = "a fake that holds each request against the vendor's OpenAPI and its schema of documents"

    def make_transport(self):
        self.cloud, self.posted = JiraCloud(), []
        self.token = self.cloud.token
        self.cloud.post = self.posted.append
        return CheckedJira(self.cloud)

    async def edit(self, ref, *, title):
        self.cloud.edit(self.cloud.issues[ref.id], summary=title)

    async def delete(self, ref):
        self.cloud.delete(self.cloud.issues[ref.id])

    async def move(self, ref):
        self.cloud.move(self.cloud.issues[ref.id], "10001")

    async def ignore_next_write(self):
        self.fail(Fault(method="PUT", status=204))

    async def delivery(self, ref):
        await self.open().notifications.ensure_hook(self.project, HOOK, SECRET)
        await self.edit(ref, title="Told")
        request = self.posted[-1]
        return dict(request.headers), request.content
