"""Sides of a snapshot: the same row on the same side, whatever else the snapshot holds."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipelines.data.sides import groups_of, held_out, sides_of
from pipelines.messages import Sides
from pipelines.spec import parse_spec
from tests.snapshots import SPEC

KEY = ["customer"]


def table(numbers: list[int]) -> pa.Table:
    return pa.table(
        {
            "customer": [f"c{n}" for n in numbers],
            "branch": [None if n % 10 == 0 else f"b{n // 10}" for n in numbers],
        }
    )


def held(numbers: list[int], sides: Sides) -> set[str]:
    rows = table(numbers)
    return set(rows.filter(pa.array(held_out(rows, sides, KEY)))["customer"].to_pylist())


def test_about_the_share_is_held_out_and_by_the_seed():
    sides = Sides(seed=1, columns=KEY, share=0.2)
    everyone = list(range(5_000))
    first = held(everyone, sides)
    assert 900 < len(first) < 1_100
    other = held(everyone, sides.model_copy(update={"seed": 2}))
    assert len(first & other) < 300


def test_new_rows_and_another_order_move_no_row():
    sides = Sides(seed=1, columns=KEY, share=0.2)
    before, after = list(range(1_000)), list(range(3_000, -1, -1))
    assert held(before, sides) == held(after, sides) & {f"c{n}" for n in before}


def test_a_larger_share_keeps_what_a_smaller_one_holds_out():
    small = Sides(seed=1, columns=KEY, share=0.1)
    everyone = list(range(1_000))
    assert held(everyone, small) < held(everyone, small.model_copy(update={"share": 0.3}))


def test_a_group_is_on_one_side_and_a_row_without_one_counts_by_its_key():
    sides = Sides(seed=1, columns=["branch"], share=0.5)
    rows = table(list(range(1_000)))
    is_held = held_out(rows, sides, KEY)
    branches = np.array(rows["branch"].to_pylist(), dtype=object)
    for branch in set(branches) - {None}:
        assert len(set(is_held[branches == branch])) == 1
    alone = is_held[branches == None]  # noqa: E711 -- element by element
    assert 20 < alone.sum() < 80


def test_a_whole_number_is_the_same_key_as_a_float():
    sides = Sides(seed=1, columns=["id"], share=0.5)
    whole = pa.table({"id": pa.array(range(200), pa.int64())})
    floating = pa.table({"id": pa.array([float(n) for n in range(200)])})
    assert (held_out(whole, sides, ["id"]) == held_out(floating, sides, ["id"])).all()


def test_groups_are_numbered_in_the_order_of_their_first_row():
    grouped = parse_spec(SPEC.replace("seed: 1", "seed: 1, group: branch").encode(), "model.yaml")
    assert groups_of(table([21, 22, 31, 20, 23]), grouped).tolist() == [0, 0, 1, 2, 0]
    assert sides_of(grouped) == Sides(seed=1, columns=["branch"], share=0.2)
    alone = parse_spec(SPEC.encode(), "model.yaml")
    assert groups_of(table([21, 22, 31]), alone).tolist() == [0, 1, 2]
