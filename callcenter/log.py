"""Logs: one line an event, JSON for machines or text for a terminal, and no telephone number in clear.

The rule comes first: what a citizen said or is called is never logged. The mask is the net below the rule; it goes over
every value of every line, the tracebacks too.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

import structlog
from structlog.typing import EventDict, WrappedLogger

#: Seven digits or more, single spaces or hyphens between them; a date is no number, nor is a fraction.
_NUMBER: Final = re.compile(r"(?<![\d.])(?!(?:19|20)\d\d-[01]\d-[0-3]\d(?!\d))\+?\d(?:[ -]?\d){6,24}(?![\d])")
#: An Asterisk Uniqueid is seconds, a point and a count; it is how a call is named, and says nothing of the citizen.
_UNIQUEID: Final = re.compile(r"(?<!\d)1\d{9}\.\d{1,9}(?!\d)")
_WITHHELD: Final = frozenset({"caller_name", "contact_name", "password", "secret", "token", "form"})


def mask(number: str) -> str:
    """A telephone number as people may see it: 138****5678; shorter ones show two digits at each end."""
    digits = "".join(char for char in number if char.isdigit())
    shown = (3, 4) if len(digits) >= 11 else (2, 2)
    return f"{digits[: shown[0]]}****{digits[-shown[1] :]}" if len(digits) > sum(shown) else "****"


def mask_text(text: str) -> str:
    """The text with everything in it that looks like a telephone number masked."""
    kept = [match.span() for match in _UNIQUEID.finditer(text)]

    def cover(match: re.Match[str]) -> str:
        inside = any(start <= match.start() and match.end() <= end for start, end in kept)
        return match[0] if inside else mask(match[0])

    return _NUMBER.sub(cover, text)


def _mask_value(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return mask(str(value)) if abs(value) >= 10**10 else value
    if isinstance(value, Mapping):
        return {mask_text(str(key)): _mask_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_mask_value(item) for item in value]
    return mask_text(repr(value))


def mask_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The processor: masks every value of a line, and withholds those whose names promise a secret."""
    return {key: "***" if key in _WITHHELD else _mask_value(value) for key, value in event.items()}


def set_up_logs(*, as_json: bool, level: str = "INFO") -> None:
    """Send our lines and those of every library through the mask to standard error."""
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        mask_event,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    last = structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last]
        )
    )
    logging.raiseExceptions = False  # the report of a line that cannot be written would quote it, unmasked
    logging.basicConfig(handlers=[handler], level=level, force=True)
