"""What is read part by part is what is read whole, and so is each error."""

import random
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import BadData
from pipelines.sources.csv_parts import CsvParts
from pipelines.sources.event_times import pick_rows, require_times, with_times
from pipelines.sources.large_files import can_stream, large_parts
from pipelines.sources.parsing import File, Reading, parse_all
from pipelines.sources.stored_files import StoredFile
from pipelines.spec.schema import Column
from pipelines.spec.table_options import TableOptions

DAY = SimpleNamespace(
    start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2024, 1, 2, tzinfo=UTC), name="day"
)


@pytest.fixture(autouse=True)
def threads():
    """Two threads, as outside of tests: Arrow has as many as the environment says."""
    before = pa.cpu_count()
    pa.set_cpu_count(2)
    yield
    pa.set_cpu_count(before)


KINDS = {"id": "integer", "at": "time", "x": "float", "flag": "boolean", "word": "text"}
SCHEMA = {name: Column(type=kind) for name, kind in KINDS.items()}


def reading(schema=SCHEMA, zone="UTC", block=64, **options):
    return Reading(TableOptions(**options), zone, schema, 2**30, block=block, part_rows=3)


def whole(files, kind, how, event_time, interval):
    table = parse_all([File(n, d, f) for n, d, f in files], kind, "subject", how)
    table = with_times(table, event_time, "subject", how.zone)
    require_times(table, event_time, "subject")
    return table if interval is None else pick_rows(table, event_time, interval)


def in_parts(folder, files, kind, how, event_time, interval):
    stored = []
    for number, (name, data, folders) in enumerate(files):
        path = folder / f"{number}"
        path.write_bytes(data)
        stored.append((StoredFile(name, kind, len(data), None, folders), path))
    assert can_stream([file for file, _ in stored], how)
    parts = large_parts(stored, how, event_time, interval, "subject")
    if parts is None:
        return None
    tables = list(parts.tables)
    assert all(table.schema.equals(parts.schema, check_metadata=True) for table in tables)
    return pa.concat_tables([parts.schema.empty_table(), *tables])


def outcome(read):
    try:
        return read()
    except BadData as error:
        return f"{error.message} {error.remedy}"


def agree(folder, datas, kind="csv", how=None, event_time="at", interval=None, folders=({}, {})):
    """Return what both say: the rows, or the error; None where only reading whole goes."""
    how = how or reading()
    files = [(f"f{i}.{kind}", d, folders[i]) for i, d in enumerate(datas)]
    parts = outcome(lambda: in_parts(folder, files, kind, how, event_time, interval))
    if parts is None:
        return None
    expected = outcome(lambda: whole(files, kind, how, event_time, interval))
    if isinstance(expected, pa.Table) and isinstance(parts, pa.Table):
        assert parts.schema.equals(expected.schema, check_metadata=True)
        assert parts.to_pylist() == expected.to_pylist()
    else:
        assert parts == expected
    return parts


def csv(*lines, header="id,at,x,flag,word", end="\n"):
    return end.join([header, *lines, ""]).encode()


