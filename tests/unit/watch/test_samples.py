"""Both sides of a comparison, as the tests of a change take them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.watch.preconditions import watched_inputs
from pipelines.watch.samples import as_its_ancestor, input_sides, loss_sides, prediction_sides
from pipelines.watch.sides import Labelled, Rows
from tests.unit.watch.windows import (
    CHAMPION,
    ROWS,
    answers,
    champion,
    labelled,
    table,
    times,
    window,
)


def test_inputs_are_numbers_with_nan_and_texts_with_none_beside_their_times():
    inputs = table(ROWS, 1).set_column(
        4, "carrier", pa.array(["AA", None] * (ROWS // 2)).dictionary_encode()
    )
    rows = Rows(inputs, answers(ROWS, 1), times=times(ROWS))
    found, reference = input_sides(rows, CHAMPION, watched_inputs(CHAMPION.schema))
    assert list(found.columns) == ["delay", "distance", "weekday", "night", "carrier"]
    assert found.columns["weekday"].dtype == np.float64
    assert set(found.columns["night"]) == {"true", "false"}
    assert found.columns["carrier"][:2].tolist() == ["AA", None]
    assert (found.times == times(ROWS)).all()
    assert (reference.rows, reference.times) == (2_000, None)


def test_losses_are_of_labelled_rows_and_of_the_holdout():
    found, reference = loss_sides(labelled(), CHAMPION)
    assert (found.rows, reference.rows) == (ROWS, 2_000)
    p, y = CHAMPION.held.p, CHAMPION.held.y
    assert reference.losses.tolist() == ((p - y) ** 2).tolist()
    assert loss_sides(None, CHAMPION) is None
    assert loss_sides(labelled(), replace(CHAMPION, held=None)) is None


def test_what_answers_claim_stands_beside_the_losses():
    found, reference = loss_sides(labelled(), CHAMPION)
    told = [(claim.method, len(claim.values)) for claim in found.claims]
    assert told == [(m, ROWS) for m in ("bias", "high", "low", "confidence")]
    p, y = CHAMPION.held.p, CHAMPION.held.y
    assert reference.claims[0].values.tolist() == pytest.approx((y - p).tolist())


def of_classes(names, y, p):
    return Labelled(np.array(y), np.array(p), times(len(y)), classes=names)


def test_claims_of_classes_are_in_the_champions_order_whatever_the_log_holds():
    held = of_classes(["cat", "dog"], [0, 1], [[0.6, 0.4], [0.3, 0.7]])
    own = champion(task="multiclass", classes=["cat", "dog"], metric="log_loss", held=held)
    logged = of_classes(["ant", "dog", "cat"], [2, 1, 0], [[0.0, 0.2, 0.8]] * 3)
    found, reference = loss_sides(logged, own)
    by_name = {claim.name: claim for claim in found.claims if claim.method == "bias"}
    assert by_name["cat"].values.tolist() == pytest.approx([0.2, -0.8, -0.8])
    assert by_name["dog"].values.tolist() == pytest.approx([-0.2, 0.8, -0.2])
    assert len(reference.claims[0].values) == 2
    lacking = of_classes(["ant", "cat"], [1, 0], [[0.2, 0.8]] * 2)
    assert loss_sides(lacking, own)[0].claims == ()


def test_rows_without_a_time_have_none_that_anyone_knows():
    _, reference = prediction_sides(window(), CHAMPION)
    assert reference.rows == 2_000
    assert np.isnat(reference.times).all()


def test_few_answers_are_those_of_the_ancestor_and_many_are_as_they_are():
    leaves = np.array([0.1, 0.3, 0.8] * 100)
    assert as_its_ancestor(np.array([0.102, 0.299, 0.7]), leaves).tolist() == [0.1, 0.3, 0.8]
    many = answers(2_000, 9)
    assert as_its_ancestor(many[:5] + 0.01, many).tolist() == (many[:5] + 0.01).tolist()
