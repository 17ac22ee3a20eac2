"""What stands in an entry of the ledger: one value for each kind of decision.

Writers build such a value, readers get one; nobody else takes an entry's JSON apart.

The ledger keeps its entries for ever, so these values can only grow: a field that comes later has a
default, by which the entries before it still read. What is written are the fields that the writer
named, so a new field changes no entry that does without it, nor its hash.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, ValidationError

from pipelines.estimates import WindowEstimate
from pipelines.intervals import Interval, Moment
from pipelines.ledger.alerts import Alert
from pipelines.ledger.decision import Decision
from pipelines.ledger.erasures import Erasure
from pipelines.ledger.incident_entries import IncidentEvent
from pipelines.ledger.page_removals import PageRemoval
from pipelines.ledger.run_entries import Features, Ingest, Training, Validation
from pipelines.ledger.turn_entries import Turn
from pipelines.messages import (
    DriftCause,
    DriftEffect,
    GateCheck,
    JudgedBy,
    LearntWindow,
    Sampled,
    Threshold,
)
from pipelines.refs import Ref, Sha256, Value
from pipelines.store.page_parts import PageRef

Kind = Literal[
    "quarantine",
    "verdict",
    "release",
    "release_refused",
    "champion",
    "reconciled",
    "drift",
    "retrain_request",
    "retrain_held",
    "outcome",
    "schema",
    "proof",
    "approval",
    "override",
    "erasure",
    "ingest",
    "validation",
    "features",
    "training",
    "incident",
    "alert",
    "admission",
    "turn",
    "page_removal",
]


class DecisionOfRun(Decision):
    """A decision that a run may enter again where it turned out otherwise (see `outcomes`).

    `run` is the run's own name; empty in the oldest entries, whose key is the name.
    """

    kind: Literal["drift", "retrain_held", "outcome", "proof"]
    run: str = ""


class Quarantine(Decision):
    """A batch that broke critical expectations, or in which a drift check saw a broken pipe.

    `batch` is its manifest, `bad_rows` the broken rows by table, `page` the validation's page. Of a
    broken pipe `cause` is what was seen and `page` the check's; else it is None.
    """

    kind: Literal["quarantine"] = "quarantine"
    interval: Interval
    version: int
    batch: Ref
    reasons: list[str]
    bad_rows: dict[str, Ref]
    page: Ref
    cause: DriftCause | None = None


class Admission(Decision):
    """A batch that a broken pipe was seen in, and that retrainings may learn from again.

    `batch` and `detail` are the quarantine's manifest and what was broken. `by` is who said so, by
    name, with the `reason`; it is empty where a check found a newer version sound.
    """

    kind: Literal["admission"] = "admission"
    interval: Interval
    batch: Ref
    detail: str
    by: str
    reason: str


class MadeFrom(Value):
    """What a challenger was made from, so that it can be made again.

    `commit` is the checkout's, empty where there was none; `lock` the SHA-256 of requirements.txt,
    empty likewise; `code` that of all that the user wrote for the model, `perennial` that of
    Perennial's own code. `recipe` holds the rest: see `pipelines.recipes`.
    """

    commit: str
    lock: str
    code: Sha256
    perennial: Sha256
    seed: int
    recipe: Ref


class GateVerdict(Decision):
    """The gate's verdict on a challenger; version, candidate and run are empty without one.

    A metric that is not finite is null. `champion` is the version that served then. `environment`
    names the packages that the model requires beside the lock.
    """

    kind: Literal["verdict"] = "verdict"
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
    """The challenger's; None where its spec names none, and in earlier verdicts."""
    units: dict[str, str] = Field(default_factory=dict)
    """The metrics of the model's own, with what each is counted in."""
    judged_by: JudgedBy | None = None
    """By which rule; None where nothing was compared, and in earlier verdicts."""
    window: LearntWindow | None = None
    """What the final fit learns from; None where the spec says it, and in earlier verdicts."""
    sampled: Sampled | None = None
    """None where all rows were learnt from at once and judged, and in earlier verdicts."""
    features_revision: str
    as_of: Moment
    started_because: str = ""
    environment: Sha256 | None = None
    made_from: MadeFrom | None = None
    """None without a challenger, and in verdicts of versions that did not keep it."""
    built_from: Ref | None = None
    """What an override packages a refused version from; None of others, and in earlier verdicts."""
    findings: Ref | None = None
    """What checks looked at part by part (`VerdictFindings`); None where none has parts."""


class ReleaseIntent(Decision):
    """A release that is about to be published, under its number.

    `previous` is the version that it shall replace; None where it is the first.
    """

    kind: Literal["release"] = "release"
    number: int
    version: str
    bundle: Ref
    reason: str
    previous: str | None = None


class ReleaseRefusal(Decision):
    """A release that the server would not take; `difference` says in words why."""

    kind: Literal["release_refused"] = "release_refused"
    number: int
    version: str
    difference: str


class Crown(Decision):
    """A version that became champion, its bundle, and the release that brought it.

    `previous` is the version before. `image` is the id of the container's image; None where the
    release serves without one. `environment` names the packages that the bundle records beside the
    lock.
    """

    kind: Literal["champion"] = "champion"
    version: str
    bundle: Ref
    release: int
    previous: str | None = None
    image: str | None = None
    environment: Sha256 | None = None


