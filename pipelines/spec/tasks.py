"""The tasks that a model may have."""

from __future__ import annotations

from typing import Literal

Task = Literal["binary", "multiclass", "regression"]

CLASSIFY: frozenset[Task] = frozenset({"binary", "multiclass"})
REGRESS: frozenset[Task] = frozenset({"regression"})
