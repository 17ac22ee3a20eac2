"""`doctor` looks at Airflow's pools: in one that is missing, tasks wait for ever."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest

from pipelines.ops.doctor.pools import check_pools
from pipelines.ops.findings import run_check


@pytest.fixture
def airflow(world, monkeypatch):
    """Airflow's database as far as pools go, with the pools that it is given."""
    file = world.home / "airflow.db"
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{file}")

    def has(**slots):
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.execute("create table slot_pool (id integer, pool text, slots integer)")
            rows = [(number, *row) for number, row in enumerate(slots.items())]
            database.executemany("insert into slot_pool values (?, ?, ?)", rows)
            database.commit()

    return has


def look(settings):
    found = run_check("pools", lambda: check_pools(settings))
    return {f.what: (f.state, f.said, f.remedy) for f in found}


def test_without_pools_all_is_well(world):
    [(state, said, _)] = look(world.settings).values()
    assert (state, said) == ("ok", "no pools are set (PERENNIAL_POOLS), and no model names one")


def test_a_model_s_pool_that_is_not_set_is_named(world):
    world.respec("alike:", "resources: {pools: {train: gpu}}\nalike:")
    [(what, (state, said, remedy))] = look(world.settings).items()
    assert (what, state) == ("pools: sales", "problem")
    assert "no pool 'gpu'" in said
    assert "`gpu=2`" in remedy


def test_airflow_s_pools_are_compared_with_those_that_are_set(world, airflow):
    airflow(gpu=1, warehouse=3)
    found = look(world.settings.replace(pools="gpu=1,warehouse=2,disk=4"))
    assert {what: state for what, (state, _, _) in found.items()} == {
        "pools: gpu": "ok",
        "pools: warehouse": "warning",
        "pools: disk": "problem",
    }
    assert found["pools: warehouse"][1] == "has 3 slots in Airflow, 2 by PERENNIAL_POOLS"
    assert found["pools: disk"][1] == "Airflow has no pool disk: its tasks wait for ever."


@pytest.mark.usefixtures("airflow")
def test_a_database_that_does_not_answer_is_a_warning(world):
    [(state, said, _)] = look(world.settings.replace(pools="gpu=1")).values()
    assert state == "warning"
    assert "cannot be asked for its pools" in said
