"""Every kind of model comes out equal: tasks, own code, finished models, required packages."""

from __future__ import annotations

import json
import re

import pytest

from pipelines.ledger import MemoryLedger
from pipelines.ports import Ports
from pipelines.rebuilding.rebuild import rebuild
from pipelines.registry.memory import MemoryRegistry
from pipelines.store.memory import MemoryStore
from pipelines.versions.memory import MemoryVersions
from tests.decisions import crown
from tests.required_package import PACKAGE
from tests.served import packaged
from tests.snapshots import loans, make_snapshot
from tests.unit.steps.test_anomaly import FOREST, PROMISE, unlabelled
from tests.unit.steps.test_finished_model import late_payers
from tests.unit.steps.test_forecast_drift import CHANGES, hours
from tests.unit.steps.test_quantiles import make_quantiles, waits
from tests.wheels import Index, only_index
from tests.worlds import make_world

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]

LINEAR = "{name: linear, estimator: sklearn.linear_model.LogisticRegression}"
OWN = """
import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline


class Clip(TransformerMixin, BaseEstimator):
    def fit(self, x, y=None):
        self.high_ = np.quantile(x, 0.95, axis=0)
        return self

    def transform(self, x):
        return np.minimum(np.asarray(x) / self.high_, 1)


def make(numbers, texts):
    columns = ColumnTransformer([("numbers", Clip(), numbers)])
    return Pipeline([("columns", columns), ("model", LogisticRegression())])
"""


@pytest.fixture
def ports():
    return Ports(MemoryStore(), MemoryVersions(), MemoryRegistry(), MemoryLedger())


def crowned(world, frame):
    """Make the snapshot's challenger champion, the whole way from its raw rows."""
    world.write(frame)
    built, trained, judged = world.judge(world.build_from_source())
    assert judged.verdict == "promote", judged.reasons
    made = world.package(built, trained, judged)
    champion = crown(made.version, made.bundle)
    world.ports.ledger.crown("loans", expected=None, champion=champion, key=world.run)


def built_again(world):
    found = rebuild(world.context, "1")
    assert (found.verdict, found.differences, found.causes) == ("equal", [], [])
    assert found.identical == found.rows > 0
    return found, [check.name for check in found.checks]


def test_quantiles(tmp_path, ports):
    world = make_quantiles(tmp_path, ports)
    crowned(world, waits(900))
    _, names = built_again(world)
    assert "ONNX bytes" in names


