"""`compare`: two versions of a model beside each other."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 -- the command line reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.output import AsJson, print_json, print_table
from pipelines.cli.running import context_for, set_up_logging
from pipelines.comparison import version_lines
from pipelines.comparison.publish import publish_versions
from pipelines.comparison.version_facts import find_bundle
from pipelines.comparison.versions import compare_versions
from pipelines.comparison.versions_page import flip_words, metric_words

if TYPE_CHECKING:
    from pipelines.comparison.version_lines import Line
    from pipelines.comparison.versions import VersionComparison

SHOWN = 5
"""Of the rows and slices that differ most, so many are printed."""


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(compare)


def compare(
    model: Annotated[str, typer.Argument(help="The model: a folder's name under models/.")],
    before: Annotated[str, typer.Argument(help="The version to compare with, such as 3.")],
    after: Annotated[str, typer.Argument(help="The version that is compared, such as 4.")],
    *,
    page: Annotated[Path | None, typer.Option(help="Write the page to this file too.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare two versions of a model, and write the page.

    Metrics on rows that neither was fitted on, where answers differ, parameters, data, inputs,
    size and speed. Nothing is decided by it.
    """
    set_up_logging("WARNING")
    context = context_for(model)
    pair = [(version, find_bundle(context, version)) for version in (before, after)]
    found = compare_versions(context, pair[0], pair[1], now=datetime.now(UTC))
    path = context.ports.store.path(publish_versions(context, found))
    if page is not None:
        page.write_bytes(path.read_bytes())
        path = page.absolute()
    if as_json:
        print_json({**version_lines.figures(found), "page_file": str(path)})
    else:
        _print(found)
        typer.echo(f"Page: {path}")
    if show:
        typer.launch(path.as_uri())


def _print(found: VersionComparison) -> None:
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
