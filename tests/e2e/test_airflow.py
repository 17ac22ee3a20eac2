"""The loop through a started Airflow, by REST, in real subprocess steps."""

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pandas as pd
import pytest

from pipelines.context import Context
from pipelines.data.feature_rows import build_from, read_raw
from pipelines.errors import RequestError
from pipelines.ports import EmbeddedPorts
from pipelines.refs import FeaturesVersion
from pipelines.spec import load_spec
from pipelines.tables import from_parquet
from stack.environment import environment
from tests.worlds import visits

if TYPE_CHECKING:
    from pipelines.intervals import Interval

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DONE = {"ingest", "validate", "features", "gate", "package", "deploy", "close"}


def served_rows(live, model, version: FeaturesVersion, batch: str, count: int):
    """Rows of a batch as a client builds them from the source, and the same rows as DVC holds
    them."""
    spec = load_spec(live.settings.models, model)
    context = Context(spec, live.settings, EmbeddedPorts(live.settings))
    [path] = context.ports.versions.fetch(model, version, [batch])
    offline = from_parquet(path)
    start = offline.column(spec.event_time)[0].as_py()
    from pipelines.intervals import containing

    interval: Interval = containing(start, spec.batch)
    online = build_from(context, read_raw(context, interval), interval)
    assert online.equals(offline), "rows that came online differ from those built offline"
    return spec, online.slice(0, count).to_pylist()


def test_a_shipped_model_goes_from_raw_data_to_served_predictions(live, real_data):
    """`bike_demand`; `flight_delays` goes the same way in containers (a long test)."""
    model, batch = "bike_demand", "2011-03-01T00"
    source = load_spec(live.settings.models, model).source
    cache = live.settings.state_dir / "cache" / "http"
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copy(real_data / "bike_sharing" / "hour.csv", cache / source.member_sha256)
    assert live.run(model, "e2e", as_of="2011-04-01T00:00:00Z", reason="end to end") == "success"
    states = live.states(model, "e2e")
    assert {states[t] for t in DONE} == {"success"}
    assert sum(name.startswith("train ") for name in states) == 3
    built, judged, packaged = (
        live.result(model, "e2e", t) for t in ("features", "gate", "package")
    )
    assert judged["verdict"] == "promote"
    assert packaged["compiled"]
    told = live.told(model)
    assert (told["version"], told["features_revision"]) == (
        judged["version"],
        built["version"]["revision"],
    )
    spec, rows = served_rows(
        live, model, FeaturesVersion.model_validate(built["version"]), batch, 20
    )
    answer = live.ask(model, [{c: row[c] for c in spec.features.inputs} for row in rows])
    assert answer.status_code == 200, answer.text
    predictions = answer.json()["predictions"]
    assert len(predictions) == 20
    assert len(set(predictions)) > 5
    ports = EmbeddedPorts(live.settings)
    assert ports.ledger.champion(model).version == ports.registry.alias(model) == told["version"]
    assert ports.registry.state(built["parent_run"]) == "FINISHED"


def test_the_first_version_serves_and_everything_agrees(live, first):
    ports = EmbeddedPorts(live.settings)
    champion = ports.ledger.champion("sales")
    assert (
        champion.version
        == first["version"]
        == ports.registry.alias("sales")
        == live.told("sales")["version"]
    )
    mine = [e for e in live.ledger("sales") if e.key == "first"]
    assert [e.kind for e in mine] == ["verdict", "release", "champion", "outcome"]
    assert mine[0].body["started_because"] == "the first"
    assert live.ledger("sales", "reconciled") == [], "something had to be mended"
    assert ports.ledger.verify() >= 3


def test_a_refused_challenger_ends_green_with_the_reasons_to_read(live, first):
    # The same moment again: the champion has seen these held-out rows by now.
    assert live.run("sales", "again", as_of="2024-01-04T00:00:00Z") == "success"
    states = live.states("sales", "again")
    assert (states["gate"], states["package"], states["deploy"]) == (
        "success",
        "skipped",
        "skipped",
    )
    judged = live.result("sales", "again", "gate")
    assert judged["verdict"] == "refuse"
    assert any("overlap" in reason for reason in judged["reasons"])
    log = live.log("sales", "again", "gate")
    assert "overlap" in log
    assert log.count("Verdict on linear") == 1
    assert "overlap" in live.log("sales", "again", "package")
    assert live.told("sales")["version"] == first["version"]


def test_broken_data_end_red_at_validate_and_touch_nothing_else(live, first):
    good = live.world.frame(4)
    live.world.rewrite(4, good.assign(pages=["many"] * len(good)))
    try:
        before = EmbeddedPorts(live.settings).versions.files("sales")
        assert live.run("sales", "broken", as_of="2024-01-06T00:00:00Z") == "failed"
        states = live.states("sales", "broken")
        assert (states["ingest"], states["validate"]) == ("success", "failed")
        assert {states[t] for t in ("features", "gate", "package", "deploy")} == {"upstream_failed"}
        assert "pages" in live.log("sales", "broken", "validate")
        [task] = [t for t in live.api.tasks("retrain_sales", "broken") if t.task == "validate"]
        assert task.tries == 1, "broken data were tried again"
        assert EmbeddedPorts(live.settings).versions.files("sales") == before
        assert live.told("sales")["version"] == first["version"]
        assert live.ledger("sales", "quarantine")
    finally:
        live.world.rewrite(4, good)


