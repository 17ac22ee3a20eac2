"""The asset events by which a user's own DAGs start: a new champion, and a window in trouble.

`schedule=[champion_asset("sales")]`, or the same by name:
`schedule=[Asset(name="sales_champion", uri="perennial://sales/champion")]`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

CROWNING = ("deploy", "rollback")
"""The steps behind which another version serves."""

TROUBLE = ("drift", "alarm")
"""The verdicts on a window that are events."""


def champion_asset(model: str) -> Asset:
    """Return the asset that changes when another version of the model serves."""
    return Asset(name=f"{model}_champion", uri=f"perennial://{model}/champion")


def incidents_asset(model: str) -> Asset:
    """Return the asset that changes when a drift check found drift, or raised an alarm."""
    return Asset(name=f"{model}_incidents", uri=f"perennial://{model}/incidents")


def outlets_of(step: str, model: str) -> list[Asset | AssetAlias]:
    """Return what a step's task may change.

    Of a drift check it is an alias, since not every check is an event.
    """
    if step in CROWNING:
        return [_champion(model)]
    return [_alias(model)] if step == "drift" else []


def add_events(context: Context, step: str, model: str, result: Mapping[str, Any]) -> None:
    """Say in the task's events what its result says, references and words alone."""
    run = {"model": model, "run": context["run_id"]}
    if step in CROWNING:
        facts = {name: result[name] for name in ("version", "release", "previous")}
        context["outlet_events"][champion_asset(model)].extra = {**run, **facts}
    elif step == "drift" and result["verdict"] in TROUBLE:
        facts = {"verdict": result["verdict"], "window_end": result["window"]["end"]}
        context["outlet_events"][_alias(model)].add(incidents_asset(model), extra={**run, **facts})


@lru_cache(maxsize=8)
# Two DAGs of a model have it, and Airflow takes long to check its address.
def _champion(model: str) -> Asset:
    return champion_asset(model)


def _alias(model: str) -> AssetAlias:
    return AssetAlias(name=f"{model}_drift")
