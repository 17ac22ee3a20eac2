"""A registered version has its card: a page of its run, artifacts and words in MLflow."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipelines.cards.figures import find_figures
from pipelines.cards.publish import publish_card, publish_first_card
from pipelines.data.series import add_series_columns
from pipelines.errors import TryAgain
from pipelines.ledger import Approval
from pipelines.steps import gate
from pipelines.store.pages import find_page
from tests.series import hourly, sales_body, sales_spec
from tests.unit.comparison.test_forecasts import CHANGES
from tests.unit.steps import clusters
from tests.unit.steps.learning import RUN, learning, spec_text
from tests.unit.steps.test_quantiles import make_quantiles, waits

pytestmark = pytest.mark.heavy

TREE = "  - {name: tree, estimator: sklearn.tree.DecisionTreeClassifier, params: {max_depth: 3}}"
ENOUGH = 60
"""Seconds for refits and shufflings, of which no machine needs as many for worlds so small."""


def looked(world, seconds=ENOUGH):
    settings = world.context.settings.model_copy(update={"comparison_seconds": seconds})
    return replace(world, context=replace(world.context, settings=settings))


def judge(world):
    return gate.run(world.context, world.gate_request(world.train_all()))


def card_of(world, run=RUN):
    found = find_page(
        world.context.ports.store, model=world.context.spec.name, kind="card", run=run
    )
    return found.decode()


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    world = looked(learning(tmp_path_factory.mktemp("card")))
    return world, judge(world)


def test_the_card_is_a_page_of_the_run_and_stands_beside_the_version_in_mlflow(binary):
    world, result = binary
    page, registry = card_of(world), world.context.ports.registry
    files = registry.runs[result.run_id].artifacts
    assert files["card/card.html"].decode() == page
    markdown = files["card/card.md"].decode()
    assert f"| roc_auc | {result.metrics['roc_auc']:.6g} |" in markdown
    assert "The gate promoted it." in registry.descriptions["visits", "1"]
    assert "linear, exact for inputs taken one by one" in markdown
    assert page.count("<svg") == 2
    assert "<script" not in page


def test_what_the_version_looks_at_has_intervals_on_the_card_and_on_the_verdicts_page(binary):
    store = binary[0].context.ports.store
    first = find_figures(store, "visits", RUN).shuffled.losses[0]
    assert first.name == "a"
    assert 0 < first.low < first.loss < first.high
    shown = f"{first.low:.3g} to {first.high:.3g}"
    verdict = find_page(store, model="visits", kind="verdict", run=RUN).decode()
    for page in (card_of(binary[0]), verdict):
        assert shown in page
        assert "30 groups of hours, left out one by one" in page


def test_every_metric_of_the_verdict_has_its_interval(binary):
    world, result = binary
    figures = find_figures(world.context.ports.store, "visits", RUN)
    assert set(figures.metrics) == set(result.metrics)
    for name, found in figures.metrics.items():
        assert found.low <= result.metrics[name] <= found.high, name


def test_the_same_again_writes_nothing_new(binary):
    world, _ = binary
    keys = world.context.ports.store.keys("pages/visits")
    judge(world)
    publish_card(world.context, "1")
    for kind in ("card", "verdict", "card_figures"):
        stem = f"pages/visits/{kind}"
        again = world.context.ports.store.keys(stem)
        assert again == [k for k in keys if k.startswith(f"{stem}/")], kind


def test_a_card_is_written_anew_when_a_person_has_answered(binary):
    world, _ = binary
    yes = Approval(version="1", approved=True, by="ann", answered_at="2024-01-05T08:30:00Z")
    world.context.ports.ledger.append("visits", RUN, yes)
    publish_card(world.context, "1")
    assert "Approved by ann at 2024-01-05T08:30:00Z." in card_of(world)


def test_of_an_estimator_without_exact_attributions_the_card_says_so(tmp_path):
    world = looked(learning(tmp_path, spec_text(candidates=TREE)))
    judge(world)
    page = card_of(world)
    assert "not available for this estimator: DecisionTreeClassifier has no exact" in page
    assert "roc_auc lost" in page


def test_where_comparisons_are_turned_off_the_card_says_so(tmp_path):
    world = learning(tmp_path)
    judge(world)
    assert "comparisons are turned off (PERENNIAL_COMPARISON_SECONDS is 0)" in card_of(world)


def test_a_run_without_a_challenger_has_no_card(binary):
    world, result = binary
    publish_first_card(
        world.context, result.model_copy(update={"version": "", "candidate": ""}), "r9", None
    )
    assert find_page(world.context.ports.store, model="visits", kind="card", run="r9") is None


def test_a_card_that_cannot_be_written_stops_no_run_unless_a_service_is_away(binary, caplog):
    world, _ = binary
    publish_card(world.context, "99")
    assert "the card of version 99 could not be written" in caplog.text

    class Away(type(world.context.ports.registry)):
        def attach(self, *_):
            raise TryAgain("MLflow is away")

    away = Away()
    with pytest.raises(TryAgain):
        publish_card(world.with_ports(registry=away).context, "1")


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_of_classes_and_values(tmp_path, task):
    world = looked(learning(tmp_path, spec_text(task)))
    judge(world)
    page = card_of(world)
    assert "% interval" in page
    assert page.count("<svg") == 2


def test_of_clusters(tmp_path):
    world = looked(clusters.world(tmp_path))
    judge(world)
    assert "silhouette lost" in card_of(world)


def test_of_a_forecast(tmp_path):
    rows = add_series_columns(hourly(24 * 14), sales_spec(**CHANGES), "features.py")
    days = [rows.slice(24 * day, 24) for day in range(14)]
    world = looked(learning(tmp_path, json.dumps(sales_body(**CHANGES)), tables=days))
    judge(world)
    page = card_of(world)
    assert "the seasonal naive forecast, because no version serves yet" in page
    assert "linear, exact for inputs taken one by one" in page


def test_of_quantiles(tmp_path, ports):
    world = make_quantiles(tmp_path, ports)
    world.comparison_seconds = ENOUGH
    world.judge(waits(700))
    page = find_page(ports.store, model="loans", kind="card", run="r1").decode()
    assert "pinball lost" in page
    assert "numbers that the truth is below so often (quantiles)" in page


def test_of_anomalies(tmp_path, ports):
    from tests.unit.steps import test_anomaly

    world = test_anomaly.world.__wrapped__(tmp_path, ports)
    world.comparison_seconds = ENOUGH
    world.judge(test_anomaly.unlabelled(600))
    page = find_page(ports.store, model="loans", kind="card", run="r1").decode()
    assert "none: nothing tells what is right" in page
    assert "flags a row whose score is above" in page
