"""What a real server shows of a challenger: latency, memory, golden requests; or a refusal."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import psutil
import pytest

from pipelines.judging.trial_server import running_server
from pipelines.spec.gate_served import Memory
from pipelines.steps import gate
from tests.own_models import MODEL
from tests.unit.judging.odd_servers import odd_program
from tests.unit.steps.learning import RUN, learning, spec_text

pytestmark = pytest.mark.usefixtures("one_thread")

MEBIBYTE = 2**20
ROW = "a: 0.5, b: 1, count: 3, flag: true, place: p1"
GATE = (
    "gate: {at_least: {roc_auc: 0.5}, versus_champion: {metric: roc_auc, confidence: 0.6},"
    " min_rows: 50, size: {bundle: 5m}, latency: {milliseconds: %s, quantile: 0.9},"
    " memory: {at_most: %s},"
    f" golden: [{{row: {{{ROW}, channel: mail}}, answer: 1, within: %s}}]}}"
)
WIDE = GATE % (2000, "500m", 0.5)
NARROW = GATE % (0.0001, "1m", 0.001)
LINEAR = "  - {name: linear, estimator: sklearn.linear_model.LogisticRegression}"
LARGE = (
    "  - {name: large, estimator: sklearn.ensemble.RandomForestClassifier,"
    " params: {n_estimators: 120}}"
)
IN_SERVER = ("latency", "memory", "golden")


class Counted:
    """Real servers, counted."""

    started = 0

    @contextmanager
    def __call__(self, context):
        self.started += 1
        with running_server(context) as server:
            yield server


def judged(world, trained, *, seconds=60.0, run=RUN, servers=running_server):
    """Return what the gate says in each check that asks a server; none is left behind."""
    settings = world.context.settings.replace(deploy_timeout_seconds=seconds)
    context = replace(world.context, settings=settings)
    before = set(psutil.Process().children(recursive=True))
    result = gate.run(context, world.gate_request([trained], run), servers)
    checks = {check.name: check for check in result.checks}
    for check in checks.values():
        assert (check.detail in result.reasons) is not check.passed
    assert set(psutil.Process().children(recursive=True)) <= before, "no server is left"
    return {name: checks[name] for name in IN_SERVER if name in checks}


def test_nothing_is_started_for_a_gate_that_asks_no_server(tmp_path):
    asked = WIDE.split(" latency:")[0] + " robustness: {noise: 5}}"
    world = learning(tmp_path, spec_text(candidates=LINEAR, gate=asked))
    servers = Counted()
    assert judged(world, world.train("linear"), servers=servers) == {}
    assert servers.started == 0


@pytest.mark.slow
def test_one_server_measures_all_or_refuses_all(tmp_path):
    world = learning(tmp_path, spec_text(candidates=LINEAR, gate=WIDE))
    trained, servers = world.train("linear"), Counted()
    found = judged(world, trained, servers=servers)
    assert servers.started == 1
    assert all(check.passed for check in found.values()), found
    assert found["latency"].value > 0.05, "no loopback is faster"
    assert "answers 90 % of requests for one row within" in found["latency"].detail
    assert 0 < found["memory"].value < 100 * MEBIBYTE
    assert found["golden"].detail == "1 golden request answered as expected"
    tired = judged(world, trained, seconds=0.000001, run="later")
    dead = judged(
        world, trained, run="last", servers=partial(running_server, program=odd_program("dies"))
    )
    for name in IN_SERVER:
        for check, words in ((tired, "The server did not serve the model within"), (dead, "luck")):
            assert (check[name].passed, check[name].value) == (False, None)
            assert words in check[name].detail
            assert check[name].would_pass == f"mend that, or take gate.{name} out"


@pytest.mark.slow
def test_a_large_slow_and_wrong_model_is_refused_and_what_it_says_would_pass(tmp_path):
    world = learning(tmp_path, spec_text(candidates=LARGE, gate=NARROW))
    found = judged(world, world.train("large"))
    assert not any(check.passed for check in found.values()), found
    memory = found["memory"]
    assert memory.value > 35 * MEBIBYTE, "a linear one takes 30"
    assert "beyond the 1 MiB" in memory.detail
    less = float(memory.would_pass.split(" MiB less")[0])
    assert less == pytest.approx(memory.value / MEBIBYTE - 1, rel=0.01)
    enough = f"{int(memory.value / MEBIBYTE) + 1}m"
    assert Memory(at_most=enough).limit >= memory.value
    assert "ms faster" in found["latency"].would_pass
    assert "instead of 1" in found["golden"].detail


@pytest.mark.slow
def test_a_golden_request_that_the_server_refuses_is_a_matter_of_its_own(tmp_path):
    world = learning(
        tmp_path, spec_text(candidates=LINEAR, gate=WIDE.replace("channel: mail", "channel: 7"))
    )
    found = judged(world, world.train("linear"))
    assert found["latency"].passed
    assert not found["golden"].passed
    assert "gate.golden.0 cannot be answered: channel:" in found["golden"].detail


@pytest.mark.long
def test_the_process_of_own_code_counts_too(tmp_path):
    folder = tmp_path / "models" / "visits"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(MODEL)
    world = learning(
        tmp_path,
        spec_text(candidates="  - {name: own, pipeline: make}", gate=GATE % (60_000, "1g", 1)),
    )
    found = judged(world, world.train("own"))
    assert all(check.passed for check in found.values()), found
    assert found["memory"].value > 150 * MEBIBYTE, "scikit-learn is loaded in its own process"
