"""What 100 models cost while their DAG files are parsed, beyond Airflow's own import.

`python -m benchmarks.parsing`.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Measure, is_tiny, show, write

ROOT = Path(__file__).resolve().parents[1]
MODELS, RUNS, ASKED = 100, 5, 2.0
KINDS = ("retrain", "drift", "prove", "replay", "rollback")
"""The DAGs of each model."""

CODE = """
import json, sys, time
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, BaseOperator, Param
begin = time.perf_counter()
bag = DagBag(sys.argv[1])
print(json.dumps([time.perf_counter() - begin, sorted(bag.dags), bag.import_errors]))
"""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where it takes longer than asked."""
    tiny = is_tiny(__doc__, argv)
    models, runs = (2, 1) if tiny else (MODELS, RUNS)
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        home = Path(folder)
        text = (ROOT / "models" / "flight_delays" / "model.yaml").read_text()
        for number in range(models):
            name = f"model_{number:03d}"
            (home / "models" / name).mkdir(parents=True)
            (home / "models" / name / "model.yaml").write_text(
                text.replace("name: flight_delays", f"name: {name}")
            )
        environ = {
            **os.environ,
            "AIRFLOW_HOME": str(home / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "PERENNIAL_HOME": str(home),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
        }
        seconds = []
        for _ in range(runs):
            out = subprocess.run(
                [sys.executable, "-c", CODE, str(ROOT / "dags")],
                env=environ,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            took, dag_ids, errors = json.loads(out.strip().splitlines()[-1])
            expected = sorted(
                f"{kind}_model_{number:03d}" for kind in KINDS for number in range(models)
            )
            if dag_ids != expected or errors:
                raise SystemExit(
                    f"{len(dag_ids)} DAGs instead of {len(expected)}; errors: {errors}; the first"
                    f" ones: {dag_ids[:3]}"
                )
            seconds.append(took)
        shutil.rmtree(home / "airflow", ignore_errors=True)
    value = round(statistics.median(seconds), 2)
    rows: list[Measure] = [
        {
            "measure": (
                f"parsing the DAG files for {models} models ({len(KINDS)} DAGs each), beyond"
                " Airflow's import"
            ),
            "value": value,
            "unit": "s",
            "asked": f"<= {ASKED}",
        }
    ]
    show("Parsing", rows)
    if tiny:
        return 0
    write("parsing", rows)
    return 0 if value <= ASKED else 1


if __name__ == "__main__":
    sys.exit(main())
