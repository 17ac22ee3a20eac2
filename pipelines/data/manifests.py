"""Batches as the store keeps them: a manifest for each, and the plan that names those of a run."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from pipelines.intervals import SNAPSHOT, Interval, Moment
from pipelines.refs import Ref, Value

if TYPE_CHECKING:
    from datetime import datetime


class BatchRef(Value):
    """One batch in a plan: its interval, its version (1 for the first, more where late rows came),
    its manifest.
    """

    interval: Interval
    version: int
    manifest: Ref


class Plan(Value):
    """The batches of one run: to learn from, to judge on, and those that only the lookback reaches.

    Kept in the store. Data without time are one batch, under `train` where the run learns and under
    `holdout` where it watches; which of its rows are held out is a matter of their keys.
    """

    format: Literal[1] = 1
    model: str
    as_of: Moment
    lookback: list[BatchRef]
    train: list[BatchRef]
    holdout: list[BatchRef]
    left_out: dict[str, str] = Field(default_factory=dict, exclude_if=lambda left_out: not left_out)
    """Why batches are in none of these, by their names: they are held in quarantine.

    Not written where there are none, so that plans of before keep their hash.
    """

    @property
    def batches(self) -> list[BatchRef]:
        """All batches, oldest first."""
        return [*self.lookback, *self.train, *self.holdout]

    @cached_property
    def starts(self) -> list[datetime]:
        """The beginnings of all batches, oldest first."""
        return [batch.interval.start for batch in self.batches]

    @cached_property
    def ends(self) -> list[datetime]:
        """The ends of all batches, oldest first."""
        return [batch.interval.end for batch in self.batches]

    @cached_property
    def in_order(self) -> list[BatchRef]:
        """All batches, oldest first, put together once."""
        return self.batches

    @property
    def is_snapshot(self) -> bool:
        """Whether the run stands on data without time: one batch, whose rows have two sides."""
        return any(batch.interval == SNAPSHOT for batch in self.batches)


class TableRef(Value):
    """One table of a batch: a Parquet object, its rows, its columns with their Arrow types."""

    data: Ref
    rows: int
    columns: dict[str, str]


class BatchManifest(Value):
    """One batch: the raw rows of an interval, immutable, named by this manifest's hash.

    What could not be read has no tables but a `problem` and, where there are any, the raw bytes;
    `validate` refuses it.
    """

    format: Literal[1] = 1
    model: str
    interval: Interval
    tables: dict[str, TableRef]
    problem: str | None = None
    raw: Ref | None = None
    notices: list[str] = Field(default_factory=list, exclude_if=lambda notices: not notices)
    """What is new in the batch and was left out, in sentences.

    Not written where there is none, so that batches of before keep their hash.
    """
