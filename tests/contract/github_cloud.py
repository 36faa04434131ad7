"""GitHub in memory: every request is held against the vendor's description, every answer grows from its own examples.

What the description does not say follows what it documents in words or what others have met: labels dropped in silence,
a reason ignored unless the state changes, 301 after a transfer, 410 after a deletion, a list that may lag.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import uuid4

import httpx
import pytest

from wire.openapi import SPECS, Spec, spec_files

ADMIN, READER, STRANGER, CLASSIC, APP = (
    f"github_pat_{name}-token-1" for name in ("ada", "rita", "sam", "carl", "app")
)
EXAMPLES = SPECS.parent / "webhook-examples" / "github"
_HEADERS = ("authorization", "accept", "x-github-api-version", "user-agent")


@cache
def described(spec):
    (file,) = spec_files(f"github/{spec}.openapi.json")
    return Spec(json.loads(file.read_text()))


def example(name):
    file = EXAMPLES / name
    if not file.exists():
        pytest.skip("the vendor's example payloads are not beside the project")
    return json.loads(file.read_text())


@dataclass
class Fault:
    match: str
    """Searched in "METHOD /path"."""
    status: int = 0
    body: object = field(default_factory=dict)
    headers: dict = field(default_factory=dict)
    drop: bool = False
    after: bool = False
    """The request is carried out first."""


class GitHubCloud(httpx.AsyncBaseTransport):
    def __init__(self, root="https://api.github.com", spec="github-issues"):
        self.spec = described(spec)
        opened = example("issues.opened.json")
        self.issue_like, self.repository_like, self.person_like = (
            opened["issue"], opened["repository"], opened["sender"],
        )  # fmt: skip
        self.hook_like = example("ping.json")["hook"]
        self.root, self.server = root, spec.startswith("ghes")
        self.pages = (
            "https://github.com" if root == "https://api.github.com" else root.removesuffix("/api/v3")
        )
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.users = {ADMIN: "ada", READER: "rita", STRANGER: "sam", CLASSIC: "carl"}
        self.issues, self.gone, self.moved, self.comments, self.hooks = [], set(), {}, [], []
        self.deliveries, self.faults, self.asked, self.checked = [], [], [], set()
        self.lagging = 0
        self.post = lambda delivery, request: None
        self.repositories = [
            self._repository(101, "acme/web", ["bug", "productboard", "doing", "review"]),
            self._repository(102, "acme/api", []),
            self._repository(103, "acme/old", [], archived=True),
            self._repository(104, "acme/silent", [], has_issues=False),
        ]
        self.web, self.api = self.repositories[:2]
        self.types = ["Bug", "Feature"]
        self._next = 2000

    # ---- what there is

    def _repository(self, number, name, labels, **more):
        return self.repository_like | {
            "id": number, "full_name": name, "name": name.partition("/")[2], "html_url": f"{self.pages}/{name}",
            "has_issues": True, "archived": False, "labels_here": list(labels), **more,
        }  # fmt: skip

    def person(self, login):
        return self.person_like | {"login": login, "html_url": f"{self.pages}/{login}"}

    def tick(self):
        self.now += timedelta(seconds=1)
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def add_issue(self, repository, title, login="ada", **more):
        self._next += 1
        number = max((each["number"] for each in self.issues if each["at"] is repository), default=0) + 1
        moment = self.tick()
        issue = self.issue_like | {
            "id": self._next, "number": number, "title": title, "body": None, "state": "open", "state_reason": None,
            "labels": [], "assignees": [], "assignee": None, "milestone": None, "type": None,
            "user": self.person(login), "created_at": moment, "updated_at": moment, "closed_at": None,
            "html_url": f"{repository['html_url']}/issues/{number}", "at": repository, **more,
        }  # fmt: skip
        self.issues.append(issue)
        return issue

    def edit(self, issue, login="mo", action="edited", **changes):
        """Somebody, or we, change something: everyone who listens is told."""
        issue.update(changes, updated_at=self.tick())
        self.tell(issue, action, login)

    def transfer(self, issue, repository):
        """A new id and number there; here a redirect is left."""
        self.issues.remove(issue)
        was = (issue["at"]["id"], issue["number"])
        after = self.add_issue(repository, issue["title"], body=issue["body"], user=issue["user"])
        self.moved[was] = (repository["id"], after["number"])
        self.tell(issue, "transferred", "mo")
        return after

    def delete(self, issue):
        self.issues.remove(issue)
        self.gone.add((issue["at"]["id"], issue["number"]))
        self.tell(issue, "deleted", "mo")

    def tell(self, issue, action, login):
        for hook in self.hooks:
            if not hook["active"] or hook["at"] is not issue["at"]:
                continue
            event = {
                "action": action, "issue": _shown(issue), "repository": _shown(issue["at"]),
                "sender": self.person(login),
            }  # fmt: skip
            self.send(hook, str(uuid4()), json.dumps(event).encode(), action)

    def send(self, hook, guid, body, action, *, again=False):
        secret = hook["secret"].encode()
        headers = {
            "Content-Type": "application/json", "X-GitHub-Event": "issues", "X-GitHub-Delivery": guid,
            "X-Hub-Signature-256": "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest(),
        }  # fmt: skip
        delivery = {
            "id": len(self.deliveries) + 1, "guid": guid, "delivered_at": self.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "redelivery": again, "duration": 0.1, "status": "OK", "status_code": 200, "event": "issues",
            "action": action, "installation_id": None, "repository_id": hook["at"]["id"], "throttled_at": None,
            "hook": hook, "body": body,
        }  # fmt: skip
        self.deliveries.append(delivery)
        self.post(delivery, httpx.Request("POST", hook["config"]["url"], content=body, headers=headers))

    # ---- how it answers

    async def handle_async_request(self, request):
        await request.aread()
        assert str(request.url).startswith(self.root), request.url
        assert all(request.headers.get(name) for name in _HEADERS), "a header is missing"
        path = (
            request.url.raw_path.decode()
            .partition("?")[0]
            .removeprefix(httpx.URL(self.root).path.rstrip("/"))
        )
        name = f"{request.method} {path}"
        self.asked.append(name)
        self.check(request, path)
        fault = next((each for each in self.faults if re.search(each.match, name)), None)
        if fault is not None:
            self.faults.remove(fault)
            if fault.after:
                self.answer(request, path)
            if fault.drop:
                raise httpx.ReadError("gone", request=request)
            return httpx.Response(fault.status, json=fault.body, headers=fault.headers, request=request)
        status, body, headers = self.answer(request, path)
        headers = {"x-ratelimit-remaining": "4999", **headers}
        if self.server:
            headers["x-github-enterprise-version"] = "enterprise-server@3.19.0"
        if status == 204:
            return httpx.Response(204, headers=headers, request=request)
        return httpx.Response(status, json=body, headers=headers, request=request)

    def check(self, request, path):
        """By the description, which knows a repository by owner and name alone."""
        by_name = re.sub(r"^/repositories/[^/]+", "/repos/acme/web", path)
        found = self.spec.operation(request.method, by_name)
        if found is None and self.server and path.endswith("/issue-types"):
            return
        assert found, f"the vendor describes no {request.method} {path}"
        template, operation = found
        self.spec.check(template, request.method, operation, request)
        self.checked.add((request.method, template))

    def answer(self, request, path):
        token = request.headers["authorization"].removeprefix("Bearer ")
        if token != APP and token not in self.users:
            return (
                401,
                {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"},
                {},
            )
        ask = Ask(self, request, path, self.users.get(token, ""))
        for method, pattern, action in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method == request.method:
                return action(ask, **match.groupdict())
        return not_found()


def _shown(thing):
    return {
        name: value for name, value in thing.items() if name not in ("at", "secret", "labels_here", "hook")
    }


def not_found():
    return 404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}, {}


def refused():
    return 403, {"message": "Resource not accessible by personal access token"}, {}


class Ask:
    """One request, by one user."""

    def __init__(self, cloud, request, path, login):
        self.cloud, self.request, self.path, self.login = cloud, request, path, login
        self.params = dict(request.url.params)
        self.body = json.loads(request.content) if request.content else {}
        self.may = login in ("ada", "carl", "")

    def paged(self, items):
        size, page = int(self.params.get("per_page", 30)), int(self.params.get("page", 1))
        more = len(items) > size * page
        link = f'<{self.cloud.root}{self.path}?page={page + 1}>; rel="next"'
        return (
            200,
            [_shown(each) for each in items[size * (page - 1) : size * page]],
            {"link": link} if more else {},
        )

    def repository(self, number):
        return next((each for each in self.cloud.repositories if str(each["id"]) == number), None)

    def shown(self, repository):
        rights = {
            "admin": self.may, "maintain": self.may, "push": self.may, "triage": self.may, "pull": True,
        }  # fmt: skip
        return _shown(repository) | {"permissions": rights}

    def user(self):
        if not self.login:
            return 403, {"message": "Resource not accessible by integration"}, {}
        headers = {"github-authentication-token-expiration": "2027-03-01 08:00:00 UTC"}
        if self.login == "carl":
            headers = {"x-oauth-scopes": "read:user, gist"}
        return 200, self.cloud.person(self.login), headers

    def my_repositories(self):
        if not self.login:
            return refused()
        found = [] if self.login == "sam" else self.cloud.repositories
        status, _, headers = self.paged(found)
        return status, [self.shown(each) for each in found], headers

    def installed(self):
        return 200, {"total_count": 1, "repositories": [_shown(self.cloud.web)]}, {}

    def by_name(self, name):
        found = next((each for each in self.cloud.repositories if each["full_name"] == name), None)
        if name == "acme/former":
            return 301, {"message": "Moved Permanently"}, {"location": f"{self.cloud.root}/repositories/101"}
        return (200, self.shown(found), {}) if found else not_found()

    def by_id(self, number):
        found = self.repository(number)
        return (200, self.shown(found), {}) if found else not_found()

    def labels(self, number):
        return self.paged([{"name": each} for each in self.repository(number)["labels_here"]])

    def assignees(self, number):
        del number
        return self.paged([self.cloud.person(each) for each in ("mo", "ada")])

    def milestones(self, number):
        del number
        return self.paged([{"number": 3, "title": "Winter"}])

    def issue_types(self, number):
        if self.cloud.server:
            return not_found()
        del number
        return (
            200,
            [{"id": 1, "node_id": "x", "name": each, "description": ""} for each in self.cloud.types],
            {},
        )

    # ---- issues

    def list_issues(self, number):
        found = [each for each in self.cloud.issues if str(each["at"]["id"]) == number]
        if self.cloud.lagging:
            self.cloud.lagging -= 1
            found = []
        if "creator" in self.params:
            found = [each for each in found if each["user"]["login"] == self.params["creator"]]
        if self.params.get("state", "open") != "all":
            found = [each for each in found if each["state"] == self.params.get("state", "open")]
        found = [each for each in found if each["updated_at"] >= self.params.get("since", "")]
        by = "updated_at" if self.params.get("sort") == "updated" else "created_at"
        found.sort(key=lambda each: (each[by], each["number"]), reverse=self.params.get("direction") != "asc")
        return self.paged(found)

    def create_issue(self, number):
        repository = self.repository(number)
        if not repository["has_issues"]:
            return 410, {"message": "Issues has been disabled in this repository."}, {}
        if len(self.body["title"]) > 256:
            errors = [
                {"resource": "Issue", "code": "custom", "field": "title", "message": "title is too long"}
            ]
            return 422, {"message": "Validation Failed", "errors": errors}, {}
        issue = self.cloud.add_issue(repository, self.body["title"], self.login, body=self.body["body"])
        if self.may:
            self.put_labels(issue, self.body.get("labels", []))
            issue["assignees"] = [
                self.cloud.person(each) for each in self.body.get("assignees", []) if each == "mo"
            ]
            if "type" in self.body:
                issue["type"] = {"id": 1, "node_id": "x", "name": self.body["type"], "description": ""}
            if "milestone" in self.body:
                issue["milestone"] = {"number": self.body["milestone"], "title": "Winter"}
        self.cloud.tell(issue, "opened", self.login)
        return 201, _shown(issue), {}

    def put_labels(self, issue, names):
        carried = [each["name"].lower() for each in issue["labels"]]
        for name in names:
            if name.lower() not in carried:
                issue["labels"] = [
                    *issue["labels"],
                    {"id": 1, "name": name, "color": "ededed", "default": False},
                ]

    def find(self, number, key):
        place = (int(number), int(key))
        if place in self.cloud.moved:
            repository, there = self.cloud.moved[place]
            location = f"{self.cloud.root}/repositories/{repository}/issues/{there}"
            return None, (301, {"message": "Moved Permanently", "url": location}, {"location": location})
        if place in self.cloud.gone:
            return None, (410, {"message": "This issue was deleted"}, {})
        for each in self.cloud.issues:
            if (each["at"]["id"], each["number"]) == place:
                return each, None
        return None, not_found()

    def get_issue(self, number, key):
        issue, trouble = self.find(number, key)
        return trouble or (200, _shown(issue), {})

    def patch_issue(self, number, key):
        issue, trouble = self.find(number, key)
        if trouble or not self.may:
            return trouble or refused()
        changes = {name: self.body[name] for name in ("title", "body") if name in self.body}
        state = self.body.get("state", issue["state"])
        if state != issue["state"]:
            changes["state"] = state
            changes["state_reason"] = (
                self.body.get("state_reason", "completed") if state == "closed" else "reopened"
            )
        self.cloud.edit(issue, self.login, **changes)
        return 200, _shown(issue), {}

    def add_labels(self, number, key):
        issue, trouble = self.find(number, key)
        if trouble or not self.may:
            return trouble or refused()
        self.put_labels(issue, self.body["labels"])
        self.cloud.edit(issue, self.login, "labeled")
        return 200, issue["labels"], {}

    def remove_label(self, number, key, name):
        issue, trouble = self.find(number, key)
        if trouble or not self.may:
            return trouble or refused()
        left = [each for each in issue["labels"] if each["name"].lower() != name.lower()]
        if left == issue["labels"]:
            return 404, {"message": "Label does not exist"}, {}
        self.cloud.edit(issue, self.login, "unlabeled", labels=left)
        return 200, left, {}

    def list_comments(self, number, key):
        return self.paged([each for each in self.cloud.comments if each["at"] == (number, key)])

    def add_comment(self, number, key):
        comment = {"id": len(self.cloud.comments) + 1, "body": self.body["body"], "at": (number, key)}
        self.cloud.comments.append(comment)
        return 201, _shown(comment), {}

    # ---- webhooks

    def list_hooks(self, number):
        return (
            self.paged([each for each in self.cloud.hooks if str(each["at"]["id"]) == number])
            if self.may
            else not_found()
        )

    def put_hook(self, hook):
        config = dict(self.body["config"])
        hook["secret"] = config.pop("secret")
        hook |= {"active": self.body["active"], "events": self.body["events"]}
        hook["config"] = config | {"secret": "********"}

    def add_hook(self, number):
        if not self.may:
            return not_found()
        new = {
            "id": 9000 + len(self.cloud.hooks),
            "at": self.repository(number),
            "last_response": {"code": None, "status": "unused", "message": None},
        }
        hook = self.cloud.hook_like | new
        self.put_hook(hook)
        self.cloud.hooks.append(hook)
        return 201, _shown(hook), {}

    def hook(self, hook):
        return next((each for each in self.cloud.hooks if str(each["id"]) == hook), None)

    def get_hook(self, number, hook):
        del number
        found = self.hook(hook)
        return (200, _shown(found), {}) if found else not_found()

    def patch_hook(self, number, hook):
        del number
        found = self.hook(hook)
        if not found:
            return not_found()
        self.put_hook(found)
        return 200, _shown(found), {}

    def delete_hook(self, number, hook):
        del number
        found = self.hook(hook)
        if not found:
            return not_found()
        self.cloud.hooks.remove(found)
        return 204, None, {}

    def list_deliveries(self, number, hook):
        del number
        size, start = int(self.params["per_page"]), int(self.params.get("cursor", 0))
        found = [each for each in reversed(self.cloud.deliveries) if str(each["hook"]["id"]) == hook]
        link = f'<{self.cloud.root}{self.path}?per_page={size}&cursor={start + size}>; rel="next"'
        shown = [_shown(each) | {"body": None} for each in found[start : start + size]]
        return 200, shown, {"link": link} if len(found) > start + size else {}

    def redeliver(self, number, hook, delivery):
        del number
        found = next(each for each in self.cloud.deliveries if str(each["id"]) == delivery)
        self.cloud.send(self.hook(hook), found["guid"], found["body"], found["action"], again=True)
        return 202, {}, {}


_R = r"/repositories/(?P<number>\d+)"
_I = rf"{_R}/issues/(?P<key>\d+)"
_H = rf"{_R}/hooks/(?P<hook>\d+)"
ROUTES = (
    ("GET", "/user", Ask.user),
    ("GET", "/user/repos", Ask.my_repositories),
    ("GET", "/installation/repositories", Ask.installed),
    ("GET", r"/repos/(?P<name>[^/]+/[^/]+)", Ask.by_name),
    ("GET", _R, Ask.by_id),
    ("GET", f"{_R}/labels", Ask.labels),
    ("GET", f"{_R}/assignees", Ask.assignees),
    ("GET", f"{_R}/milestones", Ask.milestones),
    ("GET", f"{_R}/issue-types", Ask.issue_types),
    ("GET", f"{_R}/issues", Ask.list_issues),
    ("POST", f"{_R}/issues", Ask.create_issue),
    ("GET", _I, Ask.get_issue),
    ("PATCH", _I, Ask.patch_issue),
    ("POST", f"{_I}/labels", Ask.add_labels),
    ("DELETE", f"{_I}/labels/(?P<name>[^/]+)", Ask.remove_label),
    ("GET", f"{_I}/comments", Ask.list_comments),
    ("POST", f"{_I}/comments", Ask.add_comment),
    ("GET", f"{_R}/hooks", Ask.list_hooks),
    ("POST", f"{_R}/hooks", Ask.add_hook),
    ("GET", _H, Ask.get_hook),
    ("PATCH", _H, Ask.patch_hook),
    ("DELETE", _H, Ask.delete_hook),
    ("GET", f"{_H}/deliveries", Ask.list_deliveries),
    ("POST", rf"{_H}/deliveries/(?P<delivery>\d+)/attempts", Ask.redeliver),
)
