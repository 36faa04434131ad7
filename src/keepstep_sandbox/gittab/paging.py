"""Pages: `page` and `per_page` with GitLab's headers, and keyset pages where GitLab has them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from keepstep_sandbox.gittab.errors import GitLabError, bad_parameter
from keepstep_sandbox.gittab.params import Params

T = TypeVar("T")
_MOST_PER_PAGE = 100
_DEFAULT_PER_PAGE = 20
_MOST_COUNTED = 10_000  # above it GitLab leaves the totals out
_MOST_OFFSET = 50_000


def per_page(params: Params) -> int:
    wanted = params.number("per_page", _DEFAULT_PER_PAGE) or 0
    if wanted < 1:
        raise bad_parameter("per_page does not have a valid value")
    return min(wanted, _MOST_PER_PAGE)


def paged(request: Request, params: Params, items: Sequence[T], shown: Callable[[T], Any]) -> Response:
    """One page by offset. Raises GitLabError for keyset pages, which this kind of list does not have."""
    if params.raw("pagination") == "keyset":
        raise GitLabError(405, {"error": "Keyset pagination is not yet available for this type of request"})
    size = per_page(params)
    page = max(1, params.number("page", 1) or 1)
    if (page - 1) * size > _MOST_OFFSET:
        raise GitLabError(
            405,
            {
                "error": "Offset pagination has a maximum allowed offset of 50000 for requests that return objects"
            },
        )
    total, pages = len(items), max(1, -(-len(items) // size))
    headers = {
        "X-Page": str(page),
        "X-Per-Page": str(size),
        "X-Next-Page": str(page + 1) if page < pages else "",
        "X-Prev-Page": str(page - 1) if page > 1 else "",
    }
    links = {"prev": page - 1, "next": page + 1 if page < pages else 0, "first": 1}
    if total <= _MOST_COUNTED:
        headers |= {"X-Total": str(total), "X-Total-Pages": str(pages)}
        links["last"] = pages
    headers["Link"] = ", ".join(
        f'<{_address(request, page=str(number), per_page=str(size))}>; rel="{rel}"'
        for rel, number in links.items()
        if number > 0
    )
    return JSONResponse([shown(item) for item in items[(page - 1) * size : page * size]], headers=headers)


def keyset_paged(
    request: Request, params: Params, items: Sequence[T], shown: Callable[[T], Any], id_of: Callable[[T], int]
) -> Response:
    """The first page of what comes after the cursor; `items` are in the order of their ids."""
    size = per_page(params)
    page = items[:size]
    headers = {}
    if len(items) > size:
        cursor = "id_after" if params.raw("sort") == "asc" else "id_before"
        following = _address(request, per_page=str(size), **{cursor: str(id_of(page[-1]))})
        headers["Link"] = f'<{following}>; rel="next"'
    return JSONResponse([shown(item) for item in page], headers=headers)


def _address(request: Request, **changed: str) -> str:
    """The request's own address with some parameters set; the path stays encoded as it came."""
    pairs = [(k, v) for k, v in parse_qsl(request.url.query, keep_blank_values=True) if k not in changed]
    raw_path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    path = raw_path.partition(b"?")[0].decode("latin-1")
    return f"{request.url.scheme}://{request.url.netloc}{path}?{urlencode([*pairs, *changed.items()])}"