def test_an_unknown_key_is_refused_at_the_trigger_and_nothing_starts(live, first):
    with pytest.raises(RequestError, match=r"\(400\).*unknown key 'as_off'; did you mean 'as_of'"):
        live.start("sales", "unknown", as_off="2024-01-05T00:00:00Z")
    with pytest.raises(RequestError, match="404"):
        live.api.state("retrain_sales", "unknown")


def test_an_unknown_key_that_came_by_another_way_ends_red_at_the_first_task_without_a_retry(
    live, first
):
    by_command = [
        sys.executable,
        "-m",
        "airflow",
        "dags",
        "trigger",
        "retrain_sales",
        "--run-id",
        "unknown",
        "--conf",
        '{"as_off": "2024-01-05"}',
    ]
    done = subprocess.run(
        by_command,
        env=environment(live.layout, os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert live.end("sales", "unknown") == "failed"
    [task] = [t for t in live.api.tasks("retrain_sales", "unknown") if t.task == "ingest"]
    assert (task.state, task.tries) == ("failed", 1)
    assert "did you mean 'as_of'" in live.log("sales", "unknown", "ingest")


@pytest.mark.parametrize(
    "conf", [{"as_of": 5}, {"force": "yes"}, {"reason": ["x"]}, {"as_of": "tomorrow"}]
)
def test_wrong_types_are_refused_by_the_api(live, conf):
    token = httpx.post(f"{live.layout.airflow_url}/auth/token", json=live.api._login).json()[
        "access_token"
    ]
    answer = httpx.post(
        f"{live.layout.airflow_url}/api/v2/dags/retrain_sales/dagRuns",
        json={"logical_date": None, "conf": conf},
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.status_code in {400, 422}


def test_what_a_trigger_says_is_never_executed(live, first, tmp_path):
    marks = [tmp_path / name for name in ("shell", "backtick", "jinja")]
    text = (
        f"'; touch {marks[0]}; `touch {marks[1]}` $(id) {{{{ 7 * 7 }}}} {{% import os %}}{{{{"
        f" os.system('touch {marks[2]}') }}}}"
    )
    assert live.run("sales", "hostile", as_of="2024-01-04T00:00:00Z", reason=text) == "success"
    assert live.result("sales", "hostile", "ingest")["reason"] == text
    assert not any(mark.exists() for mark in marks)


def test_two_retrains_at_once_take_turns_and_late_rows_rebuild_what_they_reach(live, first):
    live.world.rewrite(
        2,
        pd.concat(
            [live.world.frame(2), visits(2, 5).assign(visit=[f"late-{i}" for i in range(5)])]
        ),
    )
    live.start("sales", "one", as_of="2024-01-07T00:00:00Z")
    live.start("sales", "two", as_of="2024-01-07T00:00:00Z")
    assert [live.end("sales", r) for r in ("one", "two")] == ["success", "success"]
    spans = []
    for run in ("one", "two"):
        tasks = [t for t in live.api.tasks("retrain_sales", run) if t.start]
        spans.append((min(t.start for t in tasks), max(t.end for t in tasks)))
    assert spans[0][1] <= spans[1][0] or spans[1][1] <= spans[0][0], (
        "two runs of one model overlapped"
    )
    ingested = [live.result("sales", r, "ingest") for r in ("one", "two")]
    assert sum(i["late"] > 0 for i in ingested) == 1, (
        "late rows are one new version, whoever reads them first"
    )
    built = sorted(
        (live.result("sales", r, "features") for r in ("one", "two")), key=lambda b: -b["rebuilt"]
    )
    assert built[1]["rebuilt"] == 0
    assert built[0]["version"] == built[1]["version"]


def test_a_broken_spec_is_an_import_error_and_breaks_only_itself(live, first):
    folder = live.world.home / "models" / "mistaken"
    folder.mkdir()
    (folder / "model.yaml").write_text("name: mistaken\nowner: me\ntargte: x\n")
    try:
        [text] = live.until(live.api.import_errors, "Airflow reads the broken spec").values()
        assert "models/mistaken/model.yaml" in text
        assert "targte: unknown key; did you mean 'target'" in text
        assert {"retrain_sales", "retrain_flight_delays", "retrain_bike_demand"} <= set(
            live.api.dag_ids()
        )
        assert live.run("sales", "beside", as_of="2024-01-04T00:00:00Z") == "success"
    finally:
        shutil.rmtree(folder)
