"""Logs: one line an event, dotted names with fields, never a secret. Standard logging goes the same way."""

import logging
import sys

import structlog

_QUIET = ("uvicorn.access", "httpx", "httpcore", "procrastinate", "psycopg.pool")

# structlog's own choices, both for people and for machines, print the local variables of every frame: our tokens.
_JSON_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


def _without_colours(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The web server brings each message a second time, with escape codes."""
    event.pop("color_message", None)
    return event


def configure_logging(*, json_lines: bool, level: str) -> None:
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        _without_colours,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    final: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if json_lines:
        final += [_JSON_TRACEBACKS, structlog.processors.JSONRenderer()]
    else:
        colors = sys.stderr.isatty()
        plain = structlog.dev.plain_traceback
        final.append(structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=final, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