GOOD = [f"{n},2024-01-0{1 + n % 2}T05:{n % 60:02}:00Z,{n / 7},{n % 2},w{n % 5}" for n in range(40)]
AWKWARD = {
    "plain": csv(*GOOD),
    "carriage returns": csv(*GOOD, end="\r\n"),
    "old carriage returns": csv(*GOOD, end="\r"),
    "no end": csv(*GOOD)[:-1],
    "a mark": b"\xef\xbb\xbf" + csv(*GOOD),
    "blank lines": csv(*GOOD[:9], "", "", *GOOD[9:], "", ""),
    "quoted": csv(*GOOD[:9], '9,2024-01-01,1,1,"a, ""b""\nc\r\nd"', *GOOD[10:]),
    "an inner quote": csv(*GOOD[:9], '9,2024-01-01,1,1,5" nails', '9,2024-01-01,1,1,6" nails'),
    "one inner quote": csv(*GOOD[:9], '9,2024-01-01,1,1,5" nails', *GOOD[10:]),
    "a quote with no end": csv(*GOOD[:9], '9,2024-01-01,1,1,"open', *GOOD[10:]),
    "too few fields": csv(*GOOD[:9], "9,2024-01-01", *GOOD[10:]),
    "too many fields": csv(*GOOD[:30], "9,2024-01-01,1,1,1,1", *GOOD[30:]),
    "the header again": csv(*GOOD[:9], "id,at,x,flag,word", *GOOD[9:]),
    "misfits of two columns": csv(*GOOD[:5], "5,2024-01-01,no,1,w", *GOOD[6:30], "no,,1,1,"),
    "misfits of one column": csv(*GOOD[:5], "5,2024-01-01,no,1,w", *GOOD[6:30], "30,,never,1,"),
    "a misfit, then a torn row": csv(*GOOD[:5], "no,2024-01-01,1,1,w", *GOOD[6:30], "1,2"),
    "a misfit, then the header": csv("no,,1,1,w", *GOOD[:30], "id,at,x,flag,word"),
    "a torn row, then a wrong byte": csv("1,2", *GOOD) + b"\xff",
    "a wrong byte": csv(*GOOD[:20]) + b"1,2024-01-01,1,1,\xe9t\xe9\n" + csv(*GOOD[20:])[20:],
    "a sign cut at the end": csv(*GOOD) + "é".encode()[:1],
    "many signs": csv(*[line + "éü語𝄞" for line in GOOD]),
    "nul": csv(*GOOD[:20], "1,2024-01-01,1,1,a\x00b", "1,2"),
    "nul, then a wrong byte": csv("1,2024-01-01,1,1,a\x00b", *GOOD) + b"\xe9",
    "hex": csv(*GOOD[:20], "0x1F,2024-01-01,1,1,w", *GOOD[21:]),
    "hex within words": csv(*[line + "10x5" for line in GOOD], "0x1F,2024-01-01,1,1,w"),
    "hex in a text": csv(*GOOD[:20], "31,2024-01-01,1,1,0x1F", *GOOD[21:]),
    "not finite": csv(*GOOD[:20], "20,2024-01-01,nan,1,w", "20,2024-01-01,inf,1,w", *GOOD[21:]),
    "beyond floats": csv(*GOOD[:20], "20,2024-01-01,1e400,1,w", *GOOD[21:]),
    "written otherwise": csv(*GOOD[:20], "+5,2024-01-01, 7 ,Yes,NA", "5.0,,NA,,", *GOOD[21:]),
    "long": csv(*GOOD[:20], "20,2024-01-01,1,1," + "w" * 700, *GOOD[21:]),
    "times": csv("1,2024-01-01T00:00:00.123456789+02:00,1,1,", *GOOD, "1,2024-01-01 03:00,1,1,"),
    "no times": csv(*GOOD[:20], "1,2024-13-01,1,1,", *GOOD[20:]),
    "no rows": csv(),
    "a column more": csv(*[line + ",7" for line in GOOD], header="id,at,x,flag,word,more"),
    "a column less": csv(*[line[: line.rindex(",")] for line in GOOD], header="id,at,x,flag"),
    "no names": csv(*GOOD, header="1,2,3,4,5"),
    "another delimiter": csv(*[g.replace(",", ";") for g in GOOD], header="id;at;x;flag;word"),
    "names twice": csv(*GOOD, header="id,at,x,X,word"),
    "a web page": b"<html><body>\n" + csv(*GOOD),
    "another mark": b"\xff\xfe" + csv(*GOOD),
}
DIALECTS = {
    "standard": {},
    "semicolons": {"delimiter": ";", "decimal": ","},
    "no quotes": {"quote": "none"},
    "skipped": {"skip": 1, "header": False, "names": ["id", "at", "x", "flag", "word"]},
    "missing": {"missing": ["w1", "-"]},
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("block", [64, 2**22])
def test_a_csv_in_parts_is_the_csv_as_a_whole(tmp_path, name, dialect, block):
    agree(tmp_path, [AWKWARD[name]], how=reading(block=block, **DIALECTS[dialect]))


@pytest.mark.parametrize("name", AWKWARD)
def test_the_first_of_several_files_that_is_wrong_is_named(tmp_path, name):
    for files in ([AWKWARD[name], AWKWARD["too few fields"]], [AWKWARD["hex"], AWKWARD[name]]):
        agree(tmp_path, files)


def test_the_cases_are_read_in_parts(tmp_path):
    read = {name: agree(tmp_path, [data]) for name, data in AWKWARD.items()}
    assert {n for n, r in read.items() if r is None} <= {
        "old carriage returns",
        "another delimiter",
    }
    assert sum(isinstance(table, pa.Table) for table in read.values()) > 12
    assert "line 11: 2 fields" in read["too few fields"]
    assert "line 32: the column 'id'" in read["misfits of two columns"]
    assert "line 7: the column 'x'" in read["misfits of one column"]


class EndsEarly(CsvParts):
    """A reader whose threads end after the first rows, with no error."""

    def _tables(self, types, row, *, threads):
        tables = super()._tables(types, row, threads=threads)
        if not threads:
            yield from tables
            return
        yield next(tables)
        for _ in tables:
            pass


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("header", [True, False])
def test_rows_that_a_reader_with_threads_left_out_are_read(tmp_path, end, header):
    names = None if header else list(KINDS)
    path = tmp_path / "rows.csv"
    path.write_bytes(csv(*GOOD, end=end) if header else end.join(GOOD).encode())
    options = TableOptions(header=header, names=names)
    for kind in (CsvParts, EndsEarly):
        parts = list(kind(path, "rows.csv", options, 90).parts(SCHEMA))
        assert [before for before, _ in parts] == [
            sum(table.num_rows for _, table in parts[:n]) for n in range(len(parts))
        ]
        ids = [str(value) for _, table in parts for value in table["id"].to_pylist()]
        assert ids == [str(n) for n in range(40)]


@pytest.mark.parametrize("seed", range(150))
def test_any_bytes_are_read_alike(tmp_path, seed):
    chance = random.Random(seed)
    pieces = ["1", "2024-01-01", "nan", "0x", '"', '""', "é", "w", " ", "1e400", "true", "-", "x"]
    lines = []
    for _ in range(chance.randrange(60)):
        fields = ["".join(chance.choices(pieces, k=chance.randrange(3))) for _ in range(5)]
        if chance.random() < 0.7:
            fields = [*chance.choice(GOOD).split(",")[:4], fields[4]]
        lines.append(",".join(fields[: 4 if chance.random() < 0.02 else 5]))
    data = csv(*lines, end=chance.choice(["\n", "\r\n"]))
    agree(tmp_path, [data], how=reading(block=chance.choice([32, 90, 300])))


@pytest.mark.parametrize("kind", ["text", "time", "date", "category"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo"])
def test_event_times_are_read_alike(tmp_path, kind, zone):
    column = Column(type=kind, order=["2024-03-31T02:30:00"] if kind == "category" else None)
    how = reading(SCHEMA | {"at": column}, zone)
    agree(tmp_path, [csv(*["1,2024-03-31T02:30:00,1,1,w"] * 9)], how=how, interval=DAY)
    agree(tmp_path, [csv(*["1,,1,1,w"] * 9)], how=how, interval=DAY)
    agree(tmp_path, [csv(*["1,never,1,1,w"] * 9, "1,2024-01-01,1,1,w")], how=how, interval=DAY)
    agree(tmp_path, [csv(*["1,never,1,1,w"] * 9)], how=how, interval=DAY)
    agree(tmp_path, [AWKWARD["plain"]], how=how, interval=DAY)


def test_folders_are_columns(tmp_path):
    how = reading(SCHEMA | {"year": Column(type="integer")})
    folders = ({"year": "2024"}, {"year": None, "word": "own"})
    table = agree(tmp_path, [AWKWARD["plain"], AWKWARD["plain"]], how=how, folders=folders)
    assert table["year"].to_pylist() == [2024] * 40 + [None] * 40
    assert agree(tmp_path, [AWKWARD["plain"]], how=how, folders=({"year": "never"},))


def parquet(columns, **options):
    sink = pa.BufferOutputStream()
    pq.write_table(
        columns if isinstance(columns, pa.Table) else pa.table(columns),
        sink,
        row_group_size=4,
        **options,
    )
    return sink.getvalue().to_pybytes()


TIMES = [datetime(2024, 1, 1 + n % 2, n) for n in range(11)]  # noqa: DTZ001 -- without a zone
TABLES = {
    "plain": parquet({"id": range(11), "at": TIMES, "x": [0.5, float("nan"), None] * 3 + [1, 2]}),
    "whole floats": parquet({"id": [1.0, None] * 5 + [7.0], "at": TIMES}),
    "floats": parquet({"id": [1.0] * 9 + [1.5, 2.5], "at": TIMES}),
    "texts": parquet({"id": [str(n) for n in range(11)], "at": [t.isoformat() for t in TIMES]}),
    "some texts": parquet({"id": [None] * 8 + ["8", "no", "x"], "at": TIMES, "x": ["no"] * 11}),
    "times of 96 bits": parquet(
        {"id": range(11), "at": TIMES}, use_deprecated_int96_timestamps=True
    ),
    "a dictionary": parquet(
        {"id": range(11), "word": pa.array(["a", "b"] * 5 + [None]).dictionary_encode()}
    ),
    "decimals": parquet({"id": [Decimal("1.50")] * 11, "at": TIMES}),
    "metadata": parquet(
        pa.table(
            [range(11)],
            pa.schema(
                [pa.field("id", pa.int64(), nullable=False, metadata={"a": "b"})], {"c": "d"}
            ),
        )
    ),
    "no values": parquet({"id": pa.nulls(11), "at": TIMES}),
    "names twice": parquet({"id": range(11), "ID": range(11)}),
    "numbers as times": parquet({"id": range(11), "at": range(11)}),
    "whole numbers without a sign": parquet(
        {"id": pa.array([2**63] * 11, pa.uint64()), "at": TIMES}
    ),
    "structures": parquet({"id": range(11), "at": TIMES, "x": [{"a": 1}] * 11}),
    "damaged": parquet({"id": range(11), "at": TIMES})[:-40] + b"0" * 40,
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("schema", [SCHEMA, None], ids=["stated", "own"])
def test_parquet_in_parts_is_parquet_as_a_whole(tmp_path, name, schema):
    how = reading(schema, zone="Europe/Oslo")
    for interval in (None, DAY):
        agree(tmp_path, [TABLES[name]], "parquet", how, interval=interval)
    agree(tmp_path, [TABLES["plain"], TABLES[name]], "parquet", how)
    agree(tmp_path, [TABLES[name], TABLES["whole floats"]], "parquet", how)


def test_parquet_is_read_in_parts(tmp_path):
    how = reading(None)
    table = agree(tmp_path, [TABLES["plain"], TABLES["whole floats"]], "parquet", how)
    assert (table.num_rows, str(table.schema.field("id").type)) == (22, "double")
    assert "row 10: the column 'id'" in agree(tmp_path, [TABLES["floats"]], "parquet", reading())
