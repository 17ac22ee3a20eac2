"""What each step is asked (its request) and what it answers (its result).

Small values: below 8 kB as JSON, with references in place of data. A request names the results that
it needs by the steps that gave them. Which step takes and gives which stands in
`pipelines.steps.catalogue`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from pipelines.estimates import WindowEstimate
from pipelines.intervals import Interval, Moment
from pipelines.refs import FeaturesVersion, Ref, Value

RunId = Annotated[str, StringConstraints(min_length=1, max_length=250)]


def _is_none(value: object) -> bool:
    """Tell whether a field is left out of the JSON, so that records are as they ever were."""
    return value is None


class Sides(Value):
    """On which side of a snapshot a row is, whatever else the snapshot holds.

    It is held out where the seeded hash of the built `columns` lies in the lowest `share` of all
    hashes.
    """

    seed: int
    columns: list[str]
    share: float


class IngestRequest(Value):
    """`conf` is hostile input as it came (`RetrainConf` or `DriftConf`).

    `now` is when the run was asked for.

    For `drift` the plan's holdout are the batches of the window, and nothing is learnt from.
    """

    run: RunId
    now: Moment
    purpose: Literal["retrain", "drift"] = "retrain"
    conf: dict[str, Any] = Field(default_factory=dict)


class IngestResult(Value):
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
    left_out: list[str] = Field(default_factory=list)
    """Batches that are held in quarantine, the newest of them, each with the reason in words."""


class ValidateRequest(Value):
    """Validate the batches of a plan."""

    run: RunId
    ingest: IngestResult


class ValidateResult(Value):
    """What `validate` answers when no critical expectation broke; `page` is the HTML page."""

    batches: int
    rows: int
    expectations: int
    warnings: list[str]
    page: Ref


class FeaturesRequest(Value):
    """Build the features of a plan whose batches are validated."""

    run: RunId
    ingest: IngestResult
    validate_: ValidateResult = Field(alias="validate")


class FeaturesResult(Value):
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
    most_rows: int | None = Field(default=None, ge=1, exclude_if=_is_none)
    """How many rows are held at once, where there are more; None where all are."""


class TrainRequest(Value):
    """Train one candidate."""

    run: RunId
    candidate: str
    features: FeaturesResult


class SearchRequest(Value):
    """Help one candidate's search; the training itself is worker 0."""

    run: RunId
    candidate: str
    worker: Annotated[int, Field(ge=1, le=63)]
    features: FeaturesResult


class SearchHelp(Value):
    """What `search` answers: how many settings it tried; what they scored, the training knows."""

    candidate: str
    worker: int
    tried: int
    seconds: float


class Threshold(Value):
    """Above which probability a binary model decides for the positive class, or above which score
    an anomaly model flags a row.

    `chosen_for` is the metric for which it was chosen, on `rows` rows (`positives` of them of the
    positive class) that the fits which answered them had not seen; empty where the spec fixes it.
    `score` is the metric there, `default_score` what 0.5 would have reached: the first flatters
    itself, since the same rows have chosen it.
    """

    value: float = Field(allow_inf_nan=False)
    chosen_for: str = ""
    rows: int = 0
    positives: int = 0
    score: float | None = None
    default_score: float | None = None
    rate: float | None = None
    """Of an anomaly model: the share of rows that it promises to flag."""

    @model_validator(mode="after")
    def _between_probabilities(self) -> Threshold:
        if self.rate is None and not 0 < self.value < 1:
            msg = "must lie between 0 and 1"
            raise ValueError(msg)
        return self


class Sampled(Value):
    """How many rows stand for all, where a run has more than its memory holds.

    The fit has seen `learnt` of `of` rows to learn from, or all of them part by part (`in_parts`),
    with what it was prepared by found on `learnt`; it was judged on `judged` of `judged_of`.
    """

    learnt: int
    of: int
    judged: int
    judged_of: int
    in_parts: bool = False


