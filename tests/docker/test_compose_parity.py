"""One retraining, step by step, as processes and in containers.

What comes out of it is the same, byte for byte.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

_home = tempfile.TemporaryDirectory(prefix="perennial-airflow-")
os.environ.setdefault("AIRFLOW_HOME", _home.name)  # Airflow reads it when it is first imported

from perennial_airflow.places.docker import DockerStepOperator  # noqa: E402
from perennial_airflow.places.step_operator import StepOperator  # noqa: E402

from pipelines.ports import EmbeddedPorts  # noqa: E402
from pipelines.refs import Ref  # noqa: E402
from pipelines.settings import load_settings  # noqa: E402
from pipelines.store.local import LocalStore  # noqa: E402
from tests.worlds import as_of, make_world  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(600)]

RUN = "parity 1"


@dataclass(frozen=True)
class Retraining:
    """The results of a retraining's steps, and the store that holds what they refer to."""

    results: dict[str, dict]
    store: LocalStore

    def read(self, ref: dict) -> dict:
        return json.loads(self.store.get(Ref.model_validate(ref)))


def retrained(run: Callable[..., dict], store: LocalStore) -> Retraining:
    """Run the steps one after the other."""
    done: dict[str, dict] = {"ingest": run("ingest")}
    done["validate"] = run("validate", ingest=done["ingest"])
    done["features"] = run("features", ingest=done["ingest"], validate=done["validate"])
    trained = [
        run("train", features=done["features"], candidate=name) for name in ("baseline", "linear")
    ]
    done |= {f"train {result['candidate']}": result for result in trained}
    done["gate"] = run("gate", features=done["features"], train=trained)
    done["package"] = run("package", features=done["features"], train=trained, gate=done["gate"])
    done["close"] = run("close", features=done["features"], gate=done["gate"])
    return Retraining(done, store)


def context() -> dict:
    dag_run = SimpleNamespace(
        conf={"as_of": as_of(8)},
        run_type="manual",
        run_after=datetime(2024, 5, 1, 12, tzinfo=UTC),
        data_interval_end=None,
    )
    ti = SimpleNamespace(
        dag_id="retrain_sales", run_id=RUN, map_index=-1, xcom_push=lambda *_: None
    )
    return {"run_id": RUN, "dag_run": dag_run, "ti": ti}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_world(tmp_path_factory.mktemp("world") / "home")


@pytest.fixture(scope="module")
def image(engine, world):
    """The steps image with the world's model in it: what a user makes of their own models."""
    base = load_settings().steps_image
    if not any(base in (found["RepoTags"] or []) for found in engine.images()):
        if os.environ.get("PERENNIAL_REQUIRE_ENGINE") == "1":
            pytest.fail(f"there is no image {base}: make images")
        pytest.skip(f"there is no image {base} (make images)")
    lines = [
        f"FROM {base}",
        *(
            f"COPY {name} /app/{name}"
            for name in ("models", "expectations", "raw", "requirements.txt")
        ),
    ]
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len("\n".join(lines))
        archive.addfile(entry, io.BytesIO("\n".join(lines).encode()))
        for name in ("models", "expectations", "raw", "requirements.txt"):
            archive.add(world.home / name, name)
    stream.seek(0)
    tag = f"perennial-test/sales:{os.getpid()}"
    said = list(
        engine.build(fileobj=stream, custom_context=True, tag=tag, rm=True, pull=False, decode=True)
    )
    assert any(tag in line.get("stream", "") for line in said), said
    yield tag
    engine.remove_image(tag, force=True)


@pytest.fixture(scope="module")
def as_processes(world) -> Retraining:
    state = world.home / "as_processes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERENNIAL_HOME", str(world.home))
        patch.setenv("PERENNIAL_STATE", str(state))

        def run(step: str, **request) -> dict:
            return StepOperator(task_id=step, step=step, model="sales", request=request).execute(
                context()
            )

        return retrained(run, LocalStore(state / "store"))


@pytest.fixture(scope="module")
def in_containers(world, image) -> Retraining:
    state: Path = world.home / "in_containers"
    settings = load_settings(
        {
            "PERENNIAL_STATE": str(state),
            "PERENNIAL_STEPS_IMAGE": image,
            "PERENNIAL_DOCKER_NETWORK": "none",
            "PERENNIAL_DOCKER_HOST": os.environ.get("DOCKER_HOST", ""),
        }
    )

    def run(step: str, **request) -> dict:
        task = DockerStepOperator(
            task_id=step,
            step=step,
            model="sales",
            request=request,
            settings=settings,
            limits={"memory": "2g"},
        )
        return task.execute(context())

    return retrained(run, LocalStore(state / "store"))


def test_the_batches_are_equal(as_processes, in_containers):
    one, other = (r.read(r.results["ingest"]["plan"]) for r in (as_processes, in_containers))
    assert one == other
    assert [len(one[part]) for part in ("train", "holdout")] == [5, 1]


def test_the_features_are_equal(as_processes, in_containers):
    one, other = (r.results["features"] for r in (as_processes, in_containers))
    assert one["version"]["sha256"] == other["version"]["sha256"]
    assert (one["rows"], one["rebuilt"]) == (other["rows"], other["rebuilt"])


@pytest.mark.parametrize("candidate", ["baseline", "linear"])
def test_the_candidates_learn_the_same(as_processes, in_containers, candidate):
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
        assert one[fact] == other[fact], fact


def test_the_verdict_is_the_same(as_processes, in_containers):
    one, other = (r.results["gate"] for r in (as_processes, in_containers))
    for fact in ("verdict", "candidate", "checks", "reasons"):
        assert one[fact] == other[fact], fact


def test_the_compiled_model_and_its_golden_answers_are_equal_byte_for_byte(
    as_processes, in_containers
):
    """All that a bundle holds, but for a skops file (its hash differs in each process) and a git
    revision (it holds the time)."""
    one, other = (r.read(r.results["package"]["bundle"]) for r in (as_processes, in_containers))
    assert one["compiled"]
    assert {name for name in one if one[name] != other[name]} <= {"native", "features_revision"}


def test_the_run_says_which_image_it_ran_in(engine, image, world, in_containers):
    state = world.home / "in_containers"
    registry = EmbeddedPorts(load_settings({"PERENNIAL_STATE": str(state)})).registry
    made = registry.versions("sales")[0]
    tags = registry._client.get_run(made.run_id).data.tags
    assert tags["image"] == engine.inspect_image(image)["Id"]
