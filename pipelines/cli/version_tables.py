"""Two versions of a model beside each other, in tables.

Apart from the command, because what compares loads scikit-learn, and every command would wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipelines.cli.output import print_table
from pipelines.comparison import version_lines
from pipelines.comparison.versions_page import flip_words, metric_words

if TYPE_CHECKING:
    from pipelines.comparison.version_lines import Line
    from pipelines.comparison.versions import VersionComparison

SHOWN = 5
"""Of the rows and slices that differ most, so many are printed."""


def print_versions(found: VersionComparison) -> None:
    """Print what the comparison of two versions has found."""
    before, after = (f"version {v.version}" for v in (found.before, found.after))
    if found.metrics:
        print_table(
            f"{found.model}: {found.metric_words}",
            ["metric", before, after, "better by (90 %)", ""],
            [metric_words(pair) for pair in found.metrics],
        )
    else:
        typer.echo(f"On common rows nothing can be told: {found.metric_words}.")
        _print_lines(
            "Scores before the final fit, each on its own held-out rows",
            version_lines.ancestors(found),
            before,
            after,
        )
    _print_differences(found)
    _print_lines("What they are made of", version_lines.origin(found), before, after)
    _print_lines("Parameters", version_lines.parameter_lines(found), before, after)
    _print_lines("Inputs that differ", version_lines.input_lines(found), before, after)
    if changed := version_lines.metrics_changed(found):
        typer.echo(f"{changed}.")
    for change in found.schema_changes:
        typer.echo(f"schema.yaml: {change}")


def _print_lines(title: str, lines: list[Line], before: str, after: str) -> None:
    if lines:
        rows = [[line.name, line.before, line.after, "≠" if line.differs else ""] for line in lines]
        print_table(title, ["", before, after, ""], rows)


def _print_differences(found: VersionComparison) -> None:
    differences = found.differences
    if differences is None or found.rows is None:
        typer.echo(f"Their answers cannot be compared: {found.why}.")
        return
    flips = flip_words(differences)
    typer.echo(
        f"On {found.rows.words}: {f'{flips}; ' if flips else ''}"
        f"half moved by at most {differences.quantiles['50%']:.3g},"
        f" the farthest by {differences.quantiles['100%']:.3g}."
    )
    if found.contingency is not None:
        moved = found.contingency
        print_table(f"Rows by cluster, {moved.words}", moved.titles, moved.lines)
    if differences.farthest:
        print_table("Farthest apart", differences.columns, differences.farthest[:SHOWN])
