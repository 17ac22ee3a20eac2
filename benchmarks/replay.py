"""Policies lived through month by month: what each is worth, and whether the default is worth it.

`python -m benchmarks.replay [--tiny] [--model NAME]` from the checkout; with `--home FOLDER` what
is computed stays there, and a run that was ended goes on.

Four models live through their months by `perennial replay`'s own engine. Compared are: *never
retrain*; *always refit*, which takes each challenger; *the gate, only better*; *the gate by
default*; schedules; what the model's spec says by itself (the default policy, where it says
nothing); and policies that might be the default. The data of three models are files
(PERENNIAL_DATA, or ../shared/data); one that is not at hand is left out, and nothing is written
then.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.replaying.lives import LIVES, NOW, ROOT, Life, lay_out
from benchmarks.report import Measure, show, write
from pipelines.intervals import containing
from pipelines.replay.contenders import (
    ALWAYS,
    BETTER,
    DEFAULT,
    NEVER,
    own_policy,
    parse_policy,
    schedule,
)
from pipelines.replay.replaying import replay
from pipelines.science.metrics import better_by
from pipelines.spec import load_spec

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.replay.outcome import PolicyOutcome, ReplayOutcome

TINY_MONTHS = 2
POLICIES = (NEVER, ALWAYS, BETTER, DEFAULT)
SCHEDULES = (schedule(2), schedule(3), schedule(6))
SHIPPED = "by change, every 3 batches at most"
"""The policy of a model that names none: three batches lie between two retrainings."""
TRIED = {
    SHIPPED: {"by": "change"},
    "by change, every 4 batches at most": {"by": "change", "cooldown": "110d"},
    "by performance": {"by": "performance", "cooldown": "1d"},
    "by proven value": {"by": "value", "cost": 0, "gain": "proven", "cooldown": "1d"},
}
"""The default policy, and others that might be it; batches are months."""
METRO = "metro_traffic"


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something falls short of what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="two months of one model; judges none")
    parser.add_argument("--model", help="this model only; writes nothing")
    parser.add_argument("--home", type=Path, help="where what is computed stays")
    chosen = parser.parse_args(argv)
    here = [life for life in LIVES if life.data is None or life.data.is_file()]
    missing = [life.model for life in LIVES if life not in here]
    if missing:
        print(f"The data of {', '.join(missing)} are not at hand (PERENNIAL_DATA).")
    lives = here[:1] if chosen.tiny else here
    if chosen.model:
        lives = [life for life in lives if life.model == chosen.model]
    rows: list[Measure] = []
    for life in lives:
        outcome = live(life, TINY_MONTHS if chosen.tiny else None, chosen.home)
        scores = {p.name: [b.score for b in p.batches] for p in outcome.policies}
        rows += measure(life, {name: _known(values) for name, values in scores.items()})
        rows += [row for policy in outcome.policies for row in measure_policy(outcome, policy)]
    show("Replay", rows)
    if chosen.tiny or chosen.model or missing:
        return 0
    write("replay", rows)
    return int(not all(is_fulfilled(row) for row in rows if row["asked"]))


def live(life: Life, months: int | None, kept: Path | None = None) -> ReplayOutcome:
    """Return what a model's months come to under all policies; `kept` is where that stays."""
    end: datetime | None = None
    if months is not None:
        end = life.first
        for _ in range(months):
            end = containing(end, "month").end
    with ExitStack() as stack:
        if kept is None:
            home = Path(stack.enter_context(TemporaryDirectory(prefix="perennial-replay-")))
        else:
            home = kept / life.model
            for inputs in ("models", "expectations", "var/cache"):
                shutil.rmtree(home / inputs, ignore_errors=True)
            home.mkdir(parents=True, exist_ok=True)
        context = lay_out(life, home)
        own = own_policy(context.spec)
        tried = [
            parse_policy({"retrain": policy}, context.spec, name=name, place=name)
            for name, policy in TRIED.items()
        ]
        contenders = [*POLICIES, *SCHEDULES, *([own] if own else []), *tried]
        return replay(
            context,
            contenders,
            span=(life.first, end),
            now=NOW,
            say=lambda text: print(f"{life.model}: {text}", flush=True),
        ).outcome


