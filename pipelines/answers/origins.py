"""Why a version is as it is: what it was made from, who let it serve, and when it did.

Light: no Arrow is imported here, which Airflow's API server needs for the inference log alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from pydantic import Field

from pipelines.answers.service import NOT_RECORDED, Turn, turns
from pipelines.data.manifests import Plan
from pipelines.errors import Corrupted, RequestError
from pipelines.intervals import Interval, Moment
from pipelines.ledger import (
    Approval,
    DriftCheck,
    Erasure,
    Features,
    GateVerdict,
    MadeFrom,
    Override,
    Reconciliation,
    ReleaseIntent,
    RetrainRequest,
    Training,
    Validation,
)
from pipelines.messages import DriftCause, DriftEffect
from pipelines.refs import Sha256, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipelines.ledger import Decision, Entry, Ledger
    from pipelines.refs import Ref
    from pipelines.store.port import Store

D = TypeVar("D", bound="Decision")

PRUNED = "no longer in the store"


class UsedBatch(Value):
    """A batch of a plan: what it was used for, its interval, its version and its manifest."""

    use: str
    batch: str
    version: int
    manifest: Sha256

    def is_called(self, name: str) -> bool:
        """Tell whether this is its interval's name, or its manifest's SHA-256."""
        return name in {self.batch, self.manifest}


class Judgement(Value):
    """What the gate said of a version, and in which entry."""

    entry: int
    at: Moment
    run: str
    verdict: str
    reasons: list[str]
    candidate: str
    champion: str | None
    features_revision: str
    as_of: Moment
    started_because: str
    environment: str | None
    made_from: MadeFrom | None
    """None of verdicts without a challenger, and of earlier versions."""


class Release(Value):
    """A release that was to serve a version, whether it came to that or not."""

    number: int
    reason: str
    entry: int
    at: Moment


class Answer(Value):
    """What a person answered on a version, and in which entry."""

    entry: int
    at: Moment
    said: Annotated[Approval | Override, Field(discriminator="kind")]


class ErasedRows(Value):
    """Rows of people that a version had learnt from and that were erased, and in which entry."""

    entry: int
    at: Moment
    people: int
    rows: int


class AskingCheck(Value):
    """The drift check that asked for a retraining: what changed, why, what follows, which entry.

    `cause` and `effect` are None of checks of before they were named.
    """

    entry: int
    at: Moment
    run: str
    window: Interval
    verdict: str
    reasons: list[str]
    cause: DriftCause | None
    effect: DriftEffect | None


class Origin(Value):
    """How a version came to be. What is None or empty and should not be has its reason in `missing`
    (by field): an earlier Perennial did not record it, or it is no longer in the store.
    """

    model: str
    version: str
    verdicts: list[Judgement]
    requests: list[RetrainRequest]
    """Who asked for the retraining that brought it; none where a schedule or a person began it."""
    answers: list[Answer]
    releases: list[Release]
    served: list[Turn]
    training: Training | None
    features: Features | None
    expectations: Validation | None
    batches: list[UsedBatch]
    missing: dict[str, str]
    erased: list[ErasedRows] = Field(default_factory=list)
    """When people's rows that it learnt from were erased."""
    checks: list[AskingCheck] = Field(default_factory=list)
    """The drift checks that asked for the retraining that brought it."""
    left_out: dict[str, str] = Field(default_factory=dict)
    """Batches that it did not learn from because they were held, with why, by their names."""


