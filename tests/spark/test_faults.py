"""What befalls a cluster: tried again with equal rows, or a named error with its remedy."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis import _

from pipelines.building.files import build_file
from pipelines.building.question import BuildQuestion, RawTable
from pipelines.errors import GiveUp, SpecError, Unreachable
from pipelines.spark.session import SparkSession, end_sessions

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

START = datetime(2024, 1, 1, tzinfo=UTC)
SUBJECT = "models/m/features.py"
ROWS = 300_000


def write_events(folder, *, share_of_one=0.0):
    """Rows of shops; `share_of_one` of them are of one shop."""
    chance = np.random.default_rng(11)
    shops = chance.integers(0, 2_000, ROWS)
    shops[: int(ROWS * share_of_one)] = 7
    table = pa.table(
        {
            "id": pa.array(np.arange(ROWS)),
            "at": pa.array(
                chance.integers(0, 86_400 * 20, ROWS) * 1_000_000 + int(START.timestamp() * 1e6),
                pa.timestamp("us", tz="UTC"),
            ),
            "shop": pa.array(shops),
            "amount": pa.array(chance.integers(0, 1_000, ROWS)),
        }
    )
    for number in range(8):
        part = table.slice(number * ROWS // 8, ROWS // 8)
        pq.write_table(part, folder / f"{number}.parquet")


def build(tables):
    rows = tables["events"].mutate(day=(_.at.epoch_seconds() // 86_400).cast("int64"))
    days = rows.group_by(["shop", "day"]).agg(sold=_.amount.sum(), visits=_.count())
    window = ibis.window(group_by="shop", order_by="day", range=(-7, -1))
    before = days.select("shop", "day", before=_.sold.sum().over(window))
    joined = rows.left_join(before, ["shop", "day"])
    return joined.select("id", "at", "shop", "amount", "before")


def ask(folder, place, code=build, tables=None):
    raw = RawTable(
        files=[str(folder / f"{number}.parquet") for number in range(8)],
        columns=["id", "at", "shop", "amount"],
        floats=[],
        time="at",
    )
    end = START + timedelta(days=20)
    question = BuildQuestion(
        tables={"events": raw, **(tables or {})},
        since=START,
        start=START,
        end=end,
        event_time="at",
        order=["at", "id"],
        columns=["id", "at", "shop", "amount", "before"],
        inputs=[],
        derived=None,
        memory=2**29,
        threads=2,
        folder=str(folder),
        target=str(folder / f"{'spark' if place else 'duckdb'}.parquet"),
        any_order=False,
        spark=place,
    )
    answer = build_file(code, question, SUBJECT)
    assert answer.rows == ROWS
    return (folder / question.target).read_bytes()


def test_an_executor_killed_in_the_middle_is_replaced_and_the_rows_are_the_same(
    own_cluster, tmp_path
):
    write_events(tmp_path)
    own_cluster.start()
    place = own_cluster.place()
    ask(tmp_path, place)  # so that executors run
    killed = []

    def kill_one():
        time.sleep(0.7)  # within the job: files are read, nothing is written
        victim = own_cluster.executors()[0]
        victim.kill()
        killed.append(victim.pid)

    killer = threading.Thread(target=kill_one)
    killer.start()
    rows = ask(tmp_path, place)
    killer.join()
    assert killed
    assert rows == ask(tmp_path, None)
    assert all(p.pid not in killed for p in own_cluster.executors())


def test_a_skewed_key_gives_the_same_rows(cluster, tmp_path):
    write_events(tmp_path, share_of_one=0.9)
    conf = {
        "spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes": "100k",
        "spark.sql.adaptive.advisoryPartitionSizeInBytes": "64k",
        "spark.sql.autoBroadcastJoinThreshold": "-1",
    }
    assert ask(tmp_path, cluster.place(conf=conf)) == ask(tmp_path, None)


def test_a_driver_without_memory_says_so_and_what_to_do(cluster, tmp_path):
    write_events(tmp_path)
    conf = {
        "spark.driver.memory": "512m",
        "spark.sql.autoBroadcastJoinThreshold": "2g",
        "spark.sql.adaptive.autoBroadcastJoinThreshold": "2g",
    }
    wide = [f"w{i}" for i in range(60)]
    # 600 MB as rows, little as a file.
    numbers = pa.array(np.full(4 * ROWS, 7))
    pq.write_table(
        pa.table({"key": pa.array(np.arange(4 * ROWS)), **dict.fromkeys(wide, numbers)}),
        tmp_path / "wide.parquet",
    )
    side = RawTable(
        files=[str(tmp_path / "wide.parquet")], columns=["key", *wide], floats=[], time=None
    )

    def broad(tables):
        joined = build(tables).left_join(tables["wide"], [("id", "key")])
        total = sum((joined[name] % 10 for name in wide), start=ibis.literal(0))
        return joined.select("id", "at", "shop", "amount", before=total)

    with pytest.raises(SpecError) as caught:
        ask(tmp_path, cluster.place(conf=conf), broad, {"wide": side})
    assert "Spark's driver has too little memory" in caught.value.message
    assert "spark.driver.memory=4g" in caught.value.remedy


def test_a_master_that_is_away_is_named_after_the_stated_time(spark_python, own_cluster):
    started = time.monotonic()
    with pytest.raises(Unreachable, match="No Spark master listens at spark://127") as caught:
        SparkSession(own_cluster.place(seconds=5.0))
    assert time.monotonic() - started >= 5
    assert "PERENNIAL_SPARK_MASTER" in caught.value.remedy


def test_a_master_without_workers_is_named_after_the_stated_time(own_cluster):
    own_cluster.start(workers=0)
    with pytest.raises(Unreachable, match="gave no worker within 5 s") as caught:
        SparkSession(own_cluster.place(seconds=5.0))
    assert "start workers" in caught.value.remedy


def test_a_master_that_goes_away_leaves_running_work_alone_and_new_work_an_error(
    own_cluster, tmp_path
):
    write_events(tmp_path)
    own_cluster.start()
    place = own_cluster.place(seconds=5.0)
    first = ask(tmp_path, place)
    own_cluster.kill("master")
    assert ask(tmp_path, place) == first, "the workers go on without their master"
    end_sessions()
    with pytest.raises(Unreachable, match="No Spark master listens"):
        ask(tmp_path, place)


def test_workers_need_no_python_of_any_version(cluster, tmp_path):
    """The workers' Python is /nowhere/python: what they run is SQL."""
    write_events(tmp_path)
    assert ask(tmp_path, cluster.place()) == ask(tmp_path, None)


def test_a_python_without_pyspark_is_named(own_cluster, tmp_path):
    own_cluster.start(workers=0)
    place = own_cluster.place().model_copy(update={"python": "/usr/bin/python3"})
    with pytest.raises(GiveUp, match="has no PySpark") as caught:
        SparkSession(place)
    assert "make spark" in caught.value.remedy


def test_a_folder_between_driver_and_workers(cluster, tmp_path):
    """What driver and workers share is one folder's URL; files are brought there and back."""
    raw, shared = tmp_path / "raw", tmp_path / "shared"
    raw.mkdir()
    shared.mkdir()
    write_events(raw)
    place = cluster.place(folder=f"file://{shared}")
    assert ask(raw, place) == ask(raw, None)
    end_sessions()
    assert list(shared.iterdir()) == [], "nothing is left there"
