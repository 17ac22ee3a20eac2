"""Does judging a recipe help after a change, and does it hold its rate where nothing changes?

`python -m benchmarks.renewal` from the checkout.

Worlds of months of 30 days with 60 rows each, five inputs and a logistic truth, whose strength
varies by day; a linear model learns from at most six months and is judged on the next one. Change:
the concept becomes another one at the first row of a month. How often is the challenger promoted at
the end of that month, by the rule of a person's run and by that of a run that drift started, and
what does the version that serves regain of the AUC that was lost? Quiet: nothing changes. How often
is a recipe promoted that is truly worse by the margin, and one that is equal? Data are shared
between the arms.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.signal import lfilter
from scipy.special import expit

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.bootstrap import compare
from pipelines.science.gate.facts import Opponent
from pipelines.science.gate.rules import SHARE, find, holds, margin_of
from pipelines.science.metrics import score
from pipelines.science.rolling import origins_of, parts_of
from pipelines.science.window_probe import choose_start, plan_probe
from pipelines.spec import Gate
from pipelines.spec.gate import CONFIDENCE
from pipelines.training.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.science.bootstrap import Comparison
    from pipelines.spec.rules import Rule

Array = np.ndarray[Any, Any]

DAYS, ROWS, INPUTS = 30, 60, 5
"""Days of a month, rows of a day, inputs of a row."""
WINDOW = 6
"""Months that are learnt from; the next one judges."""
CHANGES, QUIETS = 100, 600
"""Worlds."""
BY_DAY = 0.3
"""How far the strength of the concept varies by day (standard deviation): the difference of two
models varies with it."""
ERROR_BY_DAY = 0.35
"""How far what a model answers is off by day along one input (standard deviation, in logits)."""
GATE = Gate.model_validate(
    {
        "at_least": {"roc_auc": 0.5},
        "versus_champion": {"metric": "roc_auc"},
    }
)
MARGINS = (0.05, SHARE, 0.2)
"""Shares of the champion's lead that are tried as the margin."""
LOSSES = (*((share, loss) for share in MARGINS for loss in (share, 0.0)), (SHARE, 2 * SHARE))
"""Margins, and by how much the recipe is truly worse, both as shares of the champion's lead."""


@dataclass(frozen=True)
class Rows:
    """Inputs (n, 5), outcomes (n,) and event times (n,)."""

    x: Array
    y: Array
    times: Array

    def where(self, mask: Array) -> Rows:
        """Return those of a mask (n,)."""
        return Rows(self.x[mask], self.y[mask], self.times[mask])

    def months(self, first: int, last: int) -> Rows:
        """Return those of the months from `first` up to `last`, exclusive."""
        return self.where((self.times >= month(first)) & (self.times < month(last)))


