"""What the core itself refuses, in sentences that a person can act on."""


class KeepstepError(Exception):
    """Root of everything Keepstep raises on purpose; its text may be shown to a person."""


class InvalidInputError(KeepstepError):
    """Something a person entered cannot be used. `field` names it; the text says what is expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class MissingError(KeepstepError):
    """There is no such thing here (any more)."""


class ForbiddenMoveError(KeepstepError):
    """Not possible in the state it is in; the text says what would have to happen first."""


class StaleRevisionError(KeepstepError):
    """Somebody else saved this record since it was read: read it again."""
