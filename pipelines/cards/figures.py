"""What was measured of a version on the held-out rows, kept for its card.

The gate's verdict has the metrics; intervals, slices and explanations come from the look at a run's
candidates (`pipelines.comparison.retraining`). They are kept as they were found, so that a card can
be written again without the rows: when a person approves, or later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import Field

from pipelines.refs import Ref, Value, canonical
from pipelines.run_names import safe_id
from pipelines.store.numbered import newest_numbered, publish_next
from pipelines.store.sealing import read_entry

if TYPE_CHECKING:
    from pipelines.store.port import Store

FIGURES_FORMAT: Final = 1
FIGURES: Final = "card_figures"
"""Their folder beside the kinds of pages."""
MOST_INPUTS: Final = 60
"""Inputs of which figures are kept: those with the greatest ones."""
Number = Annotated[float, Field(allow_inf_nan=False)]


class Measured(Value):
    """A metric on the held-out rows and the ends of its interval.

    `untold` says in words why there are no ends; else it is empty.
    """

    value: Number | None
    low: Number | None = None
    high: Number | None = None
    untold: str = ""


class MeasuredSlice(Value):
    """Some held-out rows beside all others.

    `metric` is None where it is not defined on them. `loss` is the mean loss with the ends of its
    interval, `difference` what it is more than that of the other rows. `p` is Holm's, over all
    slices that were looked at.
    """

    name: str
    rows: int
    metric: Number | None
    loss: Number
    low: Number
    high: Number
    difference: Number
    p: Number
    is_worse: bool


class LossByInput(Value):
    """What the metric loses where one input is shuffled, positive where it gets worse.

    `low` and `high` end its interval; where there is none, `untold` says why.
    """

    name: str
    loss: Number
    low: Number | None = None
    high: Number | None = None
    untold: str = ""


class Shuffled(Value):
    """The inputs by what the metric loses without them, the greatest loss first.

    `evidence` are the pieces that the intervals rest on; empty where there are none.
    """

    metric: str
    rows: int
    repeats: int
    evidence: str
    left_out: int
    losses: list[LossByInput]
    drawing: Ref | None = None


class Amount(Value):
    """What one input adds to an answer in the mean, without its sign, and its share of all."""

    name: str
    mean: Number
    share: Number


class Attributed(Value):
    """What each input adds to the answers for some held-out rows, the greatest first.

    `off` is the greatest distance of a row's sum from its answer, as a share of their spread.
    `drawing` is the SVG of a point for each row.
    """

    method: str
    rows: int
    off: Number
    amounts: list[Amount]
    drawing: Ref | None


class CardFigures(Value):
    """All that was measured of a version beside the verdict.

    Where nothing was, `nothing` says why. `confidence` is that of the intervals, both ends
    together; `evidence` how many pieces the held-out rows are (`412 days`). `hidden` columns are
    shown nowhere, and `failed` could not be made, each with the reason in words.
    """

    format: Literal[1] = FIGURES_FORMAT
    version: str
    candidate: str
    nothing: str = ""
    confidence: Number = 0.0
    rows: int = 0
    evidence: str = ""
    metrics: dict[str, Measured] = Field(default_factory=dict)
    slices: list[MeasuredSlice] = Field(default_factory=list)
    slices_looked_at: int = 0
    slice_loss: str = ""
    slice_unit: str = ""
    slice_metric: str = ""
    shuffled: Shuffled | None = None
    attributed: Attributed | None = None
    not_attributed: str = ""
    hidden: dict[str, str] = Field(default_factory=dict)
    failed: dict[str, str] = Field(default_factory=dict)


def keep_figures(store: Store, model: str, run: str, figures: CardFigures) -> CardFigures:
    """Keep what was measured of a run's version, and return it.

    The first counts: what a retry measures again, and no longer so far because its time was up,
    changes no card.
    """
    known = find_figures(store, model, run)
    if known is not None and known.version == figures.version and not known.nothing:
        return known
    publish_next(store, _stem(model, run), canonical(figures))
    return figures


def find_figures(store: Store, model: str, run: str) -> CardFigures | None:
    """Return what was measured of a run's version; None where nobody has kept it.

    Raises Corrupted where it was changed.
    """
    newest = newest_numbered(store, _stem(model, run))
    return read_entry(store, newest.key, CardFigures) if newest is not None else None


def _stem(model: str, run: str) -> str:
    """Return the place beside the run's pages, which stay as long as the ledger knows the run."""
    return f"pages/{model}/{FIGURES}/{safe_id(run)}/"
