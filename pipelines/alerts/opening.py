"""The outbox as the settings name it, for the command and for the DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.alerts.outbox import Outbox
from pipelines.alerts.routes import Routes, read_routes
from pipelines.errors import RequestError
from pipelines.plurals import how_many
from pipelines.spec import load_all

if TYPE_CHECKING:
    from pipelines.alerts.outbox import Delivery
    from pipelines.ledger import Ledger
    from pipelines.settings import Settings
    from pipelines.spec import Spec


def routes_of(settings: Settings) -> Routes:
    """Return the routes. Raises RequestError where none are set, or their file is no good."""
    if settings.alerts is None:
        raise RequestError(
            "No routes of alerts are set, so nobody is told of anything.",
            remedy="write them into a file and name it in PERENNIAL_ALERTS; see docs/alerts.md.",
        )
    return read_routes(settings.alerts)


def open_outbox(settings: Settings, ledger: Ledger) -> Outbox:
    """Return the outbox of all models, also of those whose spec is broken or gone by now."""
    routes = routes_of(settings)
    good, broken = load_all(settings.models)
    told_of = {entry.model for entry in ledger.entries(kind="alert")}
    specs: dict[str, Spec | None] = dict.fromkeys([*broken, *sorted(told_of)])
    return Outbox(ledger, routes, {**specs, **good}, settings)


def describe(delivery: Delivery) -> list[str]:
    """Return what came of a delivery, a line for each message and each route that took none."""
    if delivery.is_busy:
        return ["another sender is at work; it tells what there is"]
    told = [
        f"told {o.route}: {o.incident.model}, {o.incident.key} {o.state}" for o in delivery.told
    ]
    why = [f"not told {route}: {why}" for route, why in delivery.why.items()]
    left = how_many(len(delivery.left), "message")
    return [*told, *why, *([f"{left} left, to be sent later"] if delivery.left else [])]
