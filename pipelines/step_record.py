"""The record by which a step hands over its result: one line among whatever else it prints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pipelines.refs import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.refs import Value

XCOM_LIMIT = 8_192
"""Bytes that a step's result may have as JSON."""


RECORD = "perennial_record"
"""The key by which a line of output is known as a step's result."""


RECORD_VERSION = 1


def record_line(step: str, result: Value) -> str:
    """Return the one line by which a step hands over its result (see `last_record`)."""
    body = {RECORD: RECORD_VERSION, "step": step, "result": result.model_dump(mode="json")}
    return canonical(body).decode()


def last_record(lines: Iterable[str], step: str) -> dict[str, Any] | None:
    """Return the result in the last line that *is a record* of this step, or None.

    Containers mix stdout and stderr, and libraries print at interpreter exit; so neither "the last
    line" nor "all of stdout" is the result.
    """
    record: dict[str, Any] | None = None
    for line in lines:
        if RECORD not in line:
            continue
        try:
            body = json.loads(line)
        except ValueError:
            continue
        if (
            isinstance(body, dict)
            and body.get(RECORD) == RECORD_VERSION
            and body.get("step") == step
        ):
            result = body.get("result")
            record = result if isinstance(result, dict) else record
    return record
