"""The composed stack's workers with a broker that is reached by TLS, whose certificate is of an
authority that nobody knows but by PERENNIAL_BROKER_CA: RabbitMQ (amqps) and Redis (rediss).
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.authorities import Authority
from tests.docker.composed import FIRST_RUN
from tests.docker.workers import ONCE, containers, effects, running_workers
from tests.rabbitmq import needs_rabbitmq, rabbitmq
from tests.redis_server import needs_redis, redis_server

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(2400)]

BROKERS = [
    pytest.param(rabbitmq, id="amqps", marks=needs_rabbitmq),
    pytest.param(redis_server, id="rediss", marks=needs_redis),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authority")
    folder.chmod(0o755)
    return Authority(folder)


@pytest.fixture(scope="module", params=BROKERS)
def broker(request, engine, tmp_path_factory, authority):
    """A server that containers can reach: on the bridge of the engine."""
    bridge = engine.inspect_network("bridge")["IPAM"]["Config"][0]["Gateway"]
    folder = tmp_path_factory.mktemp("broker")
    with request.param(folder, host=bridge, certificate=authority.certify(bridge)) as server:
        yield server


@pytest.fixture(scope="module")
def workers(engine, broker, authority, tmp_path_factory):
    given = {"PERENNIAL_BROKER_URL": broker.url, "PERENNIAL_BROKER_CA": str(authority.file)}
    with running_workers(engine, tmp_path_factory.mktemp("workers"), given) as stack:
        yield stack


def test_a_retraining_goes_over_it(engine, workers):
    assert containers(engine, workers, "broker") == []
    workers.first_release()
    assert effects(workers, FIRST_RUN) == dict.fromkeys(ONCE, 1)
    assert workers.predict("by-tls").status_code == 200


def test_the_doctor_speaks_of_it(workers, broker):
    found = json.loads(workers.perennial("doctor", "--json"))["findings"]
    [(state, said)] = [(f["state"], f["said"]) for f in found if f["what"] == "broker"]
    assert state == "ok"
    assert ("takes us, and its certificate holds" in said) == broker.url.startswith("amqps")
    assert broker.password not in said


def test_one_that_is_certified_by_another_is_named_before_airflow_starts(
    workers, broker, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("theirs")
    folder.chmod(0o755)
    for file, words in (
        (Authority(folder).file, "shows a certificate that does not hold"),
        (folder / "missing.pem", "PERENNIAL_BROKER_CA names no file"),
    ):
        other = replace(workers, variables=workers.variables | {"PERENNIAL_BROKER_CA": str(file)})
        done = other.compose("run", "--rm", "--no-deps", "init")
        assert done.returncode != 0
        assert words in done.stdout + done.stderr
        assert "PERENNIAL_BROKER_CA" in done.stdout + done.stderr
        assert broker.password not in done.stdout + done.stderr
