"""Whether the gate's further checks keep their rates, and what they find.

`python -m benchmarks.checks` from the checkout.

Slices: how often a challenger is refused for a slice that it has not broken (models that are
equally good, and a challenger that is worse by exactly what is allowed), with few and many slices,
few and many days, rows of a day alike; and how often one is refused that has broken one slice.

Fairness: how often a model is refused whose groups differ by exactly what is allowed, and how often
one whose groups differ by 0.1 more; how often the interval of a group's rate holds the true rate.

Leaks: the tables of `benchmarks.leaks`, each with a leak among honest columns, strong ones too.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks.leaks import TABLES, add_harmless
from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.gate.answers import TwoAnswers
from pipelines.science.gate.fairness import RATES, AspectFacts, Decided, measure_aspect
from pipelines.science.gate.found_slices import find_slices, finding_rows
from pipelines.science.gate.leak_check import measure_columns
from pipelines.science.gate.slices import SliceRows, judge_slices
from pipelines.science.own_metrics import Measures
from pipelines.science.pieces import pieces_of_times
from pipelines.spec.gate_checks import Aspect, Fairness, Leak, Slices

WORLDS, TINY = 300, 2
RULE = Slices.model_validate({"by": [{"column": "place"}]})
FAIR = Fairness(by="group", selection_rate=0.1)
DAY = 86_400

Array = np.ndarray[Any, Any]


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    worlds = TINY if tiny else WORLDS
    rows = [*slices(worlds), *fairness(worlds), *leaks(800 if tiny else 3_000)]
    show("Checks", rows)
    if tiny:
        return 0
    write("checks", rows)
    return int(not all(_is_kept(row) for row in rows))


def _is_kept(row: Measure) -> bool:
    sign, _, bound = row["asked"].partition(" ")
    if not sign:
        return True
    return row["value"] <= float(bound) if sign == "<=" else row["value"] >= float(bound)


def _most(share: float, worlds: int) -> str:
    """Return the share plus three standard errors."""
    return f"<= {round(share + 3 * (share * (1 - share) / worlds) ** 0.5, 3)}"


def slices(worlds: int) -> list[Measure]:
    """Return how often a challenger is refused for a slice, by what it has done to it."""
    measures: list[Measure] = []
    shapes = {
        "4 slices, 30 days of 200 rows": (4, 30, 200),
        "40 slices, 30 days of 400 rows": (40, 30, 400),
        "4 slices, 10 days of 200 rows": (4, 10, 200),
        "20 slices, 90 days of 200 rows": (20, 90, 200),
    }
    few = {words: shape for words, shape in shapes.items() if shape[0] == 4}
    for metric, some in (("log_loss", shapes), ("roc_auc", few), ("accuracy", few)):
        for words, shape in some.items():
            refused = sum(_refuses(metric, shape, seed, worse=0.0) for seed in range(worlds))
            measures.append(
                {
                    "measure": f"slices, {metric}: equal models refused, no margin; {words}",
                    "value": round(refused / worlds, 4),
                    "unit": "share",
                    "asked": _most(1 - RULE.confidence, worlds),
                }
            )
    for words, shape in shapes.items():
        refused = sum(_refuses("log_loss", shape, s, worse=0.0, margin=0.05) for s in range(worlds))
        measures.append(
            {
                "measure": f"slices, log_loss: equal models refused, margin 0.05; {words}",
                "value": round(refused / worlds, 4),
                "unit": "share",
                "asked": _most(1 - RULE.confidence, worlds),
            }
        )
        broken = sum(_refuses("log_loss", shape, s, worse=1.0, margin=0.05) for s in range(worlds))
        measures.append(
            {
                "measure": f"slices, log_loss: one slice broken (half noise), refused; {words}",
                "value": round(broken / worlds, 4),
                "unit": "share",
                "asked": "",
            }
        )
    for worse, words in ((0.0, "equal models refused"), (1.0, "one place broken, refused")):
        refused = sum(_finds(seed, worse) for seed in range(worlds))
        measures.append(
            {
                "measure": f"slices, found by a tree: {words}; 60 days of 200 rows",
                "value": round(refused / worlds, 4),
                "unit": "share",
                "asked": "" if worse else _most(1 - RULE.confidence, worlds),
            }
        )
    return measures


def fairness(worlds: int) -> list[Measure]:
    """Return how often a model is refused for its groups, and how often intervals hold."""
    shapes = {
        "2 groups, 30 days of 200 rows": (2, 30, 200),
        "5 groups, 30 days of 400 rows": (5, 30, 400),
        "2 groups, 10 days of 200 rows": (2, 10, 200),
    }
    measures: list[Measure] = []
    for aspect in RATES:
        for words, shape in shapes.items():
            found = [_fairness_of(aspect, shape, seed, 0.1) for seed in range(worlds)]
            measures.append(
                {
                    "measure": f"fairness, {aspect}: differs by just what is allowed, refused;"
                    f" {words}",
                    "value": round(sum(_is_refused(f) for f in found) / worlds, 4),
                    "unit": "share",
                    "asked": _most(1 - FAIR.confidence, worlds),
                }
            )
            if aspect == "selection_rate":
                rate = 0.5 - 0.1  # of the last group
                held = sum(f.rates[-1].low <= rate <= f.rates[-1].high for f in found)
                least = 0.95 - 3 * (0.95 * 0.05 / worlds) ** 0.5 - 0.01
                measures.append(
                    {
                        "measure": f"fairness: 95 % intervals of a rate that hold it; {words}",
                        "value": round(held / worlds, 4),
                        "unit": "share",
                        "asked": f">= {round(least, 3)}",
                    }
                )
            refused = sum(
                _is_refused(_fairness_of(aspect, shape, seed, 0.2)) for seed in range(worlds)
            )
            measures.append(
                {
                    "measure": f"fairness, {aspect}: differs by 0.1 more, refused; {words}",
                    "value": round(refused / worlds, 4),
                    "unit": "share",
                    "asked": "",
                }
            )
    return measures


def _is_refused(found: AspectFacts) -> bool:
    return any(gap.least > 0.1 for gap in found.gaps)


def _fairness_of(aspect: Aspect, shape: tuple[int, int, int], seed: int, gap: float) -> AspectFacts:
    """Return what rows show of an aspect whose last group is decided less often by `gap`.

    Rows of a day and group share a part of what decides.
    """
    groups, days, rows = shape
    rng = np.random.default_rng([seed, groups, days])
    n = days * rows
    day, group = np.arange(n) // rows, rng.integers(0, groups, n)
    truth = rng.integers(0, 2, n)
    level = rng.uniform(-0.15, 0.15, (days, groups))[day, group]
    positive = rng.random(n) < 0.3 + 0.4 * truth + level - gap * (group == groups - 1)
    times = np.datetime64("2026-01-01", "s") + (np.arange(n) * (DAY / rows)).astype(np.int64)
    masks = {str(k): group == k for k in range(groups)}
    return measure_aspect(Decided(positive, truth, masks, [pieces_of_times(times)]), aspect, FAIR)


def leaks(rows: int) -> list[Measure]:
    """Return of how many tables with a leak the check refuses for it, and for honest columns."""
    caught = refused = 0
    for number, make in enumerate(TABLES):
        random = np.random.default_rng(300 + number)
        table = make(random, rows)
        planted = {table.leak} if isinstance(table.leak, str) else set(table.leak)
        add_harmless(table, random, strong=number % 2 == 0)
        columns = measure_columns(
            table.columns, table.target, classes=table.classes, event=table.event
        )
        found = {c.column for c in columns if c.skill >= Leak().alone or c.why}
        caught += bool(found & planted)
        refused += bool(found - planted)
    count = len(TABLES)
    return [
        {
            "measure": f"leaks: {count} tables with a planted leak, refused for it",
            "value": round(caught / count, 4),
            "unit": "share",
            "asked": ">= 0.9",
        },
        {
            "measure": f"leaks: {count} tables, refused for an honest column",
            "value": round(refused / count, 4),
            "unit": "share",
            "asked": "<= 0.05",
        },
    ]


def _refuses(
    metric: str, shape: tuple[int, int, int], seed: int, *, worse: float, margin: float = 0.0
) -> bool:
    count, days, rows = shape
    answers, place = world(seed, count, days, rows, worse=worse)
    parts = [SliceRows(str(k), place == k) for k in range(count)]
    rule = RULE.model_copy(update={"worse_by": margin})
    return any(found.broken for found in judge_slices(answers, parts, rule, metric))


def _finds(seed: int, worse: float) -> bool:
    answers, place = world(seed, 6, 60, 200, worse=worse)
    assert answers.event_times is not None
    rng = np.random.default_rng(seed)
    columns = {f"place = {k}": (place == k).astype(float) for k in range(6)}
    columns |= {f"x{k}": rng.normal(size=len(place)) for k in range(6)}
    truth = answers.truth
    ours, theirs = (-np.log(np.where(truth == 1, p, 1 - p)) for p in (answers.ours, answers.theirs))
    half, judging = finding_rows([pieces_of_times(answers.event_times)], seed)
    parts = find_slices(columns, ours - theirs, half, judging, least_rows=100, seed=seed)
    return any(found.broken for found in judge_slices(answers, parts, RULE, "log_loss"))


def world(seed: int, count: int, days: int, rows: int, *, worse: float) -> tuple[TwoAnswers, Array]:
    """Return two models' answers and each row's place (n,), of `count`.

    Both know the truth with an error, of which a part is shared by all rows of a day and place. At
    place 0 the challenger errs by so much more: at `worse` 1 half of what it says is noise.
    """
    rng = np.random.default_rng([seed, count, days])
    n = days * rows
    day, place = np.arange(n) // rows, rng.integers(0, count, n)
    x = rng.normal(0, 1.5, n)
    truth = (rng.random(n) < 1 / (1 + np.exp(-x))).astype(np.int64)
    sides = []
    for extra in (worse, 0.0):
        level = rng.normal(0, 0.4, (days, count))[day, place]
        noise = rng.normal(0, 0.4 + 1.2 * extra * (place == 0), n)
        sides.append(1 / (1 + np.exp(-(x + level + noise))))
    times = np.datetime64("2026-01-01", "s") + (np.arange(n) * (DAY / rows)).astype(np.int64)
    return TwoAnswers(Measures(), truth, sides[0], sides[1], times, None), place


if __name__ == "__main__":
    sys.exit(main())