def _known(scores: list[float | None]) -> list[float]:
    """Return the scores of the months that were scored: the same for all policies."""
    return [score for score in scores if score is not None]


def measure(life: Life, scores: dict[str, list[float]]) -> list[Measure]:
    """Return the mean of each policy, and how far the gate by default is above what is asked.

    `scores` are those of the months by policy. Asked is the better of *always refit* and *only
    better*, less one standard error of the paired differences.
    """
    spec = load_spec(ROOT / life.folder, life.model)
    metric, months = spec.train.metric, len(scores[DEFAULT.name])
    name = f"{life.model}, {metric} of {months} months"
    rows: list[Measure] = [
        _row(f"{name}: {policy}", float(np.mean(found)), metric) for policy, found in scores.items()
    ]
    gains = {
        policy.name: np.array([better_by(metric, *pair) for pair in zip(
            scores[DEFAULT.name], scores[policy.name], strict=True)])
        for policy in (ALWAYS, BETTER)
    }  # fmt: skip
    best = min(gains, key=lambda policy: float(gains[policy].mean()))
    gain = gains[best]
    error = float(gain.std(ddof=1) / np.sqrt(months)) if months > 1 else 0.0
    rows.append(_row(f"{name}: default against {best}", float(gain.mean()), metric))
    words = f"{name}: default, above the better of both less one standard error"
    rows.append(_row(words, float(gain.mean()) + error, metric, ">= 0"))
    return rows


def measure_policy(outcome: ReplayOutcome, own: PolicyOutcome) -> list[Measure]:
    """Return how the model's own policy, or one that was tried, does against schedules, known
    afterwards and not. What is asked is asked of the default one.
    """
    by_name = {policy.name: policy for policy in outcome.policies}
    if not (own.own or own.name in TRIED) or own.mean is None or own.in_hindsight is None:
        return []
    never, always, batches = by_name[NEVER.name], by_name[ALWAYS.name], by_name[DEFAULT.name]
    most = batches.retrainings
    name = f"{outcome.model}, {own.name}"
    rows = [
        _row(
            f"{name}: error above the best schedule in hindsight",
            100 * (_error(outcome, own.mean) / _error(outcome, own.in_hindsight) - 1),
            "%",
            "<= 10",
        ),
        _row(f"{name}: retrainings of {most}", own.retrainings, "retrainings", f"<= {most // 2}"),
    ]
    if _gain(outcome, always, never) > 0:
        words = f"{name}: better than never, as every batch is"
        rows.append(_row(words, _gain(outcome, own, never), outcome.metric, "> 0"))
    if outcome.model == METRO:
        quarter = len(outcome.intervals) // 4
        words = f"{name}: retrainings of {len(outcome.intervals)} batches"
        rows.append(_row(words, own.retrainings, "retrainings", f"<= {quarter}"))
    return rows if own.name == SHIPPED else [{**row, "asked": ""} for row in rows]


def _error(outcome: ReplayOutcome, mean: float) -> float:
    """Return a mean as an error: of a metric whose best is 1, what is missing."""
    return 1 - mean if outcome.greater_is_better else mean


def _gain(outcome: ReplayOutcome, one: PolicyOutcome, other: PolicyOutcome) -> float:
    assert one.mean is not None
    assert other.mean is not None
    return float(better_by(outcome.metric, one.mean, other.mean))


def is_fulfilled(row: Measure) -> bool:
    """Tell whether a measure is as asked."""
    sign, _, limit = row["asked"].partition(" ")
    value, bound = row["value"], float(limit)
    return {">=": value >= bound, "<=": value <= bound, ">": value > bound}[sign]


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 5), "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
