"""The transformer of each step that `spec.steps` declares.

Scikit-learn's own where there is one, float32 where it lets us choose, as compiled models compute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.spec import steps as declared

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Near:
    """What a step must know of its surroundings.

    Whether what comes after takes sparse columns, whether classes are learnt, the spec's seed.
    """

    sparse: bool
    classify: bool
    seed: int


def make_step(step: declared.StepBase, near: Near) -> Any:
    """Return the unfitted transformer (or sampler) of a step."""
    return _MAKERS[type(step)](step, near)


def _impute(step: declared.Impute, near: Near) -> Any:
    from sklearn.impute import KNNImputer, SimpleImputer

    if step.strategy == "knn":
        return KNNImputer(
            n_neighbors=step.neighbors, add_indicator=step.indicator, keep_empty_features=True
        )
    if step.strategy == "iterative":
        from sklearn.experimental import enable_iterative_imputer  # noqa: F401 -- brings the next
        from sklearn.impute import IterativeImputer
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        # It writes into what it is given, and a frame's values cannot be written: a copy goes in.
        copy = StandardScaler(with_mean=False, with_std=False)
        impute = IterativeImputer(
            random_state=near.seed, add_indicator=step.indicator, keep_empty_features=True
        )
        return Pipeline([("copy", copy), ("impute", impute)])
    fill = {"fill_value": np.float32(step.fill).item()} if step.strategy == "constant" else {}
    return SimpleImputer(
        strategy=step.strategy, add_indicator=step.indicator, keep_empty_features=True, **fill
    )


def _scale(step: declared.Scale, near: Near) -> Any:
    from sklearn import preprocessing

    from pipelines.transformers import SignedLog

    makers: dict[str, Callable[[], Any]] = {
        "standard": preprocessing.StandardScaler,
        "minmax": lambda: preprocessing.MinMaxScaler(clip=True),
        "robust": preprocessing.RobustScaler,
        "maxabs": preprocessing.MaxAbsScaler,
        "power": preprocessing.PowerTransformer,
        "quantile": lambda: preprocessing.QuantileTransformer(random_state=near.seed),
        "log": SignedLog,
    }
    return makers[step.by]()


def _onehot(step: declared.OneHot, near: Near) -> Any:
    from sklearn.preprocessing import OneHotEncoder

    rare = step.min_frequency is not None or step.max_categories is not None
    return OneHotEncoder(
        handle_unknown="infrequent_if_exist" if rare else "ignore",
        min_frequency=step.min_frequency,
        max_categories=step.max_categories,
        drop=step.drop,
        dtype=np.float32,
        sparse_output=near.sparse,
    )


def _ordinal(step: declared.Ordinal, _near: Near) -> Any:
    from sklearn.preprocessing import OrdinalEncoder

    return OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        min_frequency=step.min_frequency,
        max_categories=step.max_categories,
        dtype=np.float32,
    )


def _target(step: declared.TargetMean, near: Near) -> Any:
    from sklearn.model_selection import KFold, StratifiedKFold
    from sklearn.preprocessing import TargetEncoder

    folds = StratifiedKFold if near.classify else KFold
    cv = folds(step.folds, shuffle=True, random_state=near.seed)
    return TargetEncoder(smooth=step.smooth, cv=cv)


def _tfidf(step: declared.Tfidf, _near: Near) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        max_features=step.max_features,
        ngram_range=tuple(step.ngram_range),
        analyzer=step.analyzer,
        min_df=step.min_df,
        max_df=1.0 if step.max_df is None else step.max_df,
        sublinear_tf=step.sublinear,
        stop_words=step.stop_words,
        dtype=np.float32,
    )


def _hash(step: declared.Hash, _near: Near) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(
        n_features=step.features,
        ngram_range=tuple(step.ngram_range),
        analyzer=step.analyzer,
        dtype=np.float32,
    )


def _dates(step: declared.Dates, _near: Near) -> Any:
    from pipelines.transformers import DateParts

    return DateParts(tuple(step.parts), cycles=step.cycles)


def _cycles(step: declared.Cycles, _near: Near) -> Any:
    from pipelines.transformers import Cycles

    return Cycles(step.period)


def _bins(step: declared.Bins, near: Near) -> Any:
    from sklearn.preprocessing import KBinsDiscretizer

    onehot = "onehot" if near.sparse else "onehot-dense"
    return KBinsDiscretizer(
        n_bins=step.count,
        strategy=step.by,
        encode=onehot if step.encode == "onehot" else "ordinal",
        **({"quantile_method": "averaged_inverted_cdf"} if step.by == "quantile" else {}),
        random_state=near.seed,
    )


def _polynomial(step: declared.Polynomial, _near: Near) -> Any:
    from sklearn.preprocessing import PolynomialFeatures

    return PolynomialFeatures(
        degree=step.degree, interaction_only=step.interactions_only, include_bias=False
    )


def _components(step: declared.Components, near: Near) -> Any:
    from sklearn.decomposition import PCA, TruncatedSVD

    kind = PCA if step.step == "pca" else TruncatedSVD
    return kind(n_components=step.components, random_state=near.seed)


def _select(step: declared.Select, near: Near) -> Any:
    from sklearn import feature_selection as fs
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    if step.by == "variance":
        return fs.VarianceThreshold(step.threshold)
    if step.by == "k_best":
        return fs.SelectKBest(fs.f_classif if near.classify else fs.f_regression, k=step.count)
    trees = ExtraTreesClassifier if near.classify else ExtraTreesRegressor
    judge = trees(n_estimators=50, random_state=near.seed)
    return fs.SelectFromModel(judge, threshold=-np.inf, max_features=step.count)


def _resample(step: declared.Resample, near: Near) -> Any:
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    makers = {"over": RandomOverSampler, "under": RandomUnderSampler, "smote": SMOTE}
    strategy = "auto" if step.ratio is None else step.ratio
    return makers[step.by](sampling_strategy=strategy, random_state=near.seed)


_MAKERS: dict[type[declared.StepBase], Callable[[Any, Near], Any]] = {
    declared.Impute: _impute,
    declared.Scale: _scale,
    declared.OneHot: _onehot,
    declared.Ordinal: _ordinal,
    declared.TargetMean: _target,
    declared.Tfidf: _tfidf,
    declared.Hash: _hash,
    declared.Dates: _dates,
    declared.Cycles: _cycles,
    declared.Bins: _bins,
    declared.Polynomial: _polynomial,
    declared.Components: _components,
    declared.Select: _select,
    declared.Resample: _resample,
}
