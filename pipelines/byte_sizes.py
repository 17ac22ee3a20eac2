"""Sizes of memory as people write them: 512m, 4g, 2GB."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, StringConstraints

_WRITTEN = re.compile(r"([1-9][0-9]{0,5}) ?([mg])i?b", re.IGNORECASE)
_UNITS = {"m": 2**20, "g": 2**30}


def _as_docker_writes(value: object) -> object:
    """Return 2GB as 2g; what is not written so stays as it is, for the pattern to judge."""
    match = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    return f"{match[1]}{match[2].lower()}" if match else value


Memory = Annotated[
    str,
    BeforeValidator(_as_docker_writes, json_schema_input_type=str),
    StringConstraints(pattern=r"^[1-9][0-9]{0,5}[mg]$"),
]
"""Mebibytes or gibibytes, as Docker writes them (512m, 4g) or with a B behind (512MB, 4GB)."""


def bytes_of(memory: str) -> int:
    """Return the bytes of a `Memory`."""
    return int(memory[:-1]) * _UNITS[memory[-1]]
