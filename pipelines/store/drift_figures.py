"""What a watch found of a model's newest window, in numbers.

Entered by the drift step, exposed to Prometheus by the server.

Stored as `watch/<model>/<window end>~<number>`: a window that was looked at again has several, of
which the last counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from pipelines.errors import Corrupted
from pipelines.intervals import Moment, iso
from pipelines.refs import Value, canonical
from pipelines.store.numbered import publish_next

if TYPE_CHECKING:
    from pipelines.store.port import Store

Count = Annotated[int, Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class DriftFigures(Value):
    """One window's figures.

    `coverage` is the share of the rows with a known label; it and `labelled` are None of a model
    that has no labels. `drifted` counts the `columns` that
    drifted.

    `live` and `expected` are the champion's metric on the labelled rows and on its holdout; None
    where they are not known.
    """

    format: Literal[1] = 1
    verdict: str
    window_end: Moment
    rows: Count
    labelled: Count | None
    coverage: Number | None
    drifted: Count
    columns: Count
    metric: str
    live: Number | None
    expected: Number | None
    cause: str = ""
    """Its kind (`messages.DriftCause`); empty where none was named."""
    effect: str = ""


def publish_figures(store: Store, model: str, figures: DriftFigures) -> None:
    """Make these the window's newest figures; the same again changes nothing."""
    publish_next(store, f"{_folder(model)}/{iso(figures.window_end)}~", canonical(figures))


def newest_figures(store: Store, model: str) -> DriftFigures | None:
    """Return the figures of the window that ends last; None before the first.

    Raises Corrupted where they are not readable.
    """
    keys = store.keys(_folder(model))
    data = store.read(keys[-1]) if keys else None
    if data is None:
        return None
    try:
        return DriftFigures.model_validate_json(data)
    except ValidationError as error:
        raise Corrupted(
            f"The store's entry {keys[-1]} holds no figures of a watch.",
            remedy="delete it; the next window has its own.",
        ) from error


def _folder(model: str) -> str:
    return f"watch/{model}"
