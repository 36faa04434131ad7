"""Outcomes of a request and what becomes of them; no network but loopback."""

import asyncio
import contextlib
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from keepstep.adapters.http import (
    Call,
    HttpClient,
    Problem,
    Service,
    checked_base_url,
    checked_token,
    segment,
)
from keepstep.adapters.http import client as client_module
from keepstep.adapters.http.address import refusal
from keepstep.adapters.http.failures import wait_told
from keepstep.adapters.memory.budget import MemoryBudget
from keepstep.domain.errors import InvalidInputError
from keepstep.ports.budget import AccountKey
from keepstep.ports.errors import (
    AuthLostError,
    NotThereError,
    OutsideError,
    RateLimitedError,
    RejectedError,
    StaleError,
    TransientError,
    UnexpectedReplyError,
)

TOKEN = "glpat-very-secret-token"


def _problem(_status, body):
    return Problem(text=body.get("message", "") if isinstance(body, dict) else "")


SERVICE = Service(name="Trackly", side="tracker", limits=(), read_problem=_problem)
ACCOUNT = AccountKey("account")
READ = Call("GET", "/things/1", "the thing 1")
WRITE = Call("PUT", "/things/1", "the thing 1", body={"a": 1})
SEARCH = Call("POST", "/search", "the things", body={}, reads=True)


def client(handler, service=SERVICE, *, budget=None, **more):
    return HttpClient(
        service,
        "https://trackly.example/api",
        {"Authorization": f"Bearer {TOKEN}"},
        secret=TOKEN,
        allow_private=False,
        account=ACCOUNT,
        budget=budget or MemoryBudget(),
        transport=httpx.MockTransport(handler),
        **more,
    )


def _bare(url, *, allow_private):
    """Over the real network."""
    return HttpClient(
        SERVICE,
        url,
        {},
        secret=TOKEN,
        allow_private=allow_private,
        account=ACCOUNT,
        budget=MemoryBudget(),
    )


def answering(status, content=b"{}", **headers):
    return client(lambda _request: httpx.Response(status, content=content, headers=headers))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, UnexpectedReplyError),
        (400, RejectedError),
        (401, AuthLostError),
        (403, RejectedError),
        (404, NotThereError),
        (405, UnexpectedReplyError),
        (408, TransientError),
        (409, StaleError),
        (410, NotThereError),
        (412, StaleError),
        (413, RejectedError),
        (422, RejectedError),
        (429, RateLimitedError),
        (500, TransientError),
        (502, TransientError),
        (503, TransientError),
    ],
)
async def test_each_status_becomes_its_error_and_says_service_thing_and_status(status, error):
    with pytest.raises(error) as caught:
        await answering(status).send(READ)
    assert type(caught.value) is error
    assert caught.value.status == status
    assert "Trackly" in str(caught.value)
    assert str(status) in str(caught.value)
    if status != 429:
        assert "thing 1" in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "meant", "error", "doubt"),
    [
        (200, 404, NotThereError, False),
        (200, 429, RateLimitedError, False),
        (200, 503, TransientError, True),
        (400, 401, AuthLostError, False),
        (400, 429, RateLimitedError, False),
    ],
)
async def test_a_vendor_may_say_in_the_body_what_its_answer_means(sent, meant, error, doubt):
    service = replace(
        SERVICE,
        read_status=lambda status, body: body.get("meant", status),
        read_wait=lambda headers: timedelta(seconds=int(headers["x-wait"])),
    )

    def handler(_request):
        return httpx.Response(sent, json={"meant": meant, "message": "As it is."}, headers={"X-Wait": "9"})

    with pytest.raises(error, match=str(meant)) as caught:
        await client(handler, service).send(WRITE)
    assert caught.value.doubt is doubt
    if error is RateLimitedError:
        assert caught.value.retry_after == timedelta(seconds=9)


async def test_a_refused_token_names_its_side_and_the_cure():
    with pytest.raises(AuthLostError, match=r"expired; paste a new one") as caught:
        await answering(401, b"<html>Unauthorized</html>").send(READ)
    assert caught.value.side == "tracker"


@pytest.mark.parametrize(("call", "doubt"), [(READ, False), (SEARCH, False), (WRITE, True)])
@pytest.mark.parametrize("status", [408, 500, 502, 504])
async def test_a_server_error_puts_only_writes_in_doubt(call, doubt, status):
    with pytest.raises(TransientError) as caught:
        await answering(status, b"<html>Bad gateway</html>").send(call)
    assert caught.value.doubt is doubt


@pytest.mark.parametrize(("call", "doubt"), [(READ, False), (WRITE, True)])
@pytest.mark.parametrize(
    "body", [b"<!DOCTYPE html><html>Log in</html>", b'{"id": 1, "tit', b"", b"\xff\xfe\x00"]
)
async def test_a_good_status_with_an_unusable_body_is_unexpected(call, doubt, body):
    with pytest.raises(UnexpectedReplyError) as caught:
        await answering(200, body).send(call)
    assert caught.value.doubt is doubt


