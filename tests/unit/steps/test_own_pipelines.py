"""An own pipeline through `train`, `gate` and `package`, and as a champion fitted again."""

from __future__ import annotations

import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.bundle.manifest import BundleManifest
from pipelines.data import labelled_rows
from pipelines.errors import SpecError
from pipelines.fence.own_code import OwnCode
from pipelines.steps import package
from pipelines.training.refits import Refits
from tests.own_models import MODEL
from tests.unit.steps.learning import learning, spec_text
from tests.unit.steps.packaging import package_request

pytestmark = [pytest.mark.heavy, pytest.mark.usefixtures("one_thread")]

OWN = "  - {name: own, pipeline: make, search: {columns__numbers__clip__low: [0.0, 0.05]}}"
LINEAR = "  - {name: linear, estimator: sklearn.linear_model.LogisticRegression}"


def world_with(tmp_path, source):
    folder = tmp_path / "models" / "visits"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(source)
    return learning(tmp_path, spec_text(candidates=f"{OWN}\n{LINEAR}"))


def test_it_is_trained_judged_packaged_and_fitted_again(tmp_path):
    world = world_with(tmp_path, MODEL)
    request = package_request(world, "own")
    (trained,) = request.train
    assert trained.estimator == "model.py:make"
    assert trained.params["columns__numbers__clip__low"] in {0.0, 0.05}
    assert trained.settings_tried == 2
    found = package.run(world.context, request)
    assert not found.compiled
    assert found.why_native == "not compiled: there is no converter for Clip"
    store = world.context.ports.store
    bundle = open_bundle(store, found.bundle)
    assert golden_differences(bundle) == []
    bundle.predictor.close()
    manifest = BundleManifest.model_validate_json(store.get(found.bundle))
    assert OwnCode.model_validate_json(store.get(manifest.code)).files == {"model.py": MODEL}
    # The folder has other code by now; the champion is fitted again with its own.
    (tmp_path / "models" / "visits" / "model.py").write_text("def make(: broken")
    table, _ = labelled_rows.rows_to_fit(world.context, world.built)
    refits = Refits(world.context, table.slice(0, 120), [trained])
    refits._cuts = refits._cuts[:1]
    assert refits.champion(manifest).means["roc_auc"] > 0.5


def test_a_folder_without_code_is_named_and_hurts_no_other_candidate(tmp_path):
    world = world_with(tmp_path, "def make():\n    raise RuntimeError('not yet')\n")
    with pytest.raises(SpecError, match=r"candidates\.own .*not yet\. See line 2 of models/visits"):
        world.train("own")
    assert world.train("linear").settings_tried == 1
