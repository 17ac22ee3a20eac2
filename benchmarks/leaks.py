"""Which leaks `perennial init` warns of: `python -m benchmarks.leaks` from the checkout.

Twenty tables of many kinds, each with one leak planted among harmless columns, strong ones among
them. What counts: the leaks that are warned of, and the share of harmless columns that are too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.leaks import find_leaks

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, TINY = 3_000, 800
ASKED_LEAKS, ASKED_HARMLESS = 19, 0.05


@dataclass
class Table:
    """Columns, target and event time of a made table, and which column is the leak."""

    target: pd.Series
    columns: dict
    leak: str | tuple
    classes: bool
    event: pd.Series | None = None
    identifiers: frozenset = field(default_factory=frozenset)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where less was reached than asked."""
    tiny = is_tiny(__doc__, argv)
    found, harmless, false = 0, 0, []
    for number, make in enumerate(TABLES):
        random = np.random.default_rng(100 + number)
        table = make(random, TINY if tiny else ROWS)
        add_harmless(table, random, strong=number % 2 == 0)
        warned = {
            leak.column: leak
            for leak in find_leaks(
                table.columns,
                table.target,
                classes=table.classes,
                event=table.event,
                identifiers=table.identifiers,
            )
        }
        leaks = (table.leak,) if isinstance(table.leak, str) else table.leak
        hit = all(leak in warned for leak in leaks)
        found += hit
        others = [c for c in table.columns if c not in leaks]
        harmless += len(others)
        wrong = [c for c in others if c in warned]
        false += wrong
        why = warned[leaks[0]].reason if hit else "NOT WARNED"
        print(f"{make.__name__:28} {leaks[0]:18} {why}")
        for column in wrong:
            print(f"{'':28} {column:18} FALSE: {warned[column].reason}")
    rows: list[Measure] = [
        {
            "measure": f"planted leaks of {len(TABLES)} that are warned of",
            "value": found,
            "unit": "tables",
            "asked": f">= {ASKED_LEAKS}",
        },
        {
            "measure": f"harmless columns of {harmless} that are warned of",
            "value": round(100 * len(false) / harmless, 2),
            "unit": "%",
            "asked": f"<= {ASKED_HARMLESS:.0%}",
        },
    ]
    show("Leaks", rows)
    if tiny:
        return 0
    write("leaks", rows)
    return int(found < ASKED_LEAKS or len(false) > ASKED_HARMLESS * harmless)


