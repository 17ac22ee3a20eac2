"""The spec: what `model.yaml` says, as one frozen, closed, versioned value."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from pipelines.errors import RequestError
from pipelines.intervals import BatchKind
from pipelines.plain_errors import Impossible, Problem
from pipelines.refs import Name, Value
from pipelines.spec.anomaly import WordsOfAnomaly, anomaly_problems, promise_of
from pipelines.spec.automl import AutoML, propose
from pipelines.spec.candidates import Candidate, candidate_problems
from pipelines.spec.clusters import cluster_problems
from pipelines.spec.drift import Drift
from pipelines.spec.features import Features
from pipelines.spec.forecast import Forecast, WordsOfSeries, forecast_problems
from pipelines.spec.gate import Gate, metric_problems, named_metrics
from pipelines.spec.metrics import find_metric
from pipelines.spec.named_columns import WordsOfColumns, column_problems
from pipelines.spec.own_metrics import OwnMetric, OwnMetrics, own_metric_problems
from pipelines.spec.quantile_problems import quantile_problems
from pipelines.spec.quantiles import QuantileBlock
from pipelines.spec.requirements import Requirements, requirement_problems
from pipelines.spec.resources import Resources
from pipelines.spec.sources import Identifier, Source
from pipelines.spec.target import NO_TARGET, Target
from pipelines.spec.threshold import Threshold, threshold_problems
from pipelines.spec.timing import Timing, WordsOfTime, time_problems
from pipelines.spec.train import HOLDOUT_SHARE, Train
from pipelines.tasks import Task, traits_of, with_article

if TYPE_CHECKING:
    from pipelines.series.columns import SeriesColumns
    from pipelines.spec.metric import Metric

SPEC_VERSION: Literal[1] = 1


def _without_controls(text: str) -> str:
    """Return the text if every database and page takes its characters.

    Raises ValueError where it holds others, such as NUL.
    """
    wrong = [c for c in text if not c.isprintable() and c not in "\n\t"]
    if wrong:
        msg = f"holds the character {wrong[0]!a}, which cannot be shown; remove it"
        raise ValueError(msg)
    return text


Text = Annotated[
    str, StringConstraints(min_length=1, max_length=500), AfterValidator(_without_controls)
]


class Deploy(Value):
    """How a champion takes over."""

    strategy: Literal["replace"] = "replace"
    """The new version answers as soon as it has proved itself."""


KeyColumns = Annotated[list[Identifier], Field(min_length=1, max_length=10)]


def _list_or_row(value: object) -> object:
    """Return what may be a key. Raises ValueError in words for any other form."""
    if value != "row" and not isinstance(value, list):
        msg = "must be a list of columns such as [customer, seen_at], or `row`"
        raise ValueError(msg)
    return value


Key = Annotated[Literal["row"] | KeyColumns, BeforeValidator(_list_or_row)]

ROW_KEY = "row_key"
"""The column of the main table that is made where the spec says `key: row`."""


class Spec(Value):
    """One model, as its `model.yaml` declares it (format version 1)."""

    model_config = ConfigDict(serialize_by_alias=True)

    version: Literal[1] = SPEC_VERSION
    """The format of this file."""
    name: Name
    """The folder's name."""
    owner: Text
    """Who is asked when it breaks; a tag in Airflow."""
    description: Text
    """What it predicts, in a sentence."""
    requires: Requirements = Field(default_factory=list)
    """Packages beside Perennial's lock, each with its version: `catboost==1.2.8`."""
    task: Task
    """What kind of answer is learnt."""
    source: Source
    """Where raw rows come from; four kinds, below."""
    batch: BatchKind | None = None
    """How raw rows are cut by time; left out exactly where there is no `event_time`."""
    empty_batches: Literal["refuse", "allow"] = "refuse"
    """Whether a batch without rows breaks its expectations, or is told as a warning and left out.
    """
    event_time: Identifier | None = None
    """The built column that says when a row happened.

    Without one the source is a snapshot: read whole, known by its content.
    """
    declared_key: Key = Field(
        alias="key",
        description="The columns that together name a row; the event time may be one of them."
        " `row`: Perennial makes the column row_key, which `build` passes on.",
    )
    declared_target: Target | None = Field(
        default=None,
        alias="target",
        description="What is predicted; left out where a task has none.",
    )
    features: Features
    """What the model sees."""
    forecast: Forecast | None = None
    """Of a forecast: its series, and what is made of their past, below."""
    train: Train
    """What it learns from, and how settings are compared."""
    own_metrics: OwnMetrics = Field(
        default_factory=dict,
        alias="metrics",
        description="The model's own metrics by name, computed by functions in metrics.py.",
    )
    threshold: Threshold | None = None
    """Above which probability a binary model decides for the positive class.

    A number, or `{for: METRIC}`; without it 0.5, and the server answers with probabilities only.
    Of an anomaly model `{rate: 0.01}`, the share of rows that is flagged.
    """
    quantiles: QuantileBlock = None
    """Of the task quantiles: the levels, such as `[0.05, 0.5, 0.95]`, or keys and values, below."""
    candidates: Annotated[list[Candidate], Field(min_length=1, max_length=20)]
    """The estimators that compete."""
    automl: bool | AutoML = False
    """Whether Perennial adds candidates that suit the task, and within which budget, below."""
    gate: Gate
    """What a challenger needs in order to serve."""
    drift: Drift | None = None
    """When and how drift is looked for; without it there is no drift DAG."""
    deploy: Deploy = Deploy()
    """How a champion takes over."""
    resources: Resources = Resources()
    """What a step's container may use."""

    @field_validator("declared_target", mode="before")
    @classmethod
    def _written(cls, target: object) -> object:
        if target is None:
            msg = "must be a mapping such as {column: churned}"
            raise ValueError(msg)
        return target

    @model_validator(mode="before")
    @classmethod
    def _add_proposals(cls, body: Any) -> Any:
        """Add what `automl` proposes to the candidates, save for names that are there already."""
        if not isinstance(body, dict) or body.get("automl") in (None, False):
            return body
        own = body.get("candidates", [])
        try:
            budget = AutoML() if body["automl"] is True else AutoML.model_validate(body["automl"])
        except ValidationError:
            return body  # which is then refused with its place
        if not isinstance(own, list) or body.get("task") not in get_args(Task):
            return body
        names = {c.get("name") if isinstance(c, dict) else c.name for c in own}
        proposed = [c for c in propose(body["task"], budget) if c["name"] not in names]
        return {**body, "candidates": [*own, *proposed]}

    @model_validator(mode="after")
    def _possible(self) -> Spec:
        of_series = forecast_problems(self.forecast, _words_of_series(self))
        inputs = self.features.inputs if of_series else self.inputs
        faults = [
            *_missing_target(self),
            *of_series,
            *time_problems(_words_of_time(self)),
            *metric_problems(self.gate, self.task, self.train.metric, self.own_metrics),
            *own_metric_problems(self.own_metrics, self.train.metric, self.drift, self.task),
            *threshold_problems(self.threshold, self.task, self.own_metrics),
            *column_problems(_words_of_columns(self, inputs)),
            *anomaly_problems(_words_of_anomaly(self)),
            *candidate_problems(self.candidates, self.task, inputs),
            *quantile_problems(
                self.quantiles,
                self.task,
                self.candidates,
                named_metrics(self.gate, self.train.metric),
                requires=bool(self.requires),
            ),
            *requirement_problems(self.requires),
            *cluster_problems(
                self.candidates,
                self.gate,
                self.train,
                self.own_metrics,
                self.task,
                automl=bool(self.automl),
            ),
        ]
        if faults:
            raise Impossible(faults)
        for candidate in self.candidates:
            candidate.place(
                self.candidates,
                in_time=not self.is_snapshot,
                requires=bool(self.requires),
                quantiles=self.quantiles,
            )
        return self

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
        extra = [name for name in (self.train.group, self.train.sample_weight) if name]
        target = [self.target.column] if self.has_target else []
        names = [*self.key, *times, *inputs, *target, *extra]
        return list(dict.fromkeys(names))

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

    def metric_named(self, name: str) -> Metric | OwnMetric:
        """Return the declaration of a metric, its own or the catalogue's.

        Raises RequestError for an unknown name.
        """
        return self.own_metrics[name] if name in self.own_metrics else find_metric(name)

    def unit_of(self, metric: str) -> str:
        """Return what a metric is counted in; empty where it has no unit."""
        return self.own_metrics[metric].shown_unit if metric in self.own_metrics else ""

    def is_proposed(self, name: str) -> bool:
        """Whether `automl` has proposed the candidate of that name."""
        if not self.automl:
            return False
        budget = self.automl if isinstance(self.automl, AutoML) else AutoML()
        return any(
            Candidate.model_validate(c) == self.candidate(name) for c in propose(self.task, budget)
        )

    def candidate(self, name: str) -> Candidate:
        """Return the candidate of that name; KeyError where there is none."""
        return {c.name: c for c in self.candidates}[name]