class TrainResult(Value):
    """What `train` answers for one candidate; metrics are of the holdout.

    A metric that is not finite is null.

    `fold_scores` are those of the winning setting in train.metric, over folds that all candidates
    share, and `tested` how many rows of a snapshot judge there for each that is learnt from (in
    time 0); empty in results of earlier versions. `cv_nested` is the mean of the winner's scores on
    outer folds that have not chosen it, where `train.nested` asks for it, and `cv_nested_spread`
    their standard deviation.
    `trials` is every setting that was tried
    (`pipelines.training.search.record`), and `search_ended_by` what ended the search.

    `skipped` says in words why a candidate that `automl` proposed was not trained; then it has no
    scores, and `predictions` and `model` are of that note.

    `fitted_on` is the span of the event times of the rows that were learnt from; null in results of
    earlier versions, and of a snapshot, of which `sides` says which rows these were not. Of all
    rows of the run's batches, `rows_waiting` wait for their label, and `rows_without_label` have
    none though it should be known.
    """

    candidate: str
    run_id: str
    estimator: str
    params: dict[str, Any]
    settings_tried: int
    cv_score: float | None
    fold_scores: list[float] = Field(default_factory=list)
    tested: float | None = None
    cv_nested: float | None = None
    cv_nested_spread: float | None = None
    trials: Ref | None = None
    search_ended_by: Literal["trials", "minutes"] = "trials"
    skipped: str = ""
    metrics: dict[str, float | None]
    rows_train: int
    rows_holdout: int
    rows_waiting: int = 0
    rows_without_label: int = 0
    fitted_on: Interval | None = None
    sides: Sides | None = None
    predictions: Ref
    model: Ref
    code: Ref | None = None
    """The model's own code, where the candidate is an own pipeline."""
    seconds: float
    threshold: Threshold | None = None
    """None where the spec names none, and in results of earlier versions: then it is 0.5."""
    backtest: Ref | None = None
    """The back-test of a forecast by origin; None for other tasks and in earlier results."""
    sampled: Sampled | None = Field(default=None, exclude_if=_is_none)
    """None where all rows were learnt from at once and judged."""


class GateRequest(Value):
    """Judge the best of the trained candidates."""

    run: RunId
    features: FeaturesResult
    train: list[TrainResult]


class GateCheck(Value):
    """One thing that the gate looked at; `detail` says in words, with numbers, what it saw.

    `value` is what was measured and `limit` what it is held against; None where there is no number,
    and in verdicts of earlier versions. `would_pass` says of a failed check the smallest change by
    which it would pass.
    """

    name: str
    passed: bool
    detail: str
    value: float | None = None
    limit: float | None = None
    would_pass: str = ""


class Finding(Value):
    """One part of what a check looked at: a slice, a group, a disturbance.

    `value` lies between `low` and `high`, where these are known; `passed` is None where it was not
    judged.
    """

    name: str
    passed: bool | None
    detail: str
    value: float | None = None
    low: float | None = None
    high: float | None = None


class CheckFindings(Value):
    """All that a check looked at, part by part.

    `value` says what the parts' values are, and `limit` is what they are held against.
    """

    check: str
    value: str
    limit: float | None
    findings: list[Finding]


FINDINGS_SUFFIX = ".findings"
"""How the object of a verdict's findings ends: not as JSON that leads to other objects, which must
stay. It may name a person's row, and goes when that person is erased.
"""


class VerdictFindings(Value):
    """What the checks of a verdict looked at part by part; an object of the store."""

    checks: list[CheckFindings]


class JudgedBy(Value):
    """By which rule the challenger was held against its opponent, and what came of it.

    `finding` is the name of what was found. `margin` is in the metric's own unit; None where no
    rule asks for one and the lead that it is a share of is not known. `parts` are those of the
    held-out rows before each of which the recipe was fitted again; 0 where one fit was judged.
    `because` are two sentences: which rule and why, and what was judged.
    """

    rule: Literal["better", "not_worse", "value"]
    cause: Literal["hand", "schedule", "change"]
    finding: str
    metric: str
    margin: float | None = None
    parts: int = 0
    because: list[str] = Field(default_factory=list)


