"""The composed stack with its store in a bucket: by settings alone, and with workers that share
nothing but the bucket, the databases, the broker and the engine.

The bucket's endpoint has a certificate that nobody knows but by PERENNIAL_STORE_CA.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import replace

import pytest

from tests.bad_network import bad_network, self_signed
from tests.buckets import moto
from tests.docker.composed import FIRST_RUN, ROOT, alone, composed
from tests.docker.sales import sales_world

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(2400)]

WORKERS = 2


@pytest.fixture(scope="module")
def bucket(engine):
    """An address of a bucket that containers can reach: on the bridge of the engine."""
    bridge = _bridge(engine)
    with moto(bridge) as endpoint, endpoint.bucket() as address:
        yield replace(endpoint, secret=secrets.token_hex(16)), address


@pytest.fixture(scope="module")
def certified(engine, bucket, tmp_path_factory):
    """What the operator sets so that the bucket is reached by TLS alone."""
    folder = tmp_path_factory.mktemp("certificate")
    with_key, public = self_signed(folder, _bridge(engine))
    folder.chmod(0o755)
    public.chmod(0o644)
    endpoint, _ = bucket
    with bad_network(endpoint.url, with_key, _bridge(engine)) as network:
        yield {"PERENNIAL_STORE_ENDPOINT": network.url, "PERENNIAL_STORE_CA": str(public)}


def _bridge(engine):
    return engine.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]


@pytest.fixture(scope="module")
def stack(engine, bucket, certified, tmp_path_factory):
    endpoint, address = bucket
    folder = tmp_path_factory.mktemp("bucket")
    world = sales_world(folder / "home", ROOT)
    found = replace(
        composed(engine, folder).with_model(engine, world),
        workers=WORKERS,
        variables=endpoint.environment(address) | certified,
    )
    found.backups.mkdir()
    with alone():
        try:
            found.up()
            yield found
        finally:
            found.down(engine)
            for tag in found.images.values():
                engine.remove_image(tag, force=True)


def keys(bucket):
    """Return the folders below the store's prefix that hold objects."""
    endpoint, address = bucket
    pages = endpoint.boto().get_paginator("list_objects_v2")
    return {
        item["Key"].removeprefix(address.prefix + "/").split("/")[0]
        for page in pages.paginate(Bucket=address.bucket, Prefix=address.prefix)
        for item in page.get("Contents", ())
    }


def test_a_retraining_leaves_its_state_in_the_bucket_and_is_served_from_it(stack, bucket):
    stack.first_release()
    assert {"objects", "keys", "dvc", "mlflow"} <= keys(bucket)
    assert stack.predict("from-the-bucket").status_code == 200


def test_the_volume_of_the_state_holds_no_store(engine, stack):
    stack.first_release()
    done = stack.compose("run", "--rm", "--entrypoint", "ls", "perennial", "/state")
    assert done.returncode == 0, done.stderr
    assert "store" not in done.stdout.split()


def test_the_doctor_finds_the_bucket_as_it_must_be(stack):
    stack.first_release()
    found = json.loads(stack.perennial("doctor", "--json"))["findings"]
    said = {one["state"]: one["said"] for one in found if "bucket" in one["what"]}
    assert "can be written, read, listed and cleared" in said["ok"]
    assert said.keys() == {"ok"}
    assert not [one for one in found if one["state"] == "problem"]


def test_no_log_and_no_record_shows_the_key(stack, bucket):
    endpoint, _ = bucket
    stack.first_release()
    said = stack.compose("logs", "--no-color").stdout
    with stack.airflow() as api:
        for task in api.tasks("retrain_sales", FIRST_RUN):
            said += api.log("retrain_sales", FIRST_RUN, task.task, task.index, task.tries)
    assert endpoint.secret not in said