def add_harmless(table, random, *, strong):
    """Add columns that look like leaks and are none; `strong`: one that says much by itself."""
    rows, y = len(table.target), pd.factorize(table.target, sort=True)[0]
    high = pd.Series(y > np.median(y))
    event = table.event if table.event is not None else _events(random, rows)
    customer = pd.Series(random.integers(0, rows // 5, rows))
    table.columns |= {
        "created_at": event - pd.to_timedelta(random.exponential(40, rows), unit="D"),
        "missing_more_often": pd.Series(random.normal(size=rows)).where(
            random.random(rows) > np.where(high, 0.5, 0.1)
        ),
        "zip": pd.Series(random.integers(10_000, 10_200, rows).astype(str)),
        "number_in_time": pd.Series(np.arange(rows) + 5_000),
        "earlier_outcomes": high.groupby(customer).transform(lambda v: v.shift().cumsum()),
        "of_the_customer": customer.map(pd.Series(random.normal(size=rows // 5))),
    }
    table.identifiers |= {"number_in_time"}
    if strong:
        rank = pd.Series(y).rank(pct=True)
        table.columns["score_before"] = rank + random.normal(0, 0.25, rows)


def _customers(random, rows):
    """Columns of customers, and the log odds by which they leave: two of them strong."""
    columns = {
        "age": pd.Series(random.integers(18, 80, rows)),
        "visits": pd.Series(random.poisson(6, rows)),
        "spend": pd.Series(random.lognormal(3, 0.8, rows).round(2)),
        "plan": pd.Series(random.choice(["free", "basic", "gold"], rows)),
        "complaints": pd.Series(random.poisson(0.7, rows)),
        "income": pd.Series(random.normal(40, 12, rows)).where(random.random(rows) > 0.2),
        "noise": pd.Series(random.normal(size=rows)),
    }
    odds = (
        -1.5 + 1.3 * columns["complaints"] - 0.25 * (columns["visits"] - 6)
        + columns["plan"].map({"free": 0.6, "basic": 0.0, "gold": -1.5})
    )  # fmt: skip
    return columns, odds


def _binary(random, rows):
    columns, odds = _customers(random, rows)
    target = pd.Series((random.random(rows) < 1 / (1 + np.exp(-odds))).astype(int))
    return columns, target


def _number(random, rows):
    """Columns of houses and their price: the area is a strong, harmless column."""
    area = random.normal(110, 30, rows).clip(30)
    columns = {
        "area": pd.Series(area.round(1)),
        "rooms": pd.Series((area / 28 + random.normal(0, 0.6, rows)).round().clip(1)),
        "built": pd.Series(random.integers(1900, 2020, rows)),
        "district": pd.Series(random.choice([f"d{i}" for i in range(12)], rows)),
        "garden": pd.Series(random.choice(["none", "small", "large"], rows)),
        "noise": pd.Series(random.normal(size=rows)),
    }
    effect = columns["district"].str[1:].astype(int) * 6_000
    target = area * 2_000 + effect + random.normal(0, 20_000, rows)
    return columns, pd.Series(target.round(-2))


def _events(random, rows):
    return pd.Series(
        pd.Timestamp("2024-01-01")
        + pd.to_timedelta(np.sort(random.integers(0, 360 * 86_400, rows)), unit="s")
    )


def _series(random, rows):
    """A day's sales with a week in them, and harmless lags of them."""
    day = np.arange(rows)
    y = 200 + 60 * np.sin(day / 7 * 2 * np.pi) + random.normal(0, 25, rows)
    for i in range(1, rows):
        y[i] += 0.5 * (y[i - 1] - 200)
    target = pd.Series(y.round(2))
    columns = {
        "yesterday": target.shift(1),
        "last_week": target.shift(7),
        "mean_7": target.shift(1).rolling(7).mean(),
        "weekday": pd.Series(day % 7),
        "price": pd.Series(random.normal(10, 1, rows)),
    }
    return columns, target, pd.Series(pd.date_range("2015-01-01", periods=rows, freq="D"))


def numeric_copy(random, rows):
    columns, target = _number(random, rows)
    columns["invoice"] = target * 1.19
    return Table(target, columns, "invoice", classes=False)


def noisy_copy(random, rows):
    columns, target = _number(random, rows)
    columns["estimate"] = target + random.normal(0, 0.08 * target.std(), rows)
    return Table(target, columns, "estimate", classes=False)


def logarithm(random, rows):
    columns, target = _number(random, rows)
    columns["tax_class"] = np.log(target.clip(1)).round(2)
    return Table(target, columns, "tax_class", classes=False)


def text_copy(random, rows):
    columns, target = _binary(random, rows)
    columns["state"] = target.map({0: "active", 1: "closed"})
    return Table(target, columns, "state", classes=True)


def text_with_a_number(random, rows):
    columns, target = _number(random, rows)
    columns["label"] = "EUR " + target.astype(int).astype(str) + " incl."
    return Table(target, columns, "label", classes=False)


def codes_of_classes(random, rows):
    columns, _ = _customers(random, rows)
    odds = columns["visits"] + random.normal(0, 2, rows)
    target = pd.Series(pd.cut(odds, [-99, 4, 7, 99], labels=["low", "mid", "high"]).astype(str))
    codes = target.map({"low": 10, "mid": 20, "high": 30}) + random.integers(0, 5, rows)
    columns["grade"] = codes
    return Table(target, columns, "grade", classes=True)


def filled_for_positives(random, rows):
    columns, target = _binary(random, rows)
    columns["refund"] = pd.Series(random.lognormal(2, 1, rows)).where(target == 1)
    return Table(target, columns, "refund", classes=True)


def filled_for_some_positives(random, rows):
    columns, target = _binary(random, rows)
    some = (target == 1) & (random.random(rows) < 0.6)
    columns["reason"] = pd.Series(random.choice(["price", "moved"], rows)).where(some)
    return Table(target, columns, "reason", classes=True)


def empty_for_positives(random, rows):
    columns, target = _binary(random, rows)
    columns["next_invoice"] = pd.Series(random.normal(30, 5, rows)).where(target == 0)
    return Table(target, columns, "next_invoice", classes=True)


def time_after_the_event(random, rows):
    columns, target = _binary(random, rows)
    event = _events(random, rows)
    later = event + pd.to_timedelta(random.exponential(5, rows), unit="D")
    columns["closed_at"] = later.where(target == 1)
    return Table(target, columns, "closed_at", classes=True, event=event)


def distance_of_times(random, rows):
    columns, target = _binary(random, rows)
    event = _events(random, rows)
    wait = np.where(target == 1, random.uniform(1, 3, rows), random.uniform(4, 30, rows))
    columns["updated_at"] = event + pd.to_timedelta(wait, unit="D")
    return Table(target, columns, "updated_at", classes=True, event=event)


def identifiers_by_outcome(random, rows):
    columns, target = _binary(random, rows)
    order = np.lexsort((random.random(rows), target))
    number = np.empty(rows, dtype=int)
    number[order] = np.arange(rows)
    columns["case_id"] = pd.Series(number)
    names = frozenset({"case_id", "ticket"})
    columns["ticket"] = pd.Series(random.permutation(rows))
    return Table(target, columns, "case_id", classes=True, identifiers=names)


def identifiers_nearly_by_outcome(random, rows):
    columns, target = _number(random, rows)
    place = (target.rank() + random.normal(0, rows / 4, rows)).rank().astype(int)
    columns["row_id"] = place
    return Table(target, columns, "row_id", classes=False, identifiers=frozenset({"row_id"}))


def value_of_the_next_row(random, rows):
    columns, target, event = _series(random, rows)
    columns["plan"] = target.shift(-1)
    return Table(target, columns, "plan", classes=False, event=event)


def sum_with_its_own_row(random, rows):
    columns, target, event = _series(random, rows)
    columns["sum_7"] = target.rolling(7).sum()
    return Table(target, columns, "sum_7", classes=False, event=event)


def mean_around_the_row(random, rows):
    columns, target, event = _series(random, rows)
    columns["smooth"] = target.rolling(5, center=True).mean()
    return Table(target, columns, "smooth", classes=False, event=event)


def part_of_the_target(random, rows):
    columns, target = _number(random, rows)
    columns["net"] = target * random.uniform(0.3, 0.7, rows)
    columns["fees"] = target - columns["net"]
    return Table(target, columns, ("fees", "net"), classes=False)


def strongest_by_far(random, rows):
    columns, _ = _binary(random, rows)
    weak = pd.Series((random.random(rows) < 0.15).astype(int))
    score = weak * 3 + random.normal(0, 1, rows)
    columns["risk_after"] = score
    return Table(weak, columns, "risk_after", classes=True)


def days_until_the_end(random, rows):
    columns, target = _binary(random, rows)
    left = np.where(target == 1, random.integers(0, 30, rows), random.integers(25, 400, rows))
    columns["days_active_after"] = pd.Series(left)
    return Table(target, columns, "days_active_after", classes=True)


def total_of_the_customer(random, rows):
    columns, target = _binary(random, rows)
    customer = pd.Series(random.integers(0, rows // 3, rows))
    columns["orders_lost"] = target.groupby(customer).transform("sum")
    return Table(target, columns, "orders_lost", classes=True)


TABLES: list[Callable[[np.random.Generator, int], Table]] = [
    numeric_copy, noisy_copy, logarithm, text_copy, text_with_a_number, codes_of_classes,
    filled_for_positives, filled_for_some_positives, empty_for_positives, time_after_the_event,
    distance_of_times, identifiers_by_outcome, identifiers_nearly_by_outcome,
    value_of_the_next_row, sum_with_its_own_row, mean_around_the_row, part_of_the_target,
    strongest_by_far, days_until_the_end, total_of_the_customer,
]  # fmt: skip

if __name__ == "__main__":
    import sys

    sys.exit(main(sys.argv[1:]))
