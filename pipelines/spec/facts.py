"""What follows from the fields of a spec: the names of columns, and how data are cut in time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.errors import RequestError
from pipelines.spec.anomaly import promise_of
from pipelines.spec.fields import SpecFields
from pipelines.spec.retrain import Retrain
from pipelines.spec.target import NO_TARGET, Target
from pipelines.spec.timing import Timing
from pipelines.spec.train import HOLDOUT_SHARE

if TYPE_CHECKING:
    from pipelines.series.columns import SeriesColumns


ROW_KEY = "row_key"
"""The column of the main table that is made where the spec says `key: row`."""


class SpecFacts(SpecFields):
    """The fields of one model, and what follows from them."""

    @property
    def key(self) -> list[str]:
        """The columns that name a row, in the spec's order."""
        return [ROW_KEY] if self.declared_key == "row" else list(self.declared_key)

    @property
    def makes_key(self) -> bool:
        """Whether Perennial makes the key, of the raw row's content."""
        return self.declared_key == "row"

    @property
    def target(self) -> Target:
        """What is predicted; NO_TARGET where the model has none, which `has_target` tells."""
        return self.declared_target or NO_TARGET

    @property
    def has_target(self) -> bool:
        """Whether the built rows have a target."""
        return self.declared_target is not None

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels of a model of quantiles; none for every other task."""
        return tuple(self.quantiles.levels) if self.quantiles else ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that training and gate name, each once; the promise of a rate is one too."""
        promise = [name] if (name := promise_of(self.threshold)) else []
        return tuple(dict.fromkeys((self.train.metric, *self.gate.metrics, *promise)))

    @property
    def policy(self) -> Retrain:
        """What starts a retraining; its cooldown is that of `drift` where it names none."""
        policy = self.retrain or Retrain()
        if policy.cooldown is not None or self.drift is None:
            return policy
        return policy.model_copy(update={"cooldown": self.drift.cooldown_of(self.batch)})

    @property
    def is_snapshot(self) -> bool:
        """Whether the data have no time: the source is read whole, and its rows are one batch."""
        return self.event_time is None

    @property
    def timing(self) -> Timing:
        """What cuts the data in time. Raises RequestError where they have none."""
        first = self.source.first
        if self.event_time is None or self.batch is None or first is None:
            raise RequestError(
                f"The data of {self.name} have no time, so there are no batches to choose from.",
                remedy="leave the moment out; or name `event_time`, `batch` and `source.first`.",
            )
        return Timing(
            batch=self.batch,
            first=first,
            until=self.source.until,
            holdout=int(self.train.holdout),
        )

    @property
    def raw_event_time(self) -> str | None:
        """The column of the raw main table by which a row belongs to an interval.

        None where the data have no time.
        """
        return self.source.event_time or self.event_time

    @property
    def row_order(self) -> list[str]:
        """The built columns by which rows are sorted: event time (where there is one) and key."""
        return list(dict.fromkeys([*([self.event_time] if self.event_time else []), *self.key]))

    @property
    def series(self) -> SeriesColumns | None:
        """The columns that Perennial makes of the target's past; None where it makes none."""
        if self.forecast is None or self.event_time is None:
            return None
        return self.forecast.columns(self.target.column, self.event_time, self.target.known_after)

    @property
    def inputs(self) -> list[str]:
        """The inputs of the model: those that `build` returns, then those that are made."""
        return [*self.features.inputs, *(self.series.names if self.series else [])]

    @property
    def lookback(self) -> timedelta:
        """How far before its batch raw rows are needed: by `build`, and by the made columns."""
        own = self.features.lookback
        if self.forecast is None or self.series is None:
            return own
        return max(own, self.series.reach * self.forecast.step)

    @property
    def horizon(self) -> timedelta:
        """How long before its event a row is predicted; nothing where it is no forecast."""
        return self.forecast.horizon if self.forecast else timedelta()

    @property
    def built_columns(self) -> list[str]:
        """The columns that `build` returns, each once.

        Key, event time, inputs, target, and the columns that group and weigh the rows.
        """
        return self._row_of(self.features.inputs)

    @property
    def feature_columns(self) -> list[str]:
        """The columns of a row of features, each once: the built ones and those that are made."""
        return self._row_of(self.inputs)

    def _row_of(self, inputs: list[str]) -> list[str]:
        times = [self.event_time] if self.event_time else []
        named = (self.train.group, self.train.sample_weight, self.alike.group)
        extra = [name for name in named if name]
        target = [self.target.column] if self.has_target else []
        names = [*self.key, *times, *inputs, *target, *extra]
        return list(dict.fromkeys([*names, *self._columns_of_gate(names)]))

    def _columns_of_gate(self, there: list[str]) -> list[str]:
        """Return the columns that the gate's checks look at besides those that are there.

        Upper and lower case are the same in an expression.
        """
        if not self.gate.columns:
            return []
        try:
            made = self.series.names if self.series else []
        except ValueError:  # a series that makes no sense, of which `forecast_problems` tells
            made = []
        known = {name.lower() for name in (*there, *made)}
        return [name for name in self.gate.columns if name.lower() not in known]

    @property
    def side_columns(self) -> list[str]:
        """The built columns that tell on which side a row of a snapshot is: the group, or the
        key.
        """
        return [self.train.group] if self.train.group else list(self.key)

    @property
    def holdout_share(self) -> float:
        """The share of a snapshot's rows (or groups) that are held out."""
        holdout = self.train.holdout
        return holdout if isinstance(holdout, float) else HOLDOUT_SHARE
