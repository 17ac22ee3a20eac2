"""What one retraining and one look at a window cost when everything around them has grown.

`make bench-growth`, or `python -m benchmarks.growth [--tiny] [--only batches]` from the checkout.
Each part is written when it is measured.

A small model of hourly batches is retrained, judged against its champion, packaged, taken by a
server, and the next day is looked at; each step is a process, as a worker starts it. What they read
is the same each time. What has grown:

- `batches`: the hours that the store holds, and the looks that the ledger holds of each day;
- `ledger`: the entries of the ledger, of other models and of this one;
- `models`: the folders beside the model's own;
- `labels`: the objects of the labels' log. A day of served traffic is looked at, no retraining.
  The first look on a host reads the whole log, as each in a pod does, and the second one makes the
  index of it: both stand beside the others;
- `log`: the answers of the log. A day of served traffic is looked at as well.

Each is compared with the same model beside little: the two are run in turn, and their medians are
divided.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fleet import fill_ledger, write_models
from benchmarks.growing.hours import HOLD_OUT, MODEL, end_of, lay_model, live_through, quiet_look
from benchmarks.growing.labels import lay_labels, serve_a_day
from benchmarks.growing.log import AN_OBJECT, lay_log
from benchmarks.ledger import fill_chain
from benchmarks.report import Measure, read, show, write
from benchmarks.step_seconds import ROOT, Life, Seconds, free_port, look, retrain, server
from pipelines.intervals import iso
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

HOURS, OWN = 768, 10_000
"""Hours that the model needs and has where others grow: each retraining is judged on hours that no
champion before it has seen. Entries of its own in a long ledger."""
ASKED = "<= 1.2"
RUNS = 3


@dataclass(frozen=True)
class Growth:
    """What grows: in words, from what to what, and how a home of that size is laid.

    `lay` is called with a home, its state and the size. With `watches_traffic` no retraining is
    measured, but looks at traffic.
    """

    words: str
    few: int
    many: int
    lay: Callable[[Path, Path, int], None]
    watches_traffic: bool = False


def lay_batches(home: Path, state: Path, hours: int) -> None:
    """Lay a model with so many hours of history."""
    lay_model(home, hours)
    live_through(home, state, hours)


def lay_ledger(home: Path, state: Path, entries: int) -> None:
    """Lay a model beside a ledger with so many entries; a hundredth of them are its own."""
    lay_model(home, HOURS)
    fill_chain(state / "ledger" / "ledger.db", entries)
    live_through(home, state, HOURS)
    ports = ConfiguredPorts(
        load_settings({"PERENNIAL_HOME": str(home), "PERENNIAL_STATE": str(state)})
    )
    looks = [quiet_look(-1 - day) for day in range(min(entries // 100, OWN))]
    ports.ledger.append_many(MODEL, [(check.run, check) for check in looks])
    ports.check_ledger()  # once on a host: what was checked is remembered


def lay_models(home: Path, state: Path, models: int) -> None:
    """Lay a model beside so many others, each deployed and watched."""
    lay_model(home, HOURS)
    live_through(home, state, HOURS)
    write_models(home / "models", models)
    fill_ledger(home, models, state)


GROWTHS = {
    "batches": Growth("hourly batches", HOURS, 10_000, lay_batches),
    "ledger": Growth("entries in the ledger", 1_000, 1_000_000, lay_ledger),
    "models": Growth("models", 2, 1_000, lay_models),
    "labels": Growth("objects of labels", 100, 10_000, lay_labels, watches_traffic=True),
    "log": Growth("answers in the log", 1_000_000, 100_000_000, lay_log, watches_traffic=True),
}
TINY = {
    "batches": (HOURS, HOURS + 24),
    "ledger": (100, 200),
    "models": (1, 2),
    "labels": (2, 4),
    "log": (AN_OBJECT, 2 * AN_OBJECT),
}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something costs more than asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="small, to see that it runs")
    parser.add_argument("--only", choices=sorted(GROWTHS), help="one of them; the others are kept")
    options = parser.parse_args(argv)
    rows: list[Measure] = read("growth") if options.only and not options.tiny else []
    for name in [options.only] if options.only else GROWTHS:
        growth = GROWTHS[name]
        few, many = TINY[name] if options.tiny else (growth.few, growth.many)
        rows = [row for row in rows if growth.words not in row["measure"]]
        rows += measure(growth, few, many, 1 if options.tiny else RUNS)
        show(f"Growth of {growth.words}", rows)
        if not options.tiny:
            write("growth", rows)
    if options.tiny:
        return 0
    return int(any(row["asked"] and row["value"] > float(row["asked"][3:]) for row in rows))


def measure(growth: Growth, few: int, many: int, runs: int) -> list[Measure]:
    """Return what a retraining and a look cost beside few and beside many, and the ratios."""
    with (
        tempfile.TemporaryDirectory(prefix="perennial-growth-") as folder,
        contextlib.ExitStack() as servers,
    ):
        homes = [Home(Path(folder) / str(size), size, growth) for size in (few, many)]
        for home in homes:
            servers.enter_context(server(home.environ, home.state))
            home.first()
        rows = []
        if growth.watches_traffic:
            for home, size in zip(homes, (few, many), strict=True):
                for which in ("first", "second"):
                    seconds = sum(home.look(f"{which} look").values())
                    name = f"a look beside {size:,} {growth.words}, the {which} on a host"
                    rows.append(_row(name, seconds, "s"))
        took = [[home.again(run) for home in homes] for run in range(runs)]
    for words, is_of in (("a retraining", _is_retrain), ("a look", _is_look)):
        if growth.watches_traffic and is_of is _is_retrain:
            continue
        near, far = (
            statistics.median(sum(v for n, v in run[at].items() if is_of(n)) for run in took)
            for at in (0, 1)
        )
        asked = ASKED if runs > 1 else ""
        rows += [
            _row(f"{words} beside {few:,} {growth.words}", near, "s"),
            _row(f"{words} beside {many:,} {growth.words}", far, "s"),
            _row(f"{words}: {growth.words}, {many:,} against {few:,}", far / near, "times", asked),
        ]
    steps = took[0][0]
    slowest = max(steps, key=lambda n: _median(took, 1, n) - _median(took, 0, n))
    more = _median(took, 1, slowest) - _median(took, 0, slowest)
    return [*rows, _row(f"the step that grew most with {growth.words}: {slowest}", more, "s")]


class Home:
    """A home of one size, and the environment of its programs."""

    def __init__(self, folder: Path, size: int, growth: Growth) -> None:
        """Lay it."""
        self.state = folder / "var"
        self.state.mkdir(parents=True)
        growth.lay(folder, self.state, size)
        self._home, self._growth = folder, growth
        self._end = end_of(size if growth.lay is lay_batches else HOURS)
        self.environ = {
            **os.environ,
            "PERENNIAL_HOME": str(folder),
            "PERENNIAL_STATE": str(self.state),
            "PERENNIAL_SERVING_PORT": str(free_port()),
            "PYTHONPATH": str(ROOT),
        }

    def first(self) -> None:
        """Deploy the champion that later ones are judged against, on hours it has not seen."""
        retrain(self._life(RUNS), self.environ, "first")
        if self._growth.watches_traffic:
            serve_a_day(self._home, self.state, self._end)

    def again(self, run: int) -> Seconds:
        """Retrain when those have come, and look at the last day; nothing is taken as done."""
        if self._growth.watches_traffic:
            return self.look(f"look{run}")
        life = self._life(RUNS - 1 - run)
        return retrain(life, self.environ, f"again{run}", force=True) | look(
            life, self.environ, f"look{run}"
        )

    def look(self, run: str) -> Seconds:
        """Look at the last day."""
        return look(self._life(0), self.environ, run)

    def _life(self, later: int) -> Life:
        """Return the life in which so many retrainings are still to come."""
        end = self._end - timedelta(hours=later * HOLD_OUT)
        return Life(MODEL, ("linear",), as_of=iso(end), window_end=iso(end))


def _median(took: list[list[Seconds]], at: int, name: str) -> float:
    return statistics.median(run[at][name] for run in took)


def _is_look(name: str) -> bool:
    return name.startswith("drift:")


def _is_retrain(name: str) -> bool:
    return not _is_look(name)


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 3), "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
