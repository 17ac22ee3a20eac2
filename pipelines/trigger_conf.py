"""What a trigger may send to each DAG as its `conf`.

Airflow checks the types by the DAG's params; an unknown key is refused here.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from pipelines.intervals import Moment
from pipelines.refs import Value


class RetrainConf(Value):
    """What a trigger may send to the retrain DAG."""

    as_of: Moment | None = None
    reason: Annotated[str, StringConstraints(max_length=500)] = ""
    force: bool = False
    first: bool = False


class DriftConf(Value):
    """What a trigger may send to the drift DAG."""

    window_end: Moment | None = None
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class ProveConf(Value):
    """What a trigger may send to the prove DAG."""

    version: Annotated[str, StringConstraints(max_length=50)] | None = None
    """The version to build again; without one, the champion."""
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class ReplayConf(Value):
    """What a trigger may send to the replay DAG.

    `policies` are as in a policy's file (docs/replay.md), beside the usual ones.
    """

    start: Moment | None = None
    end: Moment | None = None
    policies: Annotated[list[dict[str, Any]], Field(max_length=15)] = Field(default_factory=list)
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class RollbackConf(Value):
    """What a trigger may send to the rollback DAG."""

    to: Annotated[int, Field(ge=1, le=99_999_999)] | None = None
    """The release to go back to; without one, what served before the present champion."""
    reason: Annotated[str, StringConstraints(max_length=500)] = ""
