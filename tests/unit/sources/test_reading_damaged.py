"""Files that are damaged, or no files at all."""

import gzip
import io
import os
import random
import socket
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.errors import BadData, PerennialError, SpecError
from pipelines.sources.archives import unpack
from tests.unit.sources.days import FIRST, read

# What is no file


@pytest.mark.parametrize("kind", ["a pipe", "a folder", "a socket", "a device"])
def test_what_is_no_regular_file_is_refused_by_name_and_never_read(tmp_path, kind):
    path = tmp_path / "x.csv"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    for uri in (
        "x.csv",
        f"file://{path}",
        *([] if kind == "a folder" else ["*.csv"]),
    ):  # a pattern passes folders over
        with pytest.raises(SpecError, match=rf"x\.csv is {kind}.*, no regular file"):
            read(tmp_path, uri)


def test_a_zip_archive_of_several_files_asks_for_one_of_them():
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("one.csv", "a\n1\n")
        archive.writestr("two.csv", "a\n2\n")
    with pytest.raises(BadData, match=r"rows\.csv is a zip archive of 2 files") as caught:
        unpack(packed.getvalue(), "rows.csv", 1_000)
    assert "member" in caught.value.remedy


# Anything


def originals():
    """Return good files by name."""
    csv = b"at,x,name\n" + b"".join(
        b'2024-01-01T%02d:00:00Z,%d,"a ""b"" %d"\n' % (i % 24, i, i) for i in range(40)
    )
    lines = b"".join(
        b'{"at": "2024-01-01T05:00:00Z", "x": %d, "deep": {"y": [1.5, null]}}\n' % i
        for i in range(40)
    )
    buffer = io.BytesIO()
    pq.write_table(
        pa.table({"at": [FIRST] * 40, "x": [1.5, None] * 20, "name": ["a", "b"] * 20}), buffer
    )
    return {
        "a.csv": csv,
        "a.json": lines,
        "a.parquet": buffer.getvalue(),
        "b.csv.gz": gzip.compress(csv, mtime=0),
    }


def damaged(data, chance):
    """Return the bytes with a few of them changed, cut out, repeated or put in."""
    bytes_ = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        place = chance.randrange(len(bytes_) + 1)
        kind = chance.randrange(5)
        if kind == 0 and place < len(bytes_):
            bytes_[place] = chance.randrange(256)
        elif kind == 1:
            del bytes_[place : place + chance.randint(1, 40)]
        elif kind == 2:
            bytes_[place:place] = bytes_[max(0, place - chance.randint(1, 40)) : place]
        elif kind == 3:
            bytes_[place:place] = chance.choice(
                [
                    b"\0",
                    b'"',
                    b"\xff",
                    b"9" * 50,
                    b"[" * 2_000,
                    b"\r",
                    b",,",
                    b"NaN",
                    b"1e999",
                    b"}{",
                ]
            )
        else:
            del bytes_[place:]
    return bytes(bytes_)


def read_damaged(tmp_path, count, seed):
    chance, files = random.Random(seed), originals()
    readable = 0
    for _ in range(count):
        name = chance.choice(list(files))
        (tmp_path / name).write_bytes(damaged(files[name], chance))
        try:
            raw = read(tmp_path, name)
        except PerennialError as error:
            pytest.fail(f"{name}: {error}")
        assert raw.problem is None or name in raw.problem
        assert (raw.problem is None) == ("events" in raw.tables)
        readable += raw.problem is None
    return readable


def test_damaged_files_are_rows_or_a_problem_that_names_the_file(tmp_path):
    assert 0 < read_damaged(tmp_path, 250, seed=1) < 250


@pytest.mark.long
def test_many_damaged_files_are_rows_or_a_problem_that_names_the_file(tmp_path):
    assert 0 < read_damaged(tmp_path, 30_000, seed=2) < 30_000