async def test_deeply_nested_json_is_unexpected_not_a_crash():
    with pytest.raises(UnexpectedReplyError):
        await answering(200, b"[" * 200_000).send(READ)


async def test_an_empty_answer_is_fine_where_none_was_expected():
    reply = await answering(204, b"").send(Call("DELETE", "/things/1", "the thing 1", answers=False))
    assert reply.data is None


async def test_a_page_of_html_with_404_is_not_taken_for_a_deletion():
    with pytest.raises(UnexpectedReplyError, match="web page"):
        await answering(404, b"<html>No such site</html>").send(READ)


@pytest.mark.parametrize(
    ("raised", "doubt"),
    [
        (httpx.ConnectError("Name or service not known"), False),
        (httpx.ConnectTimeout(""), False),
        (httpx.PoolTimeout(""), False),
        (httpx.ReadTimeout(""), True),
        (httpx.WriteTimeout(""), True),
        (httpx.ReadError(""), True),
        (httpx.RemoteProtocolError("Server disconnected"), True),
    ],
)
async def test_a_write_is_in_doubt_unless_it_was_never_sent(raised, doubt):
    def fail(request):
        raise raised

    with pytest.raises(TransientError) as caught:
        await client(fail).send(WRITE)
    assert caught.value.doubt is doubt
    assert "Trackly" in str(caught.value)


async def test_the_whole_call_has_a_time_limit():
    async def slow(_request):
        await asyncio.sleep(30)

    started = time.perf_counter()
    with pytest.raises(TransientError, match="in time") as caught:
        await client(slow, total_seconds=0.1).send(WRITE)
    assert time.perf_counter() - started < 2
    assert caught.value.doubt


async def test_an_answer_that_drips_forever_ends_at_the_limit():
    async def drip():
        while True:
            await asyncio.sleep(0.02)
            yield b" "

    with pytest.raises(TransientError):
        await client(lambda _r: httpx.Response(200, content=drip()), total_seconds=0.15).send(READ)


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (rb"a\u0000b", "a\ufffdb"),
        (rb"a\uD800b", "a\ufffdb"),
        (rb"a\udfffb", "a\ufffdb"),
        (rb"\ud83d\ude00", "\U0001f600"),
        (rb"\\u0000", r"\u0000"),
        ("\u00e4\U0001f600".encode(), "\u00e4\U0001f600"),
    ],
)
async def test_characters_that_nothing_can_store_come_as_the_replacement_character(told, read):
    body = b'{"title": "' + told + b'", "labels": [{"' + told + b'": 1}]}'
    answer = await answering(200, body).send(READ)
    assert answer.data == {"title": read, "labels": [{read: 1}]}


async def test_an_answer_in_another_encoding_is_unreadable():
    with pytest.raises(UnexpectedReplyError, match="no JSON"):
        await answering(200, b'"\xed\xa0\x80"').send(READ)


async def test_an_answer_is_not_read_beyond_its_bound(monkeypatch):
    monkeypatch.setattr(client_module, "_LARGEST_ANSWER", 1000)
    with pytest.raises(UnexpectedReplyError, match="too large"):
        await answering(200, b'"' + b"x" * 2000 + b'"').send(READ)


async def test_redirects_are_not_followed_and_name_only_the_host():
    asked = []

    def handler(request):
        asked.append(request.url)
        return httpx.Response(302, headers={"location": "https://evil.example/take?secret=1"})

    with pytest.raises(UnexpectedReplyError, match=r"evil\.example") as caught:
        await client(handler).send(READ)
    assert len(asked) == 1
    assert "secret=1" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "999999"}, 3600),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "nonsense"}, 5),
        ({}, 5),
        ({"ratelimit-reset": "1700000030", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 30),
        ({"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT", "date": "Tue, 14 Nov 2023 22:13:20 GMT"}, 60),
        ({"retry-after": "Tue, 14 Nov 2023 22:14:20 GMT"}, 1),
    ],
)
def test_the_time_to_wait_is_read_and_bounded(headers, seconds):
    assert wait_told(headers) == timedelta(seconds=seconds)


def test_a_date_without_the_senders_clock_is_taken_by_ours():
    told = wait_told({"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)})
    assert timedelta(seconds=85) < told <= timedelta(seconds=90)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500])
async def test_the_token_never_shows_even_where_the_vendor_repeats_it(status):
    echo = json.dumps({"message": f"bad token {TOKEN}"}).encode()
    sender = answering(status, echo)
    with pytest.raises(OutsideError) as caught:
        await sender.send(WRITE)
    shown = [str(caught.value), repr(caught.value), repr(sender), repr(WRITE)]
    assert not any(TOKEN in each for each in shown)


async def test_only_so_many_calls_run_at_once():
    running, most = 0, 0

    async def handler(_request):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return httpx.Response(200, content=b"{}")

    sender = client(handler)
    await asyncio.gather(*(sender.send(READ) for _ in range(40)))
    assert 1 < most <= 8