def why(ledger: Ledger, store: Store, model: str, version: str) -> Origin:
    """Return all that the ledger knows of how a version came to be.

    Raises RequestError where the ledger knows no such version.
    """
    entries = ledger.entries(model)
    verdicts = [e for e in entries if version and version_of(e) == version]
    served = [t for t in turns(entries) if t.version == version]
    if not verdicts and not served:
        raise RequestError(
            f"The ledger knows no version {version[:60]!r} of {model}.",
            remedy=f"`perennial history {model}` shows those that there are.",
        )
    judgements = [_read_judgement(e) for e in verdicts]
    runs = {j.run for j in judgements}
    steps = [e.decision for e in entries if e.run in runs]
    training = _last(Training, steps, lambda t: t.candidate in {j.candidate for j in judgements})
    revisions = {j.features_revision for j in judgements}
    features = _last(Features, steps, lambda f: f.revision in revisions)
    plan = features.plan if features else None
    expectations = _last(Validation, steps, lambda v: plan in {None, v.plan})
    batches = batches_of(store, plan) if plan else []
    missing = {
        name: NOT_RECORDED
        for name, found in (
            ("verdicts", judgements),
            ("training", training),
            ("features", features),
            ("expectations", expectations),
            ("batches", plan),
        )
        if not found
    }
    return Origin(
        model=model,
        version=version,
        verdicts=judgements,
        requests=[
            r for e in entries if isinstance(r := e.decision, RetrainRequest) and r.run_id in runs
        ],
        answers=[
            Answer(entry=e.seq, at=e.at, said=said)
            for e in entries
            if isinstance(said := e.decision, Approval | Override) and said.version == version
        ],
        releases=[release for e in entries if (release := _release(e, version))],
        served=served,
        training=training,
        features=features,
        expectations=expectations,
        batches=batches or [],
        missing=missing if batches is not None else {**missing, "batches": PRUNED},
        erased=[
            ErasedRows(entry=e.seq, at=e.at, people=len(found.people), rows=found.rows)
            for e in entries
            if isinstance(found := e.decision, Erasure) and version in found.versions
        ],
        checks=_asking_checks(entries, runs),
        left_out=_left_out(store, plan) if plan else {},
    )


def _asking_checks(entries: Sequence[Entry], runs: set[str]) -> list[AskingCheck]:
    """Return the drift checks that asked for these runs, each as it was when it asked."""
    found = []
    for entry in entries:
        request = entry.decision
        if not isinstance(request, RetrainRequest) or request.run_id not in runs:
            continue
        before = [
            (e, check)
            for e in entries
            if e.seq < entry.seq
            and isinstance(check := e.decision, DriftCheck)
            and (e.run, check.window) == (request.asked_by, request.window)
        ]
        if before:
            asked, check = before[-1]
            shared = set(AskingCheck.model_fields) & set(DriftCheck.model_fields) - {"run"}
            said = check.model_dump(include=shared)
            found.append(AskingCheck(entry=asked.seq, at=asked.at, run=asked.run, **said))
    return found


def _left_out(store: Store, plan: Ref) -> dict[str, str]:
    """Return the batches that a plan leaves out; none where it is no longer there."""
    try:
        return Plan.model_validate_json(store.get(plan)).left_out
    except Corrupted:
        return {}


def batches_of(store: Store, plan: Ref) -> list[UsedBatch] | None:
    """Return the batches that a plan names, by use; None where the plan is no longer there."""
    try:
        found = Plan.model_validate_json(store.get(plan))
    except Corrupted:
        return None
    uses = {"lookback": found.lookback, "train": found.train, "holdout": found.holdout}
    return [
        UsedBatch(use=use, batch=b.interval.name, version=b.version, manifest=b.manifest.sha256)
        for use, batches in uses.items()
        for b in batches
    ]


def version_of(entry: Entry) -> str:
    """Return the version that a verdict is about; empty where the entry is none, or has none."""
    decision = entry.decision
    return decision.version if isinstance(decision, GateVerdict) else ""


def _read_judgement(entry: Entry) -> Judgement:
    verdict = entry.read(GateVerdict)
    shared = set(Judgement.model_fields) & set(GateVerdict.model_fields)
    return Judgement(
        entry=entry.seq, at=entry.at, run=entry.run, **verdict.model_dump(include=shared)
    )


def _release(entry: Entry, version: str) -> Release | None:
    """Return the release of this version that an entry is about, or None."""
    decision = entry.decision
    intent = decision.release if isinstance(decision, Reconciliation) else decision
    if not isinstance(intent, ReleaseIntent) or intent.version != version:
        return None
    return Release(number=intent.number, reason=intent.reason, entry=entry.seq, at=entry.at)


def _last(kind: type[D], steps: Sequence[Decision], fits: Callable[[D], bool]) -> D | None:
    """Return the newest step of a kind that fits, or None."""
    found = [step for step in steps if isinstance(step, kind) and fits(step)]
    return found[-1] if found else None
