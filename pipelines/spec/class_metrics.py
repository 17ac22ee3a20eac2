"""The metrics of classes and of their probabilities, declared."""

from __future__ import annotations

from dataclasses import replace
from math import inf

from pipelines.spec.metric import Family, Metric
from pipelines.tasks import CLASSIFY, Task

_BINARY: frozenset[Task] = frozenset({"binary"})
_MANY: frozenset[Task] = frozenset({"multiclass"})
_TWO: frozenset[Task] = frozenset({"binary", "anomaly"})
"""The tasks whose rows are one of two things, and whose answers are one number."""
_ONE_CLASS = "the rows show one class only"
_NO_POSITIVE = "no true value is positive"
_NO_CALL = "the model calls no row positive"
_NEITHER = "no true value is positive and the model calls no row positive"
_FEW_ROWS = "there are fewer rows than it looks at"

_RANKING = Metric(
    name="",
    tasks=_TWO,
    sees="order",
    greater_is_better=True,
    bounds=(0, 1),
    means="",
    undefined=_ONE_CLASS,
)
_LABELS = Metric(
    name="",
    tasks=CLASSIFY,
    sees="labels",
    greater_is_better=True,
    bounds=(0, 1),
    means="",
)
_TRUTH_OF_PROBABILITIES = Metric(
    name="",
    tasks=CLASSIFY,
    sees="probabilities",
    greater_is_better=False,
    bounds=(0, inf),
    means="",
    shown=CLASSIFY,
)
_AVERAGES = {
    "macro": "the mean over the classes that the rows show or the model names",
    "micro": "over all rows together, which is the accuracy",
    "weighted": "the mean over the classes, each as heavy as its rows",
}

CLASS_METRICS = (
    replace(
        _RANKING,
        name="roc_auc",
        means="the share of pairs of a positive and a negative row that are ranked right",
        theirs="roc_auc_score",
        shown=_TWO,
    ),
    replace(
        _RANKING,
        name="roc_auc_ovr",
        tasks=_MANY,
        means="`roc_auc` of each class against all others, the mean over the classes",
        theirs='roc_auc_score(multi_class="ovr")',
        shown=_MANY,
    ),
    replace(
        _RANKING,
        name="roc_auc_ovr_weighted",
        tasks=_MANY,
        means="`roc_auc_ovr`, each class as heavy as its rows",
        theirs='roc_auc_score(multi_class="ovr", average="weighted")',
    ),
    replace(
        _RANKING,
        name="average_precision",
        means="the precision at each positive row of the ranking, the mean over these",
        undefined=_NO_POSITIVE,
        theirs="average_precision_score",
        shown=_TWO,
    ),
    replace(
        _RANKING,
        name="average_precision_macro",
        tasks=_MANY,
        means="`average_precision` of each class, the mean over the classes",
        theirs="average_precision_score",
        shown=_MANY,
    ),
    replace(
        _TRUTH_OF_PROBABILITIES,
        name="brier",
        bounds=(0, 2),
        means=(
            "the mean squared error of the probabilities: of class 1 (0 to 1) where there are two"
            " classes, summed over the classes (0 to 2) where there are more"
        ),
        theirs="brier_score_loss",
    ),
    replace(
        _TRUTH_OF_PROBABILITIES,
        name="log_loss",
        means="the mean of -log of the probability that the true class was given",
        theirs="log_loss",
    ),
    replace(
        _TRUTH_OF_PROBABILITIES,
        name="calibration_error",
        bounds=(0, 1),
        means=(
            "the mean distance of probability and share that came true, in ten bins of equally many"
            " rows by their probability; of more than two classes of the likeliest one. Of few rows"
            " it is above 0 by chance, and a constant has none, so it bounds and does not compare"
        ),
        decides=False,
    ),
    replace(
        _LABELS,
        name="accuracy",
        means="the share of rows whose class is right",
        theirs="accuracy_score",
        shown=CLASSIFY,
    ),
    replace(
        _LABELS,
        name="balanced_accuracy",
        means="the recall of each class that the rows show, the mean over the classes",
        undefined=_ONE_CLASS,
        theirs="balanced_accuracy_score",
        shown=CLASSIFY,
    ),
    replace(
        _LABELS,
        name="matthews",
        bounds=(-1, 1),
        means="the correlation of true and predicted class; 0 for a constant answer",
        undefined=_ONE_CLASS,
        theirs="matthews_corrcoef",
        shown=CLASSIFY,
    ),
    replace(
        _LABELS,
        name="kappa",
        bounds=(-1, 1),
        means="Cohen's kappa: how far the agreement goes beyond that of chance",
        undefined="the rows and the answers show one class only, the same",
        theirs="cohen_kappa_score",
        shown=CLASSIFY,
    ),
    replace(
        _LABELS,
        name="precision",
        tasks=_TWO,
        means="the share of the rows called positive that are positive",
        undefined=_NO_CALL,
        theirs="precision_score",
        constant="positive",
        shown=_TWO,
    ),
    replace(
        _LABELS,
        name="recall",
        tasks=_TWO,
        means="the share of the positive rows that are called positive",
        undefined=_NO_POSITIVE,
        theirs="recall_score",
        shown=_TWO,
    ),
    replace(
        _LABELS,
        name="f1",
        tasks=_TWO,
        means="the harmonic mean of precision and recall",
        undefined=_NEITHER,
        theirs="f1_score",
        constant="positive",
        shown=_TWO,
    ),
    *(
        replace(
            _LABELS,
            name=f"{name}_{average}",
            means=f"`{name}` of each class, {how}",
            theirs=f'{name}_score(average="{average}")',
            shown=_MANY if (name, average) == ("f1", "macro") else frozenset(),
        )
        for name in ("precision", "recall", "f1")
        for average, how in _AVERAGES.items()
    ),
)

