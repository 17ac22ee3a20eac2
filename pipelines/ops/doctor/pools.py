"""Checks of Airflow's pools: in one that is not there, tasks wait for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import column, create_engine, make_url, select, table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from pipelines.ops.findings import Finding, ok, problem, warning
from pipelines.plurals import how_many
from pipelines.settings import airflow_database
from pipelines.spec import load_all
from pipelines.spec.resources import say_unknown_pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

    from pipelines.settings import Settings

_POOLS = table("slot_pool", column("pool"), column("slots"))
_START = "start the stack anew (`make down up`, `docker compose up -d`), which makes it so."


def check_pools(settings: Settings) -> Iterator[Finding]:
    """Every pool that a model names is one of the settings, and Airflow has it with its slots."""
    known, what = settings.pool_slots, "pools"
    unknown = False
    for name, spec in load_all(settings.models)[0].items():
        for pool in sorted(spec.resources.named_pools - known.keys()):
            unknown = True
            yield problem(
                f"{what}: {name}",
                f"{say_unknown_pool(pool, known)}; the model has no DAG with such a task.",
                f"add it to PERENNIAL_POOLS with its slots (`{pool}=2`), or name another one in"
                f" models/{name}/model.yaml; then start the stack anew.",
            )
    if not known and not unknown:
        yield ok(what, "no pools are set (PERENNIAL_POOLS), and no model names one")
    elif known:
        yield from _check_airflow(settings, known)


def _check_airflow(settings: Settings, known: dict[str, int]) -> Iterator[Finding]:
    what = "pools"
    try:
        found = _read(make_url(airflow_database(settings)))
    except SQLAlchemyError as error:
        yield warning(
            what,
            f"Airflow's database cannot be asked for its pools: {type(error).__name__}.",
            "start the stack; then look again.",
        )
        return
    for pool, slots in known.items():
        if pool not in found:
            text = f"Airflow has no pool {pool}: its tasks wait for ever."
            yield problem(f"{what}: {pool}", text, _START)
        elif found[pool] != slots:
            text = f"has {how_many(found[pool], 'slot')} in Airflow, {slots} by PERENNIAL_POOLS"
            yield warning(f"{what}: {pool}", text, _START)
        else:
            yield ok(f"{what}: {pool}", f"is there, with {how_many(slots, 'slot')}")


def _read(url: URL) -> dict[str, int]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = connection.execute(select(_POOLS.c.pool, _POOLS.c.slots))
        return {str(pool): int(slots) for pool, slots in rows}