async def test_a_retired_client_finishes_what_it_does_and_works_again():
    async def handler(_request):
        await asyncio.sleep(0.05)
        return httpx.Response(200, content=b'{"ok": true}')

    sender = client(handler)
    under_way = asyncio.create_task(sender.send(READ))
    await asyncio.sleep(0.01)
    await sender.retire()
    assert (await under_way).data == {"ok": True}
    assert (await sender.send(READ)).data == {"ok": True}
    await sender.aclose()


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ftp://trackly.example", "https"),
        ("trackly.example", "https"),
        ("https://", "host"),
        ("https://ada:hunter2@trackly.example", "user name"),
        ("https://trackly.example/?a=1", "anything after"),
        ("http://169.254.169.254/latest", "credentials"),
        ("http://169.254.7.7", "link-local"),
        ("http://[fe80::1]", "link-local"),
        ("http://[fd00:ec2::254]", "credentials"),
        ("http://[::ffff:169.254.169.254]", "credentials"),
        ("http://[64:ff9b::a9fe:a9fe]", "credentials"),
        ("http://metadata.google.internal", "credentials"),
        ("http://METADATA.google.internal.", "credentials"),
        ("http://0.0.0.0", "one machine"),
        ("http://224.0.0.1", "one machine"),
    ],
)
@pytest.mark.parametrize("allow_private", [True, False])
def test_addresses_that_must_not_be_called(url, word, allow_private):
    with pytest.raises(InvalidInputError, match=word) as caught:
        checked_base_url(url, allow_private=allow_private)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8082",
        "http://localhost",
        "http://10.1.2.3/gitlab",
        "http://[::1]",
        "http://[fd12::1]",
        "http://100.64.0.1",
    ],
)
def test_private_addresses_only_where_allowed(url):
    assert checked_base_url(f"{url}/", allow_private=True) == url
    with pytest.raises(InvalidInputError, match="private"):
        checked_base_url(url, allow_private=False)


def test_public_addresses_are_fine():
    assert (
        checked_base_url(" https://api.trackly.example/v2/ ", allow_private=False)
        == "https://api.trackly.example/v2"
    )


def test_refusal_is_silent_about_names_since_they_are_looked_up_when_connecting():
    assert not refusal("rebind.example", allow_private=False)


class Loopback:
    """A tiny server that notes what each connection sent before it ended."""

    async def __aenter__(self):
        self.received: asyncio.Queue[bytes] = asyncio.Queue()
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def answer(self, reader, writer):
        request = await reader.read(1000)
        with contextlib.suppress(ConnectionError):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        self.received.put_nowait(request)

    async def __aexit__(self, *_):
        self.server.close()
        await self.server.wait_closed()


async def test_where_a_name_really_leads_is_checked_before_anything_is_sent():
    async with Loopback() as server:
        url = f"http://localhost:{server.port}"  # entered as a name that passed, and leads elsewhere by now
        sender = _bare(url, allow_private=True)
        assert (await sender.send(READ)).data == {}
        await sender.aclose()
        assert (await server.received.get()).startswith(b"GET /things/1")

        guarded = _bare(url, allow_private=False)
        with pytest.raises(RejectedError, match="not called") as caught:
            await guarded.send(READ)
        assert caught.value.field == "base_url"
        await guarded.aclose()
        assert await server.received.get() == b""


async def test_nobody_listening_is_transient_and_without_doubt():
    async with Loopback() as server:
        port = server.port
    sender = _bare(f"http://127.0.0.1:{port}", allow_private=True)
    with pytest.raises(TransientError, match=r"cannot be reached at .*nothing answers there") as caught:
        await sender.send(WRITE)
    assert not caught.value.doubt
    await sender.aclose()


@pytest.mark.parametrize("text", ["", "  ", "two words", '"glpat-abc"', "abc\ndef", "pässword", "x" * 5000])
def test_what_cannot_be_a_token_is_refused_without_repeating_it(text):
    with pytest.raises(InvalidInputError) as caught:
        checked_token(text)
    assert caught.value.field == "token"
    assert not text.strip() or text.strip() not in str(caught.value)


def test_blanks_around_a_token_are_cut():
    assert checked_token(f"  {TOKEN}\n") == TOKEN


def test_a_part_of_a_path_stays_one_part():
    assert segment("demo/road map?") == "demo%2Froad%20map%3F"
    for each in ("", ".", ".."):
        with pytest.raises(NotThereError):
            segment(each)


async def test_a_quoted_part_arrives_as_it_was_quoted():
    asked = []

    def handler(request):
        asked.append(request.url.raw_path)
        return httpx.Response(200, content=b"{}")

    await client(handler).send(
        Call("GET", f"/projects/{segment('a/b c')}", "x", (("type[]", "a b"), ("n", "+&")))
    )
    assert asked == [b"/api/projects/a%2Fb%20c?type%5B%5D=a+b&n=%2B%26"]
