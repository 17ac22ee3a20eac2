"""What cannot be learnt from is refused in words."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.errors import BadData, RequestError, SpecError
from tests.unit.steps.learning import DAYS, ROWS, learning, rows, spec_of_candidate, spec_text


def _with_target(values):
    return [t.set_column(8, "y", pa.array(values(t))) for t in (rows(d) for d in range(DAYS))]


@pytest.mark.parametrize(
    ("task", "values", "words"),
    [
        pytest.param(
            "binary", lambda t: [1] * t.num_rows, r"the same \(1\) in all", id="one class"
        ),
        pytest.param(
            "regression", lambda t: [2.5] * t.num_rows, r"the same \(2.5\) in all", id="a constant"
        ),
        pytest.param("binary", lambda t: [2] * t.num_rows, "besides 0 and 1", id="other numbers"),
        pytest.param(
            "binary",
            lambda t: ["yes"] * t.num_rows,
            "holds texts, which a binary task cannot learn",
            id="text",
        ),
        pytest.param(
            "regression", lambda t: [float("inf")] * t.num_rows, "infinite", id="infinity"
        ),
        pytest.param(
            "regression",
            lambda t: [float("nan")] * t.num_rows,
            "No row of the batches",
            id="all NaN",
        ),
        pytest.param(
            "binary",
            lambda t: pa.nulls(t.num_rows, pa.bool_()),
            "No row of the batches",
            id="all null",
        ),
    ],
)
def test_a_target_that_cannot_be_learnt_is_said_in_words(tmp_path, task, values, words):
    world = learning(tmp_path, spec_text(task), tables=_with_target(values))
    with pytest.raises(BadData, match=words):
        world.train("ridge" if task == "regression" else "linear")


def test_a_missing_column_is_named(tmp_path):
    tables = [rows(d).drop_columns(["place"]) for d in range(DAYS)]
    with pytest.raises(BadData, match="2024-01-05T00 lack place"):
        learning(tmp_path, tables=tables).train("linear")


def test_too_few_rows_are_said_in_words(tmp_path):
    tables = [rows(d, count=c) for d, c in enumerate([1, 0, 0, 1, 50, 50])]
    for i, label in ((0, True), (3, False)):
        tables[i] = (
            tables[i]
            .set_column(8, "y", pa.array([label]))
            .set_column(6, "channel", pa.array(["mail"]))
        )
    with pytest.raises(BadData, match="too few"):
        learning(tmp_path, spec_text(known_after="0s"), tables=tables).train("baseline")


def test_numbers_beyond_float32_are_refused_by_name(tmp_path):
    tables = [rows(d) for d in range(DAYS)]
    tables[0] = tables[0].set_column(3, "b", pa.array([1e300] * ROWS))
    with pytest.raises(BadData, match="column b"):
        learning(tmp_path, tables=tables).train("linear")


def test_unknown_parameters_and_values_name_the_known_ones(tmp_path):
    world = learning(
        tmp_path,
        spec_of_candidate(
            "estimator: sklearn.linear_model.LogisticRegression, params: {max_itr: 5}"
        ),
    )
    with pytest.raises(SpecError, match=r"no parameter 'max_itr'.*did you mean max_iter"):
        world.train("tried")
    world = learning(
        tmp_path,
        spec_of_candidate(
            "estimator: sklearn.linear_model.LogisticRegression, search: {C: [-1.0, 1.0]}"
        ),
    )
    with pytest.raises(SpecError, match=r"candidates\.tried: C must be a number in the range"):
        world.train("tried")


def test_an_unknown_candidate_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no candidate 'ghost'"):
        learning(tmp_path).train("ghost")
