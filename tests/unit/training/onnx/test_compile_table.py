"""docs/compiled.md says what compiling the estimators gives."""

from __future__ import annotations

import pytest

from pipelines.training.threads import limit_threads
from tools.compile_cases import KINDS, classes_of_kind
from tools.compile_table import PAGE, entry, look_at, make_page

SAMPLE = [
    ("classifier", "BaggingClassifier"),
    ("classifier", "LinearSVC"),
    ("classifier", "KNeighborsClassifier"),
    ("regressor", "MultiTaskLasso"),
    ("regressor", "StackingRegressor"),
    ("transformer", "Birch"),
    ("transformer", "TfidfTransformer"),
    ("booster", "LGBMClassifier"),
    ("detector", "IsolationForest"),
    ("detector", "OneClassSVM"),
    ("detector", "PCA"),
    ("clusterer", "BisectingKMeans"),
    ("clusterer", "KMeans"),
    ("booster", "XGBRegressor"),
]


def test_each_estimator_stands_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    for kind in KINDS:
        for name in classes_of_kind(kind):
            assert f"- `{name}`: **" in text, "run python -m tools.compile_table"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), SAMPLE)
def test_what_the_page_says_of_an_estimator_is_so(kind, name):
    with limit_threads(1):
        said = entry(name, look_at(kind, name))
    assert said in PAGE.read_text(encoding="utf-8"), "run python -m tools.compile_table"


@pytest.mark.long
@pytest.mark.timeout(1_800)
def test_the_whole_page_is_in_step():
    assert make_page() == PAGE.read_text(encoding="utf-8"), "run python -m tools.compile_table"
