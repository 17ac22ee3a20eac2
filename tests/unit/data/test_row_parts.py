"""Rows that are read part by part, and the sample of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.columns.widening import together
from pipelines.data import labelled_rows, row_parts
from pipelines.data.row_limit import LEAST, most_rows
from pipelines.data.row_parts import RowFiles, RowParts
from pipelines.errors import BadData
from pipelines.spec import parse_spec
from tests.unit.steps.learning import FIRST, learning, rows, spec_text

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.spec import Spec
    from tests.unit.steps.learning import Learning

END = FIRST + timedelta(days=9)


def within(world: Learning, most: int) -> Learning:
    return replace(world, built=world.built.model_copy(update={"most_rows": most}))


def files_of(folder: Path, tables: list[pa.Table], group: int) -> dict[str, Path]:
    folder.mkdir()
    paths = {f"b{i}": folder / f"{i}.parquet" for i in range(len(tables))}
    for table, path in zip(tables, paths.values(), strict=True):
        pq.write_table(table, path, row_group_size=group)
    return paths


@pytest.fixture
def spec() -> Spec:
    return parse_spec(spec_text().encode(), "model.yaml")


def test_all_rows_are_what_is_read_at_once(tmp_path):
    world = learning(tmp_path)
    many = within(world, 10_000)
    at_once, in_parts = (labelled_rows.split(w.context, w.built) for w in (world, many))
    assert in_parts.train.equals(at_once.train)
    assert in_parts.holdout.equals(at_once.holdout)
    assert in_parts.counts == at_once.counts
    assert in_parts.learnt is None
    assert in_parts.judged is None
    assert labelled_rows.parts_to_fit(many.context, many.built) is None


def test_of_more_rows_a_sample_of_the_stated_size_is_learnt_from_and_judged(tmp_path):
    world = learning(tmp_path)
    whole = labelled_rows.split(world.context, world.built)
    few = within(world, 200)
    split = labelled_rows.split(few.context, few.built)
    assert (split.train.num_rows, split.holdout.num_rows) == (200, 200)
    assert split.counts == whole.counts
    assert split.learnt is not None
    assert split.learnt.count == whole.train.num_rows
    share = np.mean(whole.train["y"].to_numpy(zero_copy_only=False))
    assert np.sum(split.train["y"].to_numpy(zero_copy_only=False)) == pytest.approx(
        200 * share, abs=1
    )
    keys = whole.train["visit"].to_pylist()
    drawn = split.train["visit"].to_pylist()
    assert drawn == sorted(drawn, key=keys.index)
    held, _ = labelled_rows.holdout(few.context, few.built)
    assert held.equals(split.holdout)
    fitted, span = labelled_rows.rows_to_fit(few.context, few.built)
    assert fitted.num_rows == 200
    assert span == labelled_rows.rows_to_fit(world.context, world.built)[1]
    parts = labelled_rows.parts_to_fit(few.context, few.built)
    assert parts is not None
    assert parts.count == labelled_rows.rows_to_fit(world.context, world.built)[0].num_rows


def test_a_sample_does_not_follow_from_the_cuts_of_files(tmp_path, spec, monkeypatch):
    tables = [rows(d) for d in range(4)]
    one = RowParts(RowFiles(spec, files_of(tmp_path / "a", tables, 1000)), END)
    other = RowParts(RowFiles(spec, files_of(tmp_path / "b", tables, 7)), END)
    drawn = one.sample(123)
    monkeypatch.setattr(row_parts, "READ_ROWS", 11)
    assert other.sample(123).equals(drawn)
    assert [t.num_rows for t in other.tables(250)] == [250, 250, 100]
    assert pa.concat_tables(other.tables(250)).equals(pa.concat_tables(one.tables(9)))


def test_values_are_sampled_by_batch(tmp_path):
    spec = parse_spec(spec_text("regression").encode(), "model.yaml")
    tables = [rows(d, "regression", count=n) for d, n in enumerate((300, 100))]
    parts = RowParts(RowFiles(spec, files_of(tmp_path / "a", tables, 64)), END)
    days = parts.sample(100)["visit"].to_pylist()
    assert sorted({d[0]: days.count(d) for d in days}) == ["0", "1"]
    assert sum(d.startswith("0") for d in days) == 75


def test_a_rare_class_keeps_a_row(tmp_path, spec):
    table = rows(0, count=2_000)
    rare = [i == 5 for i in range(2_000)]
    table = table.set_column(table.column_names.index("y"), "y", pa.array(rare))
    parts = RowParts(RowFiles(spec, files_of(tmp_path / "a", [table], 500)), END)
    assert parts.sample(50)["y"].to_pylist().count(True) == 1


def test_types_are_brought_together_and_nulls_are_known(tmp_path, spec):
    first, second = rows(0), rows(1)
    place = second.column_names.index("count")
    second = second.set_column(place, "count", second["count"].cast(pa.float64()))
    files = RowFiles(spec, files_of(tmp_path / "a", [first, second], 50))
    read = RowParts(files, END).sample(10_000)
    assert read.num_rows == 300
    assert read.equals(together({"b0": first, "b1": second}, "They").select(read.column_names))
    assert files.with_nulls() == {"channel", "a"}
    with pytest.raises(BadData, match="lack b"):
        RowParts(RowFiles(spec, files_of(tmp_path / "b", [first.drop("b")], 9)), END).sample(5)


def test_nothing_known_is_refused_in_the_same_words(tmp_path):
    world = learning(tmp_path, spec_text(known_after="240h"))
    said = []
    for one in (world, within(world, 100)):
        with pytest.raises(BadData) as caught:
            labelled_rows.split(one.context, one.built)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_how_many_rows_are_held_follows_from_what_is_stated_alone(tmp_path):
    world = learning(tmp_path)
    kinds = [pa.int64(), pa.float64(), pa.string(), pa.timestamp("us")]
    assert most_rows(world.context, kinds) is None
    settings = world.context.settings.model_copy(update={"memory": "2g"})
    assert most_rows(replace(world.context, settings=settings), kinds) == 2**31 // 16 // 88
    tight = world.context.settings.model_copy(update={"memory": "1m"})
    assert most_rows(replace(world.context, settings=tight), kinds) == LEAST
