"""The loop through a started Airflow, by REST, in real subprocess steps."""

import shutil
from typing import TYPE_CHECKING

import httpx
import pytest

from pipelines.context import Context
from pipelines.data.feature_rows import build_from, read_raw
from pipelines.errors import RequestError
from pipelines.intervals import containing
from pipelines.ledger import StepOfRun
from pipelines.ports import ConfiguredPorts
from pipelines.refs import FeaturesVersion
from pipelines.spec import load_spec
from pipelines.tables import from_parquet
from tests.e2e.live import MODEL, RETRAIN

if TYPE_CHECKING:
    from pipelines.intervals import Interval

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DONE = {"ingest", "validate", "features", "gate", "package", "deploy", "close"}


def served_rows(live, model, version: FeaturesVersion, batch: str, count: int):
    """Rows of a batch as a client builds them from the source, and the same rows as DVC holds
    them."""
    spec = load_spec(live.settings.models, model)
    context = Context(spec, live.settings, ConfiguredPorts(live.settings))
    [path] = context.ports.versions.fetch(model, version, [batch])
    offline = from_parquet(path)
    start = offline.column(spec.event_time)[0].as_py()
    interval: Interval = containing(start, spec.batch)
    online = build_from(context, read_raw(context, interval), interval)
    assert online.equals(offline), "rows that came online differ from those built offline"
    return spec, online.slice(0, count).to_pylist()


def test_a_shipped_model_goes_from_raw_data_to_served_predictions(live, real_data):
    """`bike_demand`; `flight_delays` goes the same way in containers (tests/docker)."""
    model, batch = "bike_demand", "2011-03-01T00"
    source = load_spec(live.settings.models, model).source
    cache = live.settings.state / "cache" / "http"
    cache.mkdir(parents=True, exist_ok=True)
    shutil.copy(real_data / "bike_sharing" / "hour.csv", cache / source.member_sha256)
    assert live.run(model, "e2e", as_of="2011-04-01T00:00:00Z", reason="end to end") == "success"
    states = live.states(f"retrain_{model}", "e2e")
    assert {states[t] for t in DONE} == {"success"}
    assert sum(name.startswith("train ") for name in states) == 3
    built, judged, packaged = (
        live.result(model, "e2e", t) for t in ("features", "gate", "package")
    )
    assert judged["verdict"] == "promote"
    assert packaged["compiled"]
    served = live.describe(model)
    assert (served["version"], served["features_revision"]) == (
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
    ports = ConfiguredPorts(live.settings)
    assert ports.ledger.champion(model).version == ports.registry.alias(model) == served["version"]
    assert ports.registry.state(built["parent_run"]) == "FINISHED"


def test_the_first_version_serves_and_everything_agrees(live, first):
    assert first.champions == {first.version} == {"1"}
    entries = [e for e in first.entries if e.kind != "alert"]  # people are told at any moment
    decisions = [e for e in entries if not isinstance(e.decision, StepOfRun)]
    kinds = [e.kind for e in decisions]
    assert kinds == ["verdict", "release", "champion", "outcome"], "nothing had to be mended"
    assert {e.key for e in decisions} == {first.run_id}
    assert decisions[0].body["started_because"] == first.reason
    steps = {e.kind for e in entries} - set(kinds)
    assert steps == {"ingest", "validation", "features", "training"}
    assert ConfiguredPorts(live.settings).ledger.verify() >= 3


def test_what_a_trigger_says_is_never_executed(live, first):
    assert live.result(MODEL, first.run_id, "ingest")["reason"] == first.reason
    assert not any(mark.exists() for mark in first.marks)


def test_an_unknown_key_is_refused_at_the_trigger_and_nothing_starts(live):
    with pytest.raises(RequestError, match=r"\(400\).*unknown key 'as_off'; did you mean 'as_of'"):
        live.start(MODEL, "refused-conf", as_off="2024-01-05T00:00:00Z")
    with pytest.raises(RequestError, match="404"):
        live.api.state(RETRAIN, "refused-conf")


@pytest.mark.parametrize(
    "conf", [{"as_of": 5}, {"force": "yes"}, {"reason": ["x"]}, {"as_of": "tomorrow"}]
)
def test_wrong_types_are_refused_by_the_api(live, conf):
    token = httpx.post(f"{live.layout.airflow_url}/auth/token", json=live.api._login).json()[
        "access_token"
    ]
    answer = httpx.post(
        f"{live.layout.airflow_url}/api/v2/dags/{RETRAIN}/dagRuns",
        json={"logical_date": None, "conf": conf},
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.status_code in {400, 422}


def test_a_refused_challenger_ends_green_with_the_reasons_to_read(live, first, refused):
    states = live.states(RETRAIN, refused.run_id)
    assert live.api.state(RETRAIN, refused.run_id) == "success"
    assert (states["gate"], states["package"], states["deploy"], states["close"]) == (
        "success",
        "skipped",
        "skipped",
        "success",
    )
    judged = live.result(MODEL, refused.run_id, "gate")
    assert judged["verdict"] == "refuse"
    assert any("roc_auc" in reason for reason in judged["reasons"])
    log = live.last_log(RETRAIN, refused.run_id, "gate")
    assert "roc_auc" in log
    assert log.count(f"Verdict on {judged['candidate']}") == 1
    assert "roc_auc" in live.last_log(RETRAIN, refused.run_id, "package")
    assert refused.champions == {first.version}


def test_a_broken_spec_is_an_import_error_and_breaks_only_itself(live, refused):
    [text] = refused.import_errors.values()
    assert "models/mistaken/model.yaml" in text
    assert "targte: unknown key; did you mean 'target'" in text
    assert {RETRAIN, "retrain_flight_delays", "retrain_bike_demand"} <= set(refused.dag_ids)
    assert live.api.state(RETRAIN, refused.run_id) == "success", "it ran while that spec was there"


def test_two_retrainings_of_one_model_take_turns(live, renewed):
    spans = []
    for run in (renewed.run_id, renewed.next_run):
        tasks = [t for t in live.api.tasks(RETRAIN, run) if t.start]
        spans.append((min(t.start for t in tasks), max(t.end for t in tasks)))
    [created] = [
        r["queued_at"]
        for r in live.api._all(f"/api/v2/dags/{RETRAIN}/dagRuns", "dag_runs")
        if r["dag_run_id"] == renewed.next_run
    ]
    assert created < spans[0][1], "the second was asked for while the first was at work"
    assert spans[0][1] <= spans[1][0], "two runs of one model overlapped"


def test_an_unknown_key_that_came_by_another_way_ends_red_at_the_first_task_without_a_retry(
    live, renewed
):
    assert live.api.state(RETRAIN, renewed.next_run) == "failed"
    [task] = [t for t in live.api.tasks(RETRAIN, renewed.next_run) if t.task == "ingest"]
    assert (task.state, task.tries) == ("failed", 1)
    assert "did you mean 'as_of'" in live.last_log(RETRAIN, renewed.next_run, "ingest")
