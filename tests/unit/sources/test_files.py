"""The source of files: what is picked, how it is read, and what ends at a limit."""

import bz2
import gzip
import io
import lzma
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import BadData, Unreachable
from pipelines.sources.archives import member_of
from pipelines.sources.parsing import Reading, parse
from tests.unit.sources.days import CSV, DAY, FIRST, files


def zstd(data):
    return pa.Codec("zstd").compress(data, asbytes=True)


def test_rows_are_picked_by_event_time_from_files_of_all_times(tmp_path):
    (tmp_path / "a.csv").write_bytes(CSV)
    (tmp_path / "b.csv").write_bytes(b"at,x\n2024-01-01T06:00:00Z,\n")
    table = files(tmp_path, "*.csv").read(DAY).tables["events"]
    assert sorted(table.column("x").to_pylist(), key=str) == [1, 3, None]
    assert table.schema.field("at").type == pa.timestamp("us", tz="UTC")


def test_files_of_one_interval_are_taken_whole_so_that_wrong_times_are_seen(tmp_path):
    (tmp_path / "2024-01-01.csv").write_bytes(CSV)
    assert files(tmp_path, "{start:%Y-%m-%d}.csv").read(DAY).tables["events"].num_rows == 3


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("rows.parquet", None, id="Parquet"),
        pytest.param("rows.json", b'[{"at": "2024-01-01T05:00:00Z", "x": 1}]', id="a JSON list"),
        pytest.param("rows.jsonl", b'{"at": "2024-01-01T05:00:00Z", "x": 1}\n', id="JSON lines"),
        pytest.param("rows.csv.gz", "gzip", id="a compressed CSV"),
    ],
)
def test_formats(tmp_path, name, data):
    path = tmp_path / name
    if data is None:
        pq.write_table(pa.table({"at": pa.array([FIRST.replace(hour=5)]), "x": [1]}), path)
    else:
        path.write_bytes(gzip.compress(CSV) if data == "gzip" else data)
    assert files(tmp_path, name).read(DAY).tables["events"].column("x").to_pylist()[0] == 1


def test_a_member_of_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        archive.writestr("inside.csv", CSV)
    assert files(tmp_path, "rows.zip", member="inside.csv").read(DAY).tables["events"].num_rows == 2


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("x.csv", b'a,b\n"1,2\n3,4', id="an open quote"),
        pytest.param("x.csv", b"", id="an empty file"),
        pytest.param("x.csv", b"at,x\n\xff\xfe,1\n", id="bad UTF-8"),
        pytest.param("x.csv", b"a,b\n1,2,3,4\n", id="too many fields"),
        pytest.param("x.parquet", b"PAR1 and then nothing", id="a torn Parquet"),
        pytest.param("x.json", b'{"at": ', id="torn JSON"),
    ],
)
def test_what_cannot_be_parsed_is_a_problem_with_its_bytes_kept(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    raw = files(tmp_path, name).read(DAY)
    assert raw.tables == {}
    assert name in raw.problem
    assert raw.unread == data


def test_a_missing_file_may_come_later(tmp_path):
    with pytest.raises(Unreachable, match="No file matches"):
        files(tmp_path, "nothing-*.csv").read(DAY)


def test_a_bomb_ends_at_the_limit():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.csv", b"0" * 100_000)
    with pytest.raises(
        BadData,
        match=r"bomb.zip: member 'zeros.csv' \(100000 bytes\) unpacks to more than 1000 bytes",
    ):
        member_of(packed.getvalue(), "zeros.csv", "bomb.zip", 1_000)
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": list(range(5_000))}), buffer)
    with pytest.raises(BadData, match="more than 1000"):
        parse(buffer.getvalue(), "parquet", "bomb.parquet", Reading(most=1_000))


def test_a_parquet_that_lies_about_its_size_ends_at_the_limit():
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": ["a" * 10_000] * 5_000}), buffer)
    size = sum(pq.ParquetFile(buffer).metadata.row_group(i).total_byte_size for i in range(1))
    assert size < 50_000
    with pytest.raises(
        BadData, match=r"bomb\.parquet unpacks to [0-9]{8} bytes, more than 1000000"
    ):
        parse(buffer.getvalue(), "parquet", "bomb.parquet", Reading(most=1_000_000))


@pytest.mark.parametrize(
    ("ending", "compress"),
    [("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstd)],
)
def test_a_compressed_bomb_ends_at_the_limit_as_a_problem(tmp_path, ending, compress):
    (tmp_path / f"zeros.csv.{ending}").write_bytes(compress(b"0" * 100_000))
    raw = files(tmp_path, f"zeros.csv.{ending}", most=1_000).read(DAY)
    assert f"zeros.csv.{ending} unpacks to more than 1000 bytes" in raw.problem
    (tmp_path / f"fits.csv.{ending}").write_bytes(compress(CSV))
    assert (
        files(tmp_path, f"fits.csv.{ending}", most=1_000).read(DAY).tables["events"].num_rows == 2
    )


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(CSV, mtime=0)[:-9], id="cut short"),
        pytest.param(b"no gzip at all", id="not compressed"),
        pytest.param(gzip.compress(CSV, mtime=0)[:12] + b"\xff" * 40, id="overwritten"),
    ],
)
def test_a_torn_compressed_file_is_a_problem(tmp_path, data):
    (tmp_path / "torn.csv.gz").write_bytes(data)
    assert "no readable compressed file" in files(tmp_path, "torn.csv.gz").read(DAY).problem


def test_a_literal_brace_is_written_twice(tmp_path):
    (tmp_path / "{a}.csv").write_bytes(CSV)
    assert files(tmp_path, "{{a}}.csv").read(DAY).tables["events"].num_rows == 2