class LearntWindow(Value):
    """Which rows the final fit learns from, where `train.window` is `auto`.

    Those from `since` on; all where it is None. `because` says why, in a sentence.
    """

    since: Moment | None = None
    because: str = ""


class GateResult(Value):
    """The verdict on the challenger, with reasons in words (empty when promoted).

    `choice` says in words why this candidate is the challenger; empty where there was one only.
    `incident` says in words why the champion could not be the opponent; empty where it was, or
    where there is none.
    """

    verdict: Literal["promote", "refuse"]
    reasons: list[str]
    checks: list[GateCheck]
    candidate: str
    run_id: str
    version: str
    metrics: dict[str, float | None]
    champion: str | None
    choice: str = ""
    incident: str = ""
    threshold: Threshold | None = None
    """The challenger's; None where the spec names none, and in verdicts of earlier versions."""
    units: dict[str, str] = Field(default_factory=dict)
    """The metrics of the model's own, with what each is counted in; empty where in nothing."""
    findings: Ref | None = None
    """What checks looked at part by part (`VerdictFindings`); None where none has parts."""
    judged_by: JudgedBy | None = None
    """None where nothing was compared, and in verdicts of earlier versions."""
    window: LearntWindow | None = None
    """None where the spec says how much is learnt from, and in verdicts of earlier versions."""
    sampled: Sampled | None = Field(default=None, exclude_if=_is_none)
    """The challenger's; None where all rows were learnt from at once and judged."""


class Answer(Value):
    """What Airflow says of the question whether a version may serve.

    `by` names who answered; empty where nobody did in time. Airflow knows people by name and by id.
    After `until` an answer counts for nothing.
    """

    version: str
    choice: Literal["Approve", "Reject"]
    by: Annotated[str, Field(max_length=200)]
    by_id: Annotated[str, Field(max_length=200)] = ""
    at: Moment
    until: Moment


class ApproveRequest(Value):
    """Write a person's answer down.

    `answer` is missing where nobody was asked: after a refusal, or where the ledger has an answer.
    """

    run: RunId
    gate: GateResult
    answer: Answer | None = None


class JudgedInputs(Value):
    """What a verdict stood on: what `package` needs beside it, of the challenger alone."""

    features: FeaturesResult
    train: list[TrainResult]


class PackageRequest(Value):
    """Package a promoted challenger."""

    run: RunId
    features: FeaturesResult
    train: list[TrainResult]
    gate: GateResult


class PackageResult(Value):
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
    gate: GateResult
    package: PackageResult


class DeployResult(Value):
    """What serves now."""

    release: int
    version: str
    previous: str | None


class RollbackRequest(Value):
    """Go back to an earlier release. `conf` is hostile input as it came (`RollbackConf`)."""

    run: RunId
    now: Moment
    conf: dict[str, Any] = Field(default_factory=dict)


class CloseRequest(Value):
    """End the run in the registry, whatever came of it."""

    run: RunId
    features: FeaturesResult | None = None
    gate: GateResult | None = None
    approve: GateResult | None = None
    deploy: DeployResult | None = None


class CloseResult(Value):
    """How the registry's run ended."""

    state: str


DriftVerdict = Literal["no_drift", "drift", "alarm", "not_enough_data"]
"""`drift` starts a retraining.

`alarm`: something is broken (data, or the check itself), and a person must look.
"""


class DriftCause(Value):
    """What is behind a window's difference (`science.causes`): kind, what is broken, the evidence.

    `kind` is broken_upstream, population, concept, season, nothing or unclear; `sureness` is sure,
    likely or possible.
    """

    kind: str
    detail: str = ""
    columns: list[str] = Field(default_factory=list)
    evidence: list[str] = Field(default_factory=list)
    sureness: str = "likely"


class DriftEffect(Value):
    """What follows from a window's difference (`science.effects`), in words.

    `follows` is matters, nothing_follows or cannot_be_said; `columns` matter most first; `flips`
    is the least share of decisions that turned for certain (by an interval of 95 %), None where
    that cannot be said or answers are no decisions.
    """

    follows: Literal["matters", "nothing_follows", "cannot_be_said"]
    words: list[str] = Field(default_factory=list)
    columns: list[str] = Field(default_factory=list)
    flips: float | None = None


