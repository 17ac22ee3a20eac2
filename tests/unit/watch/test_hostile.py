"""Whatever a window holds, the look answers.

What cannot be compared is named by its column, and never by an exception of the look.
"""

from __future__ import annotations

import random
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pipelines.science.drift import decide
from pipelines.spec.drift import NUMBER_METHODS, TEXT_METHODS, Drift, Rule
from pipelines.watch.comparison import look
from pipelines.watch.sides import Rows
from tests.unit.watch.windows import champion

SIDES = {
    "numbers": lambda rng, n: pa.array(rng.normal(size=n)),
    "few": lambda rng, n: pa.array(rng.integers(0, 3, n)),
    "constant": lambda _, n: pa.array(np.ones(n)),
    "nearly": lambda rng, n: pa.array(1 + 1e-15 * rng.integers(0, 2, n)),
    "huge": lambda rng, n: pa.array(rng.normal(size=n) * 1e37),
    "tiny": lambda rng, n: pa.array(rng.normal(size=n) * 1e-310),
    "nulls": lambda _, n: pa.nulls(n, pa.float64()),
    "holes": lambda rng, n: pa.array(rng.normal(size=n), mask=rng.random(n) < 0.6),
    "infinite": lambda rng, n: pa.array(np.where(rng.random(n) < 0.5, np.inf, 0.0)),
    "decimals": lambda rng, n: pa.array([Decimal(int(v)) / 100 for v in rng.integers(0, 999, n)]),
    "flags": lambda rng, n: pa.array(rng.random(n) < 0.3),
    "texts": lambda rng, n: pa.array(rng.choice(["a", "b", "", "\x00", "</script>"], n)),
    "words": lambda rng, n: pa.array([f"{v}" for v in rng.integers(0, 10**9, n)]),
    "void": lambda _, n: pa.nulls(n),
    "bytes": lambda _, n: pa.array([b"\xff"] * n),
    "lists": lambda _, n: pa.array([[1]] * n),
}
LEARNT = [
    "numbers",
    "few",
    "constant",
    "nearly",
    "huge",
    "tiny",
    "nulls",
    "holes",
    "flags",
    "texts",
    "words",
]


def look_at_whatever(seed):
    chance, rng = random.Random(seed), np.random.default_rng(seed)
    rows = chance.choice([1, 2, 60, 200])
    kinds = {f"c{i}": chance.choice(LEARNT) for i in range(3)}
    learnt = pa.table({name: SIDES[kind](rng, 150) for name, kind in kinds.items()})
    same = chance.random() < 0.6
    seen = pa.table(
        {
            name: SIDES[kind if same else chance.choice(list(SIDES))](rng, rows)
            for name, kind in kinds.items()
        }
    )
    texts, numbers = (
        Rule(method=chance.choice(TEXT_METHODS), threshold=0.1),
        Rule(method=chance.choice(NUMBER_METHODS), threshold=0.1),
    )
    rules = Drift(schedule="daily", min_rows=1, numbers=numbers, texts=texts, predictions=numbers)
    predictions = rng.random(rows) if chance.random() < 0.7 else np.ones(rows)
    look_result = look(
        rules,
        Rows(seen, predictions),
        None,
        champion(learnt, predictions=rng.random(150)),
        seed=seed,
    )
    return look_result, decide(look_result.facts, rules)


@pytest.mark.parametrize("seed", range(6))
def test_no_window_ends_the_look(seed):
    look_result, decision = look_at_whatever(seed)
    assert look_result.facts.error == ""
    assert decision.reasons
    assert all(c.score is not None or c.problem for c in look_result.facts.columns)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 400))
def test_no_window_of_hundreds_ends_the_look(seed):
    look_result, _ = look_at_whatever(seed)
    assert look_result.facts.error == ""
