"""Month by month: what serves under each policy, and what it is worth on what comes next.

`python -m benchmarks.replay [--tiny]` from the checkout.

Four models live through their months by the product's own steps, in this process: at the start of
each month a challenger is trained, and each policy decides whether it serves. The rows of the month
then score what serves. Policies: *always refit* takes each challenger; *the gate, only better*
takes what is proven better; *the gate by default* goes by the spec as it is; *never* keeps the
first model. The data of three models are files (PERENNIAL_DATA, or ../shared/data); one that is not
at hand is left out, and nothing is written then.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.replaying.months import ALWAYS, BETTER, DEFAULT, LIVES, POLICIES, ROOT, Life, Replay
from benchmarks.report import Measure, is_tiny, show, write
from pipelines.science.metrics import better_by
from pipelines.spec import load_spec

TINY_MONTHS = 2


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where the gate by default is worse than asked."""
    tiny = is_tiny(__doc__, argv)
    logging.getLogger("perennial.replay").setLevel(logging.CRITICAL)
    lives = [life for life in LIVES if life.data is None or life.data.is_file()]
    missing = [life.model for life in LIVES if life not in lives]
    if missing:
        print(f"The data of {', '.join(missing)} are not at hand (PERENNIAL_DATA).")
    rows: list[Measure] = []
    for life in lives[:1] if tiny else lives:
        with tempfile.TemporaryDirectory(prefix="perennial-replay-") as home:
            rows += measure(life, Replay(life, Path(home)).live(TINY_MONTHS if tiny else None))
    show("Replay", rows)
    if tiny or missing:
        return 0
    write("replay", rows)
    return int(any(row["value"] < 0 for row in rows if row["asked"]))


def measure(life: Life, scores: dict[str, list[float]]) -> list[Measure]:
    """Return the mean of each policy, and how far the gate by default is above what is asked.

    `scores` are those of the months by policy. Asked is the better of *always refit* and *only
    better*, less one standard error of the paired differences.
    """
    spec = load_spec(ROOT / life.folder, life.model)
    metric, months = spec.train.metric, len(scores[DEFAULT])
    name = f"{life.model}, {metric} of {months} months"
    rows: list[Measure] = [
        _row(f"{name}: {policy}", float(np.mean(scores[policy])), metric) for policy in POLICIES
    ]
    gains = {
        policy: np.array([better_by(metric, *pair) for pair in zip(
            scores[DEFAULT], scores[policy], strict=True)])
        for policy in (ALWAYS, BETTER)
    }  # fmt: skip
    best = min(gains, key=lambda policy: float(gains[policy].mean()))
    gain = gains[best]
    error = float(gain.std(ddof=1) / np.sqrt(months)) if months > 1 else 0.0
    rows.append(_row(f"{name}: default against {best}", float(gain.mean()), metric))
    words = f"{name}: default, above the better of both less one standard error"
    rows.append(_row(words, float(gain.mean()) + error, metric, ">= 0"))
    return rows


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 5), "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
