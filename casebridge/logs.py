"""What is logged and how it looks: lines for people or JSON, on standard error, with secrets masked.

Lines of libraries that use `logging` come out the same way. The one line per request that servers like to write is not
written: a request that matters tells of itself.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor

MASK = "********"

_SECRET = re.compile(
    r"(password|passwd|secret|token|authorization|cookie|api_?key|private_?key|encryption_?key|credential|dsn)", re.I
)
_URL_PASSWORD = re.compile(r"(://[^\s/:@]*:)[^\s/@]+(?=@)")
_DEEPEST = 8


def set_up(level: str, form: str, stream: TextIO | None = None) -> None:
    """Log from `level` (`info`, ...) upwards, as `text` or `json`, to standard error or another stream."""
    to = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        scrub,
    ]
    render: Processor = _as_json if form == "json" else _as_text
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(to)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared[:4], structlog.stdlib.ExtraAdder(), *shared[4:]],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # What these say at `info` concerns their own insides.
    for name in ("uvicorn.error", "httpx2", "httpcore2", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def scrub(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """The event with secrets masked: values under telling names at any depth, and passwords inside addresses."""
    return {name: _scrubbed(name, value, 0) for name, value in event.items()}


def _scrubbed(name: str, value: Any, depth: int) -> Any:
    if _SECRET.search(name) and value is not None and not isinstance(value, bool):
        return MASK
    if isinstance(value, str):
        return _URL_PASSWORD.sub(rf"\g<1>{MASK}", value) if "://" in value else value
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {key: _scrubbed(str(key), each, depth + 1) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [_scrubbed("", each, depth + 1) for each in value]
    return value


def _as_json(_logger: Any, _method: str, event: EventDict) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def _as_text(_logger: Any, _method: str, event: EventDict) -> str:
    """Time, severity, what happened, then the rest as `name=value`; a traceback below."""
    time, level = event.pop("timestamp", ""), event.pop("level", "")
    what, trace = event.pop("event", ""), event.pop("exception", None)
    event.pop("logger", None)
    pairs = "".join(f" {name}={_shown(value)}" for name, value in event.items())
    return f"{time} {level:<7} {_one_line(str(what))}{pairs}" + (f"\n{trace}" if trace else "")


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=repr).decode()
    return text if re.fullmatch(r"[^\s\"=]+", text) and text.isprintable() else msgspec.json.encode(text).decode()


def _one_line(text: str) -> str:
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
