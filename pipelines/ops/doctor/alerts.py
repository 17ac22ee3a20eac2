"""Checks of who is told of what: the routes and their addresses; nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.alerts.opening import routes_of
from pipelines.alerts.post import ApprisePost
from pipelines.errors import Unreachable
from pipelines.ledger.database import REVISION
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.findings import Finding, ok, problem
from pipelines.plurals import how_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings


def check_alerts(settings: Settings) -> Iterator[Finding]:
    """Every route's address is one of a service, whole, and what was told can be written down.

    That a service takes messages is seen by sending one alone: `perennial alert --test --send`.
    """
    what = "alerts"
    if settings.alerts is None:
        yield ok(what, "no routes are set (PERENNIAL_ALERTS): nobody is told of anything")
        return
    post, routes = ApprisePost(settings.alert_timeout_seconds), routes_of(settings).routes
    for name, route in routes.items():
        # Asked to send nothing, it says whether there is anybody to send to.
        why = next(post.send(route, []), "")
        if why:
            yield problem(
                f"alerts: {name}",
                f"Nobody can be told at {route.shown}: {why}.",
                f"mend `to` of the route {name} in {settings.alerts}: its scheme must be a"
                " service's, and all tokens of it must be there; then `perennial alert --test`.",
            )
        else:
            yield ok(
                f"alerts: {name}", f"{route.shown} is an address of a service; nothing was sent"
            )
    yield from _check_outbox(settings, len(routes))


def _check_outbox(settings: Settings, count: int) -> Iterator[Finding]:
    """What was told is an entry of the ledger: where none can be written, nothing is sent."""
    ledger, what = SqlLedger(settings.ledger_url, migrate=False), "alerts: outbox"
    if ledger.revision() != REVISION:
        yield ok(what, "the ledger is made or migrated by the first run")
        return
    try:
        ledger.expect_writable()
    except Unreachable as error:
        yield problem(
            what,
            f"Nobody is told of anything while nothing can be written down: {error.message}",
            "let the program write to the ledger: the file and its folder, or the database's role.",
        )
        return
    yield ok(what, f"what {how_many(count, 'route')} was told can be written down")
