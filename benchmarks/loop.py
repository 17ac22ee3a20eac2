"""One `retrain_flight_delays` run through Airflow against the same work as a plain script.

`python -m benchmarks.loop`.

Six batches to learn from, one to judge on, three candidates; each run begins with a fresh state and
a running stack that has run a task before. The two are run in turn and compared by their medians.
Then the same steps are run once in one process, with the ports timed, and once each in a process
whose imports are timed, to say where the rest goes.
"""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.report import Measure, is_tiny, show, write
from pipelines.cli.running import context_for, run_step
from pipelines.ports import ConfiguredPorts, Ports
from pipelines.settings import load_settings, quiet
from pipelines.spec import load_spec
from stack import control
from stack.airflow_api import AirflowApi
from stack.dags import await_dags
from stack.keys import USER, password
from stack.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
MODEL, AS_OF, RUNS, ASKED = (
    "flight_delays",
    "2013-08-01T00:00:00Z",
    int(os.environ.get("RUNS", "3")),
    1.6,
)
DAG = f"retrain_{MODEL}"
WARM_UP = {"as_of": "2000-01-01T00:00:00Z"}
"""The conf of a run that fails at once: data begin later."""

TOOK = re.compile(r"(\w+) took ([\d.]+) s; peak memory of this process (\d+) MB")


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where the ratio is higher than asked."""
    tiny = is_tiny(__doc__, argv)
    quiet()
    script, loop = [], []
    for number in range(1 if tiny else RUNS):
        with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
            script.append(run_script(Path(folder)))
            print(f"run {number + 1}: the script took {script[-1]['wall']:.1f} s")
        with tempfile.TemporaryDirectory(prefix="pb-") as folder:
            loop.append(run_dag(Path(folder)))
            print(f"run {number + 1}: the DAG run took {loop[-1]['wall']:.1f} s")
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        parts = run_in_one_process(Path(folder))
    with tempfile.TemporaryDirectory(prefix="perennial-benchmark-") as folder:
        imports = measure_imports(Path(folder))
    rows = measures(script, loop, parts, imports)
    show("One retraining", rows)
    if tiny:
        return 0
    write("loop", rows)
    return 0 if rows[0]["value"] <= ASKED else 1


def run_script(folder: Path) -> dict[str, float]:
    """Run the plain script in a fresh folder.

    Its MLflow database is made before, as the stack's is.
    """
    environ = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    subprocess.run(
        [sys.executable, "-m", "mlflow", "db", "upgrade", environ["MLFLOW_TRACKING_URI"]],
        env=environ,
        check=True,
        capture_output=True,
    )
    begin = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "benchmarks.plain_script",
        str(folder / "work"),
        AS_OF.removesuffix("Z"),
    ]
    out = subprocess.run(
        command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True
    ).stdout
    return {"wall": time.monotonic() - begin, **json.loads(out.strip().splitlines()[-1])["seconds"]}


@contextmanager
def start_stack(folder: Path) -> Iterator[AirflowApi]:
    """Start a stack with a fresh state, on ports of its own; stop it afterwards."""
    ports = {
        f"PERENNIAL_{name}_PORT": str(_free_port()) for name in ("AIRFLOW", "MLFLOW", "SERVING")
    }
    environ = {**os.environ, **ports, "PERENNIAL_STATE": str(folder / "v")}
    layout = Layout(load_settings(environ))
    control.up(layout, environ, say=lambda _: None, timeout_seconds=240)
    try:
        with AirflowApi(layout.airflow_url, USER, password(layout.secrets)) as api:
            await_dags(api, [load_spec(layout.settings.models, MODEL)], timeout_seconds=120)
            yield api
    finally:
        control.down(layout, say=lambda _: None)


def run_dag(folder: Path) -> dict[str, Any]:
    """Trigger the DAG by REST and return wall time, tasks, and each step's seconds and memory."""
    with start_stack(folder) as api:
        # A stack runs for months: its first task of all, which loads what the next ones find
        # loaded, is not the one to measure.
        api.wait(DAG, api.trigger(DAG, WARM_UP), timeout_seconds=120)
        begin = time.monotonic()
        run_id = api.trigger(DAG, {"as_of": AS_OF, "reason": "benchmark"})
        state = api.wait(DAG, run_id, timeout_seconds=1_200)
        wall = time.monotonic() - begin
        tasks = api.tasks(DAG, run_id)
        if state != "success" or any(t.state != "success" for t in tasks):
            raise SystemExit(f"The run ended {state}: {[(t.task, t.state) for t in tasks]}")
        figures = {
            (t.task, t.label): _read_figures(api.log(DAG, run_id, t.task, t.index)) for t in tasks
        }
    return {"wall": wall, "tasks": tasks, "figures": figures}


def _read_figures(log: str) -> tuple[float, int]:
    match = TOOK.search(log)
    if match is None:
        raise SystemExit(f"A step did not say what it took:\n{log[-2_000:]}")
    return float(match[2]), int(match[3])


class TimedPort:
    """A port that adds up the seconds spent in its methods."""

    def __init__(self, port: Any) -> None:
        """Time this port."""
        self._port = port
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        def measure(*arguments: Any, **options: Any) -> Any:
            begin = time.monotonic()
            try:
                return method(*arguments, **options)
            finally:
                self.seconds += time.monotonic() - begin

        return measure


