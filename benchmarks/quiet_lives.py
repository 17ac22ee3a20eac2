"""How often the drift step itself calls a quiet window changed, from the raw file to the verdict.

`python -m benchmarks.quiet_lives` from the checkout; `--lives 20` asks for more than 8.

Models live in worlds in which nothing changes, with the product's own steps: batches are read and
validated, features built, champions trained, and each week is looked at with the champion's eyes,
the reference matched by season, with labels. One champion serves all weeks, or each week has one
that was fitted again. `false_alarms` is 5 %; the drift step's other rules are as by default.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from benchmarks.report import Measure, read, show, write
from benchmarks.watching.quiet_models import FIRST, MODEL, Size, World, lay_quiet
from pipelines.context import Context
from pipelines.ports import ConfiguredPorts
from pipelines.replay.contenders import ALWAYS, NEVER
from pipelines.replay.replaying import Manner, replay
from pipelines.settings import load_settings
from pipelines.spec import load_spec

if TYPE_CHECKING:
    from pipelines.replay.outcome import ReplayOutcome

LEVEL = 0.05
LIVES = 8
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHAMPIONS = {NEVER.name: "one champion", ALWAYS.name: "a champion fitted again each week"}
WORLDS: tuple[World, ...] = get_args(World)
TINY = Size(a_day=30, weeks=8, window=4, holdout=2)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write after each world; 1 where a rate is above what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--resume", action="store_true", help="keep the last run's worlds")
    parser.add_argument("--lives", type=int, default=LIVES, help="lives in each world")
    options = parser.parse_args(argv)
    lives, size = (1, TINY) if options.tiny else (options.lives, Size())
    last = read("quiet_lives") if options.resume else []
    measures: list[Measure] = []
    for world in WORLDS[: 1 if options.tiny else None]:
        kept = [row for row in last if row["measure"].startswith(f"{world}, ")]
        kept = [row for row in kept if f" in {lives} lives: " in row["measure"]]
        measures += kept or measure(world, size, lives)
        if not options.tiny:
            write("quiet_lives", measures)
    show("Quiet lives", measures)
    return 0 if options.tiny else int(any(_is_above(row) for row in measures))


def _is_above(row: Measure) -> bool:
    return bool(row["asked"]) and row["value"] > float(row["asked"].removeprefix("<= "))


def measure(world: World, size: Size, lives: int) -> list[Measure]:
    """Return the rates of one world, of each kind of champion."""
    said: dict[str, Counter[str]] = {name: Counter() for name in CHAMPIONS}
    for seed in range(lives):
        outcome = live(world, size, seed)
        for policy in outcome.policies:
            said[policy.name].update(b.verdict for b in policy.batches if b.verdict)
        print(f"{world}, life {seed + 1} of {lives}: {dict(said)}", flush=True)
    rows: list[Measure] = []
    for name, words in CHAMPIONS.items():
        looks = said[name].total()
        most = LEVEL + 3 * (LEVEL * (1 - LEVEL) / max(looks, 1)) ** 0.5
        title = f"{world}, {words}, {looks:,} weeks in {lives} lives"
        false = said[name]["drift"] + said[name]["alarm"]
        rows += [
            _share(f"{title}: called drift or broken", false / looks, f"<= {most:.4f}"),
            _share(f"{title}: called broken", said[name]["alarm"] / looks),
            _share(f"{title}: nothing can be said", said[name]["not_enough_data"] / looks),
        ]
    return rows


def live(world: World, size: Size, seed: int) -> ReplayOutcome:
    """Return one life, looked at week by week."""
    with tempfile.TemporaryDirectory(prefix="perennial-quiet-") as folder:
        home = Path(folder)
        lay_quiet(home, world, size, seed)
        settings = load_settings(
            {"PERENNIAL_HOME": str(home), "PERENNIAL_STATE": str(home / "var")}
        )
        spec = load_spec(settings.models, MODEL)
        context = Context(spec, settings, ConfiguredPorts(settings), logging.getLogger("quiet"))
        begin = FIRST + timedelta(weeks=size.window + size.holdout)
        manner = Manner(workers=1, all_look=True)
        found = replay(context, (NEVER, ALWAYS), span=(begin, None), now=NOW, manner=manner)
    return found.outcome


def _share(words: str, value: float, asked: str = "") -> Measure:
    return {"measure": words, "value": round(value, 4), "unit": "share", "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
