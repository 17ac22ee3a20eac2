"""`traces` finds a value wherever a state may hold it, and nothing that only looks like it."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sqlite3
import sys
import tarfile
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from pipelines.ops.traces.backups import in_backup, program_holds
from pipelines.ops.traces.content import NESTED, holds, lines_hold
from pipelines.ops.traces.search import search, sought_of
from pipelines.ops.traces.sought import Sought
from pipelines.ports import ConfiguredPorts
from pipelines.refs import canonical
from pipelines.settings import Settings
from pipelines.tables import to_parquet


def _holds(table, value, column=None):
    return holds(
        to_parquet(pa.table(table)), [Sought(frozenset({value}), frozenset({column} - {None}))]
    )


@pytest.mark.parametrize(
    ("cells", "value", "there"),
    [
        (pa.array([1, 4711]), "4711", True),
        (pa.array([1, 14711, 47110]), "4711", False),
        (pa.array([4711], pa.int16()), "4711", True),
        (pa.array([1], pa.int8()), "4711", False),
        (pa.array([4711.0, None]), "4711", True),
        (pa.array([4711.5]), "4711", False),
        (pa.array(["a", "c-4711"]), "c-4711", True),
        (pa.array(["c-47110"]), "c-4711", False),
        (pa.array(["4711"]), "4711", True),
        (pa.array(["k:c-4711"]), "c-4711", True),
        (pa.array(["ann", "ben"]).dictionary_encode(), "ben", True),
        (pa.array([["x", "ben"], []]), "ben", True),
        (pa.array([{"who": "ben"}]), "ben", True),
        (pa.array([b"ben"]), "ben", True),
        (pa.array([Decimal("47.11")]), "47.11", True),
        (pa.array([datetime(2024, 1, 2, tzinfo=UTC)]), "2024-01-02T00:00:00Z", True),
        (pa.array([datetime(2024, 1, 2, tzinfo=UTC)]), "20240102", False),
        (pa.array([20240102]), "20240102", True),
        (pa.array([True, False]), "true", False),
        (pa.array([None, None], pa.null()), "ben", False),
        (pa.array(["O'Brien; DROP TABLE x --"]), "O'Brien; DROP TABLE x --", True),
    ],
)
def test_a_cell_is_compared_by_its_type(cells, value, there):
    assert _holds({"who": cells}, value) is there


def test_a_number_counts_in_its_column_alone_where_one_is_named():
    table = {"who": pa.array([1]), "age": pa.array([33])}
    assert not _holds(table, "33", "who")
    assert _holds(table, "33", "age")
    assert _holds(table, "33")
    assert _holds({"who": pa.array([1]), "note": pa.array(["ben"])}, "ben", "who")
    assert _holds({"input.who": pa.array([33])}, "33", "who")


def test_rows_are_told_by_a_long_number_in_its_column_alone():
    table = pa.table({"who": [471100, 7, 8], "amount": [1, 471100, 2], "note": ["", "471100", ""]})
    one = Sought(frozenset({"471100"}), frozenset({"who"}))
    assert one.rows(table).to_pylist() == [True, True, False]
    assert one.rows(table, numbers_anywhere=False).to_pylist() == [True, False, False]


def test_a_row_is_told_by_its_key_of_several_columns():
    at = [datetime(2024, 1, 2, tzinfo=UTC)] * 2
    table = pa.table({"shop": ["a/b", "a"], "at": at, "till": [1, 1], "amount": [5, 6]})
    key = ("shop", "at", "till")
    one = Sought(frozenset({"a%2Fb/2024-01-02T00:00:00Z/1"}), frozenset({"key"}), key)
    assert one.rows(table).to_pylist() == [True, False]
    assert holds(to_parquet(table), [one])
    assert not holds(to_parquet(table.drop_columns(["till"])), [one])


def _zipped(data):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "there"),
    [
        (b"<td>O&#x27;Brien</td>", True),
        (b"<td>O&#x27;Briens</td>", False),
        (json.dumps({"rows": [["O'Brien", 1]]}).encode(), True),
        (json.dumps({"O'Brien": 1}).encode(), True),
        (b"{broken O'Brien", True),
        (b"?who=O%27Brien&x", True),
        (gzip.compress(b"log of O'Brien", mtime=0), True),
        (lzma.compress(b"log of O'Brien, " * 9), True),
        (lzma.compress(b"log of O'Brien")[:-9] + b" O'Brien", True),
        (_zipped(b"x,O'Brien,y"), True),
        (b"PAR1 no parquet, but O'Brien", True),
        (b"", False),
    ],
)
def test_a_text_is_searched_in_every_form_that_it_may_have(data, there):
    assert holds(data, [Sought(frozenset({"O'Brien"}))]) is there


def test_several_packed_texts_in_a_row_are_one():
    sought = [Sought(frozenset({"O'Brien"}))]
    assert holds(lzma.compress(b"nothing") + lzma.compress(b"O'Brien, " * 9), sought)
    assert holds(gzip.compress(b"O'B") + gzip.compress(b"rien") + bytes(8), sought)


def _zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, _zstd, _zipped])
def test_what_would_fill_the_memory_is_not_unpacked_and_not_cleared(pack):
    """Nobody can say of it that a person is not in it."""
    sought = [Sought(frozenset({"O'Brien"}))]
    much = pack(bytes(100_000) + b" O'Brien")
    assert holds(much, sought, most=200_000)
    somebody_else = [Sought(frozenset({"Kim"}))]
    assert holds(much, somebody_else, most=200_000) is False
    assert holds(much, somebody_else, most=50_000) is None


def test_all_members_of_an_archive_count_together():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "abc":
            archive.writestr(name, gzip.compress(bytes(20_000)))
    data, sought = packed.getvalue(), [Sought(frozenset({"O'Brien"}))]
    assert holds(data, sought, most=70_000) is False
    assert holds(data, sought, most=50_000) is None


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_can_only_be_unpacked_at_once_is_not_unpacked_and_not_cleared(method):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("a", b"nothing of anybody")
    assert holds(packed.getvalue(), [Sought(frozenset({"O'Brien"}))]) is None


def test_a_damaged_member_does_not_hide_what_the_others_hold():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"1,2,3 " * 99)
        archive.writestr("b", b"log of O'Brien, " * 9)
    data = packed.getvalue()
    start = zipfile.ZipFile(packed).infolist()[0].header_offset + 31
    damaged = data[:start] + b"\xff" * 9 + data[start + 9 :]
    assert holds(damaged, [Sought(frozenset({"O'Brien"}))])
    assert holds(damaged, [Sought(frozenset({"Kim"}))]) is None


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress, _zstd])
def test_what_is_cut_off_is_not_cleared(pack):
    cut = pack(b"log of O'Brien, " * 99)[:-9]
    assert holds(cut, [Sought(frozenset({"Kim"}))]) is None


def _packed_over_and_over(times):
    data = b"O'Brien"
    for _ in range(times):
        data = gzip.compress(data)
    return data


def test_what_is_packed_in_itself_again_and_again_is_given_up():
    sought = [Sought(frozenset({"O'Brien"}))]
    assert holds(_packed_over_and_over(NESTED), sought)
    assert holds(_packed_over_and_over(NESTED + 1), sought) is None


def test_a_search_names_what_it_did_not_unpack(tmp_path):
    settings = Settings(state=tmp_path / "var")
    (settings.state / "hand").mkdir(parents=True)
    (settings.state / "hand" / "rows.gz").write_bytes(_packed_over_and_over(NESTED + 1))
    found = search(settings, ConfiguredPorts(settings), [sought_of(settings, ["O'Brien"])])
    assert found.traces == []
    assert any(text.startswith("hand/rows.gz, which ") for text in found.unseen)


def test_a_short_number_does_not_count_in_running_text():
    assert not holds(b"at 2024-01-17, row 17", [Sought(frozenset({"17"}))])
    assert holds(b"customer 4711234 asked", [Sought(frozenset({"4711234"}))])
    assert holds(b'{"customer": 17}', [Sought(frozenset({"17"}))])
    assert not holds(b'{"age": 17}', [Sought(frozenset({"17"}), frozenset({"customer"}))])


def test_every_corner_of_a_state_is_looked_at(tmp_path):
    settings = Settings(state=tmp_path / "var")
    ports = ConfiguredPorts(settings)
    store = ports.store
    store.put(to_parquet(pa.table({"who": ["ben"]})), ".parquet")
    store.put(to_parquet(pa.table({"who": ["ann"]})), ".parquet")
    store.publish("results/x/y", canonical({"who": "ben"}))
    segment = store.open_segment("inference/m/labels/s")
    segment.append(b'00000000["k:ben", 1.0, 5, "r"]\n')
    for name in ("versions/remote/files/md5/ab/cd", "hand/r.json", "airflow/logs/t.log"):
        path = settings.state / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b'{"who": "ben"}')
    with sqlite3.connect(settings.state / "hand" / "i.db") as db:
        db.execute('create table "a""b" ("who""x" text)')
        db.execute('insert into "a""b" values (?)', ("ben",))
    (settings.state / "link").symlink_to(tmp_path)
    found = search(settings, ports, [sought_of(settings, ["ben"])])
    assert sorted(t.place for t in found.traces) == [
        *("entries", "features", "objects", "segments", "state", "state", "state"),
    ]
    assert found.looked_at >= 8
    assert any("backups" in words for words in found.unseen)
    assert search(settings, ports, [sought_of(settings, ["zoe"])]).traces == []


def test_a_damaged_object_is_named_and_stops_nothing(tmp_path):
    settings = Settings(state=tmp_path / "var")
    ports = ConfiguredPorts(settings)
    ref = ports.store.put(b"ben", ".txt")
    (tmp_path / "var" / "store" / ref.uri).write_bytes(b"xxx")
    found = search(settings, ports, [sought_of(settings, ["ben"])])
    assert found.traces == []
    assert any(ref.uri in words and "damaged" in words for words in found.unseen)


class Pieces(io.BytesIO):
    """A text that comes in pieces of 100 bytes, as through a pipe."""

    def read(self, size=-1):
        return super().read(min(size, 100))


@pytest.mark.parametrize("place", [0, 90, 99, 100, 101, 399, 990])
def test_a_value_in_a_long_text_of_lines_is_found_wherever_a_piece_of_it_ends(place):
    ben = [Sought(frozenset({"ben"}))]
    text = bytearray(b"\n".join([b"x" * 9] * 100))
    text[place : place + 5] = b"\nben\n"
    assert lines_hold(Pieces(bytes(text)), ben)
    text[place : place + 5] = b"\nbenx"
    assert not lines_hold(Pieces(bytes(text)), ben)
    assert lines_hold(Pieces(b"x" * 1_000 + b" ben"), ben)
    assert not lines_hold(Pieces(b""), ben)


def test_what_a_program_writes_is_looked_at_as_it_comes():
    ben = [Sought(frozenset({"ben"}))]
    write = [sys.executable, "-c"]
    assert program_holds([*write, "print('a\\tben\\n' + 'x\\n' * 10)"], ben) is True
    assert program_holds([*write, "print('a\\tbenny')"], ben) is False
    assert program_holds([*write, "print('a'); raise SystemExit(1)"], ben) is None
    assert program_holds(["/no/such/program"], ben) is None
    # it is not waited for: this one would write for ever
    assert program_holds([*write, "while True: print('ben')"], ben) is True


def test_a_backup_is_looked_at_member_by_member_its_databases_as_databases(tmp_path):
    database = tmp_path / "ledger.db"
    with closing(sqlite3.connect(database)) as db:
        db.execute("create table people (number integer)")
        db.execute("insert into people values (17)")
        db.commit()
    tar = tmp_path / "backup.tar"
    with tarfile.open(tar, "w") as archive:
        for name, data in (("a.txt", b"ben"), ("b.txt", b"zoe")):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        archive.add(database, "databases/ledger")
    found = {t.name.split(": ")[1]: there for t, there in in_backup(tar, [seventeen_or_ben()])}
    assert found == {"a.txt": True, "b.txt": False, "databases/ledger": True}


def seventeen_or_ben():
    return Sought(frozenset({"17", "ben"}))
