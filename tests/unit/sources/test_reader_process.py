import contextlib
import gzip
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.columns.storable import say_once
from pipelines.errors import Unreachable
from pipelines.fence.memory import group_limits
from pipelines.intervals import containing
from pipelines.settings import Settings
from pipelines.sources import open_source
from pipelines.sources.memory_limit import most_memory
from pipelines.sources.reader_process import ReaderProcess
from pipelines.spec.resources import Resources
from pipelines.spec.sources import FilesSource, SqlSource
from tests.conftest import ROOT
from tests.dags.specs import make_spec

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAY = containing(FIRST, "day")
MIB = 2**20


def apart(source, tmp_path, *, seconds=120.0, most=1024 * MIB):
    return ReaderProcess(source, "at", tmp_path, tmp_path / "cache", seconds=seconds, most=most)


def files(uri):
    return FilesSource(kind="files", uri=uri, first=FIRST)


def test_a_process_apart_answers_as_the_reader_does_and_says_what_the_reader_says(tmp_path, caplog):
    say_once.cache_clear()
    (tmp_path / "2024-01-01.csv").write_bytes(
        b"at,x\n2024-01-01T05:00:00.1234567Z,9007199254740993\n2024-01-01T06:00:00Z,NA\n"
    )
    (tmp_path / "2024-01-03.csv").write_bytes(b"at,x\n1\n")
    source = apart(files("{start:%Y-%m-%d}.csv"), tmp_path)
    rows = source.read(DAY).tables["events"].to_pylist()
    assert [row["x"] for row in rows] == [9007199254740993, None]
    assert rows[0]["at"].microsecond == 123_456
    assert any(
        "the column 'at' has times finer than a microsecond" in message
        for message in caplog.messages
    )
    process = source._child._process.pid
    with pytest.raises(Unreachable, match="2024-01-02"):
        source.read(containing(FIRST + timedelta(days=1), "day"))
    torn = source.read(containing(FIRST + timedelta(days=2), "day"))
    assert "line 2: 1 fields, where the header has 2" in torn.problem
    assert torn.unread == b"at,x\n1\n"
    assert source._child._process.pid == process
    os.kill(process, signal.SIGKILL)
    source._child._process.wait()
    assert source.read(DAY).tables["events"].num_rows == 2


def test_a_process_that_sent_rows_part_by_part_ends_with_the_last(tmp_path):
    rows = 2_000_000
    times = pa.array([FIRST], pa.timestamp("us", tz="UTC")).take(pa.array([0] * rows))
    pq.write_table(pa.table({"at": times, "x": pa.array(range(rows))}), tmp_path / "day.parquet")
    source = apart(files("day.parquet"), tmp_path, most=100 * MIB)
    for _ in range(2):
        parts = source.stream(DAY, tmp_path).tables
        taken = next(parts).num_rows
        process = psutil.Process(source._child._process.pid)
        taken += sum(part.num_rows for part in parts)
        assert taken == rows
        assert not process.is_running()


class _Dripping(http.server.BaseHTTPRequestHandler):
    """Answers for the first day; for any other it sends one byte after another, for ever."""

    ended = threading.Event()

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(ROWS) if "01.csv" in self.path else 1_000_000))
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()
        if "01.csv" in self.path:
            self.wfile.write(ROWS)
            return
        with contextlib.suppress(OSError):  # the reader was killed
            while not self.ended.wait(0.05):
                self.wfile.write(b"0")

    def log_message(self, *args):
        pass


@pytest.fixture
def dripping():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Dripping)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/{{start:%d}}.csv"
    _Dripping.ended.set()
    server.shutdown()
    server.server_close()
    thread.join()


ROWS = b"at,x\n2024-01-01T05:00:00Z,1\n"
ENDLESS = (
    "with recursive n(x) as (select 1 union all select x + 1 from n where x < 3 or :start >="
    " '2024-01-02') select count(*) as c from n where :start < :end"
)