def test_an_anomaly_model_with_its_threshold(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    path = tmp_path / "models" / "loans" / "model.yaml"
    text = path.read_text()
    task = text[: text.index("train:")].replace(
        "task: binary", "task: anomaly\nthreshold: {rate: 0.05}"
    )
    forest = f"{{name: forest, estimator: {FOREST}, params: {{n_estimators: 10}}}}"
    path.write_text(
        task.replace("target: {column: fault}\n", "")
        + f"train: {{metric: {PROMISE}, seed: 1}}\ncandidates: [{forest}]\n"
        + f"gate: {{at_most: {{{PROMISE}: 0.1}}, versus_champion: {{metric: {PROMISE}}}}}\n"
    )
    crowned(world, unlabelled(600))
    built_again(world)


def test_clusters_keep_their_names(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    path = tmp_path / "models" / "loans" / "model.yaml"
    text = path.read_text()
    kmeans = "{name: kmeans, estimator: sklearn.cluster.KMeans, params: {n_clusters: 3}}"
    path.write_text(
        text[: text.index("train:")]
        .replace("task: binary", "task: cluster")
        .replace("target: {column: fault}\n", "")
        + f"train: {{metric: silhouette, seed: 1}}\ncandidates: [{kmeans}]\n"
        + "gate: {at_least: {silhouette: 0.1}, versus_champion: {metric: silhouette}}\n"
    )
    crowned(world, loans(300).drop(columns="fault"))
    built_again(world)


def test_a_forecast(tmp_path, ports):
    world = make_world(tmp_path / "home")
    for old, new in CHANGES.items():
        world.respec(old, new)
    folder = world.home / "models" / "sales"
    (folder / "features.py").write_text("def build(tables):\n    return tables['events']\n")
    suite = {"name": "sales", "expectations": []}
    (world.home / "expectations" / "sales.json").write_text(json.dumps(suite))
    for day in range(8):
        world.rewrite(day, hours(day))
    bundle = packaged(world.context(ports), 6)
    champion = crown(bundle.version, bundle.bundle)
    ports.ledger.crown("sales", expected=None, champion=champion, key="first")
    found = rebuild(world.context(ports), "1")
    assert (found.verdict, found.differences, found.causes) == ("equal", [], [])
    assert found.identical == found.rows > 0


def test_an_own_pipeline_serves_natively_and_its_answers_are_compared(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    (tmp_path / "models" / "loans" / "model.py").write_text(OWN)
    world.respec(LINEAR, "{name: own, pipeline: make}")
    crowned(world, loans(600))
    # The folder has other code by now.
    (tmp_path / "models" / "loans" / "model.py").write_text("def make(: broken")
    found = rebuild(world.context, "1")
    assert (found.verdict, found.differences) == ("equal", [])
    assert found.identical == found.rows > 0
    names = [check.name for check in found.checks]
    assert "ONNX bytes" not in names
    assert "answers, native" in names
    assert "models/loans/model.py: not as they were" in found.notes[0]
    assert found.notes[1].startswith("Version 1 serves natively: there are no ONNX bytes")


def test_a_finished_model(tmp_path, ports):
    world = make_snapshot(tmp_path, ports)
    net = tmp_path / "models" / "loans" / "net.onnx"
    net.write_bytes(late_payers())
    world.respec("[income, late, region]", "[late, region]")
    world.respec(LINEAR, "{name: finished, onnx: net.onnx}")
    crowned(world, loans(1_400))
    net.write_bytes(b"no net any more")
    found = rebuild(world.context, "1")
    assert (found.verdict, found.differences) == ("equal", [])
    assert "models/loans/net.onnx: not as they were" in found.notes[0]


def test_packages_beside_the_lock_and_what_they_were(tmp_path, ports):
    index = Index(tmp_path / "simple")
    index.add("pnboost", "1.0", {"pnboost.py": PACKAGE})
    for _ in only_index(index.url):
        world = make_snapshot(tmp_path / "home", ports)
        world.respec("task: binary", 'task: binary\nrequires: ["pnboost<2"]')
        world.respec(LINEAR, "{name: tree, estimator: pnboost.Tree}")
        crowned(world, loans(600))
        _, names = built_again(world)
        assert "answers, native" in names
        # Another lock of Perennial's resolves `requires` anew, and finds what came meanwhile.
        index.add("pnboost", "1.1", {"pnboost.py": PACKAGE})
        for key in [key for key in ports.store.entries if key.startswith("environments/")]:
            ports.store.entries.pop(key)
        # It is said too of a rebuild that ends early, for want of features.
        (tmp_path / "home" / "models" / "loans" / "features.py").write_text("")
        found = rebuild(world.context, "1", from_folder=True)
        assert found.verdict == "different"
        assert "pnboost is 1.1 and was 1.0" in found.causes


def test_features_that_draw_without_a_seed_are_never_the_same_twice(tmp_path, ports):
    """That is what a weekly proof is for."""
    world = make_snapshot(tmp_path, ports)
    (tmp_path / "models" / "loans" / "features.py").write_text(
        "import ibis\n\ndef build(tables):\n"
        "    return tables['events'].mutate(income=ibis._.income + ibis.random())\n"
    )
    crowned(world, loans(600))
    found = rebuild(world.context, "1")
    assert found.verdict == "different"
    assert re.fullmatch(r"features of .*: column income, row 0", found.differences[0])
    assert "ONNX bytes" in {check.name for check in found.checks if not check.equal}
    assert found.identical < found.rows
    assert found.causes == []
