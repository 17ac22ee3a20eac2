"""How many predictions an own pipeline gives over HTTP on one core, and what gathering gains.

`python -m benchmarks.native`.

The server and the process of the model's own code share core 0, wrk runs on core 1 with 16
connections and one row per request. The pipeline is a transformer of its own before gradient
boosting of 12 inputs. A second server answers each request by itself; they take turns, and the
middle of the runs of each counts. What is asked is what BentoML reached with adaptive batching for
boosting of 12 inputs, on another day: 426 requests per second (99th percentile 230 ms).
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.report import LOAD_BEFORE, Measure, is_tiny, show, write
from benchmarks.serving import LOGGED, QUIET, await_ready, run_wrk, start_server, write_script
from pipelines.store.opening import open_store
from tests.own_models import MODEL, own_code, put_own_bundle
from tests.serving.bundles import put_release, wide_table

if TYPE_CHECKING:
    from benchmarks.serving import Run

RUNS, SECONDS, ASKED = 5, 6, 426
ALONE = [
    sys.executable,
    "-c",
    (
        "from serving import batching; batching.MOST_ROWS = 1;"
        " from serving.__main__ import server; from pipelines.settings import load_settings;"
        " server(load_settings()).run()"
    ),
]
BOOSTING = (
    MODEL.replace(
        "DecisionTreeClassifier(max_depth=4,", "HistGradientBoostingClassifier(max_iter={},"
    )
    .replace(
        "from sklearn.tree import DecisionTreeClassifier",
        "from sklearn.ensemble import HistGradientBoostingClassifier",
    )
    .replace(
        'OneHotEncoder(handle_unknown="ignore")',
        'OneHotEncoder(handle_unknown="ignore", sparse_output=False)',
    )
)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write. 1 where wrk is missing, a request failed, or too few were answered."""
    tiny = is_tiny(__doc__, argv)
    runs_each, seconds, iterations = (1, 1, 3) if tiny else (RUNS, SECONDS, 100)
    if not (shutil.which("wrk") and shutil.which("taskset")):
        print("wrk or taskset is missing (Debian: apt-get install wrk util-linux).")
        return 1
    if LOAD_BEFORE > QUIET:
        print(f"The machine is busy (load {LOAD_BEFORE}): expect less than it can do.")
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        store = open_store(str(Path(folder) / "store"))
        code = own_code(BOOSTING.replace("{}", str(iterations)))
        put_release(store, 1, put_own_bundle(store, code, table=wide_table()))
        with start_server(folder, LOGGED) as gathering, start_server(folder, ALONE) as alone:
            script = write_script(Path(folder), await_ready(gathering.url))
            await_ready(alone.url)
            for server in (gathering, alone):
                run_wrk(server, script, 1)
            turns = [
                (run_wrk(gathering, script, seconds), run_wrk(alone, script, seconds))
                for _ in range(runs_each)
            ]
    return _report([both for both, _ in turns], [one for _, one in turns], tiny=tiny)


def _report(gathered: list[Run], single: list[Run], *, tiny: bool) -> int:
    per_second, p99 = (statistics.median(run[i] for run in gathered) for i in range(2))
    alone, alone_p99 = (statistics.median(run[i] for run in single) for i in range(2))
    failures = sum(run.failures for run in gathered + single)
    rows: list[Measure] = [
        _measure("an own pipeline, one row per request", round(per_second), "requests/s", ASKED),
        _measure("99th percentile of their latency", round(p99, 1), "ms"),
        _measure("the same, each request answered by itself", round(alone), "requests/s"),
        _measure("99th percentile of their latency, each by itself", round(alone_p99, 1), "ms"),
        _measure("gathering requests gains", round(per_second / max(alone, 1), 1), "times"),
        _measure("failed requests", failures, "requests"),
    ]
    show("Own pipelines", rows)
    if tiny:
        return int(bool(failures))
    write("native", rows)
    return 0 if per_second >= ASKED and not failures else 1


def _measure(name: str, value: float, unit: str, asked: int | None = None) -> Measure:
    words = f">= {asked}" if asked else ("== 0" if unit == "requests" else "")
    return {"measure": name, "value": value, "unit": unit, "asked": words}


if __name__ == "__main__":
    sys.exit(main())
