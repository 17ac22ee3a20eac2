"""The spec: what `model.yaml` says, as one frozen, closed, versioned value."""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from pipelines.errors import RequestError
from pipelines.intervals import BatchKind
from pipelines.plain_errors import Impossible, Problem
from pipelines.refs import Name, Value
from pipelines.spec.drift import Drift
from pipelines.spec.estimators import ESTIMATORS, Encoding, Estimator
from pipelines.spec.metrics import METRICS, metrics_for
from pipelines.spec.resources import Resources
from pipelines.spec.sources import Identifier, Source
from pipelines.spec.target import Target, target_problems
from pipelines.spec.tasks import Task
from pipelines.spec.timing import Timing, WordsOfTime, time_problems
from pipelines.spec.train import HOLDOUT_SHARE, Train
from pipelines.spec.units import Duration, Timeout, parse_duration

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
Scalar = bool | int | float | str | None
Finite = Annotated[float, Field(allow_inf_nan=False)]


def _did_you_mean(word: str, names: list[str]) -> str:
    by_leaf = {name.rsplit(".", 1)[-1]: name for name in names}
    leaf = difflib.get_close_matches(word.rsplit(".", 1)[-1], by_leaf, n=1, cutoff=0.5)
    return f"; did you mean {by_leaf[leaf[0]]}?" if leaf else f"; known: {', '.join(names)}"


class Features(Value):
    """The built columns that a caller of the API sends, and how far back `build` looks."""

    inputs: Annotated[list[Identifier], Field(min_length=1, max_length=500)]
    """The columns that `build` returns and a caller of the API sends."""
    lookback: Duration = parse_duration("0s")
    """How far before its batch `build` sees raw rows."""
    personal: dict[Identifier, Literal["hash", "drop"]] = Field(default_factory=dict)
    """Inputs (or key columns) with personal data.

    The inference log holds a keyed hash of them, or nothing.
    """
    timeout: Timeout | None = None
    """How long `build` may take for one batch.

    Default: the setting PERENNIAL_USER_CODE_TIMEOUT_SECONDS.
    """

    def seconds(self, default: float) -> float:
        """Return the time-out of `build`."""
        return self.timeout.total_seconds() if self.timeout else default


class Range(Value):
    """A continuous range to draw a parameter from."""

    low: Finite
    """The least value."""
    high: Finite
    """The greatest value."""
    log: bool = False
    """Whether small values are as likely as great ones, by their logarithm."""

    @model_validator(mode="after")
    def _check_order(self) -> Range:
        if not self.low < self.high:
            msg = "`low` must lie below `high`"
            raise ValueError(msg)
        if self.log and self.low <= 0:
            msg = "a log range must start above 0"
            raise ValueError(msg)
        return self


class Candidate(Value):
    """One estimator with fixed `params` and a `search` space.

    At most `budget` settings of the space are tried.
    """

    name: Name
    """What it is called in MLflow and on the pages."""
    estimator: str
    """An estimator of scikit-learn; a wrong name is answered with the known ones."""
    params: dict[Identifier, Scalar] = Field(default_factory=dict)
    """Parameters that are fixed."""
    search: dict[
        Identifier, Annotated[list[Scalar], Field(min_length=1, max_length=100)] | Range
    ] = Field(default_factory=dict)
    """Parameters that are searched: a list of values, or a range."""
    budget: Annotated[int, Field(ge=1, le=1_000)] = 20
    """How many settings are tried at most."""
    encode: Encoding | None = None
    """How texts are encoded; default by estimator: one-hot, or ordinal for trees."""

    @field_validator("estimator")
    @classmethod
    def _check_estimator(cls, path: str) -> str:
        if path not in ESTIMATORS:
            msg = f"unknown estimator {path}{_did_you_mean(path, sorted(ESTIMATORS))}"
            raise ValueError(msg)
        return path

    @model_validator(mode="after")
    def _apart(self) -> Candidate:
        both = sorted(set(self.params) & set(self.search))
        if both:
            msg = f"{', '.join(both)} stands in both `params` and `search`; keep one"
            raise ValueError(msg)
        return self

    @property
    def declaration(self) -> Estimator:
        """What the catalogue says of the estimator."""
        return ESTIMATORS[self.estimator]

    @property
    def encoding(self) -> Encoding:
        """How text inputs are encoded."""
        return self.encode or self.declaration.encode


class VersusChampion(Value):
    """The challenger must beat the champion in `metric` with at least this confidence."""

    metric: str
    """What both are compared in."""
    confidence: Annotated[float, Field(gt=0.5, lt=1, allow_inf_nan=False)] = 0.95
    """How sure it must be that the challenger is better."""


