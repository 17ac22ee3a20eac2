"""The profile of a table over its batches."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pipelines.profiling.bins import OTHERS
from pipelines.profiling.tables import MOST_COLUMNS, Roles, profile_table, summarise

ROWS = 1_000
ROLES = Roles(["id"], "at", "late", classes=True, inputs=["x", "shop"], personal={"plate": "drop"})


def batch(seed, rows=ROWS, shift=0.0, **more):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    return pa.table(
        {
            "id": np.arange(rows),
            "at": pa.array([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)] * rows),
            "x": x + shift,
            "shop": rng.choice(["north", "south", "west"], rows),
            "price": pa.array([Decimal("1.10"), None] * (rows // 2)),
            "email": ["ann@example.org"] * rows,
            "plate": ["B-XY 1"] * rows,
            "late": x + rng.normal(size=rows) > 0,
            **more,
        }
    )


def profile(*batches, reference=None, roles=ROLES):
    tables = {f"2024-0{i}-01T00": b for i, b in enumerate(batches, 1)}
    batches = {name: summarise(table, roles) for name, table in tables.items()}
    found = profile_table("Raw rows", batches, roles, reference)
    return found, {c.name: c for c in found.columns}


def test_each_column_has_its_figures_in_every_batch():
    found, columns = profile(batch(1), batch(2).drop(["shop"]), batch(3))
    assert found.rows == [ROWS] * 3
    assert [f and (f.rows, f.missing, f.unique) for f in columns["price"].batches] == [
        (ROWS, 0.5, 1)
    ] * 3
    assert [f and f.unique for f in columns["shop"].batches] == [3, None, 3]
    x = columns["x"].newest
    assert x.quantiles == sorted(x.quantiles)
    assert x.quantiles[2] == pytest.approx(0, abs=0.1)
    assert {c.name: c.role for c in found.columns if c.role} == {
        "late": "target", "x": "input", "shop": "input", "id": "key", "at": "event time"
    }  # fmt: skip


def test_what_goes_with_the_target_comes_first():
    found, columns = profile(batch(1), batch(2))
    assert [c.name for c in found.columns[:2]] == ["late", "x"]
    assert columns["x"].with_target > 0.4
    assert abs(columns["shop"].with_target) < 0.1
    assert columns["late"].with_target is None
    assert found.together == ["late", "x", "shop"] or "price" in found.together
    place = found.together.index("x")
    assert found.associations[0][place] == found.associations[place][0] > 0.4


def test_a_shift_is_far_from_the_older_half_and_what_did_not_move_is_near():
    found, columns = profile(batch(1), batch(2), batch(3), batch(4, shift=2.0))
    assert found.reference == "the batches 2024-01-01T00 to 2024-02-01T00"
    x = columns["x"]
    assert x.distances[:2] == [None, None]
    assert x.distances[2] < 0.15
    assert x.distances[3] > 0.5 > x.chances[3]
    assert columns["shop"].distances[3] < 0.1
    assert columns["id"].shape is None


def test_a_reference_that_is_given_is_what_every_batch_is_compared_with():
    found, columns = profile(batch(1), batch(2), reference=("the champion's rows", batch(9)))
    assert found.reference == "the champion's rows"
    assert all(d is not None and d < 0.1 for d in columns["x"].distances)


def test_one_batch_has_no_reference():
    found, columns = profile(batch(1))
    assert found.reference == ""
    assert columns["x"].distances == [None]
    assert sum(columns["x"].shape.newest) == ROWS


def test_new_texts_are_among_all_others():
    _, columns = profile(batch(1), batch(2, shop=["east"] * ROWS))
    shape = columns["shop"].shape
    assert shape.labels[-1] == OTHERS
    assert shape.newest[-1] == ROWS
    assert columns["shop"].distances[-1] == pytest.approx(1)


def test_personal_columns_are_left_out_with_the_reason_and_their_values_nowhere():
    found, columns = profile(batch(1), batch(2))
    assert found.left_out == {
        "plate": "personal, as the spec says",
        "email": "looks personal: by its name",
    }
    assert not {"plate", "email"} & set(columns)
    assert "ann@" not in repr(found)


def test_odd_columns_have_figures_too():
    odd = {
        "empty": pa.nulls(ROWS),
        "nan": [float("nan")] * ROWS,
        "nested": [[1]] * ROWS,
        "bytes": [b"x"] * ROWS,
        "same": ["a"] * ROWS,
        "name_of": [f"row {i}" for i in range(ROWS)],
        "huge": pa.array([2**63 - 1, -(2**63)] * (ROWS // 2)),
        "infinite": [float("inf"), 1.0] * (ROWS // 2),
        "day": pa.array([dt.date(2024, 1, 1)] * ROWS),
        "kinds": pa.array(["a"] * ROWS).dictionary_encode(),
    }
    found, columns = profile(batch(1, **odd), batch(2, **odd), batch(3, **odd))
    assert columns["empty"].newest.missing == columns["nan"].newest.missing == 1
    assert columns["nested"].newest.unique is None
    assert columns["same"].newest.unique == columns["kinds"].newest.unique == 1
    assert columns["name_of"].shape is None
    assert columns["huge"].newest.unique == 2
    assert columns["day"].type == "date"
    assert found.not_looked_at == 0


def test_a_column_of_another_type_in_the_newest_batch_is_not_compared():
    _, columns = profile(batch(1), batch(2, x=["a", "b"] * (ROWS // 2)))
    assert columns["x"].type == "text"
    assert columns["x"].distances == [None, None]


def test_a_batch_without_rows_is_no_obstacle():
    found, columns = profile(batch(1), batch(2, rows=0))
    assert found.rows == [ROWS, 0]
    assert columns["x"].newest.missing == 0
    assert columns["x"].distances == [None, None]


def test_of_very_many_columns_those_that_the_spec_names_are_looked_at():
    many = {f"z{i}": np.arange(50.0) for i in range(MOST_COLUMNS)}
    rest = batch(1, rows=50)
    table = pa.table({**many, **{n: rest[n] for n in rest.column_names}})
    found, columns = profile(table)
    assert len(found.columns) + len(found.left_out) == MOST_COLUMNS
    assert found.not_looked_at == 8
    assert {"late", "x", "shop", "id"} <= set(columns)
