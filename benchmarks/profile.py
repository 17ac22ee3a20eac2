"""What a profile's figures say of data in which there is nothing to see, and what it costs.

`python -m benchmarks.profile` from the checkout.

Chance: how often the distance of two samples of one distribution is beyond what the page calls
chance; with rows that are independent, and with rows of which each is like the one before.
Associations: of columns that have nothing to do with each other. Cost: seconds and bytes of the
page, for many rows and for many columns.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.profiling.page import render
from pipelines.profiling.profile import BatchLine, Profile
from pipelines.profiling.tables import Roles, profile_table, summarise
from pipelines.science.associations import Values, association
from pipelines.science.distributions import bin_counts, bin_edges, chance, distance, merge_rare

SAMPLES = ((200, 2_000), (1_000, 5_000), (20_000, 60_000))
WORLDS = 2_000
CORRELATION = 0.9
"""Of a row with the one before it, where rows hang together."""

ROLES = Roles(["id"], "at", "y", classes=True, inputs=[], personal={})

Array = np.ndarray[Any, Any]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    rng = np.random.default_rng(17)
    rows = [
        *chances(rng, 20 if tiny else WORLDS),
        *associations(rng, 5 if tiny else 300),
        *costs(rng, (1_000, 10) if tiny else (300_000, 20)),
        *costs(rng, (100, 60) if tiny else (5_000, 500)),
    ]
    show("Profile", rows)
    if tiny:
        return 0
    write("profile", rows)
    asked = [
        (row["value"], float(row["asked"].removeprefix("<= "))) for row in rows if row["asked"]
    ]
    return 0 if all(value <= most for value, most in asked) else 1


def chances(rng: np.random.Generator, worlds: int) -> list[Measure]:
    """Return the shares of samples that lie beyond chance though nothing has changed."""
    measures: list[Measure] = []
    for n, m in SAMPLES:
        for words, draw in (("normal", _normal), ("skewed", _draw_skewed), ("groups", _groups)):
            beyond = sum(_is_beyond(draw(rng, n), draw(rng, m)) for _ in range(worlds))
            title = f"{n:,} {words} rows from a reference of {m:,}, beyond chance"
            measures.append(_measure(title, beyond / worlds, "share", "<= 0.1"))
    beyond = sum(
        _is_beyond(_draw_chained(rng, 1_000), _draw_chained(rng, 5_000)) for _ in range(worlds)
    )
    title = f"1,000 rows, each {CORRELATION} like the one before, beyond chance"
    return [*measures, _measure(title, beyond / worlds, "share", "")]


def _normal(rng: np.random.Generator, rows: int) -> Array:
    return rng.normal(size=rows)


def _draw_skewed(rng: np.random.Generator, rows: int) -> Array:
    return rng.exponential(size=rows)


def _groups(rng: np.random.Generator, rows: int) -> Array:
    return rng.geometric(0.3, size=rows).clip(max=19).astype(float)


def _draw_chained(rng: np.random.Generator, rows: int) -> Array:
    from scipy.signal import lfilter

    return lfilter([np.sqrt(1 - CORRELATION**2)], [1, -CORRELATION], rng.normal(size=rows))


def _is_beyond(values: Array, reference: Array) -> bool:
    edges = bin_edges(reference)
    counts = merge_rare(bin_counts(values, edges), bin_counts(reference, edges))
    return float(distance(*counts) or 0) > float(chance(*counts) or 1)


def associations(rng: np.random.Generator, worlds: int) -> list[Measure]:
    """Return the mean association of columns that have nothing to do with each other."""
    numbers, groups = {"numbers": False}, {"30 groups": True}
    measures: list[Measure] = []
    for one, other in ((numbers, numbers), (groups, numbers), (groups, groups)):
        (first, is_first), (second, is_second) = *one.items(), *other.items()
        found = [
            abs(association(_values(rng, is_first), _values(rng, is_second)) or 0.0)
            for _ in range(worlds)
        ]
        title = f"{first} with {second} that are unrelated, 5,000 rows, mean association"
        measures.append(_measure(title, float(np.mean(found)), "", "<= 0.05"))
    return measures


def _values(rng: np.random.Generator, groups: bool) -> Values:  # noqa: FBT001 -- a column's kind
    rows = 5_000
    numbers = rng.integers(0, 30, rows).astype(float) if groups else rng.normal(size=rows)
    return Values(numbers, groups=groups)


def costs(rng: np.random.Generator, size: tuple[int, int]) -> list[Measure]:
    """Return the seconds of a profile of six batches, and the bytes of its page."""
    rows, columns = size
    tables = {f"2024-0{i}-01T00": _table(rng, rows, columns) for i in range(1, 7)}
    begin = time.process_time()
    summaries = {name: summarise(table, ROLES) for name, table in tables.items()}
    lines = [BatchLine(name, rows, columns, "accepted") for name in tables]
    found = profile_table("Raw rows", summaries, ROLES)
    page = render(Profile("benchmark", lines, [found], []))
    seconds = time.process_time() - begin
    title = f"6 batches of {rows:,} rows and {columns} columns"
    return [
        _measure(f"{title}, a profile", seconds, "s of one core", "<= 30"),
        _measure(f"{title}, its page", len(page) / 1e6, "MB", "<= 2"),
    ]


def _table(rng: np.random.Generator, rows: int, columns: int) -> pa.Table:
    texts = {f"t{i}": rng.choice(list("abcdefgh"), rows) for i in range(columns // 4)}
    numbers = {f"x{i}": rng.normal(size=rows) for i in range(columns - len(texts) - 2)}
    return pa.table({"y": rng.random(rows) < 0.5, "id": np.arange(rows), **texts, **numbers})


def _measure(measure: str, value: float, unit: str, asked: str) -> Measure:
    return {"measure": measure, "value": round(value, 4), "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
