"""What a look at a window left behind, and champions crowned beside it."""

from __future__ import annotations

import json

import numpy as np
from sklearn.metrics import roc_auc_score

from pipelines.bundle.load import open_bundle, write_bundle
from pipelines.bundle.rows import feed_from_table
from tests.decisions import crown

DAY = 6
"""The first day that the champion has not seen."""


def figures(watched, found):
    return json.loads(watched.ports.store.get(found.figures))


def entries(watched):
    return watched.ports.ledger.entries("sales", "drift")


def champion(watched):
    return open_bundle(watched.ports.store, watched.ports.ledger.champion("sales").bundle)


def auc(watched, rows):
    bundle = champion(watched)
    answers = bundle.predictor.predict_feed(feed_from_table(bundle.manifest.inputs.columns, rows))[
        :, 0
    ]
    return roc_auc_score(rows["bought"].to_pylist(), answers)


def early(rows):
    """The rows whose outcome is known by the end of their day."""
    return rows.filter(np.array([at.hour < 23 for at in rows["at"].to_pylist()]))


def crown_copy(watched, version, **changed):
    """Crown another version with the champion's bundle, of which some inputs are others.

    By input the new kind, None for none.
    """
    ledger, store, was = watched.ports.ledger, watched.ports.store, champion(watched).manifest
    columns = [
        c.model_copy(update={"kind": changed.get(c.name, c.kind)})
        for c in was.inputs.columns
        if changed.get(c.name, c.kind)
    ]
    inputs = was.inputs.model_copy(update={"columns": columns})
    bundle = write_bundle(store, was.model_copy(update={"version": version, "inputs": inputs}))
    now, number = ledger.champion("sales").version, len(ledger.entries("sales", "champion")) + 1
    ledger.crown(
        "sales",
        expected=now,
        champion=crown(version, bundle, number),
        key=version,
    )
