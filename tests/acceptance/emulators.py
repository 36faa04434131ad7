"""What people and tests do at the emulators: edit, click, look, and make faults; by their HTTP interfaces alone."""

from typing import Any, ClassVar

import httpx

WATCHER = "token-of-the-tests"
"""At the board, with a budget that no test's looking around can spend; the service has its own."""
PROJECT = "/api/v4/projects/1"


class Emulator:
    """One emulator by its address."""

    headers: ClassVar[dict[str, str]]

    def __init__(self, address: str, client: httpx.Client) -> None:
        self.address = address
        self._client = client

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = self._client.request(
            method, f"{self.address}{path}", json=body, params=params or None, headers=self.headers
        )
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def fault(self, match: str, **rule: Any) -> str:
        """The id of the rule, by which `hits` tells whether it has been met."""
        made: str = self.call("POST", "/_sandbox/faults", {"match": match, **rule})["id"]
        return made

    def hits(self, rule: str) -> int:
        found = self.call("GET", "/_sandbox/faults")["faults"]
        count: int = next(each["hits"] for each in found if each["id"] == rule)
        return count

    def calls(self, method: str, path: str) -> list[dict[str, Any]]:
        """The service's calls to paths that begin so, without our own."""
        entries = self.call("GET", "/_sandbox/journal", direction="in")["entries"]
        return [
            each
            for each in entries
            if each["method"] == method
            and each["path"].startswith(path)
            and each["request_headers"].get("user-agent") == "keepstep"
        ]


class Board(Emulator):
    """The Productboard emulator."""

    headers: ClassVar[dict[str, str]] = {"Authorization": f"Bearer {WATCHER}"}

    def __init__(self, address: str, client: httpx.Client) -> None:
        super().__init__(address, client)
        self.call("POST", "/_sandbox/seed", {"tokens": [{"token": WATCHER, "per_second": 100_000}]})

    def features(self) -> list[str]:
        found = self.call("GET", "/v2/entities", **{"type[]": "feature"})["data"]
        return [each["id"] for each in found]

    def add_features(self, count: int) -> list[str]:
        made: list[str] = self.call("POST", "/_sandbox/seed", {"features": count})["entities"]
        return made

    def name(self, feature: str) -> str:
        found: str = self.call("GET", f"/v2/entities/{feature}")["data"]["fields"]["name"]
        return found

    def rename(self, feature: str, name: str) -> None:
        self.call("PATCH", f"/v2/entities/{feature}", {"data": {"fields": {"name": name}}})

    def click(self, column: str, feature: str, trigger: str = "button.push") -> dict[str, Any]:
        """The connection that results, as Productboard applied it."""
        body = {"integrationId": column, "entityId": feature, "trigger": trigger}
        answer: dict[str, Any] = self.call("POST", "/_sandbox/click", body)["connection"]
        return answer

    def cell(self, column: str, feature: str) -> dict[str, Any]:
        path = f"/v2/plugin-integrations/{column}/connections/{feature}"
        found: dict[str, Any] = self.call("GET", path)["data"]["fields"]["connection"]
        return found

    def columns(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/v2/plugin-integrations")["data"]
        return found

    def subscriptions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/v2/webhooks")["data"]
        return found


class Tracker(Emulator):
    """GitTab."""

    headers: ClassVar[dict[str, str]] = {"PRIVATE-TOKEN": "demo-visitor-token"}

    def made_by_us(self) -> list[dict[str, Any]]:
        """Every issue that carries a marker of ours."""
        found = self.call("GET", f"{PROJECT}/issues", state="all", scope="all", per_page=100)
        return [each for each in found if "keepstep" in (each["description"] or "")]

    def issue(self, iid: str) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", f"{PROJECT}/issues/{iid}")
        return found

    def edit(self, iid: str, **fields: Any) -> None:
        self.call("PUT", f"{PROJECT}/issues/{iid}", fields)

    def hooks(self) -> list[dict[str, Any]]:
        answer = self._client.get(
            f"{self.address}{PROJECT}/hooks", headers={"PRIVATE-TOKEN": "demo-gittab-token"}
        )
        found: list[dict[str, Any]] = answer.json()
        return found
