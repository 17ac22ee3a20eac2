"""`package`: the final fit, compiled with proof or not at all, the same bytes for the same
inputs."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.data import labelled_rows
from pipelines.errors import RequestError
from pipelines.refs import canonical
from pipelines.step_record import XCOM_LIMIT
from pipelines.steps import package
from tests.unit.steps.learning import DAYS, RUN, learning, rows, spec_text
from tests.unit.steps.packaging import package_request

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_bundle_answers_as_packaged(tmp_path, task):
    world = learning(tmp_path, spec_text(task))
    request = package_request(world)
    found = package.run(world.context, request)
    bundle = open_bundle(world.context.ports.store, found.bundle)
    manifest = bundle.manifest
    assert found.compiled, found.why_native
    assert found.parity < 1e-4
    assert golden_differences(bundle) == []
    assert len(bundle.golden.rows) >= package.GOLDEN_ROWS
    assert (manifest.version, manifest.candidate, manifest.run) == (
        request.gate.version,
        request.gate.candidate,
        RUN,
    )
    assert manifest.metrics == request.gate.metrics
    everything, span = labelled_rows.rows_to_fit(world.context, world.built)
    assert (manifest.rows, manifest.fitted_on) == (everything.num_rows, span)
    assert manifest.inputs.classes == (["high", "low", "middle"] if task == "multiclass" else None)
    assert len(canonical(found)) < XCOM_LIMIT
    counts = everything["count"].to_pylist()
    ranges = {c.name: (c.low, c.high) for c in manifest.inputs.columns}
    assert ranges["count"] == (min(counts), max(counts))
    assert ranges["channel"] == ranges["flag"] == (None, None)


def test_the_same_data_gives_the_same_manifest_in_another_store(tmp_path):
    """But for the skops file, which holds the addresses of its objects in memory."""
    found = []
    for name in ("one", "two"):
        world = learning(tmp_path / name)
        manifest = open_bundle(
            world.context.ports.store, package.run(world.context, package_request(world)).bundle
        ).manifest
        found.append(manifest.model_dump(exclude={"native"}))
    assert found[0] == found[1]


def test_the_same_request_changes_nothing(tmp_path):
    world = learning(tmp_path)
    request = package_request(world)
    assert package.run(world.context, request) == package.run(world.context, request)


def test_a_refused_challenger_is_not_packaged(tmp_path):
    world = learning(tmp_path)
    with pytest.raises(RequestError, match="was refused"):
        package.run(world.context, package_request(world, verdict="refuse"))


def test_a_candidate_that_the_request_lacks_is_refused(tmp_path):
    world = learning(tmp_path)
    with pytest.raises(RequestError, match="no trained candidate 'linear'"):
        package.run(world.context, package_request(world).model_copy(update={"train": []}))


def test_what_cannot_be_compiled_is_served_natively_and_says_why(tmp_path):
    world = learning(tmp_path)
    request = package_request(world)
    dummy = request.train[0]
    found = package.run(
        world.context,
        request.model_copy(
            update={"gate": request.gate.model_copy(update={"candidate": dummy.candidate})}
        ),
    )
    assert not found.compiled
    assert found.why_native == "not compiled: there is no converter for DummyClassifier"
    bundle = open_bundle(world.context.ports.store, found.bundle)
    assert golden_differences(bundle) == []


def test_a_label_of_the_holdout_is_learnt_in_the_final_fit(tmp_path):
    tables = [rows(d, "multiclass") for d in range(DAYS)]
    labels = ["new" if i % 5 == 0 else v for i, v in enumerate(tables[-1]["y"].to_pylist())]
    tables[-1] = tables[-1].set_column(8, "y", pa.array(labels))
    world = learning(tmp_path, spec_text("multiclass"), tables=tables)
    found = package.run(world.context, package_request(world))
    assert "new" in open_bundle(world.context.ports.store, found.bundle).manifest.inputs.classes


def test_the_final_fit_has_the_parameters_that_won(tmp_path):
    import skops.io

    from pipelines.bundle.trusted import TRUSTED

    line = (
        "  - {name: tried, estimator: sklearn.linear_model.LogisticRegression, params: {max_iter:"
        " 77}, search: {C: [0.0001, 0.5]}}"
    )
    world = learning(tmp_path, spec_text(candidates=line))
    found = package.run(world.context, package_request(world))
    native = open_bundle(world.context.ports.store, found.bundle).manifest.native
    estimator = skops.io.loads(
        world.context.ports.store.get(native), trusted=sorted(TRUSTED)
    ).named_steps["estimator"]
    assert (estimator.C, estimator.max_iter, estimator.random_state) == (0.5, 77, 3)
