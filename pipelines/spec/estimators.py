"""What is known of estimators without importing them (a DAG file must parse lightly).

`ESTIMATORS` is what Perennial knows and tests. Any other importable class that keeps scikit-learn's
contract may be named too: what must be known of it is then found out where it is imported, by
`pipelines/training/inspection.py`.
"""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal

from pipelines.tasks import CLASSIFY, REGRESS, Task

Encoding = Literal["onehot", "ordinal"]
Scaling = Literal["standard", "minmax", "none"]


class Rank(IntEnum):
    """How simple an estimator is: of equals the one with the lowest rank wins."""

    DUMMY = 0
    LINEAR = 1
    SINGLE = 2
    """A single tree, naive Bayes, neighbours."""
    FOREST = 3
    BOOSTING = 4
    NETWORK = 5
    """Networks, kernels, and whatever is not known."""


@dataclass(frozen=True)
class Estimator:
    """What is known of one estimator.

    The tasks it can do, how its texts are encoded and its numbers scaled unless the spec says
    otherwise, whether it is given null as it is (else null is imputed), and how simple it is.
    """

    tasks: frozenset[Task]
    encode: Encoding
    dummy: bool = False
    rank: int = Rank.NETWORK
    scale: Scaling = "standard"
    takes_null: bool = False


ANOMALY: Final[frozenset[Task]] = frozenset({"anomaly"})
CLUSTER: Final[frozenset[Task]] = frozenset({"cluster"})
FINISHED: Final = "onnx"
"""What stands for the estimator of a finished model, which a folder brings as a file."""
OF_FINISHED: Final = Estimator(CLASSIFY | REGRESS, "ordinal")
"""What is known of a finished model: it may do any task, and gets texts as they are."""
VOTE: Final = "vote"
"""What stands for the estimator of a candidate that is the vote of others."""
UNKNOWN: Final = Estimator(CLASSIFY | REGRESS | ANOMALY, "onehot")
"""What is taken for granted of a class that is not known: nothing."""


def _declare(
    rank: int,
    names: str,
    encode: Encoding = "onehot",
    *,
    scale: Scaling = "standard",
    takes_null: bool = False,
    tasks: frozenset[Task] | None = None,
) -> dict[str, Estimator]:
    """Return the declarations of estimators alike, for `tasks`.

    Without these what ends in one of `_CLASSIFIES` classifies, and all else regresses.
    """
    return {
        name: Estimator(
            tasks or (CLASSIFY if _classifies(name) else REGRESS),
            encode,
            dummy=rank == Rank.DUMMY,
            rank=rank,
            scale=scale,
            takes_null=takes_null,
        )
        for stem in names.split()
        for name in _spread(stem)
    }


def _declare_clusters(rank: int, names: str) -> dict[str, Estimator]:
    return {f"sklearn.{name}": Estimator(CLUSTER, "onehot", rank=rank) for name in names.split()}


OWN = Estimator(CLASSIFY | REGRESS | ANOMALY, "ordinal")
"""What is known of an own pipeline: it may do any task, and gets texts as they are."""
_CLASSIFIES = ("Classifier", "ClassifierCV", "NB", "SVC", "Analysis", "Centroid", "RFClassifier")
_CLASSIFIES_TOO = (
    "LogisticRegression",
    "LogisticRegressionCV",
    "Perceptron",
    "LabelPropagation",
    "LabelSpreading",
)


def _classifies(path: str) -> bool:
    leaf = path.rsplit(".", 1)[-1]
    return leaf.endswith(_CLASSIFIES) or leaf in _CLASSIFIES_TOO


def _spread(stem: str) -> list[str]:
    """Return both names of a pair, `sklearn.tree.DecisionTree*`, or the one name."""
    if not stem.endswith("*"):
        return [stem]
    return [f"{stem[:-1]}Classifier", f"{stem[:-1]}Regressor"]


