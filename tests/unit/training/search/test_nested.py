"""Nested cross-validation: the winner of a search, judged on rows that have not chosen it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from pipelines.training.folds import search_folds
from pipelines.training.search.nested import nested_scores
from tests.unit.steps.learning import learning, spec_of_candidate, spec_text
from tests.unit.training.search.worlds import LINEAR, ground_of, rows, spec_with

SEARCH = f"{LINEAR}, search: {{C: [0.0001, 0.01, 1.0]}}"


def test_each_outer_fold_is_searched_by_itself_and_judged_on_other_rows():
    spec = spec_with(SEARCH, nested=True)
    inputs, y = rows()
    start = datetime(2024, 1, 1, tzinfo=UTC)
    table = pa.table(
        {
            "at": pa.array(
                [start + timedelta(hours=i) for i in range(len(y))], pa.timestamp("us", tz="UTC")
            )
        }
    )
    folds = search_folds(spec, table, y)
    scores = nested_scores(ground_of(spec, inputs, y, folds), table)
    assert len(scores) == 2
    assert all(0.5 < score <= 1 for score in scores)
    # What judges an outer fold has no say in what was chosen for it.
    turned = y.copy()
    turned[folds[0][1]] = 1 - turned[folds[0][1]]
    again = nested_scores(ground_of(spec, inputs, turned, folds[:1]), table)
    assert again == [pytest.approx(1 - scores[0])]


def test_it_is_recorded_beside_the_score_that_flatters(tmp_path):
    text = spec_of_candidate(SEARCH).replace("folds: 2", "folds: 2, nested: true")
    world = learning(tmp_path, text)
    found = world.train("tried")
    logged = world.context.ports.registry.metrics(found.run_id)
    assert logged["cv_nested_roc_auc"] == found.cv_nested > 0.5
    assert logged["cv_nested_roc_auc_spread"] == found.cv_nested_spread >= 0


def test_a_snapshot_is_cut_again_by_other_seeds():
    text = spec_text()
    for line in (
        "batch: day\n",
        "event_time: at\n",
        "alike: {span: hour}\n",
        ", first: 2024-01-01T00:00:00Z",
    ):
        text = text.replace(line, "")
    text = text.replace(", known_after: 1h", "").replace(
        "window: 4 batches, holdout: 2 batches, ", ""
    )
    spec = parse_spec(text.replace("folds: 2", "folds: 3, repeats: 2").encode(), "model.yaml")
    y = np.arange(60) % 2
    folds = search_folds(spec, pa.table({"visit": range(60)}), y)
    assert len(folds) == 6
    tests = [set(test.tolist()) for _, test in folds]
    assert tests[0] | tests[1] | tests[2] == tests[3] | tests[4] | tests[5] == set(range(60))
    assert tests[0] != tests[3]


def test_time_can_be_cut_in_one_order_only():
    text = spec_text().replace("folds: 2", "folds: 2, repeats: 3")
    with pytest.raises(SpecError, match=r"train\.folds. instead"):
        parse_spec(text.encode(), "model.yaml")
