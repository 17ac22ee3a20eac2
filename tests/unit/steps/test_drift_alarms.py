"""`drift` where the look itself cannot be had: an alarm, or an error that names what is missing."""

from __future__ import annotations

import pytest

from pipelines.bundle.load import write_bundle
from pipelines.errors import BadData, RequestError
from pipelines.messages import DriftRequest
from pipelines.run_names import watch_run
from pipelines.steps import drift
from pipelines.store.pages import find_page
from tests.decisions import crown
from tests.unit.steps.looks import DAY, champion, entries
from tests.worlds import ROWS


def test_a_champion_that_cannot_be_opened_is_an_alarm(watched):
    uri = champion(watched).manifest.onnx.uri
    watched.ports.store.objects[uri] = watched.ports.store.objects[uri][:-1] + b"\x00"
    found = watched.look(DAY)
    assert found.verdict == "alarm"
    assert uri in found.reasons[0]
    assert watched.ports.registry.state(found.run_id) == "FINISHED"


def test_a_bundle_from_before_models_were_watched_is_an_alarm_that_says_so(watched):
    ledger, store = watched.ports.ledger, watched.ports.store
    old = write_bundle(store, champion(watched).manifest.model_copy(update={"reference": None}))
    ledger.crown(
        "sales",
        expected="1",
        champion=crown("1", old, release=2),
        key="old",
    )
    found = watched.look(DAY)
    assert found.verdict == "alarm"
    assert "holds no reference" in found.reasons[0]
    assert "retrain" in found.reasons[0]


def test_an_input_that_is_not_built_any_more_is_an_alarm_that_names_it(watched):
    watched.world.respec("channel, trend]", "channel]")
    found = watched.look(DAY)
    assert found.verdict == "alarm"
    assert any("input trend is missing" in reason for reason in found.reasons), found.reasons


def test_another_task_than_the_champions_is_an_alarm(watched):
    watched.world.respec("task: binary", "task: regression")
    watched.world.respec("roc_auc", "r2")
    watched.world.respec("DummyClassifier", "DummyRegressor")
    watched.world.respec(
        "sklearn.linear_model.LogisticRegression, search: {C: [0.1, 1.0]}",
        "sklearn.linear_model.Ridge",
    )
    found = watched.look(DAY)
    assert found.verdict == "alarm"
    assert "does a binary task, the spec asks for regression" in found.reasons[0]


def test_a_broken_batch_ends_at_validate_with_its_page(watched):
    watched.world.rewrite(DAY, watched.world.frame(DAY).assign(pages=["many"] * ROWS))
    with pytest.raises(BadData, match="quarantine"):
        watched.look(DAY)
    assert entries(watched) == watched.ports.ledger.entries("sales", "retrain_request") == []
    assert b"quarantine" in find_page(
        watched.ports.store, model="sales", kind="validation", run=watch_run("watch")
    )


def test_a_model_without_a_drift_section_is_refused(watched):
    request = watched.request(DAY)
    watched.world.respec("drift:\n", "# drift:\n")
    text = (watched.world.home / "models" / "sales" / "model.yaml").read_text().split("# drift:")[0]
    (watched.world.home / "models" / "sales" / "model.yaml").write_text(text)
    with pytest.raises(RequestError, match="is not watched"):
        drift.run(watched.context, request)


def test_a_run_that_ingested_no_window_is_refused(watched):
    request = watched.request(DAY)
    ingested = request.ingest.model_copy(update={"window": None})
    with pytest.raises(RequestError, match="ingested no window"):
        drift.run(
            watched.context, DriftRequest(run="other", ingest=ingested, validate=request.validate_)
        )
