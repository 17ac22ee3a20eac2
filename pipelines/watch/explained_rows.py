"""Both sides of a window as the naming of a cause takes them: rows with times, answers, losses."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.bundle.rows import feed_from_values
from pipelines.science.changes.facts import Sample
from pipelines.science.effects.decisions import Decisions
from pipelines.tasks import has_named_classes, is_wide
from pipelines.watch.preconditions import watched_inputs
from pipelines.watch.samples import input_sides, loss_sides

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from pipelines.bundle.load import OpenBundle
    from pipelines.watch.samples import Sides
    from pipelines.watch.sides import ChampionReference, Labelled, Rows
    from pipelines.watch.window_rows import WindowRows

    Array = NDArray[Any]
    Answer = Callable[[Mapping[str, Array]], Array]


def explained_sides(sample: WindowRows, champion: ChampionReference) -> Sides:
    """Return the inputs that both sides have, and the window's answers where each row has one.

    Days on one side alone are no unit of evidence: then neither side has times.
    """
    names = set(sample.window.inputs.column_names) & set(champion.reference.inputs.column_names)
    columns = [c for c in watched_inputs(champion.schema) if c.name in names]
    window, reference = input_sides(sample.window, champion, columns)
    if not (_is_timed(window) and _is_timed(reference)):
        window, reference = replace(window, times=None), replace(reference, times=None)
    answers = sample.window.predictions
    if len(answers) == window.rows and not has_named_classes(champion.schema.task):
        window = replace(window, predictions=np.asarray(answers, dtype=np.float64))
    return window, reference


def labelled_sides(sample: WindowRows, champion: ChampionReference) -> Sides | None:
    """Return how wrong labelled rows were answered, with their answers where these are one number
    each, of the window and of the holdout; None where that is not known.
    """
    sides = loss_sides(sample.labelled, champion)
    if sides is None or not all(_is_timed(side) for side in sides):
        return None
    window, held = (
        replace(side, predictions=_one_number_each(rows))
        for side, rows in zip(sides, (sample.labelled, champion.held), strict=True)
    )
    return window, held


def decisions_of(window: Rows, champion: ChampionReference) -> Decisions | None:
    """Return the champion's answers of the window beside its ancestor's of the held-out rows; None
    where answers are no decisions.

    Rows that a model was fitted on tell nothing of its decisions: a forest decides them as they
    came out, and so for a seldom class far more often than others like them.
    """
    if champion.schema.task != "binary":
        return None
    now, before = (
        Sample({}, rows.event_times, rows.predictions if len(rows.predictions) else None)
        for rows in (window, champion.reference)
    )
    return Decisions(now, before, champion.threshold)


def _one_number_each(labelled: Labelled | None) -> Array | None:
    if labelled is None or labelled.p.ndim != 1 or labelled.p.dtype == object:
        return None
    return np.asarray(labelled.p, dtype=np.float64)


def _is_timed(sample: Sample) -> bool:
    """Tell whether every row has a time."""
    return sample.times is not None and not np.isnat(sample.times).any()


def asker(bundle: OpenBundle) -> Answer | None:
    """Return what answers rows given by columns; None where the champion needs more than is watched
    or gives more than one number.
    """
    schema = bundle.manifest.inputs
    if len(watched_inputs(schema)) < len(schema.columns) or is_wide(schema.task):
        return None

    def answer(columns: Mapping[str, Array]) -> Array:
        values = (_plain(columns[c.name]) for c in schema.columns)
        feed = feed_from_values(schema.columns, [list(row) for row in zip(*values, strict=True)])
        return np.asarray(bundle.predictor.predict_feed(feed)[:, 0])

    return answer


def _plain(values: Array) -> list[Any]:
    if values.dtype == object:
        return list(values)
    return [None if np.isnan(v) else float(v) for v in values]
