"""Logs: one JSON line per event to stderr, never with a caller's input."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

log = logging.getLogger("perennial.serving")

EXTRAS = ("model", "release", "version", "reason", "request_id", "route", "port")


class OneLine(logging.Formatter):
    """Formats a record as one JSON object.

    Of an exception it tells the type and the place, not the message: a library's message may repeat
    what a caller sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "at": moment,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in EXTRAS if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            line["error"] = type(error).__name__
            line["where"] = [
                f"{f.filename.rsplit('/', 1)[-1]}:{f.lineno} {f.name}"
                for f in traceback.extract_tb(error.__traceback__)[-5:]
            ]  # type: ignore[assignment]
        return json.dumps(line)


def log_to_stderr(level: str) -> None:
    """Send every log of this process to stderr, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.captureWarnings(True)  # noqa: FBT003 -- the standard library's signature
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
