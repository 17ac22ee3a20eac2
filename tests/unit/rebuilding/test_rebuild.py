"""A version built again: equal where nothing changed, else with its first difference named."""

from __future__ import annotations

import pytest

from pipelines.bundle.load import read_manifest, write_bundle
from pipelines.data.batches import read_manifest as read_manifest_of
from pipelines.data.batches import read_plan
from pipelines.errors import Corrupted, RequestError
from pipelines.ledger import GateVerdict, MemoryLedger
from pipelines.rebuilding.rebuild import NotRecorded, rebuild
from pipelines.recipes import read_recipe
from pipelines.refs import sha256
from pipelines.versions.memory import MemoryVersions
from tests.decisions import crown


def recipe_of(made):
    verdict = made.ports.ledger.entries("sales", "verdict")[0].read(GateVerdict)
    return read_recipe(made.ports.store, verdict.made_from.recipe)


def contents(made):
    """All that the ports hold, to see that nothing was written."""
    store, registry = made.ports.store, made.ports.registry
    return (
        {kind: store.contents(kind) for kind in ("objects", "entries", "segments")},
        dict(made.ports.versions.blobs),
        {name: (run.tags.copy(), run.metrics.copy()) for name, run in registry.runs.items()},
        registry.alias("sales"),
        made.ports.ledger.entries(),
    )


def rewritten(made, **changes):
    """The same ports, where the champion's bundle says something else."""
    bundle = made.ports.ledger.champion("sales").bundle
    changed = read_manifest(made.ports.store, bundle).model_copy(update=changes)
    ledger = MemoryLedger()
    for entry in made.ports.ledger.entries("sales", "verdict"):
        ledger.append("sales", entry.key, entry.decision)
    other = crown("1", write_bundle(made.ports.store, changed))
    ledger.crown("sales", expected=None, champion=other, key="first")
    return made.with_ports(ledger=ledger)


def test_a_version_is_built_again_and_is_equal_and_nothing_else_is_touched(made, caplog):
    before = contents(made)
    with caplog.at_level("INFO", "perennial"):
        found = rebuild(made.context, "1")
    assert (found.verdict, found.differences, found.causes, found.notes) == ("equal", [], [], [])
    names = [check.name for check in found.checks]
    assert {"ONNX bytes", "answers, compiled", "answers, native", "training: threshold"} <= set(
        names
    )
    assert names[0].startswith("features of 2024-01-0")
    assert 0 < found.identical == found.rows
    assert set(found.seconds) == {"features", "training", "package"}
    assert contents(made) == before
    for computed in ("02T00: built", "linear: 2 settings tried", "linear is compiled"):
        assert computed in caplog.text, "it computes, though all results are kept"


def test_the_ledger_says_what_a_version_was_made_from(made):
    verdict = made.ports.ledger.entries("sales", "verdict")[0].read(GateVerdict)
    recipe, made_from = recipe_of(made), verdict.made_from
    home = made.world.home
    assert made_from.seed == 3
    assert made_from.lock == sha256((home / "requirements.txt").read_bytes())
    assert made_from.code == made.context.code
    assert made_from.commit == ""
    assert set(recipe.files) == {
        "models/sales/model.yaml",
        "models/sales/features.py",
        "expectations/sales.json",
        "requirements.txt",
    }
    assert recipe.features.version.revision == verdict.features_revision


def test_what_was_recorded_is_built_though_the_folder_has_changed(made, tmp_path):
    other = made.copied(tmp_path / "home")
    path = other.world.home / "models/sales/features.py"
    path.write_text(path.read_text().replace("_.visits.sum()", "(1 + _.visits.sum())"))
    found = rebuild(other.context, "1")
    assert found.verdict == "equal"
    assert "models/sales/features.py: not as they were" in found.notes[0]
    assert "--from-folder" in found.notes[0]


@pytest.mark.parametrize(
    ("file", "old", "new", "first"),
    [
        ("features.py", "_.visits.sum().over", "(1 + _.visits.sum()).over", "column trend, row "),
        ("features.py", "def build", "import nothing_of_the_kind\n\ndef build", "features: failed"),
        ("model.yaml", "C: [0.1, 1.0]", "C: [0.2, 1.1]", "training: params: C: recorded 1.0"),
    ],
)
def test_of_the_folder_as_it_is_now_the_first_difference_is_named(
    made, tmp_path, file, old, new, first
):
    other = made.copied(tmp_path / "home")
    path = other.world.home / "models/sales" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    found = rebuild(other.context, "1", from_folder=True)
    assert found.verdict == "different"
    assert first in found.differences[0]
    assert f"models/sales/{file} is not what it was" in found.causes


def test_a_seed_matters_where_something_is_drawn(made, tmp_path):
    """Folds are in time and this estimator draws nothing: another seed is a cause of nothing."""
    other = made.copied(tmp_path / "home")
    other.world.respec("seed: 3", "seed: 4")
    found = rebuild(other.context, "1", from_folder=True)
    assert found.verdict == "equal"
    assert found.causes == ["models/sales/model.yaml is not what it was"]


