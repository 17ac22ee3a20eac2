"""The input schema of a bundle: which columns a caller sends, of which kind, nullable or not."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from pipelines.refs import Value
from pipelines.series.columns import SeriesColumns
from pipelines.tasks import Task, is_wide

Kind = Literal["number", "integer", "boolean", "string"]
Personal = Literal["hash", "drop"]

SCHEMA_VERSION: Final = 1


class Column(Value):
    """One input.

    `nullable` says whether nulls were seen in training; `example` is a value from training.

    `low` and `high` are the least and the greatest number seen in training; None for text and
    booleans, for a column of nulls alone, and in bundles made before they were written down.
    `personal` says that the inference log holds a keyed hash of the value, or nothing of it.
    """

    name: str
    kind: Kind
    nullable: bool
    example: float | int | bool | str | None = None
    low: float | None = None
    high: float | None = None
    personal: Personal | None = None


class InputSchema(Value):
    """The inputs of a model in their order, and its answer's form."""

    version: Literal[1] = SCHEMA_VERSION
    task: Task
    columns: Annotated[list[Column], Field(min_length=1)]
    classes: list[str] | None = None
    """The labels of a multiclass model, in the order of its probabilities."""
    binary_classes: tuple[str, str] | None = None
    """What the data call the two classes of a binary model, the positive one last.

    None where they are true and false, or 1 and 0.
    """
    key_personal: Personal | None = None
    """Whether the rows' keys are personal data.

    The inference log then holds a keyed hash of them, or nothing.
    """
    levels: list[float] | None = None
    """The levels of a model of quantiles, in the order of its answers."""
    series: SeriesColumns | None = None
    """Of a forecast: the columns that are made of the series' past; None in others."""

    @property
    def answer_names(self) -> list[str]:
        """What the numbers of an answer are called; empty where it is a single one."""
        if self.levels is not None:
            return [f"{level:g}" for level in self.levels]
        return list(self.classes or ())

    @property
    def width(self) -> int:
        """How many numbers an answer has."""
        return len(self.answer_names) if is_wide(self.task) else 1
