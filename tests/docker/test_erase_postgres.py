"""Airflow's database on a real PostgreSQL: looked at by `traces`, cleaned by `erase`."""

from __future__ import annotations

import pytest
from sqlalchemy import make_url

from pipelines.ops.erasure.outside import clean_outside
from pipelines.ops.traces.outside import in_database
from pipelines.ops.traces.sought import Sought
from pipelines.settings import Settings
from tests.docker import postgres

pytestmark = [pytest.mark.engine, pytest.mark.slow]

SOUGHT = [Sought(frozenset({"c-4711"}))]


def test_results_of_runs_that_are_over_go_and_no_others(engine, tmp_path, monkeypatch):
    with postgres.running(engine) as server:
        url = server.database()
        server.sql(
            "CREATE TABLE dag_run (id int PRIMARY KEY, dag_id text, run_id text, state text)",
            "CREATE TABLE xcom (dag_run_id int, task_id text, map_index int, key text, dag_id text,"
            " run_id text, value jsonb, PRIMARY KEY (dag_run_id, task_id, map_index, key))",
            "CREATE TABLE notes (id int, content text, raw bytea)",
            "INSERT INTO dag_run VALUES (1, 'retrain_sales', 'a', 'success'),"
            " (2, 'retrain_sales', 'b', 'running'), (3, 'retrain_other', 'a', 'success')",
            *(
                f"INSERT INTO xcom VALUES ({n}, 'gate', -1, 'r', '{dag}', '{run}', '{value}')"
                for n, dag, run, value in (
                    (1, "retrain_sales", "a", '{"reasons": ["visit = c-4711"]}'),
                    (2, "retrain_sales", "b", '"{\\"reasons\\": [\\"c-4711\\"]}"'),
                    (3, "retrain_other", "a", '"c-4711"'),
                )
            ),
            "INSERT INTO notes VALUES (4711, 'of c-47110', 'x')",
            url=url,
        )
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", url)
        found = dict(in_database(make_url(url), SOUGHT))
        assert found == {"table dag_run": False, "table xcom": True, "table notes": False}
        settings = Settings(state=tmp_path)
        assert clean_outside(settings, "sales", SOUGHT) == 1
        left = server.sql("SELECT dag_run_id FROM xcom ORDER BY 1", url=url)
        assert [row[0] for row in left] == [2, 3]
        server.sql("UPDATE dag_run SET state = 'failed' WHERE id = 2", url=url)
        assert clean_outside(settings, "sales", SOUGHT) == 1
        server.sql("DELETE FROM xcom WHERE dag_run_id = 3", url=url)
        assert not any(dict(in_database(make_url(url), SOUGHT)).values())
