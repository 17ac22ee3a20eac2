"""The day that the tests read, files with its rows, and secrets that nobody may tell."""

import traceback
from datetime import UTC, datetime

from pipelines.intervals import containing
from pipelines.sources.files import Files
from pipelines.spec.sources import FilesSource

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAY = containing(FIRST, "day")
PASSWORD, SIGNED = "hunter2", "s1gned"

CSV = b"at,x\n2024-01-01T05:00:00Z,1\n2024-01-02T05:00:00Z,2\n2024-01-01T23:59:59Z,3\n"


def files(tmp_path, uri, most=10_000_000, **more):
    return Files(FilesSource(kind="files", uri=uri, first=FIRST, **more), "at", tmp_path, most=most)


def read(tmp_path, uri, **more):
    return files(tmp_path, uri, **more).read(DAY)


def assert_no_secret(error, caplog):
    told = "".join(traceback.format_exception(error)) + caplog.text
    assert PASSWORD not in told
    assert SIGNED not in told
