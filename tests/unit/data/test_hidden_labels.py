"""Labels of rows that train without one: what was not known at the moment of a run is hidden."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa

from pipelines.data.labelled_rows import count_labels, known_rows, label_known
from pipelines.spec import parse_spec

SPEC = parse_spec(
    b"""
name: odd
owner: shop
description: Which visit is odd?
task: anomaly
source: {kind: files, uri: "raw.csv", first: 2024-01-01T00:00:00Z}
batch: day
event_time: at
key: [visit]
target: {column: fraud, known_after: 3d}
threshold: {rate: 0.1}
features: {inputs: [pages]}
train: {window: 6 batches, holdout: 1 batch, metric: roc_auc}
candidates: [{name: forest, estimator: sklearn.ensemble.IsolationForest}]
gate: {at_least: {roc_auc: 0.6}, versus_champion: {metric: roc_auc}}
""",
    "models/odd/model.yaml",
)
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = pa.table(
    {
        "visit": list("abcdef"),
        "at": [FIRST + timedelta(days=d) for d in range(6)],
        "pages": [1, 2, 3, 4, 5, 6],
        "fraud": [True, None, False, True, False, True],
    }
)
AS_OF = FIRST + timedelta(days=5)


def test_every_row_of_the_past_trains_and_late_labels_are_hidden():
    rows = known_rows(ROWS, SPEC, [], by=AS_OF)
    assert rows["visit"].to_pylist() == list("abcde")
    assert rows["fraud"].to_pylist() == [True, None, False, None, None]


def test_labels_are_counted_and_told():
    counts = count_labels(ROWS, SPEC, AS_OF)
    assert (counts.known, counts.missing, counts.waiting) == (2, 1, 2)
    said = counts.in_words(SPEC)
    assert said.startswith("3 of 5 rows have no label (2 wait for it, which is known 3d")
    assert "they are learnt from" in said
    assert label_known(ROWS, SPEC, AS_OF).tolist() == [True, False, True, False, False, False]
