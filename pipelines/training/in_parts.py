"""A fitted candidate that learns from all rows, part by part, where these are more than memory
holds.

It was fitted on a sample by then, as every candidate is: from there it has its encoding, its
settings and the number of its rounds. Then all rows follow in their order:

- XGBoost grows its trees anew on all rows, whose bins lie in files (its external memory).
- Naive Bayes counts anew.
- What descends along a gradient (SGD, perceptrons, MLP) goes on from the sample, once over all
  rows, each part in a seeded order.

Whatever else wraps such an estimator, or draws its rows, stays with the sample.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.engine import work_folder
from pipelines.training import estimators
from pipelines.training.fitting import label_errors
from pipelines.training.parameters import ESTIMATOR
from pipelines.training.printing import stdout_to_stderr
from pipelines.training.targets import targets
from pipelines.training.weights import weights_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from pipelines.bundle.schema import InputSchema
    from pipelines.context import Context
    from pipelines.data.row_parts import RowParts
    from pipelines.messages import FeaturesResult
    from pipelines.spec import Candidate, Spec

    Array = np.ndarray[Any, Any]
    Part = tuple[Any, Array, Array | None]
    """Encoded inputs (n, m), targets (n,) and weights (n,) of a part's rows."""

COUNTING = frozenset({"GaussianNB", "BernoulliNB", "MultinomialNB", "ComplementNB"})
DESCENDING = frozenset(
    {
        "SGDClassifier",
        "SGDRegressor",
        "Perceptron",
        "PassiveAggressiveClassifier",
        "PassiveAggressiveRegressor",
        "MLPClassifier",
        "MLPRegressor",
    }
)
BOOSTING = frozenset({"XGBClassifier", "XGBRegressor"})
_GROWN_ALIKE = frozenset({None, "auto", "hist"})
"""The ways to grow a tree that external memory has; the default is one of them."""
PARTS = 4
"""How many parts take as much memory as all rows of a sample: a part is encoded beside it."""


