import bz2
import contextlib
import functools
import gzip
import http.server
import io
import json
import lzma
import sqlite3
import threading
import traceback
import zipfile
from datetime import UTC, datetime
from hashlib import sha256

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import BadData, RequestError, SpecError, StorageFull, Unreachable
from pipelines.intervals import containing
from pipelines.sources.files import Files
from pipelines.sources.http import Http
from pipelines.sources.parsing import member_of, parse
from pipelines.sources.python import Function
from pipelines.sources.sql import Sql
from pipelines.sources.urls import without_secrets
from pipelines.spec.sources import FilesSource, HttpSource, PythonSource, SqlSource
from tests.contracts.processes import small_disk

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAY = containing(FIRST, "day")
PASSWORD, SIGNED = "hunter2", "s1gned"


def zstd(data):
    return pa.Codec("zstd").compress(data, asbytes=True)


CSV = b"at,x\n2024-01-01T05:00:00Z,1\n2024-01-02T05:00:00Z,2\n2024-01-01T23:59:59Z,3\n"


def files(tmp_path, uri, most=10_000_000, **more):
    return Files(FilesSource(kind="files", uri=uri, first=FIRST, **more), "at", tmp_path, most=most)


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
        parse(buffer.getvalue(), "parquet", "bomb.parquet", 1_000)


def test_a_parquet_that_lies_about_its_size_ends_at_the_limit():
    buffer = io.BytesIO()
    pq.write_table(pa.table({"x": ["a" * 10_000] * 5_000}), buffer)
    size = sum(pq.ParquetFile(buffer).metadata.row_group(i).total_byte_size for i in range(1))
    assert size < 50_000
    with pytest.raises(
        BadData, match=r"bomb\.parquet unpacks to [0-9]{8} bytes, more than 1000000"
    ):
        parse(buffer.getvalue(), "parquet", "bomb.parquet", 1_000_000)


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


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, answers, asked, *args):
        self.answers, self.asked = answers, asked
        super().__init__(*args)

    def do_GET(self):
        self.asked.append(self.path)
        status, body = self.answers[min(len(self.asked), len(self.answers)) - 1]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    servers = []

    def start(*answers):
        asked: list[str] = []
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(_Handler, list(answers), asked)
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/rows.csv", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def http_source(url, cache, digest, **more):
    return Http(
        HttpSource(kind="http", url=url, sha256=digest, first=FIRST, **more),
        "at",
        cache,
        attempts=2,
    )


def test_a_download_is_verified_and_kept(tmp_path, serve):
    url, asked = serve((200, CSV))
    source = functools.partial(http_source, url, tmp_path, sha256(CSV).hexdigest())
    assert source().read(DAY).tables["events"].num_rows == 2
    assert source().read(DAY).tables["events"].num_rows == 2
    assert asked == ["/rows.csv"]


def test_a_damaged_cache_is_not_believed(tmp_path, serve):
    url, asked = serve((200, CSV))
    (tmp_path / sha256(CSV).hexdigest()).write_bytes(b"at,x\n2024-01-01T05:00:00Z,666\n")
    assert (
        http_source(url, tmp_path, sha256(CSV).hexdigest()).read(DAY).tables["events"].num_rows == 2
    )
    assert len(asked) == 1


def test_another_file_than_the_spec_says_is_a_problem(tmp_path, serve):
    url, _ = serve((200, b"at,x\n"))
    raw = http_source(url, tmp_path, "0" * 64).read(DAY)
    assert "as the spec says" in raw.problem


def test_a_server_that_stumbles_is_asked_again_and_one_that_is_away_is_named(tmp_path, serve):
    url, asked = serve((503, b""), (200, CSV))
    assert http_source(url, tmp_path, sha256(CSV).hexdigest()).read(DAY).problem is None
    assert len(asked) == 2
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        http_source("http://127.0.0.1:1/x.csv", tmp_path, "0" * 64).read(DAY)


def assert_no_secret(error, caplog):
    told = "".join(traceback.format_exception(error)) + caplog.text
    assert PASSWORD not in told
    assert SIGNED not in told


