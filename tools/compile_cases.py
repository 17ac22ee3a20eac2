"""The estimators of the page docs/compiled.md, each in a small pipeline over mixed columns."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.bundle.clusters import Clusters
from pipelines.spec.estimators import ESTIMATORS

KINDS = {
    "classifier": "Classifiers of scikit-learn",
    "regressor": "Regressors of scikit-learn",
    "transformer": "Transformers of scikit-learn",
    "booster": "XGBoost and LightGBM",
    "detector": "What tells anomalies",
    "clusterer": "What finds clusters",
}
NUMBERS = ["price", "weight", "count"]
_ROWS, _NULLS = 150, 0.1
_TARGETS = "learns several targets at once; a model has one"
_LABELS = "transforms targets, which `target:` does"
_DICTIONARIES = "takes dictionaries or sets, which no input is"
_ONE_COLUMN = "takes one number only; make a step for that input alone"
_SAME_ROWS = "cannot transform rows that it was not fitted on"
_KERNEL = "takes a matrix of distances between rows, and no inputs"
REFUSED = {
    **dict.fromkeys(
        (
            "ClassifierChain",
            "MultiOutputClassifier",
            "MultiOutputRegressor",
            "MultiTaskElasticNet",
            "MultiTaskElasticNetCV",
            "MultiTaskLasso",
            "MultiTaskLassoCV",
            "PLSSVD",
            "RegressorChain",
        ),
        _TARGETS,
    ),
    **dict.fromkeys(("LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer"), _LABELS),
    **dict.fromkeys(("DictVectorizer", "FeatureHasher"), _DICTIONARIES),
    **dict.fromkeys(("IsotonicRegression",), _ONE_COLUMN),
    **dict.fromkeys(("PatchExtractor",), "takes images, which no input is"),
    "KernelCenterer": _KERNEL,
    "TSNE": _SAME_ROWS,
    "FixedThresholdClassifier": "moves the threshold, which `threshold:` does",
    "TunedThresholdClassifierCV": "moves the threshold, which `threshold:` does",
    "FrozenEstimator": "holds what was fitted before; name that, or a finished model by `onnx:`",
}
_TEXT = ("CountVectorizer", "HashingVectorizer", "TfidfVectorizer")
_OF_WORDS = ("TfidfTransformer",)
_OF_CATEGORIES = ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")
_OF_NULLS = ("IterativeImputer", "KNNImputer", "MissingIndicator", "SimpleImputer")
_POSITIVE = (
    "AdditiveChi2Sampler",
    "CategoricalNB",
    "ComplementNB",
    "LatentDirichletAllocation",
    "MiniBatchNMF",
    "MultinomialNB",
    "NMF",
    "SkewedChi2Sampler",
)
_TREES = ("Tree", "Forest", "Boosting", "Bagging", "AdaBoost", "XGB", "LGBM", "Voting", "Stacking")


@functools.cache
def table() -> pa.Table:
    """Return prices with nulls, numbers, a shop with nulls and reviews of some words."""
    rng = np.random.default_rng(0)
    price = np.where(rng.random(_ROWS) < _NULLS, np.nan, np.round(rng.normal(size=_ROWS), 2))
    shops = [None if s == "c" else s for s in rng.choice(list("abcd"), _ROWS)]
    words = [
        "good",
        "bad",
        "café",
        "film",
        "movie",
        "great",
        "awful",
        "the",
        "a",
        "plot",
        "x1",
        "über",
        "straße",
    ]
    return pa.table(
        {
            "price": pa.array(price, from_pandas=True),
            "weight": np.round(rng.normal(10, 3, _ROWS), 1),
            "count": rng.integers(0, 30, _ROWS),
            "shop": pa.array(shops),
            "review": [" ".join(rng.choice(words, rng.integers(1, 8))) for _ in range(_ROWS)],
        }
    )


def target_of(rows: pa.Table, task: str) -> Any:
    """Return what depends on the price and the weight: positive values, or a class of two."""
    rng = np.random.default_rng(1)
    value = np.nan_to_num(rows["price"].to_numpy()) + 0.2 * (rows["weight"].to_numpy() - 10)
    value = value + rng.normal(0, 0.3, rows.num_rows)
    return np.exp(value / 2) if task == "regression" else (value > 0).astype(int)


@functools.cache
def _all_of_kind(kind: str) -> dict[str, Any]:
    if kind == "booster":
        import lightgbm
        import xgboost

        known = [getattr(xgboost, f"XGB{e}{k}") for e in ("", "RF") for k in _KINDS_OF_TASK]
        known += [getattr(lightgbm, f"LGBM{k}") for k in _KINDS_OF_TASK]
        return {found.__name__: found for found in known}
    if kind in _TASK_OF_KIND:
        known = [n for n, e in ESTIMATORS.items() if _TASK_OF_KIND[kind] in e.tasks]
        parts = [name.rsplit(".", 1) for name in known]
        return {leaf: getattr(importlib.import_module(module), leaf) for module, leaf in parts}
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401 -- lists it
    from sklearn.utils import all_estimators

    found = dict(all_estimators(type_filter=kind))
    if kind == "transformer":  # an estimator that transforms as well stands among those that answer
        found = {
            n: f
            for n, f in found.items()
            if not {n} & {*_all_of_kind("classifier"), *_all_of_kind("regressor")}
        }
    return found


_TASK_OF_KIND = {"detector": "anomaly", "clusterer": "cluster"}
_KINDS_OF_TASK = ("Classifier", "Regressor")


def classes_of_kind(kind: str) -> list[str]:
    """Return the names of all estimators of a kind, in order."""
    return sorted(_all_of_kind(kind))


def task_of(kind: str, name: str) -> str:
    """Return the task that an estimator is tried at."""
    if kind in _TASK_OF_KIND:
        return _TASK_OF_KIND[kind]
    regress = kind == "regressor" or (kind == "booster" and name.endswith("Regressor"))
    return "regression" if regress else "binary"


def build(kind: str, name: str, *, calibrate: bool = False) -> Any:
    """Return the unfitted pipeline that shows how an estimator is served."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.linear_model import LogisticRegression

    made = _configure(_make(kind, name))
    if calibrate:
        made = CalibratedClassifierCV(made, method="sigmoid")
    if kind == "clusterer":
        made = Clusters(made)
    if kind != "transformer":
        encoder = _encoder(tree=any(t in name for t in _TREES), positive=name in _POSITIVE)
        return _chain(encoder, made)
    encoder, behind = _place(name, made)
    return _chain(encoder, *behind, LogisticRegression())