ESTIMATORS: dict[str, Estimator] = {
    **_declare(Rank.DUMMY, "sklearn.dummy.Dummy*", encode="ordinal", scale="none", takes_null=True),
    **_declare(
        Rank.LINEAR,
        """sklearn.linear_model.LogisticRegression sklearn.linear_model.LogisticRegressionCV
        sklearn.linear_model.LinearRegression sklearn.linear_model.Ridge
        sklearn.linear_model.RidgeCV sklearn.linear_model.Lasso sklearn.linear_model.LassoCV
        sklearn.linear_model.ElasticNet sklearn.linear_model.ElasticNetCV
        sklearn.linear_model.Lars sklearn.linear_model.LarsCV sklearn.linear_model.LassoLars
        sklearn.linear_model.LassoLarsCV sklearn.linear_model.LassoLarsIC
        sklearn.linear_model.OrthogonalMatchingPursuit
        sklearn.linear_model.OrthogonalMatchingPursuitCV sklearn.linear_model.ARDRegression
        sklearn.linear_model.BayesianRidge sklearn.linear_model.HuberRegressor
        sklearn.linear_model.PoissonRegressor sklearn.linear_model.GammaRegressor
        sklearn.linear_model.TweedieRegressor sklearn.linear_model.QuantileRegressor
        sklearn.linear_model.RANSACRegressor sklearn.linear_model.TheilSenRegressor
        sklearn.linear_model.SGD*
        sklearn.linear_model.RidgeClassifier sklearn.linear_model.RidgeClassifierCV
        sklearn.linear_model.Perceptron sklearn.svm.LinearSVC sklearn.svm.LinearSVR
        sklearn.discriminant_analysis.LinearDiscriminantAnalysis
        sklearn.cross_decomposition.PLSRegression sklearn.compose.TransformedTargetRegressor""",
    ),
    **_declare(
        Rank.SINGLE,
        """sklearn.naive_bayes.GaussianNB sklearn.naive_bayes.BernoulliNB
        sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis
        sklearn.neighbors.KNeighbors* sklearn.neighbors.RadiusNeighbors*
        sklearn.neighbors.NearestCentroid
        sklearn.semi_supervised.LabelPropagation sklearn.semi_supervised.LabelSpreading""",
    ),
    **_declare(
        Rank.SINGLE,
        "sklearn.naive_bayes.MultinomialNB sklearn.naive_bayes.ComplementNB",
        scale="minmax",
    ),
    **_declare(
        Rank.SINGLE, "sklearn.tree.DecisionTree* sklearn.tree.ExtraTree*", "ordinal", scale="none"
    ),
    **_declare(
        Rank.FOREST,
        """sklearn.ensemble.RandomForest* sklearn.ensemble.ExtraTrees* sklearn.ensemble.Bagging*
        imblearn.ensemble.BalancedRandomForestClassifier
        imblearn.ensemble.BalancedBaggingClassifier""",
        "ordinal",
        scale="none",
    ),
    **_declare(
        Rank.BOOSTING,
        """sklearn.ensemble.GradientBoosting* sklearn.ensemble.AdaBoost*
        imblearn.ensemble.RUSBoostClassifier imblearn.ensemble.EasyEnsembleClassifier""",
        "ordinal",
        scale="none",
    ),
    **_declare(
        Rank.BOOSTING,
        """sklearn.ensemble.HistGradientBoosting* xgboost.XGB* lightgbm.LGBM*
        catboost.CatBoost*""",
        "ordinal",
        scale="none",
        takes_null=True,
    ),
    **_declare(Rank.FOREST, "xgboost.XGBRF*", "ordinal", scale="none", takes_null=True),
    **_declare(
        Rank.NETWORK,
        """sklearn.neural_network.MLP* sklearn.svm.SVC sklearn.svm.SVR sklearn.svm.NuSVC
        sklearn.svm.NuSVR sklearn.gaussian_process.GaussianProcess*
        sklearn.kernel_ridge.KernelRidge""",
    ),
    **_declare_clusters(Rank.LINEAR, "cluster.KMeans cluster.MiniBatchKMeans"),
    **_declare_clusters(Rank.SINGLE, "cluster.BisectingKMeans cluster.MeanShift"),
    **_declare(
        Rank.FOREST,
        "sklearn.mixture.GaussianMixture sklearn.mixture.BayesianGaussianMixture",
        tasks=CLUSTER | ANOMALY,
    ),
    **_declare(
        Rank.LINEAR,
        "sklearn.covariance.EllipticEnvelope sklearn.decomposition.PCA",
        tasks=ANOMALY,
    ),
    **_declare(
        Rank.SINGLE,
        "sklearn.neighbors.LocalOutlierFactor sklearn.neighbors.KernelDensity",
        tasks=ANOMALY,
    ),
    **_declare(
        Rank.FOREST, "sklearn.ensemble.IsolationForest", "ordinal", scale="none", tasks=ANOMALY
    ),
    **_declare(Rank.NETWORK, "sklearn.svm.OneClassSVM", tasks=ANOMALY),
}

