"""Every estimator of the catalogue survives skops with the loader's list."""

import importlib

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from skops import io
from threadpoolctl import threadpool_limits

from pipelines.bundle.trusted import TRUSTED
from tests.unit.training.usual import USUAL

# Small fits do not converge, scikit-learn advises against the friedman_mse of old, and tests need
# neither.
pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)
ROWS = 60
FRAME = pd.DataFrame(
    {
        "a": RNG.normal(size=ROWS),
        "b": RNG.integers(0, 5, ROWS),
        "c": RNG.choice(["x", "y", None], ROWS),
        "d": RNG.random(ROWS) > 0.5,
    }
)
FRAME.loc[3, "a"] = np.nan
CLASSES = [RNG.integers(0, 2, ROWS), RNG.choice(["u", "v", "w"], ROWS), RNG.random(ROWS) > 0.5]
NUMBERS = [RNG.random(ROWS) + 0.1]
SMALL = {"max_iter": 5, "n_estimators": 2, "random_state": 0, "hidden_layer_sizes": (4,)}

METRICS = ["chebyshev", "braycurtis", "canberra", "hamming", "manhattan", "euclidean"]
SETTINGS = {
    "HistGradientBoostingRegressor": [
        {"loss": "poisson"},
        {"loss": "gamma"},
        {"loss": "absolute_error"},
        {"loss": "quantile", "quantile": 0.5},
    ],
    "HistGradientBoostingClassifier": [{"early_stopping": True}, {"class_weight": "balanced"}],
    "GradientBoostingRegressor": [{"loss": "huber"}, {"loss": "quantile"}, {"init": "zero"}],
    "RandomForestRegressor": [{"criterion": "poisson"}, {"oob_score": True}],
    "DecisionTreeClassifier": [{"criterion": "entropy", "splitter": "random"}],
    "KNeighborsClassifier": [
        *({"metric": m, "algorithm": "ball_tree"} for m in METRICS),
        {"p": 1},
        {"p": 3},
        {"algorithm": "kd_tree"},
        {"weights": "distance"},
    ],
    "KNeighborsRegressor": [{"algorithm": "brute"}],
    "MLPClassifier": [{"solver": "sgd"}, {"solver": "lbfgs"}, {"early_stopping": True}],
    "LogisticRegression": [{"solver": "saga"}, {"solver": "newton-cholesky"}],
    "PoissonRegressor": [{"solver": "newton-cholesky"}],
}
CASES = [
    (path, settings)
    for path in USUAL
    for settings in [{}, *SETTINGS.get(path.rsplit(".", 1)[1], [])]
]


@pytest.fixture(autouse=True)
def _one_thread():
    """OpenMP's threads spin where another process has the core."""
    with threadpool_limits(1):
        yield


def pipeline(path, settings, encoding):
    module, name = path.rsplit(".", 1)
    kind = getattr(importlib.import_module(module), name)
    small = {k: v for k, v in SMALL.items() if k in kind().get_params()}
    encoders = {
        "onehot": OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        "ordinal": OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
        ),
    }
    numbers = Pipeline(
        [
            ("fill", SimpleImputer(strategy="median", add_indicator=True)),
            ("scale", StandardScaler()),
        ]
    )
    columns = ColumnTransformer(
        [("text", encoders[encoding], ["c"]), ("number", numbers, ["a", "b"])],
        remainder="passthrough",
    )
    return Pipeline([("columns", columns), ("model", kind(**{**small, **settings}))])


def round_trips(path, settings):
    """Yield the untrusted types of each fit of an estimator after its round trip was compared."""
    targets = (
        NUMBERS
        if path.endswith("Regressor")
        or path.rsplit(".", 1)[1] in {"LinearRegression", "Ridge", "Lasso", "ElasticNet"}
        else CLASSES
    )
    for encoding in ("onehot", "ordinal"):
        for target in targets:
            fitted = pipeline(path, settings, encoding).fit(FRAME, target)
            data = io.dumps(fitted)
            yield set(io.get_untrusted_types(data=data))
            assert np.array_equal(
                io.loads(data, trusted=sorted(TRUSTED)).predict(FRAME), fitted.predict(FRAME)
            )


@pytest.mark.parametrize(
    ("path", "settings"), CASES, ids=[f"{p.rsplit('.', 1)[1]}{s or ''}" for p, s in CASES]
)
def test_an_estimator_survives_skops(path, settings):
    for types in round_trips(path, settings):
        assert types <= TRUSTED