def _missing_target(spec: Spec) -> list[Problem]:
    """Return what is wrong with a target that is there, or is not, beside the task."""
    wanted = traits_of(spec.task).target
    if wanted == "needed" and not spec.has_target:
        return [Problem(("target",), "missing; add it")]
    if wanted == "none" and spec.has_target:
        return [Problem(("target",), f"{with_article(spec.task)} has none; remove it")]
    return []


def _words_of_anomaly(spec: Spec) -> WordsOfAnomaly:
    return WordsOfAnomaly(
        task=spec.task,
        threshold=spec.threshold,
        gate=spec.gate,
        trained_by=spec.train.metric,
        candidates=spec.candidates,
        has_target=spec.has_target,
        own=list(spec.own_metrics),
        automl=bool(spec.automl),
    )


def _words_of_time(spec: Spec) -> WordsOfTime:
    return WordsOfTime(
        event_time=spec.event_time,
        batch=spec.batch,
        source=spec.source,
        train=spec.train,
        drift=spec.drift,
        known_after=spec.target.known_after,
        lookback=spec.features.lookback,
        allows_empty=spec.empty_batches == "allow",
        target=spec.target.column,
    )


def _words_of_series(spec: Spec) -> WordsOfSeries:
    return WordsOfSeries(
        task=spec.task,
        event_time=spec.event_time,
        key=spec.key,
        target=spec.target.column,
        known_after=spec.target.known_after,
        built=spec.built_columns,
    )


def _words_of_columns(spec: Spec, inputs: list[str]) -> WordsOfColumns:
    return WordsOfColumns(
        task=spec.task,
        key=spec.key,
        target=spec.target,
        features=spec.features,
        inputs=inputs,
        sample_weight=spec.train.sample_weight,
        drift=spec.drift,
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `model.yaml`, by which editors complete it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Spec.model_json_schema()}
