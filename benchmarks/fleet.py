"""What a fleet of many models costs: its DAG files, its pages and its commands.

`python -m benchmarks.fleet` from the checkout; `--models 100` for another number of models.

The folders of the models are copies of one real spec, in a home of their own, each with the
entries of a deployed and watched model in the ledger. Every DAG file is parsed as Airflow's DAG
processor does it: in a process forked from one that has loaded what it has, the DAGs serialized,
two files at a time. `--processor` also runs Airflow's own DAG processor on a new SQLite database,
until it has all DAGs, and then changes one folder. The overview is asked of the real app.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.report import Measure, show, write
from pipelines.intervals import Interval
from pipelines.ledger import Crown, DriftCheck, GateVerdict
from pipelines.ports import ConfiguredPorts
from pipelines.refs import Ref
from pipelines.settings import load_settings
from stack.environment import BUNDLE as DAG_BUNDLE

ROOT = Path(__file__).resolve().parents[1]
TINY, MODELS = 2, 1_000
OWNERS, TEAMS = 20, ("retail", "travel", "energy", "health")
CHANGES = 3
"""How often a folder is changed under the running DAG processor."""
LONGEST = 900.0
"""Seconds that the DAG processor has until all DAGs are there."""
LIMIT = 30.0
"""Seconds that Airflow gives a DAG file by default."""
BUNDLE = Ref(uri="objects/aa/" + "a" * 64 + ".json", sha256="a" * 64)

PARSE = """
import json, os, sys, time
import airflow.dag_processing.manager, perennial_plugin  # noqa: E401, F401 -- before it forks
from multiprocessing import get_context
from pathlib import Path
import structlog
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.processor import DagFileParseRequest, _parse_file

def parse(file):
    begin, processor = time.perf_counter(), time.process_time()
    request = DagFileParseRequest(
        file=str(file), bundle_path=folder, bundle_name=bundle.name, callback_requests=[]
    )
    found = _parse_file(request, structlog.get_logger())
    size = len(found.model_dump_json())  # it goes to the manager through a socket
    return [Path(file).name, time.perf_counter() - begin, time.process_time() - processor,
            len(found.serialized_dags), list((found.import_errors or {}).values()), size]

os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "client"
(bundle,) = DagBundlesManager().get_all_dag_bundles()
begin = time.perf_counter()
bundle.initialize()
bundle.refresh()  # as the DAG processor does before it forks
folder = Path(sys.argv[1] if len(sys.argv) > 1 else bundle.path)
files = sorted(folder.glob("*.py"))
with get_context("fork").Pool(2, maxtasksperchild=1) as pool:
    rows = pool.map(parse, files, chunksize=1)
print(json.dumps([time.perf_counter() - begin, rows]))
"""

PLAIN = """
from datetime import timedelta
from airflow.sdk import DAG, BaseOperator
for number in range({first}, {last}):
    for kind, tasks in {{"retrain": 8, "drift": 7, "rollback": 1, "prove": 1, "replay": 3}}.items():
        with DAG(f"{{kind}}_{{number}}", doc_md="x" * 1_000, tags=["plain"]):
            made = [
                BaseOperator(task_id=f"task{{n}}", execution_timeout=timedelta(hours=1))
                for n in range(tasks)
            ]
            for before, after in zip(made, made[1:]):
                before >> after
"""
"""As many DAGs with as many tasks, of Airflow's own operator: what Airflow alone takes for them."""

PAGE = """
import json, sys, time
from types import SimpleNamespace
from airflow.api_fastapi.core_api.security import get_user
from perennial_airflow.pages.access import Reader
from perennial_airflow.pages.app import make_app
from starlette.testclient import TestClient

class Anybody(Reader):
    def expect(self, model):
        pass

app = make_app()
app.dependency_overrides[get_user] = lambda: SimpleNamespace(get_name=lambda: "ann")
app.dependency_overrides[Reader] = lambda: Anybody(None, None)
client, seconds = TestClient(app), []
for _ in range(5):
    begin = time.perf_counter()
    answer = client.get(sys.argv[1])
    seconds.append(time.perf_counter() - begin)
    assert answer.status_code == 200 and "model_0" in answer.text, answer.text[:300]
print(json.dumps([seconds, len(answer.content)]))
"""


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where something takes longer than asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="two models; judges and writes nothing")
    parser.add_argument("--models", type=int, default=MODELS, help="how many models")
    parser.add_argument("--processor", action="store_true", help="run Airflow's DAG processor too")
    asked = parser.parse_args(argv)
    count = TINY if asked.tiny else asked.models
    with tempfile.TemporaryDirectory(prefix="perennial-fleet-") as folder:
        home = Path(folder)
        write_models(home / "models", count)
        fill_ledger(home, count)
        rows = [*measure_parsing(home, count), *measure_pages(home, count)]
        rows += measure_commands(home, count)
        if asked.processor:
            rows += measure_processor(home, count)
    show(f"A fleet of {count:,} models", rows)
    if asked.tiny:
        return 0
    if count == MODELS:
        write("fleet", rows)
    return int(any(row["asked"] and row["value"] > float(row["asked"][3:]) for row in rows))


