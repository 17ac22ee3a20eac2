"""A ledger and a store with one judged version, and what was measured of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.cards.figures import CardFigures, keep_figures
from pipelines.ledger import MadeFrom, MemoryLedger
from pipelines.messages import FeaturesResult, GateCheck
from pipelines.recipes import Learnt, Recipe
from pipelines.refs import FeaturesVersion, canonical
from tests.conftest import ROOT
from tests.decisions import NOTHING, gate_verdict

if TYPE_CHECKING:
    from pipelines.ledger import Ledger
    from pipelines.store.port import Store

MODEL, RUN = "flight_delays", "r1"
SPEC = (ROOT / "models/flight_delays/model.yaml").read_bytes()
CHECK = GateCheck(name="rows", passed=True, detail="400 held-out rows")


def recipe(store: Store, spec: bytes = SPEC, model: str = MODEL) -> MadeFrom:
    """Keep a recipe with a model.yaml, and return what the verdict says of it."""
    learnt = Learnt(
        candidate="linear",
        params={"C": 0.5},
        settings_tried=3,
        cv_score=0.7,
        fold_scores=[0.7],
        metrics={"roc_auc": 0.71},
        rows_train=1_200,
        rows_holdout=400,
        threshold=None,
        predictions="a" * 64,
        search_ended_by="trials",
    )
    features = FeaturesResult(
        version=FeaturesVersion(revision="f", sha256="c" * 64),
        plan=NOTHING,
        as_of="2024-01-04T00:00:00Z",
        reason="",
        force=False,
        rebuilt=1,
        reused=0,
        rows=1_600,
        parent_run="p",
    )
    kept = Recipe(
        model=model,
        run=RUN,
        features=features,
        learnt=learnt,
        files={f"models/{model}/model.yaml": store.put(spec, ".yaml")},
        packages=NOTHING,
        python="3.11",
        perennial="d" * 64,
    )
    ref = store.put(canonical(kept), ".json")
    return MadeFrom(commit="a" * 40, lock="", code="c" * 64, perennial="d" * 64, seed=7, recipe=ref)


def judged(store: Store, model: str = MODEL, ledger: Ledger | None = None, **facts: Any) -> Ledger:
    """Return a ledger in which version 1 was judged."""
    ledger = ledger or MemoryLedger()
    given = {"metrics": {"roc_auc": 0.71}, "checks": [CHECK], "made_from": recipe(store)}
    ledger.append(model, RUN, gate_verdict(**{**given, **facts}))
    return ledger


def measured(store: Store, **facts: Any) -> CardFigures:
    """Keep what was measured of version 1."""
    given = {
        "version": "1",
        "candidate": "linear",
        "confidence": 0.9,
        "rows": 400,
        "evidence": "30 days",
        "metrics": {"roc_auc": {"value": 0.71, "low": 0.68, "high": 0.74}},
    }
    figures = CardFigures.model_validate({**given, **facts})
    return keep_figures(store, MODEL, RUN, figures)
