"""Every door that is open to the internet, with payloads that went wrong: proven ones and unproven ones.

No answer is a fault of ours, nothing is stored that was not proven, and no row grows with what was sent.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from fuzz import seeds
from fuzz.mutations import bodies, escaped
from fuzz.site import EXAMPLES, HOOK_SECRET, KINDS, PASSWORD, Site, open_site

UNDERSTOOD = frozenset({200, 204, 307, 400, 401, 404, 405, 413, 422})
BIGGEST_ROW = 4096
"""Bytes; whatever a sender wrote into names and ids."""

pytestmark = pytest.mark.timeout(3600 if EXAMPLES > 1000 else 180)
_FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 1000,
    # A payload of a vendor's has thousands of places: making it small takes minutes, and it can be read as it is.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    database=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)

_TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
_HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
_PATH = st.one_of(_TEXT, st.sampled_from(["\0", "a" * 10_000, "..", "%00", "\ufffd", "0" * 32]))


class Doors:
    """The site, called from tests that are not asynchronous: Hypothesis runs their examples."""

    def __init__(self, runner: asyncio.Runner, site: Site) -> None:
        self._runner = runner
        self.site = site
        self.proofs = {kind: runner.run(site.proof(made)) for kind, made in site.integrations.items()}
        self.before = runner.run(site.stored())

    def send(self, method: str, path: str, *, may_store: bool, **more: Any) -> int:
        """The status. Refused and unproven calls have left nothing."""
        answer = self._runner.run(self.site.send(method, path, **more))
        after = self._runner.run(self.site.stored())
        assert answer.status_code in UNDERSTOOD, answer.text
        if not may_store or answer.status_code >= 300:
            assert after == self.before
        self.before = after
        return answer.status_code

    def log_in(self, kind: str, body: bytes) -> None:
        self._runner.run(self.site.forget_attempts())
        answer = self._runner.run(
            self.site.send("POST", "/login", content=body, headers={"Content-Type": kind})
        )
        assert answer.status_code in (400, 401, 422), answer.text
        assert "set-cookie" not in answer.headers

    def biggest_row(self) -> int:
        return self._runner.run(self.site.biggest_row())


@pytest.fixture(scope="module")
def doors(postgres_dsn: str) -> Iterator[Doors]:
    with asyncio.Runner() as runner:
        opened = open_site(postgres_dsn)
        site = runner.run(opened.__aenter__())
        try:
            yield Doors(runner, site)
        finally:
            runner.run(opened.__aexit__(None, None, None))


@pytest.mark.parametrize("kind", KINDS)
def test_a_proven_notification_of_a_tracker_is_read_or_refused(doors, kind):
    integration, contents = doors.site.integrations[kind], seeds.contents_of(kind)
    path, taken = f"/hooks/tracker/{integration.id}", []

    @_FUZZ
    @given(bodies(contents, partial(seeds.with_time, kind)), _HEADER.map(str.strip))
    def send(body: bytes, delivery: str) -> None:
        headers = seeds.headers_for(kind, body, delivery or "d")
        taken.append(doors.send("POST", path, may_store=True, content=body, headers=_latin(headers)))

    send()
    whole = escaped(seeds.with_time(kind, contents[0]))
    headers = seeds.headers_for(kind, whole, "the seed itself")
    assert doors.send("POST", path, may_store=True, content=whole, headers=headers) == 200
    assert 400 in taken
    assert 200 in taken
    assert doors.biggest_row() < BIGGEST_ROW


@pytest.mark.parametrize("kind", KINDS)
def test_an_unproven_notification_of_a_tracker_stores_nothing(doors, kind):
    integration, contents = doors.site.integrations[kind], seeds.contents_of(kind)

    @_FUZZ
    @given(bodies(contents), _HEADER)
    def send(body: bytes, wrong: str) -> None:
        headers = seeds.headers_for(kind, body, "d")
        for name in headers:
            if "sign" in name.lower() or "token" in name.lower():
                headers[name] = wrong
        assume(HOOK_SECRET not in wrong)
        path = f"/hooks/tracker/{integration.id}"
        status = doors.send("POST", path, may_store=False, content=body, headers=_latin(headers))
        assert status == 401

    send()


def test_a_proven_notification_of_productboard_is_read_or_refused(doors):
    integration = doors.site.integrations["gitlab"]

    @_FUZZ
    @given(bodies([seeds.EVENT, {"data": [seeds.EVENT["data"]] * 3}]))
    def send(body: bytes) -> None:
        headers = {"Authorization": doors.proofs["gitlab"]}
        path = f"/hooks/productboard/{integration.id}/events"
        doors.send("POST", path, may_store=True, content=body, headers=headers)

    send()
    assert doors.biggest_row() < BIGGEST_ROW


def test_a_proven_click_is_answered_or_refused(doors):
    contents = [
        {"data": seeds.CLICK["data"] | {"trigger": each}}
        for each in ("button.push", "button.unlink", "button.dismiss", "button.other")
    ]

    @_FUZZ
    @given(bodies(contents), st.sampled_from(KINDS))
    def send(body: bytes, kind: str) -> None:
        path = f"/hooks/productboard/{doors.site.integrations[kind].id}/action"
        headers = {"Authorization": doors.proofs[kind]}
        # A trigger that nobody knows is refused; that it came is journalled, and counted by none of the three.
        doors.send("POST", path, may_store=True, content=body, headers=headers)

    send()
    assert doors.biggest_row() < BIGGEST_ROW


@pytest.mark.parametrize("door", ["action", "events"])
def test_an_unproven_call_about_the_column_stores_nothing(doors, door):
    integration = doors.site.integrations["gitlab"]

    @_FUZZ
    @given(bodies([seeds.CLICK, seeds.EVENT]), _HEADER)
    def send(body: bytes, wrong: str) -> None:
        path = f"/hooks/productboard/{integration.id}/{door}"
        headers = _latin({"Authorization": wrong})
        assert doors.send("POST", path, may_store=False, content=body, headers=headers) == 401

    send()


@pytest.mark.parametrize("door", ["action", "events"])
def test_a_probe_reflects_its_token_or_nothing(doors, door):
    @_FUZZ
    @given(_PATH, _TEXT)
    def send(integration: str, token: str) -> None:
        path = f"/hooks/productboard/{_quoted(integration)}/{door}"
        doors.send("GET", path, may_store=False, params={"validationToken": token})

    send()


@pytest.mark.parametrize(
    "path",
    ["/hooks/tracker/{}", "/hooks/productboard/{}/action", "/hooks/productboard/{}/events"],
)
def test_an_address_that_belongs_to_nobody_is_not_found(doors, path):
    @_FUZZ
    @given(_PATH)
    def send(integration: str) -> None:
        headers = {"Authorization": doors.proofs["gitlab"]}
        doors.send("POST", path.format(_quoted(integration)), may_store=False, content=b"{}", headers=headers)

    send()


def test_an_address_of_a_link_opens_only_as_it_was_signed(doors):
    signed = doors.site.ctx.pages.address(doors.site.link.id).rpartition("/")[2]
    assert doors.send("GET", f"/l/{signed}", may_store=False) == 200

    @_FUZZ
    @given(_PATH, st.integers(0, len(signed)), st.integers(0, 5))
    def send(wrong: str, at: int, dropped: int) -> None:
        changed = signed[:at] + wrong + signed[at + dropped :]
        assume(changed != signed)
        assert doors.send("GET", f"/l/{_quoted(changed)}", may_store=False) in (307, 404, 405)

    send()


def test_a_login_takes_any_text_and_refuses_it(doors):
    @_FUZZ
    @given(
        _PATH,
        _PATH,
        _PATH,
        st.sampled_from(["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]),
    )
    def send(name: str, password: str, wanted: str, kind: str) -> None:
        assume(password != PASSWORD)
        fields = {"name": name, "password": password, "next": wanted}
        if kind.startswith("multipart"):
            body = (
                b"".join(
                    f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
                    for key, value in fields.items()
                )
                + b"--b--\r\n"
            )
        else:
            body = "&".join(f"{key}={_quoted(value)}" for key, value in fields.items()).encode()
        doors.log_in(kind, body)

    send()
    assert doors.biggest_row() < BIGGEST_ROW


@pytest.mark.parametrize(
    "kind",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "text/plain",
        "multipart/form-data",
    ],
)
def test_a_login_takes_any_bytes_and_refuses_them(doors, kind):
    @_FUZZ
    @given(
        st.one_of(
            st.binary(max_size=300), st.sampled_from([b"name=%00", b"name=\xff", b"--b\r\n\r\n", b"&" * 9999])
        )
    )
    def send(body: bytes) -> None:
        doors.log_in(kind, body)

    send()


def _latin(headers: dict[str, str]) -> dict[bytes, bytes]:
    """Header values may be any bytes."""
    return {name.encode(): value.encode("latin-1", "replace") for name, value in headers.items()}


def _quoted(text: str) -> str:
    return quote(text, safe="")