def write_models(models: Path, count: int) -> None:
    """Write so many folders of models, with owners."""
    text = (ROOT / "models" / "flight_delays" / "model.yaml").read_text(encoding="utf-8")
    for number in range(count):
        name = f"model_{number:04d}"
        (models / name).mkdir(parents=True)
        spec = text.replace("name: flight_delays", f"name: {name}")
        spec = spec.replace("owner: flight-operations", f"owner: team-{number % OWNERS}")
        (models / name / "model.yaml").write_text(spec, encoding="utf-8")


def fill_ledger(home: Path, count: int, state: Path | None = None) -> None:
    """Give each model a champion, a verdict and a month of drift checks."""
    environ = {"PERENNIAL_HOME": str(home)}
    if state is not None:
        environ["PERENNIAL_STATE"] = str(state)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
    ledger = ConfiguredPorts(load_settings(environ)).ledger
    for number in range(count):
        verdict = GateVerdict(
            verdict="promote",
            reasons=["it is better"],
            checks=[],
            candidate="boosted",
            run_id="a" * 32,
            version="1",
            metrics={"roc_auc": 0.82},
            champion=None,
            features_revision="b" * 40,
            as_of=start,
        )
        crown = Crown(version="1", bundle=BUNDLE, release=1)
        checks = [_check(start + timedelta(days=day), f"day{day}") for day in range(25)]
        decisions = [("first", verdict), ("first", crown), *((c.run, c) for c in checks)]
        ledger.append_many(f"model_{number:04d}", decisions)


def _check(day: datetime, run: str) -> DriftCheck:
    """Return a day's drift check."""
    return DriftCheck(
        run=run,
        verdict="no_drift",
        reasons=["nothing has drifted"],
        window=Interval(start=day, end=day + timedelta(days=1)),
        source="traffic",
        rows=1_000,
        labelled=900,
        champion="1",
        metric="roc_auc",
        live=0.81,
        expected=0.82,
        columns=12,
        drifted=[],
        figures=BUNDLE,
        page=BUNDLE,
        run_id="a" * 32,
    )


def environ(home: Path) -> dict[str, str]:
    """Return the environment of the fleet's programs."""
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",  # so that what takes longer is measured
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([DAG_BUNDLE]),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3",
        "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
        "PERENNIAL_HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "plugins")]),
    }


def measure_parsing(home: Path, count: int) -> list[Measure]:
    """Return what it takes to parse every DAG file once, and each of them."""
    wall, files = _run_json(home, PARSE)
    plain_wall, plain = _run_json(home, PARSE, str(write_plain(home / "plain", count, len(files))))
    errors = [error for *_, found, _ in [*files, *plain] for error in found]
    if errors:
        raise SystemExit("\n".join(errors))
    dags = sum(number for _, _, _, number, _, _ in files)
    cpu, plain_cpu = (sum(row[2] for row in rows) for rows in (files, plain))
    rows = [
        _measure(
            f"full parse: {dags:,} DAGs, two files at a time",
            wall,
            "s",
            "<= 6" if count == MODELS else "",
        ),
        _measure("full parse, processor", cpu, "CPU s", ""),
        _measure("as many plain DAGs of Airflow's", plain_wall, "s", ""),
        _measure("as many plain DAGs of Airflow's, processor", plain_cpu, "CPU s", ""),
        _measure("full parse against plain DAGs, processor", cpu / plain_cpu, "times", ""),
        _measure("the longest file", max(seconds for _, seconds, *_ in files), "s", ""),
        _measure(
            f"files that Airflow would give up, after {LIMIT:g} s",
            sum(seconds > LIMIT for _, seconds, *_ in files),
            "files",
            "<= 0",
        ),
        _measure("what the parses send", sum(size for *_, size in files) / 1e6, "MB", ""),
    ]
    if len(files) < 10:
        rows += [_measure(f"{name}, processor", cpu, "CPU s", "") for name, _, cpu, *_ in files]
    return rows


