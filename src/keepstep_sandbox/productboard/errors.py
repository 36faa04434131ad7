"""Productboard's error envelope. Clients branch on status and code; the sentences are our own."""

import uuid
from typing import Any

from starlette.responses import JSONResponse

_TITLES = {
    "request.invalid": "Request schema invalid",
    "request.malformed": "Request malformed",
    "auth.invalid": "Invalid authentication",
    "auth.accessDenied": "Access denied",
    "resource.notFound": "Resource not found",
    "route.notFound": "Route not found",
    "conflict.uniqueViolation": "Unique constraint violation",
    "validation.failed": "Validation failed",
    "validation.referenceNotFound": "Referenced resource not found",
    "selectOption.notFound": "Option not found",
    "rate.limitExceeded": "Rate limit exceeded",
    "callback.probeFailed": "Callback probe failed",
    "callback.invalidUrl": "Callback address invalid",
}


class ApiError(Exception):
    """An answer that is not a success."""

    def __init__(
        self, status: int, code: str, detail: str, *, pointer: str | None = None, parameter: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.pointer = pointer
        self.parameter = parameter
        self.more: list[ApiError] = []
        self.headers: dict[str, str] = {}

    def shown(self) -> dict[str, Any]:
        """One item of the envelope's `errors`."""
        error: dict[str, Any] = {"code": self.code, "title": _TITLES[self.code], "detail": self.detail[:1000]}
        if self.pointer is not None:
            error["source"] = {"pointer": self.pointer}
        elif self.parameter is not None:
            error["source"] = {"parameter": self.parameter}
        return error

    def response(self) -> JSONResponse:
        body = {
            "id": f"req-{uuid.uuid4().hex[:12]}",
            "errors": [each.shown() for each in (self, *self.more)],
        }
        return JSONResponse(body, status_code=self.status, headers=self.headers)


def invalid(detail: str, pointer: str | None = None, *, parameter: str | None = None) -> ApiError:
    """The body or query has the wrong shape."""
    return ApiError(400, "request.invalid", detail, pointer=pointer, parameter=parameter)


def malformed(detail: str) -> ApiError:
    return ApiError(400, "request.malformed", detail)


def not_found(what: str) -> ApiError:
    """Absent and not visible look alike."""
    return ApiError(404, "resource.notFound", f"No {what} with this id, or this token may not see it.")


def failed(detail: str, pointer: str) -> ApiError:
    """The shape is right, the value is not allowed."""
    return ApiError(422, "validation.failed", detail, pointer=pointer)


def reference_not_found(detail: str, pointer: str) -> ApiError:
    return ApiError(422, "validation.referenceNotFound", detail, pointer=pointer)
