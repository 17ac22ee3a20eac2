"""The page of two versions beside each other: complete in itself, everything escaped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.comparison import version_lines
from pipelines.comparison.scales import Scale
from pipelines.comparison.svg import Plot
from pipelines.profiling.words import share_text, short
from pipelines.templates import fill

if TYPE_CHECKING:
    from pipelines.comparison.differences import Differences
    from pipelines.comparison.versions import MetricPair, VersionComparison

_TEMPLATE = Path(__file__).with_name("versions.html")


def render(found: VersionComparison) -> str:
    """Return the page; the same figures give the same page."""
    return fill(
        _TEMPLATE,
        title=f"{found.model}: version {found.before.version} and version {found.after.version}",
        before=found.before.version,
        after=found.after.version,
        found=found,
        origin=version_lines.origin(found),
        metrics_changed=version_lines.metrics_changed(found),
        parameters=version_lines.parameter_lines(found),
        inputs=version_lines.input_lines(found),
        ancestors=version_lines.ancestors(found),
        metrics=[metric_words(pair) for pair in found.metrics],
        d=found.differences,
        flips=flip_words(found.differences),
        plot=_histogram(found.differences),
        slices=[
            (name, f"{rows:,}", f"{moved:.3g}", share_text(flips) if flips is not None else "-")
            for name, rows, moved, flips in (found.differences.slices if found.differences else [])
        ],
        hidden=[(short(n, 60), why) for n, why in found.hidden.items()],
    )


def metric_words(pair: MetricPair) -> list[str]:
    """Return a metric, both values and the gain, each with its interval, and what it says."""
    if pair.low > 0:
        verdict = "better"
    elif pair.high < 0:
        verdict = "worse"
    else:
        verdict = "not told apart"
    values = [
        f"{s.value:.4g}"
        + (
            ""
            if s.untold
            else f" ({min(s.bad_end, s.good_end):.4g} to {max(s.bad_end, s.good_end):.4g})"
        )
        for s in (pair.before, pair.after)
    ]
    return [
        pair.metric,
        *values,
        f"{pair.gain:+.3g} ({pair.low:+.3g} to {pair.high:+.3g})",
        verdict,
    ]


def flip_words(found: Differences | None) -> str:
    """Return in words how many decisions flip; "" where nothing is decided."""
    if found is None or found.flips is None:
        return ""
    return (
        f"{found.flips:,} of {found.rows:,} decisions flip ({share_text(found.flips / found.rows)})"
    )


def _histogram(found: Differences | None) -> str:
    """Return how the distances lie; rows by the root of their number, so that few are seen."""
    if found is None:
        return ""
    x = Scale(found.edges[0], found.edges[-1])
    heights = [count**0.5 for count in found.counts]
    plot = Plot(
        x,
        Scale(0, max(heights) * 1.05, names=("0",)),
        x_title="answer after minus before",
        y_title="rows (root)",
        width=460,
        height=200,
    )
    for low, high, height, count in zip(
        found.edges[:-1], found.edges[1:], heights, found.counts, strict=True
    ):
        plot.block(low, high, height, f"{low:.3g} to {high:.3g}: {count:,} rows")
    return plot.render("how far the answers lie apart")
