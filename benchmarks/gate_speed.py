"""What the step `gate` costs on many held-out rows: `python -m benchmarks.gate_speed`.

The whole step, from reading the rows to the verdict in the ledger, with a champion that is asked
too: once with a comparison and a guard, once with every check that the proof of the gate declares,
and once with these in a run of the schedule, whose recipe is fitted again from part to part.
Seconds are those of the processor, since the step has one thread. Memory is the most that the
process holds meanwhile (Linux), with its store, its features and what training has left behind.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.gate_proof import quiet
from benchmarks.proving.nature import GATE, HELD, offers
from benchmarks.proving.scene import BETTER
from benchmarks.proving.world import World, scratch
from benchmarks.report import Measure, is_tiny, show, write
from pipelines.steps import gate

if TYPE_CHECKING:
    import pyarrow as pa

    from benchmarks.proving.world import Trained

PLAIN = "{at_least: {roc_auc: 0.6}, versus_champion: {metric: roc_auc}, guards: {log_loss: 0.05}}"
GATES = {"a comparison and a guard": PLAIN, "every check of the proof": GATE}
ASKED = {100_000: ("<= 20", ""), 1_000_000: ("<= 90", "<= 2")}
"""For so many rows, at most so many seconds and GB; "" where nothing is asked."""
SCHEDULED = "scheduled__2024-06-01T00:00:00+00:00"
"""A run of the schedule, by its name."""
PROCESS = Path("/proc/self")
TINY = {3_000: ("", "")}


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where it costs more than asked."""
    tiny = is_tiny(__doc__, argv)
    quiet()
    rows: list[Measure] = []
    for size, asked in (TINY if tiny else ASKED).items():
        for name, text in GATES.items():
            rows += _measure(size, name, text, asked)
        rows += _measure(size, "every check, the recipe fitted again", GATE, asked, SCHEDULED)
    show("The step gate", rows)
    if tiny:
        return 0
    write("gate_speed", rows)
    return int(any(row["value"] > float(row["asked"].split()[1]) for row in rows if row["asked"]))


def _measure(
    size: int, name: str, text: str, asked: tuple[str, str], run: str = ""
) -> list[Measure]:
    seconds, gigabytes = _judge(_challenger(size, text), run)
    title = f"{size:,} held-out rows, {name}"
    return [
        {"measure": title, "value": round(seconds, 2), "unit": "CPU s", "asked": asked[0]},
        {"measure": title, "value": round(gigabytes, 2), "unit": "GB", "asked": asked[1]},
    ]


def _challenger(size: int, text: str) -> Trained:
    """Return a challenger with so many held-out rows, in a world that has a champion."""
    world = World(scratch())
    world.crown(replace(BETTER, inputs="a, d, e, channel, region", gate=text))

    def more(day: int, table: pa.Table) -> pa.Table:
        return offers(day, -(-size // len(HELD)), world.seed) if day in HELD else table

    return world.train(replace(BETTER, gate=text), change=more)


def _judge(trained: Trained, run: str) -> tuple[float, float]:
    """Return the processor's seconds of the step, and the GB that the process held at most.

    `run` is the name of the run, where it is not the training's.
    """
    request = trained.request.model_copy(update={"run": run or trained.run})
    (PROCESS / "clear_refs").write_text("5")  # the peak begins anew
    began = time.process_time()
    result = gate.run(trained.context, request)
    seconds = time.process_time() - began
    assert result.champion, result.reasons
    assert result.judged_by is not None
    assert (result.judged_by.parts > 1) == bool(run), result.judged_by
    lines = (PROCESS / "status").read_text().splitlines()
    peak = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return seconds, int(peak) / 2**20  # it is in kB


if __name__ == "__main__":
    sys.exit(main())
