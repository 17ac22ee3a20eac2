"""What a declaration of a metric says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pipelines.tasks import Task

Sees = Literal["order", "probabilities", "labels", "squares", "distances", "rows", "spans"]
"""What a metric sees of an answer.

- order: how the scores rank the rows, never what they say by themselves
- probabilities: whether they are true
- labels: the class that the model decides for, not how sure it is
- squares: errors by their squares, so great misses above all
- distances: errors by their size, all alike
- rows: the rows themselves, of which nobody knows a true value
- spans: how wide they are, or how many rows lie within, but never both
"""
Constant = Literal["mean", "median", "relative_median", "quantile", "log_mean", "positive"]
"""The best constant answer by a metric.

- mean: the mean of a value, the shares of the classes
- median: the middle value, each as heavy as 1/|value| where it is relative_median
- quantile: the one that the metric's number names
- log_mean: the mean of log(1 + value), taken back
- positive: the share of class 1, and every row is called positive
"""
LooksAt = Literal["levels", "span", "reach", "level", "median"]
"""Which answers of a model of quantiles a metric looks at.

- levels: all of them
- span: a lower and an upper one; the outermost, or those around the number of its name
- reach: as span; of a single level all that lies on its long side
- level: the one that the number in its name says
- median: the one at 0.5
"""


@dataclass(frozen=True)
class Need:
    """What the true values or the answers must be: each of them `sign` than `bound`."""

    side: Literal["truth", "answer"]
    sign: Literal[">", ">=", "!="]
    bound: float

    @property
    def broken(self) -> str:
        """What is wrong with the values that are not so, in words."""
        values = "true values" if self.side == "truth" else "predicted values"
        opposite = {">": "not above", ">=": "below", "!=": "equal to"}[self.sign]
        return f"{values} are {opposite} {self.bound:g}"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The one declaration of a metric.

    Its formula stands under the same name in `pipelines.science.metrics.FORMULAS`: a DAG file
    reads the declarations at every parse and must not load NumPy for them.
    """

    name: str
    tasks: frozenset[Task]
    """The tasks that it fits."""
    sees: Sees
    greater_is_better: bool
    bounds: tuple[float, float]
    """Its least and its greatest value."""
    means: str
    """What it is, in a sentence."""
    undefined: str = ""
    """Where it has no value although every answer is a number, in words."""
    needs: tuple[Need, ...] = ()
    theirs: str = ""
    """scikit-learn's function; empty where it has none."""
    constant: Constant = "mean"
    shown: frozenset[Task] = frozenset()
    """The tasks for which it is always computed."""
    number: float | None = None
    """The number in its name."""
    family: str = ""
    """Under which its formula stands, where its name holds a number."""
    needs_truth: bool = True
    """Whether it looks at true values; else rows without one count too."""
    looks_at: LooksAt = "level"
    """Which answers of a model of quantiles it looks at."""
    decides: bool = True
    """Whether it may compare models: not where it is best for a model that says nothing."""
    levels: tuple[float, ...] = ()
    """The levels of the answers that it is computed of; none where these are no quantiles."""
    takes_scores: bool = False
    """Whether the answers are scores of any size, and rows without a truth do not count."""

    def of_levels(self, levels: tuple[float, ...]) -> Metric:
        """Return the metric of answers at these levels."""
        return replace(self, levels=levels)

    def of_scores(self) -> Metric:
        """Return the metric of an anomaly model's answers, which are no probabilities."""
        return replace(self, takes_scores=True)

    @property
    def formula(self) -> str:
        """The name under which its formula stands."""
        return self.family or self.name


@dataclass(frozen=True)
class Family:
    """Metrics that differ by a number in their name.

    `spelling` holds `{}` where the number stands. `spans` are the ranges of numbers, each with
    its least and its greatest, and `range` says them in words.
    """

    spelling: str
    metric: Metric
    example: str
    range: str
    spans: tuple[tuple[float, float], ...]
    whole: bool = False

    def number_in(self, name: str) -> str | None:
        """Return the text at the number's place in a name; None where the name is not of these."""
        before, after = self.spelling.split("{}")
        inner = name[len(before) : len(name) - len(after)]
        if not (name.startswith(before) and name.endswith(after) and inner):
            return None
        # What stands there must look like a number: `precision_at_5_percent` is not one of
        # `precision_at_{}`, and `fbeta_0.5_macro` none of `fbeta_{}`.
        return inner if inner.lstrip("-+").replace(".", "").isalnum() else None

    def allows(self, number: float) -> bool:
        """Tell whether the metric can take the number."""
        return any(low <= number <= high for low, high in self.spans)

    def write(self, number: float) -> str:
        """Return the name of the metric with this number."""
        return self.spelling.format(f"{number:.12g}")
