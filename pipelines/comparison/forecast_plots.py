"""Drawings of a forecast's errors beside the seasonal naive's: by origin, and over the holdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.comparison.scales import Scale, scale_of
from pipelines.comparison.svg import Plot

if TYPE_CHECKING:
    from pipelines.training.backtest import Origin

    Array = np.ndarray[Any, Any]

LINES = ["this model", "seasonal naive"]
"""What the lines are of, in the order of their colours."""
SPANS = 20
"""Into so many spans of equal rows the holdout is cut."""


def errors_by_origin(origins: list[Origin]) -> str:
    """Return the mean errors of each origin of the back-test; empty with fewer than two."""
    if len(origins) < 2:  # noqa: PLR2004 -- a line has two ends
        return ""
    names = tuple(origin.first[:10] for origin in origins)
    places = [float(i) for i in range(len(origins))]
    lines = [[origin.mae for origin in origins], [origin.naive_mae for origin in origins]]
    plot = Plot(
        Scale(0, float(len(origins) - 1), names=names),
        scale_of([0.0, *lines[0], *lines[1]]),
        x_title="the first row that is judged",
        y_title="mae",
        width=420,
    )
    _draw(plot, places, lines, [f"from {origin.first}" for origin in origins])
    return plot.render("error by origin")


def errors_over_time(times: Array, truth: Array, answers: Array, naive: Array) -> str:
    """Return the mean error over the holdout, on the rows (n,) whose naive forecast is known.

    Empty where these are too few for two spans.
    """
    known = np.flatnonzero(~np.isnan(naive))
    order = known[np.argsort(times[known], kind="stable")]
    spans = [span for span in np.array_split(order, SPANS) if len(span)]
    if len(spans) < 2:  # noqa: PLR2004 -- a line has two ends
        return ""
    seconds = times.astype("datetime64[s]").astype(np.float64)
    places = [float(seconds[span].mean()) for span in spans]
    lines = [
        [float(np.abs(truth[span] - said[span]).mean()) for span in spans]
        for said in (answers, naive)
    ]
    first, last = str(times[order[0]])[:10], str(times[order[-1]])[:10]
    plot = Plot(
        Scale(places[0], places[-1], names=(" ",)),
        scale_of([0.0, *lines[0], *lines[1]]),
        x_title=f"{first} to {last}",
        y_title="mae",
        width=420,
    )
    _draw(plot, places, lines, [f"{len(span):,} rows" for span in spans])
    return plot.render("error over time")


def _draw(plot: Plot, places: list[float], lines: list[list[float]], words: list[str]) -> None:
    for i, (name, values) in enumerate(zip(LINES, lines, strict=True)):
        plot.line(places, values, f"line curve{i}")
        for place, value, where in zip(places, values, words, strict=True):
            plot.dot(place, value, f"{name}, {where}: {value:.4g}", size=2)