@pytest.mark.parametrize("status", [404, None])
def test_no_password_and_no_query_of_a_url_is_told(tmp_path, serve, caplog, status):
    caplog.set_level("DEBUG", "httpx")
    url, _ = serve((status or 200, b""))
    place = url.removeprefix("http://") if status else "127.0.0.1:1/rows.csv"
    secret = f"http://ann:{PASSWORD}@{place}?sig={SIGNED}"
    with pytest.raises(
        Unreachable,
        match=r"rows\.csv cannot be read: " + ("status 404" if status else "ConnectError"),
    ) as caught:
        http_source(secret, tmp_path, "0" * 64).read(DAY)
    assert_no_secret(caught.value, caplog)
    with pytest.raises(Unreachable, match=r"rows\.csv") as caught:
        files(tmp_path, secret).read(DAY)
    assert_no_secret(caught.value, caplog)


def test_no_secret_is_told_of_what_is_no_url_and_of_what_cannot_be_parsed(tmp_path, serve, caplog):
    with pytest.raises(SpecError, match="no readable URL") as caught:
        http_source(
            f"http://ann:{PASSWORD}/@127.0.0.1/x.csv?sig={SIGNED}", tmp_path, "0" * 64
        ).read(DAY)
    assert_no_secret(caught.value, caplog)
    with pytest.raises(Unreachable, match=r"magic://host/x\.csv") as caught:
        files(tmp_path, f"magic://ann:{PASSWORD}@host/x.csv?sig={SIGNED}").read(DAY)
    assert_no_secret(caught.value, caplog)
    url, _ = serve((200, b""))
    assert (
        files(tmp_path, f"{url}?sig=s1gned")
        .read(DAY)
        .problem.startswith("rows.csv is empty: not even a header")
    )
    assert (
        http_source(f"{url}?sig=s1gned", tmp_path, sha256(b"").hexdigest())
        .read(DAY)
        .problem.startswith("rows.csv is empty: not even a header")
    )


def test_secrets_in_any_form_are_left_out():
    url = "s3://ann:p%40ss@host/x.csv?sig=abc%2Fdef"
    assert without_secrets(f"no {url} here", url) == "no s3://host/x.csv here"
    assert (
        without_secrets("went to https://bob:pw@other/y?token=t on the way", url)
        == "went to https://other/y on the way"
    )
    for text in ("user ann, p@ss", "asked for abc/def", "asked for ?sig=abc%2Fdef"):
        assert "left out" in without_secrets(text, url)


def test_a_full_disk_is_named_and_nothing_half_written_stays(tmp_path, serve):
    body = b"at,x\n" + b"2024-01-01T05:00:00Z,1\n" * 30_000
    url, _ = serve((200, body))
    with small_disk(tmp_path / "disk", "256k") as disk:
        with pytest.raises(StorageFull, match=str(disk)):
            http_source(url, disk / "http", sha256(body).hexdigest()).read(DAY)
        assert list((disk / "http").iterdir()) == []


def test_a_cached_member_needs_no_network(tmp_path):
    digest = sha256(CSV).hexdigest()
    (tmp_path / digest).write_bytes(CSV)
    source = http_source(
        "http://127.0.0.1:1/x.zip", tmp_path, "0" * 64, member="x.csv", member_sha256=digest
    )
    assert source.read(DAY).tables["events"].num_rows == 2


def test_sql_reads_one_interval_with_bound_times(tmp_path):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table visits (at text, x int)")
        database.executemany(
            "insert into visits values (?, ?)",
            [("2024-01-01 05:00:00.000000", 1), ("2024-01-02 05:00:00.000000", 2)],
        )
    database.close()
    source = SqlSource(
        kind="sql",
        database="shop",
        query="select * from visits where at >= :start and at < :end",
        first=FIRST,
    )
    environ = {"PERENNIAL_SQL_SHOP": f"sqlite:///{tmp_path}/shop.db"}
    table = Sql(source, "at", environ).read(DAY).tables["events"]
    assert table.column("x").to_pylist() == [1]
    assert pa.types.is_timestamp(table.schema.field("at").type)
    with pytest.raises(RequestError, match="PERENNIAL_SQL_SHOP"):
        Sql(source, "at", {}).read(DAY)
    away = {"PERENNIAL_SQL_SHOP": "sqlite:////nowhere/at/all.db"}
    with pytest.raises(Unreachable, match="'shop'"):
        Sql(source, "at", away).read(DAY)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        pytest.param(
            "select price from visits where at >= :start and at < :end",
            "'shop' refuses .*no such column: price",
            id="column",
        ),
        pytest.param(
            "select * from none where at >= :start and at < :end",
            "'shop' refuses .*no such table: none",
            id="table",
        ),
        pytest.param(
            "delete from visits where at >= :start and at < :end", "'shop' refuses", id="no rows"
        ),
    ],
)
def test_a_wrong_query_is_the_specs_fault(tmp_path, query, words):
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("create table visits (at text, x int)")
    database.close()
    source = SqlSource(kind="sql", database="shop", query=query, first=FIRST)
    with pytest.raises(SpecError, match=words):
        Sql(source, "at", {"PERENNIAL_SQL_SHOP": f"sqlite:///{tmp_path}/shop.db"}).read(DAY)


