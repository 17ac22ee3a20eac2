"""`perennial check` on data without time: how the rows part, and what would be refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.cli.snapshots import describe_sides
from pipelines.data.sides import held_out, sides_of
from pipelines.errors import SpecError
from pipelines.spec import parse_spec
from tests.snapshots import SPEC, loans


def spec(old: str = "seed: 1", new: str = "seed: 1"):
    assert old in SPEC
    return parse_spec(SPEC.replace(old, new).encode(), "models/loans/model.yaml")


def table(rows: int, **columns) -> pa.Table:
    return pa.Table.from_pandas(loans(rows).assign(**columns), preserve_index=False)


def test_enough_rows_are_told_by_their_sides():
    held = int(held_out(table(1_000), sides_of(spec()), ["customer"]).sum())
    (sentence,) = describe_sides(spec(), table(1_000))
    assert sentence == f"{held} of 1000 rows are held out (by the key, always the same ones)"


def test_few_rows_are_judged_over_folds_and_too_few_not_at_all():
    assert "fits both models again over folds" in describe_sides(spec(), table(200))[1]
    with pytest.raises(SpecError, match="has 29 rows with a known fault"):
        describe_sides(spec(), table(29))


def test_groups_count_where_there_are_some():
    grouped = spec("seed: 1", "seed: 1, group: branch")
    with pytest.raises(SpecError, match="has 20 groups of rows with a known fault"):
        describe_sides(grouped, table(200))
    few = parse_spec(
        SPEC.replace("seed: 1", "seed: 1, group: branch")
        .replace("guards: {log_loss: 0.1}", "guards: {log_loss: 0.1}, min_rows: 20")
        .encode(),
        "models/loans/model.yaml",
    )
    sentences = describe_sides(few, table(800))
    assert "by branch" in sentences[0]
    assert "of 12 groups only, and 20 are needed" in sentences[1]


def test_many_rows_with_a_high_min_rows_would_be_refused():
    high = spec("guards: {log_loss: 0.1}", "guards: {log_loss: 0.1}, min_rows: 5000")
    assert "would refuse every challenger" in describe_sides(high, table(10_500))[1]


def test_rows_without_a_target_do_not_count():
    faults = np.where(np.arange(100) < 20, 1.0, np.nan)
    with pytest.raises(SpecError, match="has 20 rows"):
        describe_sides(spec(), table(100, fault=faults))


def test_a_class_that_is_not_held_out_or_has_one_row_is_warned_of():
    several = parse_spec(
        SPEC.replace("binary", "multiclass")
        .replace("at_least: {roc_auc: 0.6}", "at_most: {log_loss: 1.2}")
        .replace("metric: roc_auc", "metric: log_loss")
        .replace(", guards: {log_loss: 0.1}", "")
        .encode(),
        "models/loans/model.yaml",
    )
    rows = table(1_000)
    learnt = np.flatnonzero(~held_out(rows, sides_of(several), ["customer"]))[:2]
    kinds = np.where(np.isin(np.arange(1_000), learnt), "fraud", "good")
    assert "no held-out row is of 'fraud'" in describe_sides(several, table(1_000, fault=kinds))[1]
    lone = np.where(np.arange(80) == 7, "fraud", "good")
    assert "of 'fraud' there is one row only" in describe_sides(several, table(80, fault=lone))[2]
