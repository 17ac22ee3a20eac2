"""What answers claim, of probabilities or intervals: how often it is called changed where it is
not, and how often a claim that fails is seen.

`python -m benchmarks.claims` from the checkout; `--windows 1000` asks for more windows than 300 in
each quiet line, a third of them for each failure, and says so in each line; `--resume` keeps the
lines of the last run that had as many.

The losses and the claims of a model are tested together, as the family `performance`: for the rates
at a level of 5 % by itself, in worlds whose rows are independent, each like the one before, and
whose days are each like the one before. Failures are those of `benchmarks.power`, at a fifth of the
level, as beside ten inputs; the same seeds give the same answers there.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.power import SCENES
from benchmarks.report import RESULTS, Measure, show, write
from benchmarks.watching.claiming import HOLDS, LATENT, TASKS, make_claims
from benchmarks.watching.shifts import ASKED, CLAIM_SHIFTS, shape_of
from benchmarks.watching.worlds import Shape
from pipelines.science.changes.find import find_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.watching.claiming import Failure, Kind

LEVEL, FAMILIES = 0.05, 5
WINDOWS = 300
LEAST = 20
SHAPES = {
    "independent rows": [
        Shape("independent", rows, LATENT, 1, past)
        for rows, past in ((50, 20), (200, 20), (1_000, 20), (5_000, 5))
    ],
    "each row like the one before": [
        Shape("rows", rows, LATENT, days, past)
        for rows, days, past in ((50, 1, 250), (200, 4, 250), (1_000, 20, 500))
    ],
    "each day like the one before": [
        Shape("days", rows, LATENT, 1, 250) for rows in (50, 200, 1_000)
    ],
}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write after every line; 1 where a figure is not what is asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--windows", type=int, default=WINDOWS, help="windows in each line")
    parser.add_argument("--resume", action="store_true", help="keep the last run's lines")
    options = parser.parse_args(argv)
    path = RESULTS / "claims.json"
    last = json.loads(path.read_text(encoding="utf-8")) if options.resume and path.is_file() else []
    kept: dict[str, Measure] = {row["measure"]: row for row in last}
    measures: list[Measure] = []
    for title, measure in _lines(2 if options.tiny else options.windows, tiny=options.tiny):
        measures.append(kept[title] if title in kept else measure())
        if not options.tiny:
            there = {row["measure"] for row in measures}
            write("claims", [*measures, *(r for t, r in kept.items() if t not in there)])
    show("Claims", measures)
    return 0 if options.tiny else int(any(_is_missed(row) for row in measures))


def _is_missed(row: Measure) -> bool:
    asked = row["asked"]
    if not asked:
        return False
    limit = float(asked[3:])
    return row["value"] > limit if asked.startswith("<=") else row["value"] < limit


def _lines(windows: int, *, tiny: bool) -> Iterator[tuple[str, Callable[[], Measure]]]:
    """Return each line's words and what measures it: quiet windows, then failures that are seen."""
    most = LEVEL + 3 * (LEVEL * (1 - LEVEL) / windows) ** 0.5
    for kind in TASKS:
        for words, shapes in SHAPES.items():
            for shape in shapes[: 1 if tiny else None]:
                title = f"{words}, {shape.rows:,} rows: {kind} that hold, {windows:,} windows:"
                title += " called changed"
                asked = f"<= {most:.4f}"
                yield title, _measuring(title, asked, kind, shape, HOLDS, LEVEL, windows)
    fewer = max(2, windows // 3)
    for scene in SCENES[: 1 if tiny else None]:
        for shift in CLAIM_SHIFTS[: 1 if tiny else None]:
            assert shift.claims is not None
            kind, failure = shift.claims
            title = f"{scene[0]}, {scene[1]:,} rows: {shift.words}, {fewer:,} windows: seen"
            asked = ASKED if shift.asked and scene == SCENES[0] else ""
            shape = shape_of(scene)
            yield title, _measuring(title, asked, kind, shape, failure, LEVEL / FAMILIES, fewer)


def _measuring(
    title: str, asked: str, kind: Kind, shape: Shape, failure: Failure, level: float, windows: int
) -> Callable[[], Measure]:
    """Return what measures how often the family says "changed", and prints it.

    Windows of which nothing can be said are named in what is printed.
    """

    def measure() -> Measure:
        said = []
        began = time.process_time()
        span = "row" if shape.alike == "independent" else "day"
        for seed in range(windows):
            window, reference = make_claims(kind, shape, seed, failure)
            found = find_changes(window, reference, level=level, span=span, seed=seed, least=LEAST)
            said.append(found.said)
        counts = {what: said.count(what) for what in sorted(set(said))}
        print(f"{title}: {counts}, {time.process_time() - began:.0f} CPU s", flush=True)
        value = round(counts.get("changed", 0) / windows, 4)
        return Measure(measure=title, value=value, unit="share", asked=asked)

    return measure


if __name__ == "__main__":
    sys.exit(main())
