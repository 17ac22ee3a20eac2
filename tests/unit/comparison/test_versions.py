"""Two versions of a model beside each other."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from pipelines.comparison import version_lines, versions_page
from pipelines.comparison.differences import find_differences
from pipelines.comparison.version_facts import find_bundle, read_version
from pipelines.comparison.version_lines import _origin
from pipelines.comparison.versions import compare_versions
from pipelines.errors import RequestError
from pipelines.ledger import ReleaseIntent
from pipelines.messages import Threshold
from pipelines.refs import Ref
from pipelines.store.pages import find_page
from tests.own_models import put_own_bundle
from tests.snapshots import loans, make_snapshot
from tests.unit.steps.learning import ports

INPUTS = "inputs: [income, late, region]"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Two champions: the second sees an input more, which tells much, and has another setting."""
    world = make_snapshot(tmp_path_factory.mktemp("versions"), ports(), comparison_seconds=1)
    world.respec("at_least: {roc_auc: 0.6}", "at_least: {roc_auc: 0.5}")
    world.respec(INPUTS, "inputs: [income, region]")
    world.crown(loans(1_500))
    world.respec("inputs: [income, region]", INPUTS)
    world.respec("LogisticRegression}", "LogisticRegression, params: {C: 0.5}}")
    world.later("r2")
    world.crown(loans(1_500))
    return world


def versions(world, one="1", other="2"):
    pair = [(v, find_bundle(world.context, v)) for v in (one, other)]
    return compare_versions(world.context, *pair, now=world.now)


@pytest.fixture(scope="module")
def found(world):
    return versions(world)


def text_of(page):
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<body>") :]).split())


def test_metrics_are_those_of_rows_that_neither_was_fitted_on(found):
    pairs = {pair.metric: pair for pair in found.metrics}
    held = int(found.rows.fresh.sum())
    assert 200 < held < 1_500
    assert found.metric_words == f"{held} of them are held out from both versions"
    auc = pairs["roc_auc"]
    assert auc.after.value - auc.before.value == pytest.approx(auc.gain)
    assert 0 < auc.low < auc.gain < auc.high
    loss = pairs["log_loss"]
    assert loss.before.value - loss.after.value == pytest.approx(loss.gain)


def test_it_says_what_they_are_made_of_and_what_differs(found):
    origin = {line.name: line for line in version_lines.origin(found)}
    assert (origin["inputs"].before, origin["inputs"].after) == ("2", "3")
    assert origin["estimator"].before.endswith("LogisticRegression")
    assert not origin["estimator"].differs
    assert origin["code"].differs
    assert origin["rows"].before == origin["rows"].after
    [line] = version_lines.parameter_lines(found)
    assert (line.name, line.before, line.after) == ("C", "-", "0.5")
    [line] = version_lines.input_lines(found)
    assert (line.name, line.before, line.after) == ("late", "-", "integer")
    assert "native" in origin["one row here"].after


def test_answers_that_differ_are_counted_and_the_farthest_shown(found):
    differences = found.differences
    assert differences.rows == 1_500
    assert 50 < differences.flips < 1_500
    assert sum(differences.counts) == 1_500
    assert differences.columns[:3] == ["before", "after", "customer"]
    apart = [abs(float(row[1]) - float(row[0])) for row in differences.farthest]
    assert apart == sorted(apart, reverse=True)
    assert apart[0] == pytest.approx(differences.quantiles["100%"], abs=2e-4)
    assert any(name.startswith("late") for name, *_ in differences.slices)


def test_the_page_stands_alone_and_says_it(found):
    page = versions_page.render(found)
    assert "<script" not in page
    assert "http" not in page
    said = text_of(page)
    assert "decisions flip" in said
    assert "late - integer" in said
    assert "better" in said
    assert json.loads(json.dumps(version_lines.figures(found), allow_nan=False))["metrics"]


def test_packaging_leaves_the_page_beside_the_champion(world):
    for run in ("r2", "1..2"):
        assert find_page(world.ports.store, model="loans", kind="versions", run=run)
    assert find_page(world.ports.store, model="loans", kind="versions", run="r1") is None


def test_what_cannot_be_compared_is_refused_with_the_way_out(world):
    with pytest.raises(RequestError, match="named twice"):
        versions(world, "2", "2")
    with pytest.raises(RequestError, match=r"no version '7'.*released: 1, 2"):
        versions(world, "1", "7")
    gone = Ref(uri="objects/" + "0" * 64 + ".json", sha256="0" * 64)
    intent = ReleaseIntent(number=9, version="9", bundle=gone, reason="a test")
    world.ports.ledger.append("loans", "gone", intent)
    with pytest.raises(RequestError, match=r"bundle of version 9 .* cannot be read.*backup"):
        versions(world, "1", "9")


def test_hostile_names_are_escaped(found):
    from dataclasses import replace

    bad = "<script>alert(1)</script>"
    hostile = replace(found, model=bad, schema_changes=[bad], hidden={bad: bad}, why=bad)
    assert bad not in versions_page.render(hostile)
    assert bad not in versions_page.render(replace(hostile, differences=None, metrics=[]))


def test_classes_flip_where_the_most_probable_one_is_another(world):
    import pyarrow as pa

    spec = world.context.spec.model_copy(update={"task": "multiclass"})
    one, other = np.array([[0.6, 0.4], [0.9, 0.1]]), np.array([[0.4, 0.6], [0.8, 0.2]])
    table = pa.table({"customer": ["a", "b"], "late": [1, 2]})
    found = find_differences(spec, table, one, other, ["no", "yes"], ["late"], {})
    assert (found.flips, found.rows) == (1, 2)
    assert found.farthest[0] == ["no (0.600)", "yes (0.600)", "a", "1"]


@pytest.mark.heavy
def test_a_version_of_own_code_is_read_and_timed_in_its_process(world):
    bundle = put_own_bundle(world.ports.store)
    facts = read_version(world.context, "7", bundle)
    assert facts.milliseconds["native"] > 0
    assert "compiled" not in facts.milliseconds
    assert dict(_origin(facts))["threshold"] == "-"
    decides = facts.manifest.model_copy(update={"threshold": Threshold(value=0.33)})
    facts = replace(facts, bundle=replace(facts.bundle, manifest=decides))
    assert dict(_origin(facts))["threshold"] == "0.33"
    facts.bundle.predictor.close()