def run_in_one_process(folder: Path) -> dict[str, float]:
    """Run the steps up to the bundle in this process and return the seconds spent in DVC and
    MLflow, and in all.
    """
    environ = {**os.environ, "PERENNIAL_STATE": str(folder)}
    settings = load_settings(environ)
    real = ConfiguredPorts(settings)
    versions, registry = TimedPort(real.versions), TimedPort(real.registry)
    # MLflow's first use makes its database; the stack's is made before.
    registry.state(registry.parent(MODEL, "warm", {}))
    versions.seconds = registry.seconds = 0.0
    context = context_for(MODEL, settings)
    object.__setattr__(context, "ports", Ports(real.store, versions, registry, real.ledger))
    begin = time.monotonic()
    for _ in _run_steps(
        lambda step, body: run_step(context, step, body).model_dump(mode="json"),
        [c.name for c in context.spec.candidates],
    ):
        pass
    return {"all": time.monotonic() - begin, "dvc": versions.seconds, "mlflow": registry.seconds}


def _run_steps(run: Any, candidates: list[str]) -> Iterator[str]:
    """Run the steps up to the bundle, each on the results of those before.

    Yields each step's name after it.
    """
    common = {"run": "benchmark"}
    ingest = run("ingest", {**common, "now": "2026-01-01T00:00:00Z", "conf": {"as_of": AS_OF}})
    yield "ingest"
    validate = run("validate", {**common, "ingest": ingest})
    yield "validate"
    features = run("features", {**common, "ingest": ingest, "validate": validate})
    yield "features"
    train = []
    for candidate in candidates:
        train.append(run("train", {**common, "candidate": candidate, "features": features}))
        yield "train"
    gate = run("gate", {**common, "features": features, "train": train})
    yield "gate"
    run("package", {**common, "features": features, "train": train, "gate": gate})
    yield "package"


def measure_imports(folder: Path) -> dict[str, float]:
    """Run each step in a process of its own whose imports Python times, and return the seconds of
    imports by step.
    """
    environ = {**os.environ, "PERENNIAL_STATE": str(folder), "PYTHONPROFILEIMPORTTIME": "1"}
    seconds: dict[str, float] = {}

    def run(step: str, body: dict[str, Any]) -> Any:
        command = [
            sys.executable,
            "-m",
            "pipelines",
            step,
            "--model",
            MODEL,
            "--request",
            json.dumps(body),
        ]
        process = subprocess.run(
            command, cwd=ROOT, env=environ, check=True, capture_output=True, text=True
        )
        micros = sum(
            int(m)
            for m in re.findall(r"^import time:\s+(\d+) \|", process.stderr, flags=re.MULTILINE)
        )
        seconds[step] = max(seconds.get(step, 0.0), micros / 1e6)
        return json.loads(process.stdout.strip().splitlines()[-1])["result"]

    for _ in _run_steps(run, [c.name for c in context_for(MODEL).spec.candidates]):
        pass
    return seconds


def measures(
    script: list[dict[str, float]],
    loop: list[dict[str, Any]],
    parts: dict[str, float],
    imports: dict[str, float],
) -> list[Measure]:
    """Return what was measured; the DAG run in the middle stands for its parts."""
    typical = sorted(loop, key=lambda r: r["wall"])[len(loop) // 2]
    script_wall, loop_wall = (
        statistics.median(r["wall"] for r in script),
        statistics.median(r["wall"] for r in loop),
    )
    in_tasks = _seconds_covered([(t.start, t.end) for t in typical["tasks"]])
    outside_steps = sum(
        t.seconds - typical["figures"][t.task, t.label][0]
        for t in typical["tasks"]
        if t.task != "train"
    )
    rows: list[Measure] = [
        _row(
            "wall time of the DAG run / of the plain script",
            loop_wall / script_wall,
            "ratio",
            f"<= {ASKED}",
        ),
        _row("wall time of the DAG run", loop_wall, "s"),
        _row("wall time of the plain script", script_wall, "s"),
        _row("of the DAG run: Airflow between tasks", typical["wall"] - in_tasks, "s"),
        _row("of the DAG run: starting tasks and processes (all but train)", outside_steps, "s"),
        _row(
            "imports of all steps (train: the slowest), within the steps' times",
            sum(imports.values()),
            "s",
        ),
        _row("DVC and git, all steps", parts["dvc"], "s"),
        _row("MLflow, all steps", parts["mlflow"], "s"),
        _row("the same steps in one process, one after the other", parts["all"], "s"),
    ]
    parts_of_script = ("ingest", "validate", "features", "version", "train", "gate", "package")
    rows += [
        _row(f"script: {part}", statistics.median(r[part] for r in script), "s")
        for part in parts_of_script
    ]
    for task in typical["tasks"]:
        name = f"{task.task} {task.label}".strip()
        seconds, memory = typical["figures"][task.task, task.label]
        rows += [
            _row(f"task {name}", task.seconds, "s"),
            _row(f"step {name}", seconds, "s"),
            _row(f"step {name}: peak memory", memory, "MB"),
        ]
    return rows


def _row(measure: str, value: float, unit: str, target: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 2), "unit": unit, "asked": target}


def _seconds_covered(spans: list[tuple[str, str]]) -> float:
    """Return the seconds in which at least one of the spans (ISO times) lay."""
    from datetime import datetime

    total, until = 0.0, None
    for start, end in sorted(
        (datetime.fromisoformat(a), datetime.fromisoformat(b)) for a, b in spans
    ):
        begin = start if until is None or start > until else until
        total += max(0.0, (end - begin).total_seconds())
        until = end if until is None else max(until, end)
    return total


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
