"""What steps are asked and what they answer.

Small values, below 8 kB as JSON, each naming what it needs from before.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from pipelines.intervals import Interval, Moment
from pipelines.refs import Ref, Value
from pipelines.versions.port import FeaturesVersion

RunId = Annotated[str, StringConstraints(min_length=1, max_length=250)]


class BatchRef(Value):
    """One batch in a plan: its interval, its version (1 for the first, more where late rows came),
    its manifest.
    """

    interval: Interval
    version: int
    manifest: Ref


class Plan(Value):
    """The batches of one run: to learn from, to judge on, and those that only the lookback reaches.

    Kept in the store.
    """

    format: Literal[1] = 1
    model: str
    as_of: Moment
    lookback: list[BatchRef]
    train: list[BatchRef]
    holdout: list[BatchRef]

    @property
    def batches(self) -> list[BatchRef]:
        """All batches, oldest first."""
        return [*self.lookback, *self.train, *self.holdout]


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


class Conf(Value):
    """What a trigger may send.

    Types are checked by the DAG's params; unknown keys are refused here.
    """

    as_of: Moment | None = None
    reason: Annotated[str, StringConstraints(max_length=500)] = ""
    force: bool = False


class WatchConf(Value):
    """What a trigger may send to the drift DAG.

    Types are checked by the DAG's params; unknown keys are refused here.
    """

    window_end: Moment | None = None
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class IngestRequest(Value):
    """`conf` is hostile input as it came (`Conf`, or `WatchConf` for drift).

    `now` is when the run was asked for.

    For `drift` the plan's holdout are the batches of the window, and nothing is learnt from.
    """

    run: RunId
    now: Moment
    purpose: Literal["retrain", "drift"] = "retrain"
    conf: dict[str, Any] = Field(default_factory=dict)


class Ingested(Value):
    """What `ingest` answers: the plan (a Ref to `Plan` JSON) and what was written for it."""

    plan: Ref
    as_of: Moment
    reason: str
    force: bool
    batches: int
    rows: int
    written: int
    late: int
    unreadable: int
    window: Interval | None = None
    """What a drift run looks at; its end is `as_of`."""


class ValidateRequest(Value):
    """Validate the batches of a plan."""

    run: RunId
    ingest: Ingested


class Validated(Value):
    """What `validate` answers when no critical expectation broke; `page` is the HTML page."""

    batches: int
    rows: int
    expectations: int
    warnings: list[str]
    page: Ref


class FeaturesRequest(Value):
    """Build the features of a plan whose batches are validated."""

    run: RunId
    ingest: Ingested
    validate_: Validated = Field(alias="validate")


class Built(Value):
    """What `features` answers.

    The features version, which files to learn from and to judge on, the MLflow parent run.
    """

    version: FeaturesVersion
    plan: Ref
    as_of: Moment
    reason: str
    force: bool
    rebuilt: int
    reused: int
    rows: int
    parent_run: str


class TrainRequest(Value):
    """Train one candidate."""

    run: RunId
    candidate: str
    features: Built


class Trained(Value):
    """What `train` answers for one candidate; metrics are of the holdout.

    A metric that is not finite is null.

    `fitted_on` is the span of the event times of the rows that were learnt from; null in results of
    earlier versions.
    """

    candidate: str
    run_id: str
    estimator: str
    params: dict[str, Any]
    settings_tried: int
    cv_score: float | None
    metrics: dict[str, float | None]
    rows_train: int
    rows_holdout: int
    fitted_on: Interval | None = None
    predictions: Ref
    model: Ref
    seconds: float


class GateRequest(Value):
    """Judge the best of the trained candidates."""

    run: RunId
    features: Built
    train: list[Trained]


class Check(Value):
    """One thing that the gate looked at, in words."""

    name: str
    passed: bool
    detail: str


class Judged(Value):
    """The verdict on the challenger, with reasons in words (empty when promoted).

    `incident` says in words why the champion could not be the opponent; empty where it was, or
    where there is none.
    """

    verdict: Literal["promote", "refuse"]
    reasons: list[str]
    checks: list[Check]
    candidate: str
    run_id: str
    version: str
    metrics: dict[str, float | None]
    champion: str | None
    incident: str = ""


class PackageRequest(Value):
    """Package a promoted challenger."""

    run: RunId
    features: Built
    train: list[Trained]
    gate: Judged


class Packaged(Value):
    """The bundle (a Ref to its manifest), compiled or native, with the parity that was measured."""

    bundle: Ref
    version: str
    compiled: bool
    parity: float | None
    why_native: str
    rows: int


class DeployRequest(Value):
    """Deploy a bundle."""

    run: RunId
    gate: Judged
    package: Packaged


class Deployed(Value):
    """What serves now."""

    release: int
    version: str
    previous: str | None


class RollbackConf(Value):
    """What a trigger of the rollback DAG may send. Unknown keys are refused here."""

    to: Annotated[int, Field(ge=1, le=99_999_999)] | None = None
    """The release to go back to; without one, what served before the present champion."""
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class RollbackRequest(Value):
    """Go back to an earlier release. `conf` is hostile input as it came (`RollbackConf`)."""

    run: RunId
    now: Moment
    conf: dict[str, Any] = Field(default_factory=dict)


class CloseRequest(Value):
    """End the run in the registry, whatever came of it."""

    run: RunId
    features: Built | None = None
    gate: Judged | None = None
    deploy: Deployed | None = None


class Closed(Value):
    """How the registry's run ended."""

    state: str


DriftVerdict = Literal["no_drift", "drift", "alarm", "not_enough_data"]
"""`drift` starts a retraining.

`alarm`: something is broken (data, or the check itself), and a person must look.
"""


class DriftRequest(Value):
    """Look at a window whose batches are validated."""

    run: RunId
    ingest: Ingested
    validate_: Validated = Field(alias="validate")


class Drifted(Value):
    """What `drift` answers.

    The verdict with its reasons in words, and the figures behind it in short.

    `live` and `expected` are the champion's metric (`train.metric`) on the window's labelled rows
    and on its holdout. `figures` is a Ref to the JSON with everything, `page` to the HTML page;
    `champion` and `run_id` are empty where no version serves yet.
    """

    verdict: DriftVerdict
    reasons: list[str]
    window: Interval
    source: Literal["traffic", "batches"]
    rows: int
    labelled: int
    champion: str | None
    metric: str
    live: float | None
    expected: float | None
    columns: int
    drifted: list[str]
    figures: Ref
    page: Ref
    run_id: str


class DecideRequest(Value):
    """Decide whether a retraining starts."""

    run: RunId
    drift: Drifted


class Decided(Value):
    """Whether a retraining starts, its run id and conf, and why (not) in words."""

    start: bool
    why: str
    run_id: str
    conf: dict[str, Any]


class ReportRequest(Value):
    """Say how the drift run ends.

    `retrain` is what is known of the retraining that was waited for: {"run_id", "state"}.
    """

    run: RunId
    drift: Drifted
    decide: Decided
    retrain: dict[str, str] | None = None


class Reported(Value):
    """What came of a window, in one word and in words."""

    outcome: Literal["nothing_to_do", "held_back", "deployed", "refused"]
    said: str