def test_recorded_features_of_which_a_byte_was_changed_are_the_first_difference(made):
    name = "2024-01-03T00"
    revision = recipe_of(made).features.version.revision
    recorded = made.ports.versions.files("sales", revision)[name].sha256
    whole = made.ports.versions.blobs[recorded]
    made.ports.versions.blobs[recorded] = whole[:-1] + bytes([whole[-1] ^ 1])
    try:
        found = rebuild(made.context, "1")
    finally:
        made.ports.versions.blobs[recorded] = whole
    assert found.differences == [found.differences[0]]
    assert found.differences[0].startswith(f"features of {name}: the recorded ones cannot be read")


def test_metrics_of_the_bundle_that_are_not_those_of_the_verdict_are_named(made):
    bundle = read_manifest(made.ports.store, made.ports.ledger.champion("sales").bundle)
    other = rewritten(made, metrics={**bundle.metrics, "roc_auc": 0.999})
    found = rebuild(other.context, "1")
    assert found.differences == ["bundle: metrics: roc_auc"]
    detail = next(check.detail for check in found.checks if not check.equal)
    assert detail.startswith("recorded 0.999, rebuilt")


def test_another_compiled_model_is_named_by_its_node_and_its_answers(made):
    import onnx

    store = made.ports.store
    bundle = read_manifest(store, made.ports.ledger.champion("sales").bundle)
    model = onnx.load_from_string(store.get(bundle.onnx))
    node = next(n for n in model.graph.node if n.op_type == "LinearClassifier")
    weights = next(a for a in node.attribute if a.name == "coefficients")
    for place in range(len(weights.floats)):
        weights.floats[place] += 0.5
    other = rewritten(made, onnx=store.put(model.SerializeToString(), ".onnx"))
    found = rebuild(other.context, "1")
    assert [text.split(":")[0] for text in found.differences] == ["ONNX bytes", "answers, compiled"]
    assert "(LinearClassifier), attribute coefficients" in found.differences[0]
    assert found.identical < found.rows
    assert "by up to" in found.differences[1]


def test_what_may_be_somebodys_is_shown_and_never_kept(made, tmp_path):
    other = made.copied(tmp_path / "home")
    path = other.world.home / "models/sales/features.py"
    path.write_text(
        path.read_text().replace('"visit", "at", "pages"', '"visit", "at", pages=_.pages + 1')
    )
    path.write_text(
        path.read_text().replace(
            'pages=_.pages + 1, "minutes", "channel", "trend", bought=_.bought == 1',
            '"minutes", "channel", "trend", pages=_.pages + 1, bought=_.bought == 1',
        )
    )
    found = rebuild(other.context, "1", from_folder=True)
    first = next(check for check in found.checks if not check.equal)
    assert first.words == "column pages, row 0"
    assert first.detail.startswith("visit 1-")
    kept = found.proof().model_dump_json()
    assert "visit 1-" not in kept
    assert "recorded ones" not in kept


def test_a_version_of_before_recipes_were_kept_says_why_it_cannot_be_built(made):
    ledger = MemoryLedger()
    verdict = made.ports.ledger.entries("sales", "verdict")[0].read(GateVerdict)
    fields = verdict.model_dump(exclude_unset=True, exclude={"made_from"})
    ledger.append("sales", "first", GateVerdict.model_validate(fields))
    with pytest.raises(NotRecorded, match="was judged before verdicts kept"):
        rebuild(made.with_ports(ledger=ledger).context, "1")


def test_a_version_whose_raw_rows_are_gone_cannot_be_built_and_the_object_is_named(made):
    store, recipe = made.ports.store, recipe_of(made)
    plan = read_plan(store, recipe.features.plan)
    uri = read_manifest_of(store, plan.train[0]).tables["events"].data.uri
    whole = store.objects.pop(uri)
    try:
        with pytest.raises(Corrupted, match=f"Version 1 of sales cannot be built again.*{uri}"):
            rebuild(made.context, "1")
    finally:
        store.objects[uri] = whole


def test_recorded_features_that_are_gone_are_built_again_and_that_is_said(made):
    found = rebuild(made.with_ports(versions=MemoryVersions()).context, "1")
    assert found.differences
    assert all("the recorded ones cannot be read" in text for text in found.differences)
    assert found.identical == found.rows > 0


@pytest.mark.parametrize("version", ["7", "../1", ""])
def test_a_version_that_is_not_there_is_refused_with_those_that_are(made, version):
    with pytest.raises(RequestError, match=r"has no version .*versions: 1\."):
        rebuild(made.context, version)


def test_a_recipe_of_which_a_byte_was_changed_is_no_recipe(made):
    verdict = made.ports.ledger.entries("sales", "verdict")[0].read(GateVerdict)
    uri = verdict.made_from.recipe.uri
    whole = made.ports.store.objects[uri]
    made.ports.store.objects[uri] = whole.replace(b'"seed"', b'"weed"')[:-1] + b" "
    try:
        with pytest.raises(Corrupted, match=uri):
            rebuild(made.context, "1")
    finally:
        made.ports.store.objects[uri] = whole


def test_a_refused_version_is_compared_as_far_as_it_was_made(made):
    ledger = MemoryLedger()
    verdict = made.ports.ledger.entries("sales", "verdict")[0].read(GateVerdict)
    refused = verdict.model_copy(update={"verdict": "refuse"})
    ledger.append("sales", "first", refused)
    found = rebuild(made.with_ports(ledger=ledger).context, "1")
    assert found.verdict == "equal"
    assert "package" not in found.seconds
    assert found.identical == found.rows > 0
    assert "was refused" in found.notes[0]
