"""From a batch to all that rests on it: features versions, models' versions, predictions.

Light, as `origins` is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from pipelines.answers.origins import batches_of, version_of
from pipelines.answers.service import Turn, turns
from pipelines.errors import RequestError
from pipelines.intervals import Moment
from pipelines.ledger import Features
from pipelines.refs import Value

if TYPE_CHECKING:
    from pipelines.ledger import Ledger
    from pipelines.store.port import Store


class Prediction(Value):
    """An answered row: its request, its number there, and the version that answered."""

    request_id: str
    row: int
    at: Moment
    version: str


class Resting(Value):
    """What rests on a batch, oldest first.

    `predictions` counts the rows of the inference log by version, `rows` names them; each is None
    where nobody looked. `unknown_plans` counts the plans
    that are no longer in the store, of which nobody can say what they named; `unrecorded` names
    versions that came before features were entered in the ledger, and `damage` what of the log
    could not be read.
    """

    model: str
    batch: str
    features: list[str]
    versions: list[str]
    served: list[Turn]
    predictions: dict[str, int] | None = None
    rows: list[Prediction] | None = None
    unknown_plans: int
    unrecorded: list[str]
    damage: list[str] = Field(default_factory=list)


def resting_on(ledger: Ledger, store: Store, model: str, batch: str) -> Resting:
    """Return what rests on a batch: its interval's name (all its versions), or the SHA-256 of its
    manifest. Predictions are counted by `predictions.with_predictions`.

    Raises RequestError where no plan that is still there names it, and all plans are.
    """
    entries = ledger.entries(model)
    built = [(e, f) for e in entries if isinstance(f := e.decision, Features)]
    by_plan = {plan: batches_of(store, plan) for plan in {f.plan for _, f in built}}
    unknown = sum(batches is None for batches in by_plan.values())
    holding = {
        p for p, found in by_plan.items() if found and any(b.is_called(batch) for b in found)
    }
    if not holding and not unknown:
        raise RequestError(
            f"Nothing of {model} rests on a batch {batch[:70]!r}.",
            remedy=f"`perennial lineage {model} --version VERSION` shows the batches of a version.",
        )
    resting = [(e, f) for e, f in built if f.plan in holding]
    judged = [(e.run, v) for e in entries if (v := version_of(e))]
    recorded = {e.run for e, _ in built}
    versions = [v for run, v in judged if run in {e.run for e, _ in resting}]
    return Resting(
        model=model,
        batch=batch,
        features=list(dict.fromkeys(f.revision for _, f in resting)),
        versions=list(dict.fromkeys(versions)),
        served=[t for t in turns(entries) if t.version in versions],
        unknown_plans=unknown,
        unrecorded=list(dict.fromkeys(v for run, v in judged if run not in recorded)),
    )
