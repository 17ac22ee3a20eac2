"""Files and Delta tables on a real S3, which the environment names (AWS_ENDPOINT_URL, and keys)."""

import os
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from pyarrow.fs import S3FileSystem

from pipelines.errors import Unreachable
from tests.unit.sources.days import read

ENDPOINT = os.environ.get("AWS_ENDPOINT_URL")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not ENDPOINT, reason="AWS_ENDPOINT_URL names no S3"),
]
TABLE = pa.table({"at": ["2024-01-01T05:00:00Z"], "x": [1]})


@pytest.fixture
def bucket(monkeypatch):
    # Ceph takes no chunks without a length, which checksums of uploads would need.
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    name = f"perennial-{uuid.uuid4().hex[:12]}"
    system = S3FileSystem(endpoint_override=ENDPOINT, allow_bucket_creation=True)
    system.create_dir(name)
    for kind in ("a", "b"):
        pq.write_table(TABLE, f"{name}/sales/kind={kind}/part.parquet", filesystem=system)
    return name


def test_partitioned_files_and_delta_tables_are_read_from_s3(tmp_path, bucket):
    rows = read(tmp_path, f"s3://{bucket}/sales/**/*.parquet").tables["events"]
    assert sorted(rows["kind"].to_pylist()) == ["a", "b"]
    keys = {k: v for k, v in os.environ.items() if k.startswith("AWS_")}
    keys |= {"AWS_ALLOW_HTTP": "true", "AWS_S3_ALLOW_UNSAFE_RENAME": "true"}
    write_deltalake(f"s3://{bucket}/delta", TABLE, storage_options=keys)
    delta = read(tmp_path, f"s3://{bucket}/delta", format="delta").tables["events"]
    assert delta["x"].to_pylist() == [1]


def test_what_is_not_there_may_come_later(tmp_path, bucket):
    with pytest.raises(Unreachable, match=r"nothing\.parquet"):
        read(tmp_path, f"s3://{bucket}/nothing.parquet")
