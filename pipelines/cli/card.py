"""`card`: what is known of a version, as Markdown."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 -- the command line reads the annotations
from typing import Annotated

import typer

from pipelines.answers.service import expect_known
from pipelines.cli.output import AsJson, print_json, write_page
from pipelines.ports import ConfiguredPorts
from pipelines.settings import load_settings


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(card)


def card(
    model: Annotated[str, typer.Argument(help="The model; its folder may be gone by now.")],
    version: Annotated[
        str | None, typer.Argument(help="The version (default: the champion's).")
    ] = None,
    *,
    page: Annotated[Path | None, typer.Option(help="Write it as HTML to this file too.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print a version's model card as Markdown.

    Purpose, verdict, who approved it, metrics with intervals, limits, slices, what it looks at,
    data and lineage: all from the ledger and what it refers to, after a check that nobody touched
    it. What was not measured or not recorded, says so.
    """
    from pipelines.cards import markdown
    from pipelines.cards import page as html
    from pipelines.cards.writing import newest_version, write_card

    settings = load_settings()
    ports = ConfiguredPorts(settings)
    ports.check_ledger()
    expect_known(ports.ledger, settings.models, model)
    written = write_card(
        ports.ledger, ports.store, model, version or newest_version(ports.ledger, model)
    )
    if page is not None:
        write_page(page, html.render(ports.store, written).encode())
    if as_json:
        print_json(written.model_dump(mode="json"))
    else:
        sys.stdout.write(markdown.render(written))
