"""What DuckDB may use in one step."""

import fcntl
import os

import duckdb
import pytest
from pydantic import ValidationError

from pipelines.byte_sizes import bytes_of
from pipelines.engine import LEAST_MEMORY, configuration, engine_of, step_memory, work_folder
from pipelines.settings import Settings
from pipelines.spec.resources import Resources

GIB = 2**30


@pytest.mark.parametrize(
    ("text", "kept"), [("2g", "2g"), ("2GB", "2g"), ("512 MiB", "512m"), ("512mb", "512m")]
)
def test_memory_is_kept_as_docker_writes_it(text, kept):
    assert Resources(memory=text).memory == kept
    assert Settings(memory=text).memory == kept


@pytest.mark.parametrize("text", ["2", "0g", "2GBs", "2TB", "-1g", "1.5GB"])
def test_what_is_no_memory_is_refused(text):
    with pytest.raises(ValidationError):
        Resources(memory=text)


def test_the_spec_goes_before_the_setting_and_half_of_it_is_the_engine_s(tmp_path):
    settings = Settings(memory="300m", spill=tmp_path, engine_threads=3)
    assert bytes_of("2g") == 2 * GIB
    assert step_memory(Resources(memory="200m"), settings.memory) == 200 * 2**20
    assert engine_of(Resources(), settings).memory == 150 * 2**20
    assert engine_of(Resources(memory="1m"), settings).memory == LEAST_MEMORY
    assert engine_of(Resources(cpus=0.5), settings).threads == 3
    assert engine_of(Resources(cpus=0.5), Settings(spill=tmp_path)).threads == 1


def test_duckdb_keeps_to_it(tmp_path):
    engine = engine_of(Resources(memory="300m"), Settings(spill=tmp_path, engine_threads=2))
    with duckdb.connect(config=configuration(engine, tmp_path)) as connection:
        names = "('memory_limit', 'threads', 'temp_directory')"
        values = dict(
            connection.sql(
                f"SELECT name, value FROM duckdb_settings() WHERE name IN {names}"
            ).fetchall()
        )
    assert values == {
        "memory_limit": "150.0 MiB", "threads": "2", "temp_directory": str(tmp_path),
    }  # fmt: skip


def test_a_work_folder_is_gone_afterwards_and_so_is_what_a_killed_process_left(tmp_path):
    killed, alive = tmp_path / "step-killed", tmp_path / "step-alive"
    for folder in (killed, alive):
        folder.mkdir()
        (folder / "rows").write_text("much")
    handle = os.open(alive, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with work_folder(tmp_path) as own:
        assert sorted(tmp_path.iterdir()) == sorted([alive, own])
    assert list(tmp_path.iterdir()) == [alive]
    os.close(handle)
