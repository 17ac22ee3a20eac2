"""How long a replay takes: the months of bike_sharing, three policies.

`python -m benchmarks.replay_speed [--tiny]` from the checkout. Beside the seconds by the clock
stand those of computing, of this process and all that it started: what else runs moves them less.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.replaying.lives import BIKES, NOW, lay_out
from benchmarks.report import Measure, is_tiny, show, write
from pipelines.intervals import containing
from pipelines.replay.contenders import DEFAULT, NEVER, schedule
from pipelines.replay.replaying import Manner, replay

ASKED = 90
CORES = 2
TINY_MONTHS = 2


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where it took longer than asked."""
    tiny = is_tiny(__doc__, argv)
    if BIKES.data is None or not BIKES.data.is_file():
        print("The data of bike_sharing are not at hand (PERENNIAL_DATA).")
        return 0
    end = None
    if tiny:
        end = BIKES.first
        for _ in range(TINY_MONTHS):
            end = containing(end, "month").end
    with tempfile.TemporaryDirectory(prefix="perennial-replay-") as home:
        context = lay_out(BIKES, Path(home))
        began, before = time.perf_counter(), _compute()
        found = replay(
            context,
            (NEVER, DEFAULT, schedule(3)),
            span=(BIKES.first, end),
            now=NOW,
            manner=Manner(workers=CORES),
        )
        seconds, computed = time.perf_counter() - began, _compute() - before
        began = time.perf_counter()
        again = replay(
            context,
            (NEVER, DEFAULT, schedule(3), schedule(6)),
            span=(BIKES.first, end),
            now=NOW,
            manner=Manner(workers=CORES),
        )
        more = time.perf_counter() - began
    months = len(found.outcome.intervals)
    name = f"{months} months lived through of 24, three policies, {CORES} processes"
    asked = "" if tiny else f"<= {ASKED}"
    same = again.outcome.policies[1].mean == found.outcome.policies[1].mean
    rows: list[Measure] = [
        {"measure": name, "value": round(seconds, 1), "unit": "s", "asked": asked},
        {"measure": "of that, computing", "value": round(computed, 1), "unit": "s", "asked": ""},
        {"measure": "a fourth policy later", "value": round(more, 1), "unit": "s", "asked": ""},
        {"measure": "same figures again", "value": int(same), "unit": "", "asked": "= 1"},
    ]
    show("Replay, speed", rows)
    if tiny:
        return int(not same)
    write("replay_speed", rows)
    return int(seconds > ASKED or not same)


def _compute() -> float:
    """Return the seconds of computing of this process and of those that it waited for."""
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    sys.exit(main())
