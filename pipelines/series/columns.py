"""Which columns are made of a series; kept in the bundle, so that a server makes the same ones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.refs import Value

Part = Literal["hour", "weekday", "month", "yearday"]
"""A part of the local time: 0 to 23, Monday 0 to Sunday 6, 1 to 12, 1 to 366."""


class MadeColumn(Value):
    """One made column.

    `lag`: the target `steps` before the row. `mean`: the mean of the target over `steps`, the
    newest of which is the newest that may be seen. The others are parts of the row's local time.
    """

    name: str
    kind: Literal["lag", "mean"] | Part
    steps: Annotated[int, Field(ge=0)] = 0

    @property
    def of_calendar(self) -> bool:
        """Whether it follows from the row's time alone, so that it is never null."""
        return self.kind not in {"lag", "mean"}


class SeriesColumns(Value):
    """The made columns of one model, on a grid of `step` seconds.

    `gap` steps before a row lies the newest target that may be seen for it: horizon and
    `known_after`, rounded up. `naive` names the column that the seasonal naive forecast repeats.
    """

    step: Annotated[int, Field(ge=1)]
    gap: Annotated[int, Field(ge=1)]
    columns: Annotated[list[MadeColumn], Field(min_length=1)]
    naive: str
    timezone: str = "UTC"

    @model_validator(mode="after")
    def _looks_back(self) -> SeriesColumns:
        near = [c.name for c in self.columns if c.kind == "lag" and c.steps < self.gap]
        if near:
            msg = f"{near[0]} looks closer than {self.gap} steps, which nobody knows in time"
            raise ValueError(msg)
        if self.naive not in {c.name for c in self.columns if c.kind == "lag"}:
            msg = f"the seasonal naive forecast {self.naive!r} is no lag"
            raise ValueError(msg)
        return self

    @property
    def names(self) -> list[str]:
        """The made columns' names, in the order of the model's inputs."""
        return [c.name for c in self.columns]

    @property
    def reach(self) -> int:
        """How many steps before a row the oldest value lies that any column sees."""
        return max(
            self.gap - 1 + c.steps if c.kind == "mean" else c.steps
            for c in self.columns
            if not c.of_calendar
        )
