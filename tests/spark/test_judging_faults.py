"""What befalls a cluster that judges a batch: the same findings, or a named error."""

from __future__ import annotations

import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import TryAgain, Unreachable
from pipelines.spark.session import end_sessions
from pipelines.validation.on_spark import check_on_spark
from pipelines.validation.run import TableRows, check_table

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

ROWS = 400_000
SUBJECT = "expectations/events.json"


def expect(kind, **kwargs):
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": "critical"}


SUITE = [
    expect("column_values_to_be_unique", column="id"),
    expect("column_values_to_be_unique", column="shop"),
    expect("column_values_to_be_between", column="amount", min_value=5),
    expect("compound_columns_to_be_unique", column_list=["shop", "amount"]),
    expect("column_sum_to_be_between", column="amount", min_value=1),
    expect("column_unique_value_count_to_be_between", column="name", min_value=1),
    expect("column_values_to_match_regex", column="name", regex="^shop [0-9]+$"),
]


@pytest.fixture
def events(tmp_path):
    """A file of rows, 90 % of which are of one shop, and what is found of it in memory."""
    chance = np.random.default_rng(5)
    shops = chance.integers(0, 2_000, ROWS)
    shops[: ROWS * 9 // 10] = 7
    table = pa.table(
        {
            "id": pa.array(np.arange(ROWS)),
            "shop": pa.array(shops),
            "name": pa.array([f"shop {shop}" for shop in shops]),
            "amount": pa.array(chance.integers(0, 1_000, ROWS)),
        }
    )
    path = tmp_path / "events.parquet"
    pq.write_table(table, path, row_group_size=50_000)
    return path, table


def judge(events, place, suite=SUITE):
    path, table = events
    here = TableRows("events", table)
    return check_on_spark("events", path, suite, SUBJECT, place, here)


def test_two_workers_without_python_find_what_is_found_here_though_a_key_is_skewed(cluster, events):
    """The workers' Python is /nowhere/python: what they run is Spark's own."""
    assert judge(events, cluster.place()) == check_table("events", events[1], SUITE, SUBJECT)


def kill_one(cluster, killed):
    time.sleep(1.5)  # within the question
    victim = cluster.executors()[0]
    victim.kill()
    killed.append(victim.pid)


def test_an_executor_killed_in_the_middle_is_replaced_and_the_findings_are_the_same(
    own_cluster, events
):
    own_cluster.start()
    place = own_cluster.place()
    first = judge(events, place)
    killed = []
    killer = threading.Thread(target=kill_one, args=(own_cluster, killed))
    killer.start()
    assert judge(events, place) == first
    killer.join()
    assert all(p.pid not in killed for p in own_cluster.executors())


def test_executors_lost_again_and_again_are_named_and_not_taken_for_a_finding(own_cluster, events):
    own_cluster.start()
    place = own_cluster.place(conf={"spark.task.maxFailures": "1"})
    judge(events, place, SUITE[2:3])  # so that executors run
    done = threading.Event()

    def kill_all():
        while not done.wait(0.2):
            for one in own_cluster.executors():
                one.kill()

    killer = threading.Thread(target=kill_all)
    killer.start()
    try:
        with pytest.raises(TryAgain, match=r"lost its executors|went away") as caught:
            judge(events, place)
    finally:
        done.set()
        killer.join()
    assert caught.value.remedy


def test_values_that_are_too_many_for_the_driver_are_judged_here(cluster, events, caplog):
    place = cluster.place(conf={"spark.driver.maxResultSize": "64k"})
    asked = [expect("column_most_common_value_to_be_in_set", column="id", value_set=[1])]
    caplog.set_level("INFO", "perennial")
    assert judge(events, place, asked) == check_table("events", events[1], asked, SUBJECT)
    assert "most_common_value_to_be_in_set judged here: " in caplog.text
    assert "maxResultSize" in caplog.text


def test_a_master_that_is_away_is_named(own_cluster, events):
    with pytest.raises(Unreachable, match="No Spark master listens"):
        judge(events, own_cluster.place(seconds=5.0))
    end_sessions()