def month(number: int) -> np.datetime64:
    """Return when a month begins."""
    return np.datetime64("2026-01-01", "us") + np.timedelta64(number * DAYS, "D")


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something is not as asked."""
    tiny = is_tiny(__doc__, argv)
    with limit_threads(1):  # these fits are so small that threads only wait for each other
        rows = [*changes(3 if tiny else CHANGES), *quiets(4 if tiny else QUIETS)]
    show("Renewal", rows)
    if tiny:
        return 0
    write("renewal", rows)
    return int(not all(_is_reached(row) for row in rows if row["asked"]))


def _is_reached(row: Measure) -> bool:
    way, bound = row["asked"].split()
    return row["value"] >= float(bound) if way == ">=" else row["value"] <= float(bound)


def make_rows(
    rng: np.random.Generator, concepts: list[Array], *, memory: float = 0.0, by_day: float = BY_DAY
) -> Rows:
    """Return the rows of as many months as there are concepts (5,).

    `memory` is how much of a day's strength stays until the next.
    """
    days = DAYS * len(concepts)
    noise = rng.normal(size=(days + 50, INPUTS))
    level = lfilter([1], [1, -memory], noise, axis=0)[50:] * (1 - memory**2) ** 0.5
    day = np.repeat(np.arange(days), ROWS)
    x = rng.normal(size=(len(day), INPUTS))
    weights = np.repeat(np.array(concepts), DAYS, axis=0) + by_day * level
    y = (rng.random(len(day)) < expit((x * weights[day]).sum(axis=1))).astype(np.int64)
    within = np.tile(np.arange(ROWS), days) * np.timedelta64(86_400 // ROWS, "s")
    return Rows(x, y, month(0) + day * np.timedelta64(1, "D") + within)


def draw_concept(rng: np.random.Generator) -> Array:
    """Return the weights (5,) of a concept, of one strength and of any direction."""
    weights = rng.normal(size=INPUTS)
    return 1.2 * weights / np.linalg.norm(weights)


def fit_linear(rows: Rows) -> Callable[[Rows], Array]:
    """Return a logistic regression (Newton's steps, hardly regularised)."""
    x = np.column_stack([np.ones(len(rows.y)), rows.x])
    weights = np.zeros(x.shape[1])
    for _ in range(6):
        p = expit(x @ weights)
        curve = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(x.shape[1])
        weights += np.linalg.solve(curve, x.T @ (rows.y - p) - 1e-3 * weights)
    return lambda asked: expit(weights[0] + asked.x @ weights[1:])


def fit_probed(rows: Rows) -> Callable[[Rows], Array]:
    """Return a logistic regression on the newest months alone where a probe says that older ones
    mislead, as `train: {window: auto}` does.
    """
    edges = np.array([month(n) for n in range(2 * WINDOW) if (rows.times >= month(n)).any()])
    edges = edges[edges >= rows.times.min() - np.timedelta64(DAYS - 1, "D")]
    probe = plan_probe(rows.times, edges, "day")
    if probe is None:
        return fit_linear(rows)
    asked = rows.where(rows.times >= probe.asked_from)
    before = rows.where(rows.times < probe.asked_from)
    answers = {s: fit_linear(before.where(before.times >= s))(asked) for s in probe.starts}

    def compare_with_all(start: np.datetime64, confidence: float) -> Comparison:
        return compare(
            "roc_auc",
            asked.y,
            challenger=answers[start],
            opponent=answers[probe.starts[0]],
            event_times=asked.times,
            confidence=confidence,
            seed=1,
        )

    start, _ = choose_start(probe.starts, compare_with_all, CONFIDENCE["better"])
    return fit_linear(rows if start is None else rows.where(rows.times >= start))


def judge(rule: Rule, fit: Any, known: Rows, held: Rows, champion: Any) -> tuple[bool, str]:
    """Return whether a challenger is promoted, and the name of what was found.

    By `better` one fit is judged, by `not_worse` the recipe, as `pipelines.judging.renewal` does.
    """
    answers = fit(known)(held)
    theirs = champion(held)
    if rule != "better":
        answers = roll(fit, known, held, answers)
    return decide(rule, held, answers, theirs, SHARE)


def decide(rule: Rule, held: Rows, ours: Array, theirs: Array, share: float) -> tuple[bool, str]:
    """Return what the gate makes of both models' answers, with a margin of this share."""
    comparison = compare(
        "roc_auc",
        held.y,
        challenger=ours,
        opponent=theirs,
        event_times=held.times,
        confidence=GATE.versus_champion.confidence_by(rule),
        seed=1,
        rises=rule != "better",
    )
    opponent = Opponent("champion", comparison, lead=score("roc_auc", held.y, theirs) - 0.5)
    margin = (margin_of(GATE, opponent) or 0.0) * share / SHARE
    is_above = comparison.challenger >= GATE.at_least["roc_auc"]
    return holds(rule, comparison, margin) and is_above, find(comparison, margin)


def roll(fit: Any, known: Rows, held: Rows, first: Array) -> Array:
    """Return the answers to the held-out rows of a fit for each part; `first` stand for part 0."""
    answers, parts = first.copy(), parts_of(held.times, "day")
    for part, origin in enumerate(origins_of(held.times, parts)):
        if part:
            now = held.where(held.times < origin)
            learn = Rows(
                np.concatenate([known.x, now.x]),
                np.concatenate([known.y, now.y]),
                np.concatenate([known.times, now.times]),
            )
            mine = parts == part
            answers[mine] = fit(learn)(held.where(mine))
    return answers


ARMS: tuple[tuple[str, Rule, Any, tuple[str, str, str]], ...] = (
    ("one fit (better), six months", "better", fit_linear, ("", "", "")),
    ("recipe (not worse), six months", "not_worse", fit_linear, ("", "", "")),
    ("recipe (not worse), window: auto", "not_worse", fit_probed, (">= 0.8", ">= 0.8", ">= 0.95")),
)
"""Rules and recipes; what is asked of each: promoted, regained after a month and after two."""


def changes(worlds: int) -> list[Measure]:
    """Return what becomes of an abrupt change of concept, by arm."""
    measures: list[Measure] = []
    for words, rule, fit, asked in ARMS:
        found = np.array([_change(rule, fit, seed) for seed in range(worlds)])
        promoted, lost_and_had = found[:, 0].mean(), found[:, 1:].mean(axis=0)
        regained = [lost_and_had[had] / lost_and_had[had + 1] for had in (0, 2)]
        for name, value, bound in zip(
            (
                "promoted at the end of the first changed month",
                "lost AUC regained after 1 month",
                "lost AUC regained after 2 months",
            ),
            (promoted, *regained),
            asked,
            strict=True,
        ):
            title = f"abrupt change, {worlds} worlds, {words}: {name}"
            measures.append(
                {"measure": title, "value": round(float(value), 3), "unit": "share", "asked": bound}
            )
    return measures


def _change(rule: Rule, fit: Any, seed: int) -> tuple[float, ...]:
    """Return whether the challenger is promoted after the first changed month, and by how much the
    AUC of the version that serves in the second month, and of a model of the new concept alone, is
    above that of one that never learns; then the same two of the third month.
    """
    rng = np.random.default_rng([71, seed])
    old, new = draw_concept(rng), draw_concept(rng)
    rows = make_rows(rng, [old] * WINDOW + [new] * 3)
    frozen = serves = fit_linear(rows.months(0, WINDOW))
    found = []
    for now in (WINDOW, WINDOW + 1):
        known, held = rows.months(now - WINDOW, now), rows.months(now, now + 1)
        promoted, _ = judge(rule, fit, known, held, serves)
        if promoted:
            serves = fit(rows.months(now - WINDOW, now + 1))
        after = rows.months(now + 1, now + 2)
        alone = fit_linear(rows.months(WINDOW, now + 1))
        lost, reached, had = (
            score("roc_auc", after.y, model(after)) for model in (frozen, alone, serves)
        )
        found += [float(promoted), had - lost, reached - lost]
    return found[0], found[1], found[2], found[4], found[5]


def quiets(worlds: int) -> list[Measure]:
    """Return how often a recipe takes over that is truly worse by the margin, and an equal one."""
    sure = CONFIDENCE["not_worse"]
    bound = 1 - sure + 3 * (sure * (1 - sure) / worlds) ** 0.5
    noises = {0.0: 0.0} | {share: _noise_that_costs(share) for share in MARGINS}
    measures: list[Measure] = []
    for memory, days in ((0.0, "days by themselves"), (0.5, "days half like the one before")):
        found = np.array([_quiet(noises, memory, seed) for seed in range(worlds)]).mean(axis=0)
        for (share, loss), value in zip(LOSSES, found, strict=True):
            title = f"quiet, {worlds} worlds, {days}, margin {share:g} of lead: promoted, though"
            words = f"truly worse by {loss:g} of it" if loss else "no better and no worse"
            measures.append(
                {
                    "measure": f"{title} {words}",
                    "value": round(float(value), 4),
                    "unit": "share",
                    "asked": f"<= {bound:.4f}" if loss == share and not memory else "",
                }
            )
    return measures


def _quiet(noises: dict[float, float], memory: float, seed: int) -> list[bool]:
    """Tell by margin and loss whether a recipe takes over that is worse by this loss, in one world
    in which nothing changes.

    Both models err by day, each in its own way; noise is added to what the worse one answers.
    """
    rng = np.random.default_rng([72, seed])
    rows = make_rows(rng, [draw_concept(rng)] * (WINDOW + 1), memory=memory)
    known, held = rows.months(0, WINDOW), rows.months(WINDOW, WINDOW + 1)
    answers = fit_linear(known)(held)
    ours, theirs = (
        _err_by_day(rng, held, p, memory) for p in (roll(fit_linear, known, held, answers), answers)
    )
    noise = rng.normal(size=len(held.y))
    return [
        decide("not_worse", held, expit(ours + noises[loss] * noise), expit(theirs), share)[0]
        for share, loss in LOSSES
    ]


def _err_by_day(rng: np.random.Generator, rows: Rows, p: Array, memory: float) -> Array:
    """Return answers (n,) as logits, off along one input by a level that the rows of a day share.

    The AUC of two models that err so differs by day with a standard deviation of about 0.02.
    """
    level = lfilter([1], [1, -memory], rng.normal(size=DAYS + 50))[50:] * (1 - memory**2) ** 0.5
    day = (rows.times - rows.times.min()) // np.timedelta64(1, "D")
    return np.asarray(np.log(p / (1 - p)) + ERROR_BY_DAY * level[day] * rows.x[:, 0])


def _noise_that_costs(share: float) -> float:
    """Return the noise by which a recipe loses a share of its lead, by bisection on many rows."""
    rng = np.random.default_rng(73)
    rows = make_rows(rng, [draw_concept(rng) for _ in range(1)] * 40)
    p = fit_linear(rows)(rows)
    logits = np.log(p / (1 - p)) + ERROR_BY_DAY * (
        np.repeat(rng.normal(size=len(p) // ROWS), ROWS) * rows.x[:, 0]
    )
    lead, noise = score("roc_auc", rows.y, expit(logits)) - 0.5, rng.normal(size=len(p))
    low, high = 0.0, 3.0
    for _ in range(16):
        middle = (low + high) / 2
        left = score("roc_auc", rows.y, expit(logits + middle * noise)) - 0.5
        low, high = (middle, high) if lead - left < share * lead else (low, middle)
    return high


if __name__ == "__main__":
    sys.exit(main())