def test_a_locked_database_is_unreachable(tmp_path):
    source = SqlSource(
        kind="sql",
        database="shop",
        query="select * from visits where at >= :start and at < :end",
        first=FIRST,
    )
    path = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("create table visits (at text, x int)")
        database.execute("begin exclusive")
        with pytest.raises(Unreachable, match="locked"):
            Sql(source, "at", {"PERENNIAL_SQL_SHOP": f"sqlite:///{path}?timeout=0"}).read(DAY)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("sqlight://ann:hunter2@host/shop", id="scheme"),
        pytest.param("ann:hunter2@host", id="no URL"),
        pytest.param("postgresql://ann@host:hunter2/shop", id="port"),
        pytest.param("mysql+mysqldb://ann:hunter2@host/shop", id="driver"),
        pytest.param("sqlite:///shop.db?timeout=hunter2", id="option"),
    ],
)
def test_a_wrong_url_names_its_setting_and_is_not_shown(url, caplog):
    source = SqlSource(
        kind="sql",
        database="shop",
        query="select * from visits where at >= :start and at < :end",
        first=FIRST,
    )
    with pytest.raises(RequestError, match="PERENNIAL_SQL_SHOP") as caught:
        Sql(source, "at", {"PERENNIAL_SQL_SHOP": url}).read(DAY)
    assert_no_secret(caught.value, caplog)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        pytest.param(
            "def read(start, end): raise OSError('away')", Unreachable, "away", id="unreachable"
        ),
        pytest.param(
            "def read(start, end): return 1 / 0", SpecError, "ZeroDivisionError", id="a bug"
        ),
        pytest.param(
            "def red(start, end): pass", SpecError, "no function 'read'", id="no function"
        ),
        pytest.param("def read(start, end:", SpecError, "SyntaxError", id="no Python"),
        pytest.param(
            "import pandas as pd\ndef read(start, end): return {'x': pd.DataFrame()}",
            SpecError,
            "the spec names",
            id="other tables",
        ),
    ],
)
def test_a_function_that_fails_is_named(tmp_path, body, error, words):
    folder = tmp_path / "models" / "m"
    folder.mkdir(parents=True)
    (folder / "source.py").write_text(body)
    with pytest.raises(error, match=words):
        Function(PythonSource(kind="python", first=FIRST), folder).read(DAY)


def test_a_function_may_return_several_tables_and_may_fail_to_parse(tmp_path):
    folder = tmp_path / "models" / "m"
    folder.mkdir(parents=True)
    (folder / "source.py").write_text(
        "import io, json\nimport pandas as pd\ndef read(start, end): return {'a':"
        " pd.DataFrame({'at': [start]}), 'b': pd.DataFrame({'x': [1]})}\ndef torn(start, end):"
        " return pd.read_csv(io.StringIO(''))\n"
    )
    read = Function(
        PythonSource(kind="python", first=FIRST, main="a", side={"b": None}), folder
    ).read(DAY)
    assert {n: t.num_rows for n, t in read.tables.items()} == {"a": 1, "b": 1}
    torn = Function(PythonSource(kind="python", first=FIRST, function="torn"), folder).read(DAY)
    assert "EmptyDataError" in torn.problem
    assert json.dumps(torn.problem)
    assert isinstance(read.tables["a"].to_pandas(), pd.DataFrame)
