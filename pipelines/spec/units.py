"""The small units in which a spec speaks.

Durations (`4h`, `7d`) and numbers of batches (`6 batches`).
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from pipelines.plurals import how_many

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION = re.compile(r"^(\d{1,6})\s*([smhdw])$")
_BATCHES = re.compile(r"^(\d{1,4})\s+batch(es)?$")


def parse_duration(value: object) -> timedelta:
    """Return the duration that a text such as `4h` or `7d` names."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.match(value) if isinstance(value, str) else None
    if match is None:
        msg = "write a number and a unit: 30m, 4h, 7d, 2w"
        raise ValueError(msg)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def duration_text(value: timedelta) -> str:
    """Return the duration in the largest unit that divides it."""
    seconds = int(value.total_seconds())
    for unit, size in (("w", 604_800), ("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def parse_batches(value: object) -> int:
    """Return the number in a text such as `6 batches`."""
    if isinstance(value, int) and not isinstance(value, bool):
        count = value
    else:
        match = _BATCHES.match(value) if isinstance(value, str) else None
        if match is None:
            msg = "write a number of batches: `6 batches`, `1 batch`"
            raise ValueError(msg)
        count = int(match[1])
    if count < 1:
        msg = "at least 1 batch is needed"
        raise ValueError(msg)
    return count


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema(
        {"type": "string", "pattern": _DURATION.pattern, "examples": ["30m", "4h", "7d"]}
    ),
]


def _at_least_a_second(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        msg = "must be at least 1s"
        raise ValueError(msg)
    return value


Timeout = Annotated[Duration, AfterValidator(_at_least_a_second)]
"""How long something may take."""


def parse_holdout(value: object) -> int | float:
    """Return the number in a text such as `2 batches`, or a share such as 0.2."""
    if isinstance(value, float):
        if not 0 < value < 1:
            msg = "a share must lie between 0 and 1, such as 0.2"
            raise ValueError(msg)
        return value
    return parse_batches(value)


def parse_learnt(value: object) -> int | Literal["auto"]:
    """Return the number in a text such as `2 batches`, or `auto`."""
    return "auto" if value == "auto" else parse_batches(value)


def parse_window(value: object) -> int | timedelta:
    """Return the number in a text such as `2 batches`, or the duration in a text such as `7d`."""
    if isinstance(value, timedelta) or (isinstance(value, str) and _DURATION.match(value)):
        return parse_duration(value)
    return parse_batches(value)


def batches_text(count: int) -> str:
    """Return a number of batches as one writes it."""
    return how_many(count, "batch")


Batches = Annotated[
    int,
    BeforeValidator(parse_batches),
    PlainSerializer(batches_text, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _BATCHES.pattern},
                {"type": "integer", "minimum": 1},
            ]
        }
    ),
]

Learnt = Annotated[
    int | Literal["auto"],
    BeforeValidator(parse_learnt),
    PlainSerializer(lambda n: n if isinstance(n, str) else batches_text(n)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _BATCHES.pattern},
                {"type": "integer", "minimum": 1},
                {"const": "auto"},
            ]
        }
    ),
]
"""What is learnt from: so many batches at most, or as many as do not mislead."""

Holdout = Annotated[
    int | float,
    BeforeValidator(parse_holdout),
    PlainSerializer(lambda n: n if isinstance(n, float) else batches_text(n)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _BATCHES.pattern},
                {"type": "integer", "minimum": 1},
                {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            ]
        }
    ),
]
"""What is held out: the newest batches, or of data without time a share of the rows."""

Window = Annotated[
    int | timedelta,
    BeforeValidator(parse_window),
    PlainSerializer(lambda n: batches_text(n) if isinstance(n, int) else duration_text(n)),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": _BATCHES.pattern},
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": _DURATION.pattern},
            ]
        }
    ),
]
"""How long a watch looks back: a number of batches, or of data without time a duration."""
