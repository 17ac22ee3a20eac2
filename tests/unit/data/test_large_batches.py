"""A batch that is read part by part is the batch that is read in memory, to its hash."""

import gzip
import logging
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.data.accepting import accept_schema
from pipelines.data.large_batches import keep_batch
from pipelines.errors import SpecError, Unreachable
from pipelines.intervals import containing
from pipelines.sources import open_source
from tests.worlds import FIRST, visits

DAY = containing(FIRST, "day")
ROWS = 60_000
SMALL, LARGE = "108m", "4g"
"""With less the child that reads has no room, with more the file is not large."""


@pytest.fixture
def kept(world, ports, caplog):
    """Keep the first day's batch with little memory and with much, and compare."""
    accept_schema(world.context(ports))
    caplog.set_level(logging.INFO, "perennial")

    def keep(memory, **settings):
        context = world.context(ports)
        settings = {"memory": memory, **settings}
        context = replace(context, settings=context.settings.model_copy(update=settings))
        source = open_source(context.spec, context.settings)
        manifest = keep_batch(context, source, DAY)
        assert not list(context.settings.spill.iterdir())
        return manifest

    def both(*, is_large=True):
        caplog.clear()
        one, eight = (keep(SMALL, engine_threads=threads) for threads in (1, 8))
        assert ("read part by part" in caplog.text) is is_large
        caplog.clear()
        expected = keep(LARGE)
        assert "read part by part" not in caplog.text
        assert one == eight
        assert one == expected
        return one

    return both


def write(world, frame, name="2024-01-01.csv"):
    frame.to_csv(world.home / "raw" / name, index=False)


def test_the_hash_is_that_of_a_batch_in_memory(world, kept):
    frame = visits(0, ROWS)
    write(world, frame)
    table = kept().tables["events"]
    assert (table.rows, table.columns["at"]) == (ROWS, "timestamp[us, tz=UTC]")
    write(world, frame.sample(frac=1, random_state=1))
    assert kept().tables["events"] == table


def test_small_files_are_read_in_memory(world, kept):
    write(world, visits(0, 500))
    kept(is_large=False)


def test_compressed_files_and_several_are_read_alike(world, kept):
    frame = visits(0, ROWS)
    write(world, frame)
    plain = kept()
    path = world.raw(0)
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    world.respec("%Y-%m-%d}.csv", "%Y-%m-%d}*.csv*")
    assert kept() == plain
    path.with_suffix(".csv.gz").unlink()
    write(world, frame[: ROWS // 3], "2024-01-01-1.csv")
    write(world, frame[ROWS // 3 :], "2024-01-01-2.csv")
    assert kept() == plain


def test_one_file_of_all_times_gives_each_interval_its_rows(world, kept, ports):
    frame = visits(0, ROWS)
    frame.loc[::3, "at"] = "2024-01-02T00:00:00Z"
    write(world, frame, "all.csv")
    world.respec("{start:%Y-%m-%d}.csv", "all.csv")
    assert 0 < kept().tables["events"].rows < ROWS
    write(world, frame.assign(at="2024-01-03T00:00:00Z"), "all.csv")
    assert kept().tables["events"].rows == 0


def test_parquet_and_made_keys_are_kept_alike(world, kept):
    frame = visits(0, 90_000)
    world.respec("%Y-%m-%d}.csv", "%Y-%m-%d}.parquet")
    path = world.raw(0).with_suffix(".parquet")
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=7_000)
    kept()
    (world.home / "models" / "sales" / "schema.yaml").unlink()
    world.respec("key: [visit]", "key: row")
    twice = pa.Table.from_pandas(frame.drop(columns="visit"), preserve_index=False)
    pq.write_table(pa.concat_tables([twice, twice.slice(0, 99)]), path)
    table = kept().tables["events"]
    assert (table.rows, list(table.columns)[-1]) == (90_099, "row_key")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda f: f.drop(columns="pages"), "'pages' is gone"),
        (lambda f: f.assign(pages=[*f["pages"][:-1], "many"]), f"line {ROWS + 1}: the column"),
        (lambda f: f.assign(visit=[None, *f["visit"][1:]]), "'visit' has 1 row without a value"),
        (lambda f: f.assign(at="never", visit=f["visit"] + "-" * 30), "'at' (time) holds 'never'"),
        (lambda f: f.assign(channel=['"', *f["channel"][1:]]), "a quote begins there"),
    ],
)
def test_what_is_wrong_with_a_batch_is_the_same_problem(world, kept, edit, words):
    frame = edit(visits(0, ROWS))
    frame.to_csv(world.raw(0), index=False, quoting=3, escapechar="\\", doublequote=False)
    if words.startswith("a quote"):
        world.raw(0).write_text(world.raw(0).read_text().replace("\\", ""))
    manifest = kept()
    assert words in manifest.problem
    assert not manifest.tables


def test_the_bytes_of_an_unreadable_file_are_kept(world, kept, ports):
    write(world, visits(0, ROWS))
    with world.raw(0).open("a") as file:
        file.write("1,2\n")
    manifest = kept()
    assert f"line {ROWS + 2}: 2 fields" in manifest.problem
    assert ports.store.get(manifest.raw) == world.raw(0).read_bytes()


def test_a_new_column_is_left_out_and_said(world, kept):
    write(world, visits(0, ROWS).assign(weather="rain"))
    assert "does not know 'weather' (text)" in kept().notices[0]


def test_a_key_that_is_taken_is_no_problem_of_the_batch(world, ports):
    world.respec("key: [visit]", "key: row")
    pq.write_table(
        pa.table({"at": [FIRST] * 10**6, "ROW_KEY": range(10**6)}),
        world.raw(0).with_suffix(".parquet"),
    )
    world.respec("%Y-%m-%d}.csv", "%Y-%m-%d}.parquet")
    context = world.context(ports)
    context = replace(context, settings=context.settings.model_copy(update={"memory": SMALL}))
    source = open_source(context.spec, context.settings)
    for _ in range(2):  # the rows that nobody took do not stand before the next answer
        with pytest.raises(SpecError, match="ROW_KEY"):
            keep_batch(context, source, DAY)
    world.raw(0).with_suffix(".parquet").unlink()
    with pytest.raises(Unreachable, match=r"2024-01-01\.parquet"):
        keep_batch(context, source, DAY)