@pytest.mark.parametrize("kind", ["files", "sql"])
def test_a_read_that_never_ends_is_ended(tmp_path, monkeypatch, dripping, kind):
    monkeypatch.setenv("PERENNIAL_SQL_SHOP", "sqlite://")
    source = (
        SqlSource(kind="sql", database="shop", query=ENDLESS, first=FIRST)
        if kind == "sql"
        else files(dripping)
    )
    reader = apart(source, tmp_path)
    assert reader.read(DAY).tables["events"].num_rows == 1
    process = psutil.Process(reader._child._process.pid)
    reader._seconds = 0.5
    with pytest.raises(
        Unreachable, match=rf"The {kind} source took longer than 0.5 s to read 2024-01-02"
    ) as caught:
        reader.read(containing(FIRST + timedelta(days=1), "day"))
    assert "source.timeout" in caught.value.remedy
    assert not process.is_running()


def test_a_reader_that_is_killed_while_it_reads_may_be_tried_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PERENNIAL_SQL_SHOP", "sqlite://")
    reader = apart(SqlSource(kind="sql", database="shop", query=ENDLESS, first=FIRST), tmp_path)
    assert reader.read(DAY).tables["events"].num_rows == 1
    killer = threading.Timer(0.3, os.kill, (reader._child._process.pid, signal.SIGKILL))
    killer.start()
    with pytest.raises(Unreachable, match=r"the process that read 2024-01-02.* was killed"):
        reader.read(containing(FIRST + timedelta(days=1), "day"))
    killer.join()


def bomb(path):
    if path.suffix == ".parquet":
        one = pa.DictionaryArray.from_arrays(
            pa.array([0] * 400, pa.int32()), pa.array(["a" * 4 * MIB])
        )
        pq.write_table(
            pa.table({"x": one}), path, store_schema=path.stem == "kept"
        )  # 1.6 GB in a file of 4 MB
    else:
        with gzip.open(path, "wb", compresslevel=1) as packed:
            packed.write(b"at,x\n")
            for _ in range(300):
                packed.write(b"0,1\n" * 2**18)


READ_AND_TELL = """
import json, resource, sys
from pathlib import Path
from tests.unit.sources.test_reader_process import DAY, MIB, apart, files
raw = apart(files(sys.argv[1]), Path(sys.argv[2]), most=200 * MIB).read(DAY)
print(json.dumps([raw.problem, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024]))
"""


@pytest.mark.parametrize("name", ["kept.parquet", "bomb.parquet", "bomb.csv.gz"])
def test_a_bomb_is_a_problem_that_names_the_file_and_the_limit_and_takes_no_more_than_that(
    tmp_path, name
):
    """In a process of its own.

    What the children of a test's process took is the most of all of them.
    """
    bomb(tmp_path / name)
    command = [sys.executable, "-c", READ_AND_TELL, name, str(tmp_path)]
    problem, most_of_any_child = json.loads(
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    )
    assert name in problem
    assert (
        "takes more than 200 MiB" in problem
        or "unpacks to more than" in problem
        or "takes more memory" in problem
    )
    assert "memory" in problem
    assert most_of_any_child < 1024 * MIB


def test_the_limits_come_from_the_spec_and_the_settings(tmp_path):
    spec = make_spec()
    plain, own = files("x.csv"), files("x.csv").model_copy(update={"timeout": timedelta(minutes=2)})
    limited = spec.model_copy(update={"source": own, "resources": Resources(memory="100m")})
    source = open_source(limited, Settings(home=tmp_path))
    assert (source._seconds, source._most) == (120, 50 * MIB)
    source = open_source(
        spec.model_copy(update={"source": plain}), Settings(home=tmp_path, source_timeout_seconds=7)
    )
    assert source._seconds == 7


def test_the_smallest_limit_of_machine_container_and_spec_counts(tmp_path):
    groups = tmp_path / "fs"
    for path, limit in {
        "a/b/memory.max": "max",
        "a/memory.max": "5000",
        "memory/c/memory.limit_in_bytes": "7000",
        "memory/memory.limit_in_bytes": "9223372036854771712",
    }.items():
        (groups / path).parent.mkdir(parents=True, exist_ok=True)
        (groups / path).write_text(limit + "\n")
    (tmp_path / "own").write_text("4:memory:/c\n3:cpuset:/\n0::/a/b\n")
    assert sorted(group_limits(groups, tmp_path / "own")) == [5000, 7000, 9223372036854771712]
    assert list(group_limits(groups, Path("/nowhere"))) == []
    assert most_memory(Resources(memory="64m")) == 32 * MIB
    assert most_memory(Resources()) > 32 * MIB
