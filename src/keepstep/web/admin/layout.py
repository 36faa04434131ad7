"""Rendering: one Jinja environment, the facts every page has, and the sentences shown after something was done.

A page is rendered with `render(request, "name.html", key=value)`. Templates find `person` and `csrf` there, which the
session's dependencies leave under `request.state`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from keepstep.domain.integration import Integration
from keepstep.web.admin import presenting
from keepstep.web.deps import services

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
PUBLIC_STATIC = "/l/static"

DONE = {
    "paused": "Paused. Nothing flows until you resume; what arrives meanwhile is kept.",
    "resumed": "Resumed. What waited is being worked through.",
    "letting-go": "Going on. For an hour, Links whose feature or ticket is gone are detached without asking.",
    "syncing": "Both sides are being read now. New changes show up here within seconds.",
    "link-syncing": "This Link is being synced now.",
    "tried": "They are being tried again now.",
    "none-chosen": "Nothing was chosen, so nothing was done. Tick the Links to try again first.",
    "forgetting": "Giving up on what the other sides refuse; what is left goes now.",
    "unlinking": "The Link is being taken apart; the ticket is kept.",
    "linked": "Linked. The first sync is under way.",
    "decided": "Your choice is being written now.",
    "put-back": "The earlier value is being put back now.",
    "removing": "It is being removed now.",
    "retrying": "Trying again from the first step.",
    "removed": "The integration is removed.",
    "discarded": "Discarded. Nothing is left behind on either side.",
    "hook-heard": "The webhook works: its call came.",
    "hook-silent": "No call came while we waited. Look over the steps below, press Test there, and check again.",
    "chosen": "Your choice is kept.",
    "bulk-started": "Started. You may leave this page; it goes on without you.",
    "bulk-paused": "Paused. What is under way ends; nothing new begins.",
    "bulk-resumed": "Going on.",
    "bulk-cancelled": "Cancelled. What is done stays; what had not begun is left alone.",
    "saved": "Saved.",
    "token": "The new token works and is stored. What waited goes on.",
    "password": "Your password is changed.",
}
"""Told after a redirect as `?done=key`: only these sentences can be shown, so a link cannot put words in our mouth."""


@lru_cache(maxsize=64)
def _fingerprint(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:10]


def static_url(name: str, folder: str = "/static") -> str:
    """Changes with the file, so that browsers may keep it for ever."""
    return f"{folder}/{name}?v={_fingerprint(name)}"


def _static_folder(request: Request) -> str:
    """A proxy may show the world nothing of the pages but `/l/`; what those need lies below it as well."""
    return PUBLIC_STATIC if request.url.path.startswith("/l/") else "/static"


def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        ago=presenting.ago,
        exact=presenting.exact,
        iso=presenting.iso,
        number=presenting.number,
        counted=presenting.counted,
        duration=presenting.duration,
        size=presenting.size,
        capital=presenting.capital,
        bars=presenting.bars,
        side_name=presenting.side_name,
        field_name=presenting.field_name,
        clock=presenting.clock,
        bulk_word=presenting.bulk_word,
        outcome_word=presenting.outcome_word,
        state_word=presenting.state_word,
        row_label=presenting.row_label,
        notice_words=presenting.notice_words,
        shown_html=lambda source: Markup(presenting.shown_html(source)),  # noqa: S704 - nh3 has cleaned it
    )
    env.globals.update(
        static_url=static_url,
        STATE_LABELS=presenting.STATE_LABELS,
        CONFLICT_LABELS=presenting.CONFLICT_LABELS,
        HEALTH_LABELS=presenting.HEALTH_LABELS,
        INTEGRATION_LABELS=presenting.INTEGRATION_LABELS,
        FIRST_CHOICES=presenting.FIRST_CHOICES,
        STEP_LABELS=presenting.STEP_LABELS,
        WAY_LABELS=presenting.WAY_LABELS,
        WAY_SENTENCES=presenting.WAY_SENTENCES,
        DIRECTION_SENTENCES=presenting.DIRECTION_SENTENCES,
        RULE_SENTENCES=presenting.RULE_SENTENCES,
    )
    return env


_ENVIRONMENT = _environment()


def render(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **facts: object,
) -> HTMLResponse:
    """Render a page. A page behind the login is never stored by a cache on the way."""
    given = services(request)
    page: dict[str, object] = {
        "request": request,
        "person": getattr(request.state, "person", None),
        "csrf": getattr(request.state, "csrf", ""),
        "now": given.ctx.clock.now(),
        "version": given.version,
        "done": DONE.get(request.query_params.get("done", ""), ""),
        "place": "",
        "static_url": partial(static_url, folder=_static_folder(request)),
    }
    text = _ENVIRONMENT.get_template(template).render(page | facts)
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"} | dict(headers or {}))


def see(path: str, done: str = "", **query: str) -> RedirectResponse:
    """After a POST: look at that page, and say there what was done."""
    known = {key: value for key, value in ({"done": done} | query).items() if value}
    return RedirectResponse(f"{path}?{urlencode(known)}" if known else path, status_code=303)


@dataclass(frozen=True, slots=True)
class Pages:
    """Which page of a list is shown, and where the others are."""

    path: str
    query: Mapping[str, str]
    number: int
    size: int
    total: int

    @property
    def count(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        return min(self.offset + self.size, self.total)

    def address(self, number: int) -> str:
        known = {key: value for key, value in self.query.items() if value}
        if number > 1:
            known["page"] = str(number)
        return f"{self.path}?{urlencode(known)}" if known else self.path


def integration_path(integration: Integration, section: str = "") -> str:
    return f"/integrations/{integration.id}" + (f"/{section}" if section else "")
