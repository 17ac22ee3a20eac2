"""One retraining and one look at a window with the state in a bucket, against a local folder.

`PERENNIAL_TEST_S3=http://… AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… python -m benchmarks.bucket`

`flight_delays`: six batches to learn from, one to judge on, three candidates, packaged and taken by
a server; then the next month is looked at. Each step is a process, as a worker starts it. In the
bucket are the store, DVC's remote and MLflow's artifacts; ledger, git and MLflow's database are
beside it in both cases. The two are run in turn and compared by their medians.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.report import Measure, is_tiny, show, write
from benchmarks.step_seconds import Life, Seconds, await_url, free_port, live

if TYPE_CHECKING:
    from collections.abc import Iterator

LIFE = Life(
    model="flight_delays",
    candidates=("baseline", "linear", "boosted"),
    as_of=os.environ.get("AS_OF", "2013-08-01T00:00:00Z"),
    window_end=os.environ.get("WINDOW_END", "2013-09-01T00:00:00Z"),
)
RUNS, ASKED = int(os.environ.get("RUNS", "3")), 1.3


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; 1 where the ratio is higher than asked, 65 without an endpoint."""
    tiny = is_tiny(__doc__, argv)
    url = os.environ.get("PERENNIAL_TEST_S3", "")
    if not url and not tiny:
        print("PERENNIAL_TEST_S3 names no endpoint.")
        return 65
    local, far = [], []
    with contextlib.ExitStack() as stack:
        endpoint = url or stack.enter_context(moto())
        for number in range(1 if tiny else RUNS):
            local.append(live(LIFE, {}))
            print(f"run {number + 1}: {sum(local[-1].values()):.1f} s in a folder", flush=True)
            with _bucket(endpoint) as environ:
                far.append(live(LIFE, environ))
            print(f"run {number + 1}: {sum(far[-1].values()):.1f} s in a bucket", flush=True)
    rows = measures(local, far)
    show("State in a bucket", rows)
    if tiny:
        return 0
    write("bucket", rows)
    return int(rows[0]["value"] > ASKED)


def measures(local: list[Seconds], far: list[Seconds]) -> list[Measure]:
    """Return the ratio of the medians, and the medians of each step."""
    near_all, far_all = (statistics.median(sum(r.values()) for r in runs) for runs in (local, far))
    rows = [
        _row("retrain and drift in a bucket / in a folder", far_all / near_all, "", f"<= {ASKED}"),
        _row("in a folder", near_all, "s"),
        _row("in a bucket", far_all, "s"),
    ]
    for step in local[0]:
        rows += [
            _row(f"{step}: in a folder", statistics.median(r[step] for r in local), "s"),
            _row(f"{step}: in a bucket", statistics.median(r[step] for r in far), "s"),
        ]
    return rows


def _row(measure: str, value: float, unit: str, asked: str = "") -> Measure:
    return {"measure": measure, "value": round(value, 2), "unit": unit, "asked": asked}


@contextlib.contextmanager
def _bucket(endpoint: str) -> Iterator[dict[str, str]]:
    """Yield the variables that put the state into an empty bucket; it is gone afterwards."""
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    name = f"perennial-bench-{secrets.token_hex(4)}"
    client.create_bucket(Bucket=name)
    try:
        yield {"PERENNIAL_STORE": f"s3://{name}/state", "PERENNIAL_STORE_ENDPOINT": endpoint}
    finally:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=name):
            for item in page.get("Contents", ()):
                client.delete_object(Bucket=name, Key=item["Key"])
        client.delete_bucket(Bucket=name)


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """Run moto's server, which shows that the benchmark runs and judges nothing; yield its URL."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    port = str(free_port())
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        await_url(f"http://127.0.0.1:{port}/moto-api/", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
