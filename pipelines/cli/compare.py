"""`compare`: two versions of a model beside each other."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 -- the command line reads the annotations
from typing import Annotated

import typer

from pipelines.cli.output import AsJson, print_json, write_page
from pipelines.cli.running import context_for, set_up_logging


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
    # These load scikit-learn, for which no other command should wait.
    from pipelines.cli.version_tables import print_versions
    from pipelines.comparison import version_lines
    from pipelines.comparison.publish import publish_versions
    from pipelines.comparison.version_facts import find_bundle
    from pipelines.comparison.versions import compare_versions

    set_up_logging("WARNING")
    context = context_for(model)
    pair = [(version, find_bundle(context, version)) for version in (before, after)]
    found = compare_versions(context, pair[0], pair[1], now=datetime.now(UTC))
    path = context.ports.store.path(publish_versions(context, found))
    if page is not None:
        write_page(page, path.read_bytes())
        path = page.absolute()
    if as_json:
        print_json({**version_lines.figures(found), "page_file": str(path)})
    else:
        print_versions(found)
        typer.echo(f"Page: {path}")
    if show:
        typer.launch(path.as_uri())