_LEAST = 1e-9
_TOP = replace(_RANKING, undefined=_FEW_ROWS)
_FBETA = replace(
    next(metric for metric in CLASS_METRICS if metric.name == "f1"),
    theirs="fbeta_score",
    shown=frozenset(),
)

CLASS_FAMILIES: tuple[Family, ...] = (
    Family(
        "fbeta_{}",
        replace(
            _FBETA,
            family="fbeta",
            means="the mean of precision and recall in which recall is beta times as heavy",
        ),
        example="fbeta_0.5",
        range="beta is above 0 and at most 100",
        spans=((_LEAST, 100),),
    ),
    *(
        Family(
            f"fbeta_{{}}_{average}",
            replace(
                _FBETA,
                tasks=CLASSIFY,
                undefined="",
                constant="mean",
                family=f"fbeta_{average}",
                means=f"F-beta of each class, {how}",
                theirs=f'fbeta_score(average="{average}")',
            ),
            example=f"fbeta_0.5_{average}",
            range="beta is above 0 and at most 100",
            spans=((_LEAST, 100),),
        )
        for average, how in _AVERAGES.items()
    ),
    Family(
        "top_{}_accuracy",
        replace(
            _LABELS,
            family="top_accuracy",
            tasks=_MANY,
            means="the share of rows whose true class is among the so many likeliest",
            undefined="the model knows no more classes than it looks at",
            theirs="top_k_accuracy_score",
        ),
        example="top_3_accuracy",
        range="a whole number from 1 to 10000",
        spans=((1, 10_000),),
        whole=True,
    ),
    *(
        Family(
            f"{name}_at_{{}}{unit}",
            replace(
                _TOP,
                family=f"{name}_at{unit}",
                undefined=_FEW_ROWS if name == "precision" else f"{_FEW_ROWS}, or {_NO_POSITIVE}",
                means=f"{means} {among}; rows of equal score share the last places",
            ),
            example=f"{name}_at_{example}{unit}",
            range=range_,
            spans=((1, 1e9),) if not unit else ((_LEAST, 100 - _LEAST),),
            whole=not unit,
        )
        for name, means in (
            ("precision", "the share of positive rows among"),
            ("recall", "the share of all positive rows that are among"),
        )
        for unit, example, among, range_ in (
            ("", "100", "the so many best ranked", "a whole number of rows, at least 1"),
            (
                "_percent",
                "5",
                "the so many per cent best ranked",
                "per cent of the rows, above 0 and below 100",
            ),
        )
    ),
)