class Reconciliation(Decision):
    """What was made to follow the champion, in words.

    Where the store had to follow, it is a release too, with number, version and bundle.
    """

    kind: Literal["reconciled"] = "reconciled"
    reason: str
    number: int | None = None
    version: str | None = None
    bundle: Ref | None = None
    previous: str | None = None

    @property
    def release(self) -> ReleaseIntent | None:
        """The release that points back to the champion; None where only the alias followed."""
        if self.number is None or self.version is None or self.bundle is None:
            return None
        return ReleaseIntent(
            number=self.number, version=self.version, bundle=self.bundle, reason=self.reason
        )


class DriftCheck(DecisionOfRun):
    """What a drift run found in a window, as `messages.DriftResult` says it.

    `evidently` is Evidently's page, which a `PageRemoval` may have taken away. `inputs` is the
    digest of what was looked at, by which a repeat is known; `failed` tells that the look itself
    had failed.
    """

    kind: Literal["drift"] = "drift"
    verdict: Literal["no_drift", "drift", "alarm", "not_enough_data"]
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
    evidently: PageRef | None = None
    inputs: str = ""
    failed: bool = False
    cause: DriftCause | None = None
    effect: DriftEffect | None = None
    estimate: WindowEstimate | None = None
    of: int | None = None
    """How many rows the window has, where `rows` are a sample of them."""


class RequestConf(Value):
    """The conf of the retraining that is asked for; of a snapshot without `as_of`: the newest."""

    as_of: Moment | None = None
    reason: str


class RetrainRequest(Decision):
    """A request for a retraining: its run, the window that led to it, and who asked for it.

    `policy` is what the spec went by.
    """

    kind: Literal["retrain_request"] = "retrain_request"
    run_id: str
    window: Interval
    reasons: list[str]
    conf: RequestConf
    asked_by: str = ""
    policy: Literal["schedule", "change", "performance", "value"] = "change"


class RetrainHold(DecisionOfRun):
    """A drift that starts no retraining; `why` says what holds it back."""

    kind: Literal["retrain_held"] = "retrain_held"
    run_id: str
    window: Interval
    why: str
    reasons: list[str]


class Outcome(DecisionOfRun):
    """What came of a retraining.

    `version` is the challenger's (empty without one), `reasons` say why it was refused or failed.
    """

    kind: Literal["outcome"] = "outcome"
    outcome: Literal["deployed", "refused", "failed"]
    version: str
    reasons: list[str]


class SchemaChange(Decision):
    """A model's schema.yaml that was taken on, with what changed in it, a line for each column.

    `before` and `after` are the SHA-256 of the file; `before` is empty where there was none.
    """

    kind: Literal["schema"] = "schema"
    changes: list[str]
    before: str
    after: str


class Proof(DecisionOfRun):
    """A version was built again: it came out equal, or with these differences, the first one first.

    `causes` is what was not as it was when the version was made; `rows` were asked of both.
    """

    kind: Literal["proof"] = "proof"
    version: str
    verdict: Literal["equal", "different"]
    differences: list[str]
    causes: list[str]
    rows: int
    recipe: Ref


class Approval(Decision):
    """A person's answer on a promoted version, or that nobody answered in time; one for each run.

    `by` is who answered, as Airflow knew them; empty where nobody did. `answered_at` is when, by
    Airflow's clock. `why` says in words why it is no yes; empty of a yes.
    """

    kind: Literal["approval"] = "approval"
    version: str
    approved: bool
    by: str
    answered_at: Moment
    why: str = ""


class Override(Decision):
    """A refused version that a named person has promoted all the same: a mark for ever.

    `refused_by` is the run whose verdict or approval said no, `reasons` what it said.
    """

    kind: Literal["override"] = "override"
    version: str
    by: str
    reason: str
    refused_by: str
    reasons: list[str]


class UnknownDecision(Decision):
    """A decision as it stands in its entry, of a kind or a shape that is not known here.

    A newer version wrote it, or a hand. It is shown and kept as it is; nothing is decided by it.
    """

    content: dict[str, Any]

    def body(self) -> dict[str, Any]:
        """Return the JSON as it is."""
        return self.content


KnownDecision = Annotated[
    Quarantine
    | Admission
    | GateVerdict
    | ReleaseIntent
    | ReleaseRefusal
    | Crown
    | Reconciliation
    | DriftCheck
    | RetrainRequest
    | RetrainHold
    | Outcome
    | SchemaChange
    | Proof
    | Approval
    | Override
    | Erasure
    | Ingest
    | Validation
    | Features
    | Training
    | IncidentEvent
    | Alert
    | Turn
    | PageRemoval,
    Field(discriminator="kind"),
]

KINDS = get_args(Kind)
_KNOWN: TypeAdapter[KnownDecision] = TypeAdapter(KnownDecision)


def decision_of(kind: str, body: dict[str, Any]) -> Decision:
    """Return what an entry's JSON says.

    Fields that only a newer version knows are left out. What cannot be read is an UnknownDecision.
    """
    try:
        return _KNOWN.validate_python({**body, "kind": kind}, extra="ignore")
    except (ValidationError, RecursionError):
        return UnknownDecision(kind=kind, content=body)
