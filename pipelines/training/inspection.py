"""What is found out of an estimator once it is imported: its class, its kind, what it takes."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import SpecError
from pipelines.tasks import classifies

if TYPE_CHECKING:
    from pipelines.spec import Candidate
    from pipelines.spec.estimators import Scaling
    from pipelines.tasks import Task


@dataclass(frozen=True)
class Traits:
    """What the encoding must know of an estimator."""

    takes_null: bool
    takes_sparse: bool
    scale: Scaling
    classifies: bool


def estimator_class(candidate: Candidate) -> Any:
    """Return the estimator's class.

    Raises SpecError where it cannot be imported, or is no class with fit and predict.
    """
    module, name = candidate.estimator.rsplit(".", 1)
    at = ("candidates", candidate.name, "estimator")
    try:
        kind = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        top = candidate.estimator.split(".", maxsplit=1)[0]
        missing = error.name or top
        why = f"there is no module {missing}"
        remedy = f"mend the path; or install the package: `requires: [{missing.split('.')[0]}]`."
        raise SpecError(
            f"candidates.{candidate.name}: {candidate.estimator} cannot be imported: {why}.",
            remedy=remedy,
            at=at,
        ) from error
    except AttributeError as error:
        raise SpecError(
            f"candidates.{candidate.name}: the module {module} has no {name}.",
            remedy="mend the path; it is the one by which Python imports the class.",
            at=at,
        ) from error
    # A package may raise anything while it is imported; it must harm this candidate alone.
    except Exception as error:
        raise SpecError(
            f"candidates.{candidate.name}: {candidate.estimator} cannot be imported:"
            f" {type(error).__name__}: {error}.",
            remedy="mend the package, or choose another estimator.",
            at=at,
        ) from error
    lacks = [m for m in ("fit", "predict", "get_params", "set_params") if not hasattr(kind, m)]
    if hasattr(kind, "score_samples"):  # a density answers by that, and predicts nothing
        lacks = [m for m in lacks if m != "predict"]
    if not inspect.isclass(kind) or lacks:
        why = f"has no {', '.join(lacks)}" if inspect.isclass(kind) else "is no class"
        raise SpecError(
            f"candidates.{candidate.name}: {candidate.estimator} {why}.",
            remedy="name a class that keeps scikit-learn's contract.",
            at=at,
        )
    return kind


def new_estimator(candidate: Candidate) -> Any:
    """Return the estimator with its defaults.

    Raises SpecError where it cannot be made without arguments.
    """
    kind = estimator_class(candidate)
    try:
        return kind()
    except Exception as error:
        raise SpecError(
            f"candidates.{candidate.name}: {candidate.estimator}() cannot be made:"
            f" {type(error).__name__}: {error}.",
            remedy="name one whose arguments have defaults, as scikit-learn asks for.",
            at=("candidates", candidate.name, "estimator"),
        ) from error


def traits_of(candidate: Candidate, estimator: Any) -> Traits:
    """Return what the encoding must know: from the catalogue, or from the estimator's own tags."""
    from sklearn.base import is_classifier
    from sklearn.utils import get_tags

    declared = candidate.declaration
    try:
        tags = get_tags(estimator).input_tags
        takes_null, takes_sparse = bool(tags.allow_nan), bool(tags.sparse)
    except (AttributeError, TypeError):  # an estimator without tags says nothing of itself
        takes_null = takes_sparse = False
    return Traits(
        takes_null=declared.takes_null if candidate.known else takes_null,
        takes_sparse=takes_sparse,
        scale=declared.scale,
        classifies=is_classifier(estimator),
    )


def check_task(candidate: Candidate, estimator: Any, task: Task) -> None:
    """Raise SpecError where an estimator that the catalogue does not know is of another kind."""
    from sklearn.base import is_classifier, is_regressor

    if candidate.known:
        return
    classify = classifies(task)
    if (is_regressor(estimator) and classify) or (is_classifier(estimator) and not classify):
        kind = "regressor" if classify else "classifier"
        raise SpecError(
            f"candidates.{candidate.name}: {candidate.estimator} is a {kind} and cannot do a"
            f" {task} task.",
            remedy="choose another one.",
            at=("candidates", candidate.name, "estimator"),
        )


def parameter_names(estimator: Any) -> list[str]:
    """Return the parameters that an estimator takes: those it tells, and those of its signature.

    CatBoost tells only those that are set; LightGBM takes its library's own names too.
    """
    names = set(estimator.get_params())
    signature = inspect.signature(type(estimator).__init__).parameters.values()
    names |= {
        p.name
        for p in signature
        if p.name != "self" and p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY}
    }
    if type(estimator).__module__.startswith("lightgbm."):
        names |= LIGHTGBM
    return sorted(names)


LIGHTGBM = frozenset(
    {
        "alpha",
        "bagging_fraction",
        "bagging_freq",
        "bagging_seed",
        "boost_from_average",
        "cat_l2",
        "cat_smooth",
        "deterministic",
        "drop_rate",
        "early_stopping_round",
        "early_stopping_rounds",
        "extra_seed",
        "extra_trees",
        "fair_c",
        "feature_fraction",
        "feature_fraction_bynode",
        "feature_fraction_seed",
        "force_col_wise",
        "force_row_wise",
        "histogram_pool_size",
        "is_unbalance",
        "lambda_l1",
        "lambda_l2",
        "linear_lambda",
        "linear_tree",
        "max_bin",
        "max_bin_by_feature",
        "max_cat_threshold",
        "max_cat_to_onehot",
        "max_delta_step",
        "max_drop",
        "min_data_in_bin",
        "min_data_in_leaf",
        "min_data_per_group",
        "min_gain_to_split",
        "min_sum_hessian_in_leaf",
        "monotone_constraints",
        "monotone_constraints_method",
        "monotone_penalty",
        "neg_bagging_fraction",
        "other_rate",
        "path_smooth",
        "poisson_max_delta_step",
        "pos_bagging_fraction",
        "scale_pos_weight",
        "seed",
        "skip_drop",
        "top_rate",
        "tweedie_variance_power",
        "uniform_drop",
        "use_missing",
        "verbosity",
        "xgboost_dart_mode",
        "zero_as_missing",
    }
)
"""LightGBM's own parameters (its page "Parameters"), beside those of the signature."""
