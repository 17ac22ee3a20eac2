"""The specs of a folder, read again where a model's folder has changed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from pipelines.errors import SpecError
from pipelines.spec.folders import fingerprint
from pipelines.spec.load import load_spec, model_names

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.spec.model import Spec


class _Read(NamedTuple):
    mark: str
    found: Spec | SpecError
    seconds: float


class SpecCache:
    """What was read of each folder. Threads may share one: at worst two read the same folder."""

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._read: dict[tuple[Path, str], _Read] = {}

    def load_all(
        self, models: Path, seconds: dict[str, float] | None = None
    ) -> tuple[dict[str, Spec], dict[str, SpecError]]:
        """Return what `spec.load_all` does; `seconds` gets how long each took when it was read."""
        good: dict[str, Spec] = {}
        errors: dict[str, SpecError] = {}
        for name in model_names(models):
            read = self._load(models, name)
            if isinstance(read.found, SpecError):
                errors[name] = read.found
            else:
                good[name] = read.found
            if seconds is not None:
                seconds[name] = read.seconds
        return good, errors

    def _load(self, models: Path, name: str) -> _Read:
        mark = fingerprint(models / name)
        known = self._read.get((models, name))
        if known is not None and known.mark == mark:
            return known
        begin = time.monotonic()
        found: Spec | SpecError
        try:
            found = load_spec(models, name)
        except SpecError as error:
            found = error
        read = _Read(mark, found, time.monotonic() - begin)
        self._read[models, name] = read
        return read