_WRAPS = "wraps another estimator, which a spec cannot give it; write a `pipeline` of your own"
_MANY = "predicts several targets; name one that predicts one"
UNFIT: dict[str, str] = {
    "sklearn.calibration.CalibratedClassifierCV": "is written `calibrate: sigmoid` or `isotonic`"
    " beside the estimator that it calibrates",
    **{
        f"sklearn.ensemble.Stacking{kind}": "is written `stack: [names of candidates]` beside the"
        " estimator that learns from their answers"
        for kind in ("Classifier", "Regressor")
    },
    **{
        f"sklearn.ensemble.Voting{kind}": "is written `vote: [names of candidates]`"
        for kind in ("Classifier", "Regressor")
    },
    **{
        f"sklearn.{name}": _WRAPS
        for name in (
            "multiclass.OneVsOneClassifier",
            "multiclass.OneVsRestClassifier",
            "multiclass.OutputCodeClassifier",
            "model_selection.FixedThresholdClassifier",
            "model_selection.TunedThresholdClassifierCV",
            "semi_supervised.SelfTrainingClassifier",
        )
    },
    **{
        f"sklearn.{name}": _MANY
        for name in (
            "multioutput.ClassifierChain",
            "multioutput.MultiOutputClassifier",
            "multioutput.MultiOutputRegressor",
            "multioutput.RegressorChain",
            "linear_model.MultiTaskElasticNet",
            "linear_model.MultiTaskElasticNetCV",
            "linear_model.MultiTaskLasso",
            "linear_model.MultiTaskLassoCV",
            "cross_decomposition.CCA",
            "cross_decomposition.PLSCanonical",
        )
    },
    **{
        f"sklearn.linear_model.PassiveAggressive{kind}": f"leaves scikit-learn with 1.10; name"
        f" sklearn.linear_model.SGD{kind} with `learning_rate: pa1`"
        for kind in ("Classifier", "Regressor")
    },
    **{
        f"sklearn.cluster.{name}": "cannot say of a new row which cluster it is of; name KMeans or"
        " BisectingKMeans of sklearn.cluster, or sklearn.mixture.GaussianMixture"
        for name in (
            "AgglomerativeClustering",
            "DBSCAN",
            "FeatureAgglomeration",
            "HDBSCAN",
            "OPTICS",
            "SpectralBiclustering",
            "SpectralClustering",
            "SpectralCoclustering",
        )
    },
    "sklearn.cluster.AffinityPropagation": "keeps a table of all pairs of rows; name"
    " sklearn.cluster.MeanShift, which finds the number of clusters too",
    "sklearn.cluster.Birch": "cannot be stored without pickle; name"
    " sklearn.cluster.MiniBatchKMeans, which takes many rows too",
    "sklearn.linear_model.SGDOneClassSVM": "has scores whose scale changes from fit to fit, so that"
    " no threshold keeps a rate; name sklearn.svm.OneClassSVM",
    "sklearn.isotonic.IsotonicRegression": "takes one input only; name another one",
    "sklearn.naive_bayes.CategoricalNB": "ends at a category that it has not learnt;"
    " name GaussianNB or BernoulliNB",
}
"""Scikit-learn's estimators that cannot be candidates by themselves, and what to write."""

LOCKED = frozenset({"imblearn", "lightgbm", "sklearn", "xgboost"})
"""The packages of Perennial's lock whose estimators are imported by the steps themselves."""
_FAMILIES = ("xgboost", "lightgbm", "imblearn", "catboost")
"""Libraries whose names are known: a near miss there is a typo."""
_OWN = ("pipelines", "serving", "models", "stack", "door", "dags", "plugins", "perennial_airflow")


def estimator_problem(path: str) -> str:
    """Return why a path cannot name an estimator, with a remedy; "" where it may."""
    if path in ESTIMATORS or path in {FINISHED, VOTE}:
        return ""
    if path in UNFIT:
        return f"{path.rsplit('.', 1)[-1]} {UNFIT[path]}"
    top, *rest = path.split(".")
    unknown = f"unknown estimator {path}"
    if not rest or not all(part.isidentifier() for part in (top, *rest)):
        return f"{unknown}{did_you_mean(path)}"
    if top == "sklearn" or (top in _FAMILIES and _is_near(path)):
        return f"{unknown}{did_you_mean(path)}"
    if top in sys.stdlib_module_names:
        return f"{unknown}: {top} is a module of Python itself{did_you_mean(path)}"
    own = "own code is not imported by name; write `pipeline: {function: make}`"
    return f"{unknown}: {own} and return it from model.py" if top in _OWN else ""


def _is_near(path: str) -> bool:
    leaf = path.rsplit(".", 1)[-1]
    family = path.split(".", maxsplit=1)[0]
    known = [name.rsplit(".", 1)[-1] for name in ESTIMATORS if name.startswith(f"{family}.")]
    return bool(difflib.get_close_matches(leaf, known, n=1, cutoff=0.8))


def did_you_mean(path: str) -> str:
    """Return the known estimator that is nearest to a wrong name, or all of them, as a clause."""
    names = sorted(ESTIMATORS)
    by_leaf = {name.rsplit(".", 1)[-1]: name for name in names}
    leaf = difflib.get_close_matches(path.rsplit(".", 1)[-1], by_leaf, n=1, cutoff=0.5)
    return f"; did you mean {by_leaf[leaf[0]]}?" if leaf else f"; known: {', '.join(names)}"
