"""Each worked example goes through the loop on real data, up to a bundle that answers."""

import pytest

from pipelines.bundle.load import golden_differences
from tests.examples.loop import copy, live

pytestmark = [pytest.mark.slow, pytest.mark.heavy]


def test_iris_is_judged_over_folds_and_compiled(tmp_path):
    run = live(copy("iris", tmp_path / "home"))
    assert run.judged.candidate in {"linear", "forest"}
    assert run.packaged.compiled
    assert golden_differences(run.bundle) == []
    assert run.bundle.manifest.inputs.classes == ["setosa", "versicolor", "virginica"]