def _place(name: str, made: Any) -> tuple[Any, list[Any]]:
    """Return the encoder and what stands behind it: where a transformer belongs."""
    from sklearn.feature_extraction.text import CountVectorizer

    if name in _TEXT:
        return _encoder(review=made), []
    if name in _OF_WORDS:
        return _encoder(review=_chain(CountVectorizer(), made)), []
    if name in _OF_CATEGORIES:
        return _encoder(shop=made), []
    if name in _OF_NULLS:
        return _encoder(numbers=made), []
    return _encoder(positive=name in _POSITIVE), [] if name == "ColumnTransformer" else [made]


def _make(kind: str, name: str) -> Any:
    """Return the estimator; those that are made of others get simple ones."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    found = _all_of_kind(kind)[name]
    classify = kind != "regressor"
    one: Any = LogisticRegression() if classify else Ridge()
    tree: Any = DecisionTreeClassifier() if classify else DecisionTreeRegressor()
    extra: dict[str, dict[str, Any]] = {
        "ColumnTransformer": {"transformers": [("scale", StandardScaler(), NUMBERS)]},
        "FeatureUnion": {"transformer_list": [("scale", StandardScaler())]},
        "SparseCoder": {"dictionary": np.eye(7)},
        "GaussianRandomProjection": {"n_components": 3},
        "SparseRandomProjection": {"n_components": 3},
        "CCA": {"n_components": 1},
        "PLSCanonical": {"n_components": 1},
        "PLSSVD": {"n_components": 1},
        "QuadraticDiscriminantAnalysis": {"reg_param": 0.1},
        "KNeighborsTransformer": {"n_neighbors": 3},
        "LocalOutlierFactor": {"novelty": True},
        "VotingClassifier": {"estimators": [("one", one), ("tree", tree)], "voting": "soft"},
    }
    if kind == "clusterer" and name.endswith("Mixture"):
        extra[name] = {"n_components": 2}
    extra["MeanShift"] = {"bandwidth": 2.5}
    if kind == "detector":  # all components of one-hot columns leave no variance open
        extra["PCA"] = {"n_components": 2}
    if name in extra:
        return found(**extra[name])
    for arguments in ({}, {"estimator": one}, {"estimators": [("one", one), ("tree", tree)]}):
        try:
            made = found(**arguments)
        except TypeError:
            continue
        if "estimator" in made.get_params(deep=False) and name == "SelfTrainingClassifier":
            made.set_params(estimator=one)
        return made
    msg = f"nobody says how {name} is made"
    raise TypeError(msg)


def _configure(made: Any) -> Any:
    """Return the estimator seeded, small, and silent."""
    few = {"n_estimators": 5, "random_state": 0, "verbose": -1, "n_jobs": 1}
    known = made.get_params(deep=False)
    quiet = type(made).__module__.startswith("lightgbm")
    return made.set_params(
        **{k: v for k, v in few.items() if k in known and (k != "verbose" or quiet)}
    )


def _encoder(
    *,
    tree: bool = False,
    positive: bool = False,
    numbers: Any = None,
    shop: Any = None,
    review: Any = None,
) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

    impute = SimpleImputer(strategy="median")
    if numbers is not None:
        # Where the step itself leaves nulls, the last estimator needs them filled.
        numbers = _chain(numbers, SimpleImputer(strategy="median"))
    elif tree:
        numbers = impute
    else:
        numbers = _chain(impute, MinMaxScaler(clip=True) if positive else StandardScaler())
    if shop is None and tree:
        shop = OrdinalEncoder(
            handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32
        )
    elif shop is None:
        shop = OneHotEncoder(handle_unknown="ignore", dtype=np.float32, sparse_output=False)
    elif hasattr(shop, "handle_unknown") and type(shop).__name__ == "OneHotEncoder":
        shop.set_params(handle_unknown="ignore")
    elif type(shop).__name__ == "OrdinalEncoder":
        shop.set_params(handle_unknown="use_encoded_value", unknown_value=-1)
    parts = [("numbers", numbers, NUMBERS), ("shop", shop, ["shop"])]
    return ColumnTransformer(
        [*parts, *([("review", review, "review")] if review is not None else [])],
        sparse_threshold=0 if review is None else 0.3,
    )


def _chain(*steps: Any) -> Any:
    from sklearn.pipeline import Pipeline

    return Pipeline([(f"step{i}", step) for i, step in enumerate(steps)])
