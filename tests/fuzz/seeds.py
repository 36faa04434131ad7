"""Genuine payloads of every sender: a small one of our own a kind, and the vendors' recorded ones where at hand.

`headers_for` proves a body the way its sender does, so that what is behind the proof is reached, too.
"""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

from fuzz.site import COLUMN, FEATURE, HOOK_SECRET, TICKETS
from keepstep.adapters.trackers.gitlab.secrets import hook_token, signing_token

RECORDED = Path(__file__).parents[2] / ".." / "shared" / "webhook-examples"
_FOLDERS = {"github": "github", "gitlab": "gitlab", "gittab": "gitlab", "jira": "jira-cloud", "linear": "linear",
            "redmine": "redmine"}  # fmt: skip

OWN: dict[str, Any] = {
    "github": {"action": "edited", "issue": {"id": 1007}, "sender": {"login": "ann"}},
    "gitlab": {
        "object_kind": "issue",
        "object_attributes": {"id": 1007, "action": "update"},
        "user": {"name": "Ann", "username": "ann"},
    },
    "gittab": {"object_kind": "issue", "object_attributes": {"id": 1007, "action": "delete"}},
    "jira": {"webhookEvent": "jira:issue_updated", "issue": {"id": "1007"}, "user": {"displayName": "Ann"}},
    "linear": {
        "type": "Issue", "action": "update", "data": {"id": TICKETS["linear"], "trashed": False},
        "actor": {"name": "Ann"}, "webhookTimestamp": 0,
    },
    "redmine": {
        "type": "issue.updated",
        "data": {"issue": {"id": 1007}, "journal": {"user": {"name": "Ann"}}},
    },
}  # fmt: skip

CLICK = {
    "data": {
        "integrationId": COLUMN,
        "trigger": "button.push",
        "feature": {"id": FEATURE, "links": {"html": "https://acme.example/features/1"}},
        "triggeredByUser": {"name": "Ann", "email": "ann@example.com"},
    }
}
EVENT = {
    "data": {
        "id": FEATURE,
        "eventType": "feature.updated",
        "links": {"target": f"https://api.productboard.com/features/{FEATURE}"},
    }
}


def contents_of(kind: str) -> list[Any]:
    recorded = [json.loads(each.read_bytes()) for each in sorted((RECORDED / _FOLDERS[kind]).glob("*.json"))]
    return [OWN[kind], *recorded]


def with_time(kind: str, content: Any) -> Any:
    """Linear's deliveries tell when they were sent, and an old one is refused."""
    if kind == "linear" and isinstance(content, dict) and "webhookTimestamp" in content:
        return content | {"webhookTimestamp": int(time.time() * 1000)}
    return content


def headers_for(kind: str, body: bytes, delivery: str) -> dict[str, str]:
    plain = hmac.new(HOOK_SECRET.encode(), body, hashlib.sha256).hexdigest()
    match kind:
        case "github":
            return {
                "X-Hub-Signature-256": f"sha256={plain}",
                "X-GitHub-Event": "issues",
                "X-GitHub-Delivery": delivery,
            }
        case "jira":
            return {"X-Hub-Signature": f"sha256={plain}", "X-Atlassian-Webhook-Identifier": delivery}
        case "linear":
            return {"Linear-Signature": plain, "Linear-Delivery": delivery, "Linear-Event": "Issue"}
        case "redmine":
            return {"X-Redmine-Signature-256": f"sha256={plain}"}
    return {
        "X-Gitlab-Token": hook_token(HOOK_SECRET),
        "X-Gitlab-Event": "Issue Hook",
        "webhook-id": delivery,
        "webhook-timestamp": (now := str(int(time.time()))),
        "webhook-signature": _standard_signature(f"{delivery}.{now}.".encode() + body),
    }


def _standard_signature(signed: bytes) -> str:
    key = base64.b64decode(signing_token(HOOK_SECRET).removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
