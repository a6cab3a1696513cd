"""The log of a server on its standard error: a constant message, then the facts as fields."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class FieldFormatter(logging.Formatter):
    """One line a record: time, level, logger, message, and each field of `extra` as key=value."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line, with its fields; what would break it into two is escaped."""
        fields = (f"{key}={_one_line(value)}" for key, value in vars(record).items() if key not in _USUAL)
        return " ".join((super().formatMessage(record), *fields))


class JsonFormatter(logging.Formatter):
    """One JSON object a record: `at` (RFC 3339, UTC), level, logger, message, each field of `extra` (`call`, `room`, …) under
    its own name, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        facts = {"at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
                 "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        facts |= {key: value for key, value in vars(record).items() if key not in _USUAL}
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)
        return json.dumps(facts, default=str)


def start_logging(level: str, form: str = "text") -> None:
    """Log to standard error from now on. level: debug, info, warning or error; form: text or json.

    What no line shows (file, function, thread, process) is not looked up for each: a fifth of what a line costs.
    """
    logging._srcfile = None                    # as the logging HOWTO says under "Optimization"
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else FieldFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def _one_line(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else repr(text)