def write_plain(folder: Path, count: int, files: int) -> Path:
    """Write as many plain DAGs as so many models have, into so many files."""
    folder.mkdir()
    for file in range(files):
        first, last = (count * place // files for place in (file, file + 1))
        (folder / f"plain_{file:02d}.py").write_text(PLAIN.format(first=first, last=last))
    return folder


def measure_pages(home: Path, count: int) -> list[Measure]:
    """Return how long the overview takes, the first time and then."""
    seconds, size = _run_json(home, PAGE, "/")
    asked = "<= 500" if count == MODELS else ""
    return [
        _measure("overview page, first", seconds[0] * 1e3, "ms", ""),
        _measure("overview page, then", statistics.median(seconds[1:]) * 1e3, "ms", asked),
        _measure("overview page, size", size / 1e3, "kB", ""),
    ]


def measure_commands(home: Path, count: int) -> list[Measure]:
    """Return how long commands of the whole fleet take, and of one model."""
    rows = []
    commands = {"models": "<= 2", "status": "", "status model_0000": "", "history model_0000": ""}
    for command, asked in commands.items():
        line = [sys.executable, "-m", "pipelines", *command.split(), "--json"]
        before, begin = _children(), time.perf_counter()
        subprocess.run(line, env=environ(home), cwd=ROOT, check=True, capture_output=True)
        name = f"`perennial {command}`"
        took, cpu = time.perf_counter() - begin, _children() - before
        rows.append(_measure(name, took, "s", asked if count == MODELS else ""))
        rows.append(_measure(f"{name}, processor", cpu, "CPU s", ""))
    return rows


def measure_processor(home: Path, count: int) -> list[Measure]:
    """Return how long Airflow's DAG processor takes until all DAGs are in its database, and until
    it has seen a changed folder.
    """
    env = environ(home)
    airflow = [sys.executable, "-m", "airflow"]
    subprocess.run([*airflow, "db", "migrate"], env=env, cwd=ROOT, check=True, capture_output=True)
    database = home / "airflow" / "airflow.db"
    with (home / "processor.log").open("wb") as log:
        program = subprocess.Popen(
            [*airflow, "dag-processor"],
            env=env,
            cwd=home,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            begin = time.perf_counter()
            _await(database, f"SELECT count(*) = {5 * count} FROM dag WHERE NOT is_stale")
            first = time.perf_counter() - begin
            time.sleep(15)
            seen = [_change(home, database, f"change {number}") for number in range(CHANGES)]
        finally:
            os.killpg(program.pid, signal.SIGTERM)
            program.wait(timeout=60)
    asked = "<= 5" if count == MODELS else ""
    return [
        _measure("DAG processor: all DAGs in a new database", first, "s", ""),
        _measure(
            "DAG processor: change of one folder seen, median", statistics.median(seen), "s", asked
        ),
        _measure("DAG processor: change of one folder seen, longest", max(seen), "s", ""),
    ]


def _change(home: Path, database: Path, text: str) -> float:
    """Return the seconds until a changed description stands in Airflow's database."""
    file = home / "models" / "model_0001" / "model.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    kept = [f"description: {text}" if line.startswith("description:") else line for line in lines]
    file.write_text("\n".join(kept) + "\n", encoding="utf-8")
    begin = time.perf_counter()
    changed = f"dag_id = 'retrain_model_0001' AND description = '{text}'"
    _await(database, f"SELECT count(*) = 1 FROM dag WHERE {changed}")
    return time.perf_counter() - begin


def _await(database: Path, question: str) -> None:
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as opened:
            if opened.execute(question).fetchone()[0]:
                return
        time.sleep(0.1)
    raise SystemExit(f"Not within {LONGEST:g} s: {question}")


def _run_json(home: Path, code: str, *arguments: str) -> list:
    """Return what a program prints as JSON on its last line."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environ(home),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr[-3_000:])
    found: list = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _children() -> float:
    """Return the processor's seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _measure(measure: str, value: float, unit: str, asked: str) -> Measure:
    return {"measure": measure, "value": round(value, 2), "unit": unit, "asked": asked}


if __name__ == "__main__":
    sys.exit(main())
