"""From an unseen file to a green `check`: `python -m benchmarks.init` from the checkout.

Fourteen files that were made before `init` was (tests/public_files.py), each in a fresh home: the
seconds of `perennial init` and of `perennial check`, and whether both ended well without an edited
line.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.report import Measure, is_tiny, show, write
from tests.public_files import PublicFile, make_all

ROOT = Path(__file__).resolve().parents[1]
MEDIAN, LARGEST = 10.0, 60.0
LARGE = "1M x 20 rows"


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where less was reached than asked."""
    tiny = is_tiny(__doc__, argv)
    table = Table(title="From a file to a green check", title_justify="left")
    for column in ("file", "init", "check", "result"):
        table.add_column(column)
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        results = {}
        for number, file in enumerate(make_all(data, 0.01 if tiny else 1.0)):
            seconds, words = _try(file, Path(folder) / f"home{number}")
            results[file.name] = (sum(seconds), words == "green", seconds[0])
            table.add_row(file.name, *(f"{s:.1f} s" for s in seconds), words)
    Console(width=140).print(table)
    green = sum(ok for _, ok, _ in results.values())
    median = statistics.median(s for s, _, _ in results.values())
    rows: list[Measure] = [
        {
            "measure": f"files of {len(results)} that are green without an edit",
            "value": green,
            "unit": "files",
            "asked": f"== {len(results)}",
        },
        {
            "measure": "init and check, the median",
            "value": round(median, 1),
            "unit": "s",
            "asked": f"< {MEDIAN:.0f}",
        },
        {
            "measure": "of that init alone, the median",
            "value": round(statistics.median(s for _, _, s in results.values()), 1),
            "unit": "s",
            "asked": "",
        },
        {
            "measure": f"init and check, {LARGE}",
            "value": round(results[LARGE][0], 1),
            "unit": "s",
            "asked": f"< {LARGEST:.0f}",
        },
    ]
    show("Init", rows)
    if not tiny:
        write("init", rows)
        return int(green < len(results) or median >= MEDIAN or results[LARGE][0] >= LARGEST)
    return int(green < len(results))


def _try(file: PublicFile, home: Path) -> tuple[tuple[float, float], str]:
    """Return the seconds of `init` and of `check`, and `green` or what went wrong."""
    for name in ("models", "expectations"):
        (home / name).mkdir(parents=True)
    seconds = []
    for arguments in (["init", "tried", *file.arguments], ["check", "tried"]):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "pipelines", *arguments],
            cwd=ROOT,
            env={
                **os.environ,
                "PERENNIAL_HOME": str(home),
                "PERENNIAL_STATE": str(home / "var"),
                **file.settings,
            },
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        seconds.append(time.perf_counter() - start)
        if done.returncode:
            why = (done.stdout + done.stderr).strip().splitlines()
            seconds += [0.0] * (2 - len(seconds))
            return (seconds[0], seconds[1]), f"{arguments[0]} {done.returncode}: {why[-1][:90]}"
    return (seconds[0], seconds[1]), "green"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
