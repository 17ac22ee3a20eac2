"""Tasks on workers that take them from a broker by TLS, with a certificate of one's own authority:
RabbitMQ (amqps) and Redis (rediss).
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from stack.processes import stack_processes
from tests.authorities import Authority
from tests.e2e.live import MODEL, RETRAIN, free_ports, run_stack, running, stack_environ
from tests.rabbitmq import needs_rabbitmq, rabbitmq
from tests.redis_server import needs_redis, redis_server
from tests.worlds import as_of, make_world

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1_800)]

HOST = "127.0.0.1"
BROKERS = [
    pytest.param(rabbitmq, id="amqps", marks=needs_rabbitmq),
    pytest.param(redis_server, id="rediss", marks=needs_redis),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=BROKERS)
def broker(request, tmp_path_factory, authority):
    folder = tmp_path_factory.mktemp("broker")
    with request.param(folder, certificate=authority.certify(HOST)) as server:
        yield server


def environ_of(home, broker, ca):
    """What a user sets for such a broker."""
    ports = free_ports("AIRFLOW", "MLFLOW", "SERVING")
    named = {} if ca is None else {"PERENNIAL_BROKER_CA": str(ca)}
    return (
        stack_environ(str(home), ports)
        | named
        | {
            "PERENNIAL_EXECUTOR": "celery",
            "PERENNIAL_BROKER_URL": broker.url,
        }
    )


@pytest.fixture(scope="module")
def live(tmp_path_factory, broker, authority):
    """A stack with two workers."""
    home = tmp_path_factory.mktemp("celery") / "home"
    with running(make_world(home), environ_of(home, broker, authority.file)) as live:
        yield live
    assert stack_processes(str(live.settings.state)) == {}


def test_a_retraining_goes_over_it(live):
    assert {"worker-1", "worker-2"} <= set(live.pids())
    assert live.run(MODEL, "first", as_of=as_of(3)) == "success"
    tries = {t.task: t.tries for t in live.api.tasks(RETRAIN, "first") if t.state == "success"}
    assert set(tries.values()) == {1}
    assert sum(e.kind == "verdict" and e.key == "first" for e in live.ledger(MODEL)) == 1


def test_the_doctor_asks_it_and_finds_that_its_certificate_holds(live, broker, authority):
    for ca, state, words in (
        (None, "ok", "takes us, and its certificate holds"),  # as the stack that runs
        (Authority(live.world.home, "theirs").file, "problem", "shows a certificate that"),
    ):
        environ = {k: v for k, v in live.environ.items() if not k.startswith("PERENNIAL_BROKER")}
        told = {} if ca is None else {"PERENNIAL_BROKER_CA": str(ca)}
        done = replace(live, environ=environ | told).perennial("doctor", "--json").stdout
        [found] = [f for f in json.loads(done)["findings"] if f["what"] == "broker"]
        assert (found["state"], words in found["said"]) == (state, True), found
        assert broker.password not in done


def test_a_worker_takes_no_task_from_a_broker_that_is_certified_by_another(live, broker, authority):
    """The certificate is changed while the stack runs: it is refused until it is ours again."""
    broker.kill()
    ours, broker.certificate = broker.certificate, Authority(live.world.home).certify(HOST)
    broker.start()
    live.start(MODEL, "second", as_of=as_of(8))
    log = live.layout.logs
    live.until(
        lambda: all(
            "CERTIFICATE_VERIFY_FAILED" in (log / f"{name}.log").read_text()
            for name in ("worker-1", "worker-2")
        ),
        "both workers refuse it",
    )
    assert not any(t.state == "running" for t in live.api.tasks(RETRAIN, "second"))
    broker.kill()
    broker.certificate = ours
    broker.start()
    assert live.end(MODEL, "second") == "success"


def test_up_names_a_certificate_that_does_not_hold_and_starts_nothing(tmp_path, broker):
    make_world(tmp_path / "home")
    for ca in (None, Authority(tmp_path, "theirs").file):
        environ = environ_of(tmp_path / "home", broker, ca)
        up = run_stack(environ, "up")
        said = up.stdout + up.stderr
        assert up.returncode != 0
        assert "shows a certificate that does not hold" in said
        assert "PERENNIAL_BROKER_CA" in said
        assert broker.password not in said
        assert stack_processes(str(tmp_path / "home" / "var")) == {}
