"""What a step in a container costs beyond the same step as a process.

`python -m benchmarks.containers`.

The step is `ingest` of the flights, all batches there already: little work of its own, so that what
is measured is the place. Each try is a fresh interpreter that has imported Airflow, as a worker
has; the clock runs from there to the step's result. The places take turns; the medians are
compared.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import Measure, is_tiny, show, write

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("process", "docker")
RUNS, ASKED = int(os.environ.get("RUNS", "7")), 1.5

CODE = """
import json, time
from datetime import datetime, UTC
from types import SimpleNamespace
from airflow.sdk import DAG
from airflow.providers.common.compat.sdk import BaseHook
begin = time.perf_counter()
from perennial_airflow.dags.tasks import Steps
from pipelines.settings import load_settings
from pipelines.spec import load_spec
with DAG("benchmark", schedule=None):
    task = Steps(load_spec(load_settings().models, "flight_delays"))("ingest")
conf = {"as_of": "2013-03-01T00:00:00Z"}
run = SimpleNamespace(
    conf=conf, run_type="manual", run_after=datetime.now(UTC), data_interval_end=None
)
ti = SimpleNamespace(dag_id="benchmark", run_id="benchmark", map_index=-1)
result = task.execute({"run_id": "benchmark", "dag_run": run, "ti": ti})
print("FACTS", json.dumps([time.perf_counter() - begin, result["batches"]]))
"""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a container costs more than asked.

    Nothing where no engine or no image is there.
    """
    tiny = is_tiny(__doc__, argv)
    if not _is_ready():
        print(
            "containers: no Docker engine answers, or perennial/steps is not there (make images);"
            " nothing was measured"
        )
        return 0
    seconds_by_place: dict[str, list[float]] = {place: [] for place in PLACES}
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        for number in range(1 if tiny else RUNS + 1):
            for place in PLACES if number % 2 else reversed(PLACES):
                seconds = run_once(place, Path(folder) / place)
                if number or tiny:  # the first try of each brings the batches in
                    seconds_by_place[place].append(seconds)
    median = {place: statistics.median(seconds) for place, seconds in seconds_by_place.items()}
    more = round(median["docker"] - median["process"], 2)
    rows: list[Measure] = [
        {
            "measure": "a step in a container, beyond the same step as a process",
            "value": more,
            "unit": "s",
            "asked": f"<= {ASKED}",
        },
        {
            "measure": "the step as a process",
            "value": round(median["process"], 2),
            "unit": "s",
            "asked": "",
        },
        {
            "measure": "the step in a container",
            "value": round(median["docker"], 2),
            "unit": "s",
            "asked": "",
        },
    ]
    show("Steps in containers", rows)
    if tiny:
        return 0
    write("containers", rows)
    return 0 if more <= ASKED else 1


def run_once(place: str, folder: Path) -> float:
    """Return the seconds of one try in this place, with the state in `folder`."""
    environ = {
        **os.environ,
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PERENNIAL_PLACE": place,
        "PERENNIAL_STATE": str(folder / "state"),
        "PERENNIAL_DOCKER_NETWORK": "none",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
    }
    environ.pop("PERENNIAL_DOCKER_STATE", None)
    process = subprocess.run(
        [sys.executable, "-c", CODE], env=environ, capture_output=True, text=True, check=False
    )
    facts = [line for line in process.stdout.splitlines() if line.startswith("FACTS ")]
    if process.returncode != 0 or not facts:
        raise SystemExit(f"{place}: {process.stdout[-2_000:]}{process.stderr[-2_000:]}")
    return float(json.loads(facts[-1].removeprefix("FACTS "))[0])


def _is_ready() -> bool:
    import docker

    from pipelines.settings import load_settings

    settings = load_settings()
    try:
        client = docker.APIClient(settings.docker_host, version="auto", timeout=10)
        client.inspect_image(settings.steps_image)
    except docker.errors.DockerException:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