class DriftRequest(Value):
    """Look at a window whose batches are validated."""

    run: RunId
    ingest: IngestResult
    validate_: ValidateResult = Field(alias="validate")


class DriftResult(Value):
    """What `drift` answers.

    The verdict with its reasons in words, and the figures behind it in short.

    `live` and `expected` are the champion's metric (`train.metric`) on the window's labelled rows
    and on its holdout; of a model without a target nothing is `labelled`, and that is None.
    `figures` is a Ref to the JSON with everything, `page` to the HTML page;
    `champion` and `run_id` are empty where no version serves yet.
    """

    verdict: DriftVerdict
    reasons: list[str]
    window: Interval
    source: Literal["traffic", "batches"]
    rows: int
    labelled: int | None
    champion: str | None
    metric: str
    live: float | None
    expected: float | None
    columns: int
    drifted: list[str]
    figures: Ref
    page: Ref
    run_id: str
    cause: DriftCause | None = None
    effect: DriftEffect | None = None
    estimate: WindowEstimate | None = None
    """Of the metric before labels are known; None where there is none, and in earlier results."""
    of: int | None = Field(default=None, exclude_if=_is_none)
    """How many rows the window has, where `rows` are a sample of them."""


class DecideRequest(Value):
    """Decide whether a retraining starts."""

    run: RunId
    drift: DriftResult


class DecideResult(Value):
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
    drift: DriftResult
    decide: DecideResult
    retrain: dict[str, str] | None = None


class ReportResult(Value):
    """What came of a window, in one word and in words."""

    outcome: Literal["nothing_to_do", "held_back", "deployed", "refused"]
    said: str


class ProveRequest(Value):
    """Build a version again. `conf` is hostile input as it came (`ProveConf`)."""

    run: RunId
    now: Moment
    conf: dict[str, Any] = Field(default_factory=dict)


class ReplayPart(Value):
    """A part of a past: what a retraining makes at moments from `start` on and before `end`."""

    name: Annotated[str, StringConstraints(max_length=100)]
    start: Moment
    end: Moment


class PlanReplayRequest(Value):
    """Cut a past into parts. `conf` is hostile input as it came (`ReplayConf`)."""

    run: RunId
    now: Moment
    conf: dict[str, Any] = Field(default_factory=dict)


class PlanReplayResult(Value):
    """The parts of a past, oldest first; there is at least one."""

    batches: int
    parts: list[ReplayPart]


class PrepareReplayRequest(Value):
    """Compute one part of a past. `conf` is hostile input as it came (`ReplayConf`)."""

    run: RunId
    now: Moment
    conf: dict[str, Any] = Field(default_factory=dict)
    part: ReplayPart


class PrepareReplayResult(Value):
    """How many versions a part has, at how many moments none could be made, and how many verdicts
    were given; `seconds` of computing, those of an earlier try too.
    """

    part: str
    versions: int
    none: int
    verdicts: int
    seconds: float


class ReplayRequest(Value):
    """Live through a past. `conf` is hostile input as it came (`ReplayConf`)."""

    run: RunId
    now: Moment
    conf: dict[str, Any] = Field(default_factory=dict)


class ReplayResult(Value):
    """What a replay came to: the policy to take (empty where that cannot be told), why in words,
    and by policy the mean of `metric` and how often it retrained; `page` shows all.
    """

    recommended: str
    why: list[str]
    metric: str
    batches: int
    means: dict[str, float | None]
    retrainings: dict[str, int]
    page: Ref


class ProveResult(Value):
    """What `prove` answers where nothing differs: a difference is an error, once it is recorded.

    `skipped`: there is nothing to build, or it is not known of what; `why` says so. `rows` were
    asked of both versions, `checks` things compared.
    """

    verdict: Literal["equal", "skipped"]
    version: str
    why: str
    checks: int
    rows: int
