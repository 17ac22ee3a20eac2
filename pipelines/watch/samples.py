"""The two sides of a comparison as the tests of a change take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.science.changes.facts import Sample
from pipelines.science.claims import find_claims
from pipelines.science.row_losses import has_losses, row_losses
from pipelines.watch.preconditions import numbers, textual

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipelines.bundle.schema import Column
    from pipelines.watch.sides import ChampionReference, Labelled, Rows

    Array = NDArray[Any]

_FEW, _FEW_OF = 20, 0.05
"""So many different answers, or so small a share of the rows, are few."""
Sides = tuple[Sample, Sample]
"""The window's rows, and those that they are compared with."""


def values_of(column: Column, table: pa.Table) -> Array:
    """Return an input (n,) as it is compared: float64 with NaN, or texts with None.

    Equal texts are one object, so that a million rows of them cost no more than as many numbers.
    """
    import pyarrow as pa

    if not textual(column.kind):
        return numbers(table[column.name])
    codes = table[column.name].cast(pa.string()).combine_chunks().dictionary_encode()
    names = np.array([*codes.dictionary.to_pylist(), None], dtype=object)
    places = codes.indices.fill_null(len(names) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(names[places])


def input_sides(window: Rows, champion: ChampionReference, columns: Sequence[Column]) -> Sides:
    """Return the inputs of both sides with their event times, where both have any."""
    return _timed(
        *(
            ({c.name: values_of(c, side.inputs) for c in columns}, side.times)
            for side in (window, champion.reference)
        )
    )


def prediction_sides(window: Rows, champion: ChampionReference) -> Sides:
    """Return what the champion answered, and what its ancestor did on the held-out rows."""
    reference = champion.reference
    sides = [
        Sample({}, _moments(side.event_times, len(answers)), predictions=answers)
        for side, answers in (
            (window, as_its_ancestor(window.predictions, reference.predictions)),
            (reference, reference.predictions),
        )
    ]
    return sides[0], sides[1]


def as_its_ancestor(answers: Array, reference: Array) -> Array:
    """Return the answers (n,), each as the nearest of the reference's (m,) where these are few.

    A model fitted again gives no value that its ancestor gave: the answers of a small tree, all
    different by a hair, would have changed for ever.
    """
    if any(values.dtype == object for values in (reference, answers)):
        return answers
    values = np.unique(reference)
    if len(values) > max(_FEW, _FEW_OF * len(reference)):
        return answers
    middles = (values[1:] + values[:-1]) / 2
    nearest: Array = values[np.searchsorted(middles, answers)]
    return nearest


def loss_sides(labelled: Labelled | None, champion: ChampionReference) -> Sides | None:
    """Return how wrong the window's labelled answers are and what they claim, and those of the
    held-out rows.

    None where there are none, or the task's answers are not more or less wrong.
    """
    if labelled is None or champion.held is None or not has_losses(champion.schema.task):
        return None
    schema, held = champion.schema, champion.held
    levels = tuple(schema.levels or ())
    own = _by_own_classes(labelled, schema.classes)
    claims = (
        ((), ())
        if own is None
        else find_claims(
            schema.task, own, (held.y, held.p), classes=schema.classes or (), levels=levels
        )
    )
    sides = [
        Sample(
            {},
            _moments(rows.event_times, len(rows.y)),
            losses=row_losses(champion.metric, schema.task, rows.y, rows.p, levels),
            claims=claimed,
        )
        for rows, claimed in zip((labelled, held), claims, strict=True)
    ]
    return sides[0], sides[1]


def _by_own_classes(labelled: Labelled, classes: list[str] | None) -> tuple[Array, Array] | None:
    """Return outcomes and answers in the order of the champion's classes, as the held-out rows are.

    A log holds the classes of all versions that answered. None where it lacks one of them.
    """
    if not classes or not labelled.classes or labelled.classes == classes:
        return labelled.y, labelled.p
    if not set(classes) <= set(labelled.classes):
        return None
    places = np.array([labelled.classes.index(name) for name in classes])
    own = np.full(len(labelled.classes) + 1, -1)
    own[places] = np.arange(len(classes))
    return own[labelled.y], labelled.p[:, places]


def _timed(
    window: tuple[dict[str, Array], Array | None], reference: tuple[dict[str, Array], Array | None]
) -> Sides:
    return Sample(*window), Sample(*reference)


def _moments(times: Array | None, rows: int) -> Array:
    """Return the times, none of which is known where the data have none."""
    return np.full(rows, np.datetime64("NaT"), "datetime64[us]") if times is None else times
