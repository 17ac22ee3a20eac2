"""The settings while DAGs are made: they take longer to load than the tasks of a DAG to make."""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING

from pipelines.settings import ELSEWHERE, PREFIX, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

_ELSEWHERE = frozenset(name for names in ELSEWHERE.values() for name in names)
"""Other programs' variables that settings may come from."""
_kept: ContextVar[Settings | None] = ContextVar("kept", default=None)


@contextmanager
def kept_settings() -> Iterator[None]:
    """Look at the environment once: within, the settings are what it holds now."""
    token = _kept.set(current_settings())
    try:
        yield
    finally:
        _kept.reset(token)


def current_settings() -> Settings:
    """Return the settings that the environment holds now, or that are kept."""
    if (kept := _kept.get()) is not None:
        return kept
    # Only the values that are used are decoded: it is asked for each DAG of a fleet
    names = [n for n in os.environ if n.startswith(PREFIX) or n in _ELSEWHERE]
    return _settings_in(tuple((n, os.environ[n]) for n in names))


@lru_cache(maxsize=1)
def _settings_in(environment: tuple[tuple[str, str], ...]) -> Settings:
    return load_settings(dict(environment))
