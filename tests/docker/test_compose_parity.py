"""One retraining, step by step: as processes here, and in the composed stack's containers.

What comes out of it is the same, byte for byte.
"""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx
import pytest
from perennial_airflow.places.step_operator import StepOperator

from pipelines.refs import Ref
from pipelines.store.local import LocalStore
from tests.docker.composed import FIRST, FIRST_RUN, RETRAIN, ROOT
from tests.docker.sales import CANDIDATES, sales_world

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(1200)]


@dataclass(frozen=True)
class Retraining:
    """The results of a retraining's steps, and the store that holds what they refer to."""

    results: dict[str, dict]
    store: LocalStore

    def read(self, ref: dict) -> dict:
        return json.loads(self.store.get(Ref.model_validate(ref)))


def context() -> dict:
    dag_run = SimpleNamespace(
        conf=FIRST,
        run_type="manual",
        run_after=datetime(2024, 5, 1, 12, tzinfo=UTC),
        data_interval_end=None,
    )
    ti = SimpleNamespace(dag_id=RETRAIN, run_id=FIRST_RUN, map_index=-1, xcom_push=lambda *_: None)
    return {"run_id": FIRST_RUN, "dag_run": dag_run, "ti": ti}


@pytest.fixture(scope="module")
def as_processes(tmp_path_factory) -> Retraining:
    """The same retraining without containers: each step is a process."""
    home = sales_world(tmp_path_factory.mktemp("processes") / "home", ROOT).home
    state = home / "var"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERENNIAL_HOME", str(home))
        patch.setenv("PERENNIAL_STATE", str(state))

        def run(step: str, **request) -> dict:
            task = StepOperator(task_id=step, step=step, model="sales", request=request)
            return task.execute(context())

        done: dict[str, dict] = {"ingest": run("ingest")}
        done["validate"] = run("validate", ingest=done["ingest"])
        done["features"] = run("features", ingest=done["ingest"], validate=done["validate"])
        trained = [run("train", features=done["features"], candidate=name) for name in CANDIDATES]
        done["gate"] = run("gate", features=done["features"], train=trained)
        done["package"] = run(
            "package", features=done["features"], train=trained, gate=done["gate"]
        )
    return Retraining(done | by_candidate(trained), LocalStore(state / "store"))


@pytest.fixture
def in_containers(engine, up, tmp_path) -> Retraining:
    """The stack's first retraining, and a copy of its store."""
    up.first_release()
    with up.airflow() as api:
        done = {
            step: api.result(RETRAIN, FIRST_RUN, step)
            for step in ("ingest", "features", "gate", "package")
        }
        trained = [api.result(RETRAIN, FIRST_RUN, "train", index=n) for n in range(len(CANDIDATES))]
    [container] = engine.containers(
        filters={
            "label": [
                f"com.docker.compose.project={up.project}",
                "com.docker.compose.service=airflow",
            ]
        }
    )
    stream, _ = engine.get_archive(container["Id"], "/state/store")
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        archive.extractall(tmp_path, filter="data")
    return Retraining(done | by_candidate(trained), LocalStore(tmp_path / "store"))


def by_candidate(trained: list[dict]) -> dict[str, dict]:
    return {f"train {result['candidate']}": result for result in trained}


def test_the_batches_and_the_features_are_equal(as_processes, in_containers):
    one, other = (r.read(r.results["ingest"]["plan"]) for r in (as_processes, in_containers))
    assert one == other
    assert [len(one[part]) for part in ("train", "holdout")] == [2, 1]
    one, other = (r.results["features"] for r in (as_processes, in_containers))
    assert one["version"]["sha256"] == other["version"]["sha256"]
    assert (one["rows"], one["rebuilt"]) == (other["rows"], other["rebuilt"])


def test_the_candidates_learn_the_same_and_the_verdict_is_the_same(as_processes, in_containers):
    for candidate in CANDIDATES:
        one, other = (r.results[f"train {candidate}"] for r in (as_processes, in_containers))
        for fact in (
            "params",
            "settings_tried",
            "cv_score",
            "metrics",
            "rows_train",
            "rows_holdout",
            "predictions",
        ):
            assert one[fact] == other[fact], f"{candidate}: {fact}"
    one, other = (r.results["gate"] for r in (as_processes, in_containers))
    for fact in ("verdict", "candidate", "reasons"):
        assert one[fact] == other[fact], fact
    assert lasting(one["checks"]) == lasting(other["checks"])


def lasting(checks: list[dict]) -> dict[str, dict]:
    """Return the checks by name, without what a clock and the memory said."""
    measured = {"latency": ("detail", "value"), "memory": ("detail", "value")}
    return {
        check["name"]: {k: v for k, v in check.items() if k not in measured.get(check["name"], ())}
        for check in checks
    }


def test_the_gate_asks_a_real_server_inside_the_container_of_its_step(in_containers):
    checks = {check["name"]: check for check in in_containers.results["gate"]["checks"]}
    assert all(checks[name]["passed"] for name in ("latency", "memory", "golden"))
    assert checks["latency"]["value"] > 0
    assert checks["memory"]["value"] > 0


def test_the_compiled_model_and_its_golden_answers_are_equal_byte_for_byte(
    as_processes, in_containers
):
    """All that a bundle holds, but for a skops file (its hash differs in each process) and a git
    revision (it holds the time)."""
    one, other = (r.read(r.results["package"]["bundle"]) for r in (as_processes, in_containers))
    assert one["compiled"]
    assert {name for name in one if one[name] != other[name]} <= {"native", "features_revision"}


def test_the_run_says_which_image_it_ran_in(engine, up, in_containers):
    answer = httpx.get(
        f"{up.url('mlflow')}/api/2.0/mlflow/runs/get",
        params={"run_id": in_containers.results["gate"]["run_id"]},
        auth=("admin", up.secrets["PERENNIAL_SECRET_MLFLOW"]),
        trust_env=False,
    )
    tags = {tag["key"]: tag["value"] for tag in answer.json()["run"]["data"]["tags"]}
    image = up.environ()["PERENNIAL_STEPS_IMAGE"]
    assert tags["image"] == engine.inspect_image(image)["Id"]