class Gate(Value):
    """What a challenger needs in order to serve.

    `at_least` and `at_most` are floors and ceilings by metric.

    `guards` are further metrics in which it may be worse than its opponent by no more than a share
    of the opponent's value.
    """

    at_least: dict[str, Finite] = Field(default_factory=dict)
    """Floors by metric, whatever the opponent does."""
    at_most: dict[str, Finite] = Field(default_factory=dict)
    """Ceilings by metric."""
    versus_champion: VersusChampion
    """The comparison that decides."""
    guards: dict[str, Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]] = Field(
        default_factory=dict
    )
    """By metric: the share of the opponent's value by which it may be worse."""
    min_rows: Annotated[int, Field(ge=2)] = 100
    """Held-out rows with a known outcome that are needed; small data need a small number."""


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
    target: Target
    """What is predicted."""
    features: Features
    """What the model sees."""
    train: Train
    """What it learns from, and how settings are compared."""
    candidates: Annotated[list[Candidate], Field(min_length=1, max_length=20)]
    """The estimators that compete."""
    gate: Gate
    """What a challenger needs in order to serve."""
    drift: Drift | None = None
    """When and how drift is looked for; without it there is no drift DAG."""
    deploy: Deploy = Deploy()
    """How a champion takes over."""
    resources: Resources = Resources()
    """What a step's container may use."""

    @model_validator(mode="after")
    def _possible(self) -> Spec:
        faults = [
            *time_problems(_words_of_time(self)),
            *_metric_problems(self),
            *_column_problems(self),
            *_candidate_problems(self),
        ]
        if faults:
            raise Impossible(faults)
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
    def built_columns(self) -> list[str]:
        """The columns of a row of features, each once.

        Key, event time, inputs, target, and the column that groups the rows.
        """
        times = [self.event_time] if self.event_time else []
        groups = [self.train.group] if self.train.group else []
        names = [*self.key, *times, *self.features.inputs, self.target.column, *groups]
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

    def candidate(self, name: str) -> Candidate:
        """Return the candidate of that name; KeyError where there is none."""
        return {c.name: c for c in self.candidates}[name]


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


def _metric_problems(spec: Spec) -> list[Problem]:
    mentions: list[tuple[tuple[str, ...], str]] = [
        (("train", "metric"), spec.train.metric),
        (("gate", "versus_champion", "metric"), spec.gate.versus_champion.metric),
        *((("gate", "at_least", m), m) for m in spec.gate.at_least),
        *((("gate", "at_most", m), m) for m in spec.gate.at_most),
        *((("gate", "guards", m), m) for m in spec.gate.guards),
    ]
    choices = metrics_for(spec.task)
    wrong = f"does not fit a {spec.task} task; use one of {', '.join(choices)}"
    faults = [Problem(path, f"{m[:80]!r} {wrong}") for path, m in mentions if m not in choices]
    faults += [
        Problem(("gate", "at_least", m), "is better when smaller; put it under at_most")
        for m in spec.gate.at_least
        if m in METRICS and not METRICS[m].greater_is_better
    ]
    faults += [
        Problem(("gate", "at_most", m), "is better when greater; put it under at_least")
        for m in spec.gate.at_most
        if m in METRICS and METRICS[m].greater_is_better
    ]
    decides = spec.gate.versus_champion.metric
    if decides in spec.gate.guards:
        faults.append(
            Problem(
                ("gate", "guards", decides),
                "decides in versus_champion already; name another metric",
            )
        )
    if not spec.gate.at_least and not spec.gate.at_most:
        none = (
            "name at least one floor (at_least) or ceiling (at_most); a gate without a threshold"
            " refuses everything"
        )
        faults.append(Problem(("gate",), none))
    return faults


def _column_problems(spec: Spec) -> list[Problem]:
    inputs, place = spec.features.inputs, ("features", "inputs")
    faults = [
        Problem((*place, inputs.index(c)), f"{c!r} stands twice; remove one")
        for c in sorted({c for c in inputs if inputs.count(c) > 1})
    ]
    if spec.target.column in inputs:
        faults.append(
            Problem(
                (*place, inputs.index(spec.target.column)),
                f"{spec.target.column!r} is the target; a model must not see it",
            )
        )
    identity = "is part of the key; a key is an identity, no input"
    faults += [
        Problem((*place, inputs.index(c)), f"{c!r} {identity}") for c in spec.key if c in inputs
    ]
    faults += [
        Problem(("key", spec.key.index(c)), f"{c!r} stands twice; remove one")
        for c in sorted({c for c in spec.key if spec.key.count(c) > 1})
    ]
    faults += target_problems(spec.target, inputs, spec.task)
    names = [*inputs, *spec.key]
    stranger = "is neither an input nor part of the key; remove it"
    faults += [
        Problem(("features", "personal", c), stranger)
        for c in spec.features.personal
        if c not in names
    ]
    drift_columns = spec.drift.columns if spec.drift else {}
    return faults + [
        Problem(("drift", "columns", c), "is no input; remove it, or add it to features.inputs")
        for c in drift_columns
        if c not in inputs
    ]


def _candidate_problems(spec: Spec) -> list[Problem]:
    names = [c.name for c in spec.candidates]
    faults = [
        Problem(("candidates", names.index(n), "name"), f"the name {n!r} stands twice; rename one")
        for n in sorted({n for n in names if names.count(n) > 1})
    ]
    faults += [
        Problem(
            ("candidates", place, "estimator"),
            f"{c.estimator} of {c.name} cannot do a {spec.task} task; choose another one",
        )
        for place, c in enumerate(spec.candidates)
        if spec.task not in c.declaration.tasks
    ]
    if all(c.declaration.dummy for c in spec.candidates):
        faults.append(Problem(("candidates",), "at least one must be more than a dummy; add one"))
    return faults


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `model.yaml`, by which editors complete it."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Spec.model_json_schema()}
