"""The commands, put together."""

from __future__ import annotations

import typer

from pipelines.cli import (
    alert,
    answers,
    card,
    check,
    compare,
    fleet,
    incidents,
    init,
    keys,
    log,
    operations,
    overview,
    profile,
    rebuild,
    releases,
    replay,
    status,
    steps,
    traces,
)

app = typer.Typer(
    name="perennial",
    help=(
        "Perennial: models that renew themselves, with a gate, alarms and a ledger that can be"
        " trusted.\n\nStart with `perennial init NAME --from FILE`, then `perennial check NAME`."
        " Every command takes --json. Exit codes: 0 done; 65 a retry cannot help; 75 try again; 64"
        " wrong usage; anything else is a crash."
    ),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
overview.add_to(app)
status.add_to(app)
fleet.add_to(app)
init.add_to(app)
check.add_to(app)
log.add_to(app)
profile.add_to(app)
compare.add_to(app)
rebuild.add_to(app)
replay.add_to(app)
releases.add_to(app)
answers.add_to(app)
card.add_to(app)
incidents.add_to(app)
operations.add_to(app)
traces.add_to(app)
alert.add_to(app)
keys.add_to(app)
steps.add_to(app)
