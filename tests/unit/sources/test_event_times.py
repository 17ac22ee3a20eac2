"""Times of usual writing are read without pandas, and to the microsecond as pandas reads them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from pipelines.intervals import containing
from pipelines.sources.event_times import with_times
from pipelines.sources.reader_process import ReaderProcess
from pipelines.spec.sources import FilesSource
from tests.unit.sources.test_reader_process import FIRST, MIB

ZONES = ("", "Z", "+00:00", "+05:30", "-11:00", "+14:00")
FORMS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f")
ODD = ("2023-02-30T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z", "2024-01-01T05Z")
ODD += (" 2024-01-01T00:00:00Z", "2024-01-01T00:00:00 Z", "20240101", "2024-W05", "now", "")
ODD += ("2024-01-01T00:00:00+1400", "2024-01-01T00:00:00-05", "0999-01-01T00:00:00Z", "2024-1-1")
ODD += ("2024-01-01T00:00:00+14:60", "2024-01-01T00:00:00+23:00", "2024-01-01T00:00")


def as_pandas_reads(texts):
    dates = [text if text and text.strip()[:4].isdigit() else None for text in texts]
    read = pd.to_datetime(pd.Series(dates), errors="coerce", utc=True, format="ISO8601")
    return [None if pd.isna(moment) else moment.to_pydatetime() for moment in read]


def as_we_read(texts):
    return with_times(pa.table({"at": pa.array(texts, pa.string())}), "at")["at"].to_pylist()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("form", [*FORMS, "%Y-%m-%d"])
def test_a_time_of_usual_writing_is_what_pandas_reads(form, zone):
    seconds = np.random.default_rng(5).integers(-(2**31), 4 * 10**9, 500)
    moments = pd.to_datetime(seconds, unit="s") + pd.to_timedelta(seconds % 999_983, unit="us")
    texts = [f"{moment.strftime(form)}{zone if form in FORMS else ''}" for moment in moments]
    for written in (texts, [*texts, None], texts[:1]):
        assert as_we_read(written) == as_pandas_reads(written)


@pytest.mark.parametrize("odd", ODD)
def test_one_of_odd_writing_changes_nothing_for_the_others(odd):
    texts = ["2024-02-29T23:59:59.5+01:00", "1950-06-01T00:00:00Z", odd, "2024-03-01 01:02:03"]
    assert as_we_read(texts) == as_pandas_reads(texts)
    assert as_we_read([texts[1], odd]) == as_pandas_reads([texts[1], odd])


def test_the_process_that_reads_loads_pandas_for_odd_times_alone(tmp_path):
    source = FilesSource(kind="files", uri="{start:%Y-%m-%d}.csv", first=FIRST)
    apart = ReaderProcess(source, "at", tmp_path, tmp_path, seconds=120, most=1024 * MIB)
    written = {FIRST: "2024-01-01T05:00:00+01:00", FIRST + timedelta(days=1): "20240102T04"}
    for day, time in written.items():
        file = tmp_path / f"{day:%Y-%m-%d}.csv"
        file.write_text(f"at,x,name\n{time},1.5,a\n{day:%Y-%m-%d}T04:00:00Z,NA,\n")
        table = apart.read(containing(day, "day")).tables["events"]
        assert table["at"].to_pylist() == [day.replace(hour=4)] * 2
        assert table["x"].to_pylist() == [1.5, None]
        loaded = Path(f"/proc/{apart._child._process.pid}/maps").read_text()
        assert ("/pandas/" in loaded) == (day != FIRST)
