"""A ledger and a store with one version whose origin is known."""

from __future__ import annotations

from datetime import UTC, datetime

from pipelines.data.manifests import BatchRef, Plan
from pipelines.intervals import Interval
from pipelines.ledger import Crown, Features, GateVerdict, MemoryLedger, Training, record_step
from pipelines.refs import Ref, canonical

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
BUNDLE = Ref(uri="objects/aa/" + "a" * 64 + ".json", sha256="a" * 64)
BATCH = BatchRef(interval=Interval(start=START, end=END), version=1, manifest=BUNDLE)


def judged(store, ledger=None, *, recorded=True, stored=True, left_out=None):
    """Return a ledger with one promoted version, with or without the entries of its steps."""
    ledger = ledger or MemoryLedger()
    plan = Plan(model="sales", as_of=END, lookback=[], train=[BATCH], holdout=[])
    plan = plan.model_copy(update={"left_out": left_out or {}})
    ref = store.put(canonical(plan), ".json") if stored else BUNDLE
    if recorded:
        features = Features(run="run", plan=ref, revision="rev", sha256="b" * 64, rows=3)
        training = Training(
            run="run",
            candidate="tree",
            run_id="x",
            estimator="Tree",
            features_revision="rev",
            rows=3,
            seed=7,
            code="c",
            lock="d" * 64,
        )
        for step in (features, training, training):
            record_step(ledger, "sales", step)
    verdict = GateVerdict(
        verdict="promote",
        reasons=[],
        checks=[],
        candidate="tree",
        run_id="x",
        version="1",
        metrics={},
        champion=None,
        features_revision="rev",
        as_of=END,
    )
    ledger.append("sales", "run", verdict)
    ledger.append("sales", "run", Crown(version="1", bundle=BUNDLE, release=1))
    return ledger
