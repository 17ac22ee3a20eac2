"""The two sides of a comparison: the window's rows, and what the champion learnt from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.science.metrics import THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipelines.bundle.schema import InputSchema
    from pipelines.science.own_metrics import AnyMetric
    from pipelines.science.pieces import Span

    Array = NDArray[Any]
    Importances = Callable[[Sequence[str]], Mapping[str, float] | None]
    """By inputs: what the metric loses without each; None where that is not known."""


@dataclass(frozen=True)
class Rows:
    """Rows of the window, one per event; or of the champion's reference.

    `inputs` holds the watched inputs by name (personal ones are not there); it may lack some or
    have others. `predictions` is (n,): floats, or for multiclass an object array of labels. In the
    window there is one per row, or where other versions answered too, one for each of the
    `answered` rows that are the champion's own; in the reference they are those of the holdout,
    which are other rows than the inputs', and there may be none.
    """

    inputs: pa.Table
    predictions: Array
    answered: int | None = None
    event_times: Array | None = None
    """Of the predictions (n,), datetime64; None where the data have none."""
    times: Array | None = None
    """Of the inputs (n,), datetime64; None where the data have none."""
    chances: Array | None = None
    """The probabilities (n, k) behind `predictions`, in the order of the champion's classes; None
    of other tasks, and where the log does not hold one of the classes."""
    missing: Mapping[str, float] = field(default_factory=dict)
    """Which share of all rows of the window has no value, by input, where these are a sample."""


@dataclass(frozen=True)
class Labelled:
    """The window's rows whose outcome is known.

    Shapes as in `science.metrics`, `event_times` (n,) datetime64, none of them a time (NaT) where
    the held-out rows have none. `inputs` are the rows' own, for
    metrics of the model's own; `classes` name the columns of `p` of several classes.
    """

    y: Array
    p: Array
    event_times: Array
    inputs: pa.Table | None = None
    classes: list[str] | None = None


@dataclass(frozen=True)
class ChampionReference:
    """What the champion learnt from, and the score of `metric` that its ancestor reached on the
    holdout.

    `measure` gives what scores labelled rows by that metric where it is one of the model's own.
    Above `threshold` the champion's probability is a decision for the positive class.
    """

    schema: InputSchema
    reference: Rows
    metric: str
    expected: float | None
    task: str
    threshold: float = THRESHOLD
    measure: Callable[[Labelled], AnyMetric] | None = None
    rate: float | None = None
    """Of an anomaly model: the share of rows that it promises to flag."""
    calibrated_on: int = 0
    """On how many rows its threshold was set."""
    span: Span = "day"
    """How long rows are alike (`alike.span` of the spec)."""
    held: Labelled | None = None
    """The held-out rows on which `expected` was measured; None where the bundle lacks them."""
    judged: Labelled | None = None
    """Those of them, or a sample, whose inputs are at hand; None where the bundle lacks them."""
    share: float = 1.0
    """Which share of the rows that it learnt from the reference's inputs are."""