@dataclass(frozen=True)
class AllRows:
    """All rows of a fit, and how they become what the sample of them was.

    `like` is the typed sample, `classes` are the names of the classes.
    """

    parts: RowParts
    rows: int
    spec: Spec
    schema: InputSchema
    classes: list[str] | None
    like: pa.Table

    @classmethod
    def of(
        cls,
        parts: RowParts,
        features: FeaturesResult,
        schema: InputSchema,
        classes: list[str] | None,
        like: pa.Table,
    ) -> AllRows:
        """Return all rows of a run, so many at once as the run allows."""
        rows = max((features.most_rows or 1) // PARTS, 1)
        return cls(parts, rows, parts.spec, schema, classes, like)

    def read(self, encode: Any) -> Iterator[Part]:
        """Yield the parts, encoded by the fitted steps before the estimator."""
        spec = self.spec
        for table in self.parts.tables(self.rows):
            typed = estimators.give_types(table, spec.inputs, like=self.like)
            y = targets(typed, spec, self.classes)
            inputs = encode.transform(estimators.frame(self.schema, typed))
            yield inputs, y, weights_of(typed, spec)


def why_not_in_parts(model: Any, candidate: Candidate) -> str:
    """Return in words why a fitted candidate cannot learn in parts; empty where it can."""
    if candidate.fenced or candidate.onnx:
        return "it is code or a model of its own"
    if candidate.part_names or candidate.calibrate or candidate.conformal is not None:
        return "it is made of several fits"
    if any(step.step == "resample" for step in candidate.steps):
        return "it draws its rows"
    return _why_not(model.named_steps[ESTIMATOR])


def _why_not(estimator: Any) -> str:
    """Return in words what of a single estimator keeps it from learning in parts."""
    kind, settings = type(estimator).__name__, estimator.get_params()
    if kind not in COUNTING | DESCENDING | BOOSTING:
        return f"{kind} learns from all its rows at once"
    if kind in DESCENDING and settings.get("early_stopping"):
        return "it stops early on rows that it holds back"
    if settings.get("solver") == "lbfgs":
        return "the solver lbfgs learns from all its rows at once"
    grown_alike = settings.get("tree_method") in _GROWN_ALIKE
    trees = settings.get("booster") in {None, "gbtree"} and not callable(settings.get("objective"))
    if kind in BOOSTING and not (grown_alike and trees):
        return "XGBoost has external memory for the tree_method hist alone"
    return ""


def learn_in_parts(context: Context, candidate: Candidate, model: Any, everything: AllRows) -> bool:
    """Let a candidate that was fitted on a sample learn from all rows; tell whether it could.

    Raises what a fit raises.
    """
    why = why_not_in_parts(model, candidate)
    if why:
        context.log.info("%s: fitted on the sample: %s", candidate.name, why)
        return False
    estimator, encode = model.named_steps[ESTIMATOR], model[:-1]
    kind = type(estimator).__name__
    with label_errors(candidate, "fitted in parts"), stdout_to_stderr():
        if kind in BOOSTING:
            with work_folder(context.settings.spill) as folder:
                _boost(estimator, everything, encode, folder)
        else:
            model.steps[-1] = (ESTIMATOR, _follow(estimator, everything, encode))
    context.log.info("%s: fitted in parts on %d rows", candidate.name, everything.parts.count)
    return True


def _follow(estimator: Any, everything: AllRows, encode: Any) -> Any:
    """Return an estimator that has seen all rows, part by part."""
    from sklearn.base import clone, is_classifier

    classes = {"classes": estimator.classes_} if is_classifier(estimator) else {}
    draws = np.random.default_rng(everything.spec.train.seed)
    if type(estimator).__name__ in COUNTING:
        estimator = clone(estimator)
    elif estimator.get_params().get("class_weight") == "balanced":
        estimator.set_params(class_weight=_balanced(everything, estimator.classes_))
    for inputs, y, weights in everything.read(encode):
        order = draws.permutation(len(y))
        own = {} if weights is None else {"sample_weight": weights[order]}
        estimator.partial_fit(inputs[order], y[order], **classes, **own)
    return estimator


def _balanced(everything: AllRows, classes: Array) -> dict[Any, float]:
    """Return the weights of the classes, which the sample has in the same shares as all rows."""
    from sklearn.utils.class_weight import compute_class_weight

    y = targets(everything.like, everything.spec, everything.classes)
    found = compute_class_weight("balanced", classes=classes, y=y)
    return dict(zip(classes.tolist(), found.tolist(), strict=True))


def _boost(estimator: Any, everything: AllRows, encode: Any, folder: Path) -> None:
    """Grow the trees of a fitted XGBoost anew, on all rows, whose bins lie in the folder."""
    import xgboost

    class Batches(xgboost.DataIter):  # type: ignore[misc]
        def __init__(self, cache: str) -> None:
            self._parts = everything.read(encode)
            super().__init__(cache_prefix=cache)

        def next(self, input_data: Any) -> bool:
            part = next(self._parts, None)
            if part is None:
                return False
            inputs, y, weights = part
            input_data(data=inputs, label=y, weight=weights)
            return True

        def reset(self) -> None:
            self._parts = everything.read(encode)

    settings = estimator.get_xgb_params()
    count = int(getattr(estimator, "n_classes_", 0))
    if count > 2:  # noqa: PLR2004 -- of two classes there is one probability
        settings |= {"objective": "multi:softprob", "num_class": count}
    bins = {"max_bin": settings["max_bin"]} if settings.get("max_bin") else {}
    rounds = _rounds(estimator)
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        rows = xgboost.ExtMemQuantileDMatrix(
            Batches(str(Path(cache) / "bins")),
            missing=estimator.missing,
            nthread=estimator.n_jobs,
            **bins,
        )
        booster = xgboost.train(settings, rows, num_boost_round=rounds)
        raw = bytearray(booster.save_raw("ubj"))
        del rows, booster  # they hold the files
    estimator.load_model(raw)


def _rounds(estimator: Any) -> int:
    """Return how many rounds there are: on the sample some may not have helped any more."""
    if estimator.get_params().get("early_stopping_rounds"):
        return int(estimator.best_iteration) + 1
    return int(estimator.get_num_boosting_rounds())
