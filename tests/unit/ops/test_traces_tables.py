"""A Parquet or Arrow file is looked through within a bound of memory, or not called clean."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.ops.traces.content import holds
from pipelines.ops.traces.sought import Sought
from tests.conftest import ROOT

MIB = 2**20
MOST = 32 * MIB
"""Bytes that a look may take in these tests; libraries take up to twice as many besides."""
KIM, NOBODY = ([Sought(frozenset({name}))] for name in ("Kim", "Nobody"))


def parquet(table, **how):
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", **how)
    return buffer.getvalue()


def arrow(table):
    buffer = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(buffer, table.schema, options=options) as file:
        file.write_table(table)
    return buffer.getvalue()


def one_long_text(rows):
    """A text of a MiB that stands in each row, and a name behind it."""
    texts = pa.array(["a" * MIB, "Kim"])
    return pa.table({"x": pa.DictionaryArray.from_arrays(pa.array([0] * rows + [1]), texts)})


def zeros(mib):
    return pa.table({"x": pa.array(["0" * MIB] * mib + ["Kim"])})


def many_columns():
    """Each takes 8 MiB, all together 400."""
    one = pa.array(["0" * 4096] * 2048)
    return pa.table({**{f"x{n}": one for n in range(50)}, "y": pa.array(["Kim"] * 2048)})


BOMBS = {
    "one text for all rows, in Parquet": (lambda: parquet(one_long_text(400)), False),
    "the same, not as a dictionary's type": (
        lambda: parquet(one_long_text(400), store_schema=False),
        False,
    ),
    "the same, in Arrow": (lambda: arrow(one_long_text(400)), False),
    "many columns in one group of rows": (
        lambda: parquet(many_columns(), use_dictionary=False),
        False,
    ),
    "many small pages": (
        lambda: parquet(zeros(160), use_dictionary=False, write_batch_size=1),
        False,
    ),
    "one large page": (
        lambda: parquet(zeros(160), use_dictionary=False, data_page_size=2**30),
        None,
    ),
    "one large buffer, in Arrow": (lambda: arrow(zeros(160)), None),
}
"""What packs much into little, and what is said of somebody who is not in it."""

LOOK_AND_TELL = """
import json, re, sys
from pathlib import Path
import psutil
from tests.unit.ops.test_traces_tables import KIM, MOST, NOBODY, holds, pa, parquet
assert holds(parquet(pa.table({"x": ["Kim"]})), KIM) and not holds(b"", NOBODY)
[looker] = psutil.Process().children()
status = Path(f"/proc/{looker.pid}/status")
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) * 1024
found = {}
for path in sys.argv[1:]:
    data, before = Path(path).read_bytes(), peak()
    found[Path(path).name] = [holds(data, KIM, MOST), holds(data, NOBODY, MOST), peak() - before]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def looks(tmp_path_factory):
    """What was found in each bomb, and by how much that raised the peak of who looked."""
    folder = tmp_path_factory.mktemp("bombs")
    for name, (make, _) in BOMBS.items():
        (folder / name).write_bytes(make())
        assert (folder / name).stat().st_size < 4 * MIB
    command = [sys.executable, "-c", LOOK_AND_TELL, *(str(folder / name) for name in BOMBS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_looked_through_in_parts_or_not_called_clean(looks, name):
    somebody, nobody, _ = looks[name]
    assert nobody is BOMBS[name][1]
    assert somebody  # where it cannot be unpacked, by its bytes


def test_all_bombs_together_take_no_more_memory_than_a_look_may(looks):
    """All in one would be 3 GB."""
    rises = [more for *_, more in looks.values()]
    assert 0 < sum(rises) < 4 * MOST


def test_a_damaged_table_is_not_called_clean():
    for data in (parquet(pa.table({"x": ["Kim"]})), arrow(pa.table({"x": ["Kim"]}))):
        assert holds(data[:-9], NOBODY) is None


def test_two_columns_of_one_name_are_both_looked_at():
    table = pa.table([pa.array(["a"]), pa.array(["Kim"])], names=["x", "x"])
    for data in (parquet(table), arrow(table)):
        assert holds(data, KIM)
        assert holds(data, NOBODY) is False


def test_a_key_of_several_columns_is_sought_in_all_groups_of_rows():
    table = pa.table({"shop": ["a", "b"], "till": [1, 2], "note": ["", ""]})
    data = parquet(table, row_group_size=1)
    for key, there in (("b/2", True), ("a/2", False)):
        one = Sought(frozenset({key}), frozenset({"key"}), ("shop", "till"))
        assert holds(data, [one]) is there
