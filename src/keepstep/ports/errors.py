"""The seven errors of the outside. Each answers "what now?"; adapters raise only these."""

from datetime import timedelta

from keepstep.domain.errors import KeepstepError


class OutsideError(KeepstepError):
    """Something outside did not do what we asked.

    `message` is for people and names service, thing and status; `doubt` is true when the request may have been
    carried out although no good answer came (time-out, 5xx, broken answer).
    """

    def __init__(self, message: str = "", *, doubt: bool = False, status: int | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").split("\n")[0])
        self.doubt = doubt
        self.status = status


class TransientError(OutsideError):
    """The other side cannot answer now; retry with backoff."""


class RateLimitedError(OutsideError):
    """Too many requests; retry at the time told.

    `side` says whose limit it is ("board", "tracker"); `status` is None for a call that was not made.
    """

    def __init__(
        self, message: str = "", *, retry_after: timedelta, side: str = "", status: int | None = 429
    ) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after
        self.side = side


class AuthLostError(OutsideError):
    """The credential is refused; pause the integration and ask a person. `side` says which one."""

    def __init__(self, message: str = "", *, side: str = "", status: int | None = 401) -> None:
        super().__init__(message, status=status)
        self.side = side


class NotThereError(OutsideError):
    """Absent, or not visible to this token; the two look alike. The domain decides."""


class RejectedError(OutsideError):
    """The values are not accepted; show field and reason, do not retry unchanged."""

    def __init__(self, message: str = "", *, field: str = "", status: int | None = 422) -> None:
        super().__init__(message, status=status)
        self.field = field


class StaleError(OutsideError):
    """Somebody was faster; read again and merge again."""


class UnexpectedReplyError(OutsideError):
    """The answer makes no sense: the vendor changed, or we are wrong. Park it and look."""


class NotGenuineError(KeepstepError):
    """A call to our doors without valid proof of who sent it: answer 401, store nothing."""


class UnreadableError(KeepstepError):
    """A call to our doors whose body we cannot read: answer 400 and say what was expected."""
