"""The part of a bundle that a watch compares with: a sample of the rows that were learnt from."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.load import open_bundle
from pipelines.bundle.rows import schema_of
from pipelines.data import labelled_rows
from pipelines.errors import BadData
from pipelines.spec import parse_spec
from pipelines.steps import package
from pipelines.store.memory import MemoryStore
from pipelines.tables import from_parquet, to_parquet
from pipelines.training import predictions
from pipelines.watch import reference
from tests.unit.steps.learning import learning, rows, spec_text
from tests.unit.steps.packaging import package_request, world_of_task

pytestmark = pytest.mark.usefixtures("one_thread")


def moments(table):
    return [at.replace(tzinfo=None) for at in table["at"].to_pylist()]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_bundle_remembers_what_a_watch_compares_with(tmp_path, task):
    world = learning(tmp_path, spec_text(task))
    store = world.context.ports.store
    request = package_request(world)
    manifest = open_bundle(store, package.run(world.context, request).bundle).manifest
    known = reference.read(store, manifest.reference, manifest.inputs)
    everything, _ = labelled_rows.rows_to_fit(world.context, world.built)
    assert known.inputs.equals(everything.select(world.context.spec.features.inputs))
    held, _ = labelled_rows.holdout(world.context, world.built)
    best = next(t for t in request.train if t.candidate == request.gate.candidate)
    answers = predictions.read(store, world.context.spec, best.predictions, held)
    if task == "multiclass":
        assert set(known.predictions) <= {"high", "low", "middle"}
        assert [answers.classes.index(p) for p in known.predictions] == answers.score.argmax(
            axis=1
        ).tolist()
    else:
        assert known.predictions.tolist() == answers.score.tolist()
    kept = from_parquet(store.get(manifest.reference.holdout))
    assert kept.column_names == ["event_time", "prediction", "target", "truth", "answers"]
    assert kept["target"].to_pylist() == held["y"].to_pylist()
    assert known.times.tolist() == moments(everything)
    assert known.held_times.tolist() == known.held.event_times.tolist() == moments(held)
    assert known.held.p.tolist() == answers.score.tolist()
    assert known.judged.inputs.equals(held.select(known.inputs.column_names))
    assert known.judged.y.tolist() == known.held.y.tolist()
    assert known.judged.p.tolist() == known.held.p.tolist()
    assert known.judged.event_times.tolist() == moments(held)
    names = answers.classes
    truth = [names[place] for place in known.held.y] if names else known.held.y.tolist()
    assert truth == held["y"].to_pylist()


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_an_earlier_bundle_says_how_wrong_it_was_where_an_answer_is_one_number(task):
    world = world_of_task("binary")
    store = MemoryStore()
    held = predictions.Predictions(rows(5), np.zeros(150), np.zeros(150), None)
    found = reference.write(store, world.context.spec, fitted=rows(0), held=held)
    earlier = from_parquet(store.get(found.holdout)).drop_columns(["truth", "answers"])
    found = found.model_copy(update={"holdout": store.put(to_parquet(earlier), ".parquet")})
    known = reference.read(store, found, schema_of(rows(0), ["a"], task, None))
    assert len(known.predictions) == len(known.held_times) == 150
    if task == "binary":
        assert known.held.y.tolist() == rows(5)["y"].to_pylist()
        assert known.held.p.tolist() == [0.0] * 150
    else:
        assert known.held is None


def test_the_reference_is_a_seeded_sample_in_its_order():
    spec = world_of_task("binary").context.spec
    fitted_rows = pa.concat_tables([rows(d, count=45_000) for d in range(5)])
    held = predictions.Predictions(rows(5), np.zeros(150), np.zeros(150), None)
    found = []
    for _ in range(2):
        store = MemoryStore()
        found.append(reference.write(store, spec, fitted=fitted_rows, held=held))
    assert found[0] == found[1]
    kept = from_parquet(store.get(found[0].rows))
    assert kept.num_rows == reference.ROWS
    times = kept["at"].to_pylist()
    assert times == sorted(times)
    assert len(set(kept["b"].to_pylist())) == reference.ROWS


def test_personal_inputs_are_marked_and_left_out_of_the_reference(tmp_path):
    text = spec_text().replace(
        "place]}", "place], personal: {visit: hash, place: drop, channel: hash}}"
    )
    world = learning(tmp_path, text)
    store = world.context.ports.store
    manifest = open_bundle(
        store, package.run(world.context, package_request(world)).bundle
    ).manifest
    marks = {c.name: c.personal for c in manifest.inputs.columns}
    assert marks == {
        "a": None,
        "b": None,
        "count": None,
        "flag": None,
        "channel": "hash",
        "place": "drop",
    }
    assert {c.name for c in manifest.inputs.columns if c.example is None} == {"channel", "place"}
    assert manifest.inputs.key_personal == "hash"
    assert from_parquet(store.get(manifest.reference.rows)).column_names == [
        "at",
        "a",
        "b",
        "count",
        "flag",
    ]
    assert reference.read(store, manifest.reference, manifest.inputs).inputs.column_names == [
        "a",
        "b",
        "count",
        "flag",
    ]


def test_the_strictest_mark_of_the_key_counts(tmp_path):
    text = (
        spec_text()
        .replace("key: [visit]", "key: [visit, place2]")
        .replace("place]}", "place], personal: {visit: hash, place2: drop}}")
    )
    spec = parse_spec(text.encode(), "model.yaml")
    schema = schema_of(rows(0), spec.features.inputs, "binary", None)
    assert reference.mark_personal(schema, spec).key_personal == "drop"
    assert reference.mark_personal(schema, world_of_task("binary").context.spec) == schema


def test_a_reference_that_lacks_an_input_is_named(tmp_path):
    world = world_of_task("binary")
    store = MemoryStore()
    held = predictions.Predictions(rows(5), np.zeros(150), np.zeros(150), None)
    found = reference.write(store, world.context.spec, fitted=rows(0), held=held)
    schema = schema_of(
        rows(0).append_column("more", pa.array(range(150))), ["a", "more"], "binary", None
    )
    with pytest.raises(BadData, match="lacks more"):
        reference.read(store, found, schema)
