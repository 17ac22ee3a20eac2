"""Classes keep one name.

In every run, against a champion that named them otherwise, and in a window.
"""

from __future__ import annotations

import re
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from pipelines.bundle.load import write_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.data import labelled_rows
from pipelines.messages import PackageRequest
from pipelines.steps import gate, package
from pipelines.training.targets import classes_of
from tests.decisions import crown
from tests.served import trained
from tests.unit.steps.learning import DAYS, RUN, learning, rows, spec_text
from tests.worlds import make_world

CODES = {"low": 1, "middle": 2, "high": 10}
NAMES = ["1", "10", "2"]


def coded(kind, *, first=0):
    """Days whose classes are 1, 2 and 10, in the type that `kind` makes of a day's labels."""
    tables = []
    for day in range(first, first + DAYS):
        table = rows(day, "multiclass")
        tables.append(
            table.set_column(8, "y", kind(day, [CODES[v] for v in table["y"].to_pylist()]))
        )
    return tables


def wholes(_day, values):
    return pa.array(values)


def mixed(day, values):
    """Whole numbers; on the second day floats with an unknown label, on the third decimals, on the
    last floats."""
    if day % DAYS == 1:
        return pa.array([None, float("nan"), *map(float, values[2:])])
    if day % DAYS == 2:
        return pa.array([Decimal(v) for v in values], pa.decimal128(5, 2))
    return pa.array(list(map(float, values))) if day % DAYS == DAYS - 1 else pa.array(values)


def crowned(world, rename=None):
    """Make the world's challenger champion, with its classes renamed where `rename` says how."""
    results = world.train_all()
    judged = gate.run(world.context, world.gate_request(results))
    request = PackageRequest(run=RUN, features=world.built, train=results, gate=judged)
    store = world.context.ports.store
    manifest = BundleManifest.model_validate_json(
        store.get(package.run(world.context, request).bundle)
    )
    classes = [rename(c) for c in manifest.inputs.classes] if rename else manifest.inputs.classes
    bundle = write_bundle(
        store,
        manifest.model_copy(
            update={"inputs": manifest.inputs.model_copy(update={"classes": classes})}
        ),
    )
    champion = crown(manifest.version, bundle)
    world.context.ports.ledger.crown("visits", expected=None, champion=champion, key=RUN)
    return classes


def test_classes_have_one_name_whatever_type_a_batch_holds_them_in(tmp_path):
    plain = learning(tmp_path, spec_text("multiclass"), tables=coded(wholes))
    other = learning(tmp_path, spec_text("multiclass"), tables=coded(mixed))
    split = labelled_rows.split(other.context, other.built)
    assert (
        classes_of(split.train, other.context.spec)
        == classes_of(split.holdout, other.context.spec)
        == NAMES
    )
    losses = [world.train("linear").metrics["log_loss"] for world in (plain, other)]
    assert losses[1] == pytest.approx(losses[0], abs=0.02)


def test_held_out_rows_of_a_class_that_nobody_learnt_are_told(tmp_path, caplog):
    tables = coded(wholes)
    labels = [7 if v == 2 else v for v in tables[-1]["y"].to_pylist()]
    tables[-1] = tables[-1].set_column(8, "y", pa.array(labels))
    world = learning(tmp_path, spec_text("multiclass", known_after="0s"), tables=tables)
    world.train("baseline")
    assert (
        f"{labels.count(7)} held-out rows are of classes that no training row has: '7'"
        in caplog.text
    )


@pytest.mark.parametrize(
    "rename", [None, lambda name: f"{name}.0"], ids=["as now", "as floats were named"]
)
def test_a_challenger_is_compared_with_the_champions_same_classes(tmp_path, rename):
    world = learning(tmp_path, spec_text("multiclass"), tables=coded(wholes))
    assert crowned(world, rename) == (["1.0", "10.0", "2.0"] if rename else NAMES)
    tables = coded(mixed, first=DAYS)
    later = learning(
        tmp_path,
        spec_text("multiclass"),
        tables=tables,
        outside=world.context.ports,
        run="later",
        first=DAYS,
    )
    judged = gate.run(later.context, later.gate_request(later.train_all(), "later"))
    versus = re.search(
        r"log_loss ([0-9.]+) is .* than the champion's ([0-9.]+):",
        "; ".join(c.detail for c in judged.checks),
    )
    # A champion whose classes are not recognised has a log loss of 36.
    assert versus is not None
    assert [float(loss) for loss in versus.groups()] == pytest.approx(
        [judged.metrics["log_loss"]] * 2, abs=0.05
    )


def test_a_window_of_batches_is_judged_by_the_champions_classes(tmp_path):
    world = make_world(tmp_path / "home")
    world.respec("task: binary", "task: multiclass")
    world.respec("metric: roc_auc, seed", "metric: log_loss, seed")
    world.respec("at_least: {roc_auc: 0.6}", "at_most: {log_loss: 1.1}")
    world.respec("versus_champion: {metric: roc_auc", "versus_champion: {metric: log_loss")
    world.respec("predictions: {method: wasserstein", "predictions: {method: jensenshannon")
    build = world.home / "models" / "sales" / "features.py"
    build.write_text(build.read_text().replace("bought=_.bought == 1", "bought=_.bought"))
    (world.home / "expectations" / "sales.json").write_text('{"name": "sales", "expectations": []}')
    for day in range(8):
        frame = world.frame(day)
        frame["bought"] = np.select([frame["pages"] < 10, frame["pages"] < 20], [1, 2], 10)
        world.rewrite(day, frame)
    watched = trained(world).copied(tmp_path / "copy")
    before = watched.look(6)
    frame = watched.world.frame(6)
    watched.world.rewrite(
        6, frame.assign(bought=frame["bought"].astype(float).where(frame.index != 0))
    )
    after = watched.look(6, "again")
    assert (before.verdict, after.verdict) == ("no_drift", "no_drift"), after.reasons
    assert after.labelled == before.labelled - 1
    assert after.live == pytest.approx(before.live, rel=0.1)
