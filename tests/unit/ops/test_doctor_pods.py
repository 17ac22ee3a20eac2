"""What `doctor` says of a state that no pod would see."""

from __future__ import annotations

import pytest

from pipelines.ops.doctor.pods import check_state, check_store
from pipelines.ops.findings import run_check
from tests.unit.ops.diagnoses import bad, look
from tests.worlds import make_world

SERVERS = {"ledger_url": "postgresql://db/ledger", "mlflow_uri": "http://mlflow:5000"}
BUCKET = {"store": "s3://bucket/state"}


@pytest.fixture
def world(tmp_path):
    return make_world(tmp_path, days=0)


def of_steps(world, **changes):
    settings = world.settings.replace(place="kubernetes", **changes)
    return run_check("state", lambda: check_state(settings))


def of_releases(world, **changes):
    return run_check("store", lambda: check_store(world.settings.replace(**changes)))


@pytest.mark.parametrize("lacking", ["PERENNIAL_STORE", *map(str.upper, SERVERS)])
def test_steps_in_pods_without_a_part_of_their_state_are_a_problem(world, lacking):
    given = {**SERVERS, **BUCKET}
    del given[lacking.removeprefix("PERENNIAL_").lower()]
    (found,) = of_steps(world, **given)
    assert (found.state, found.said) == (
        "problem",
        "The steps' pods have no state: what they write would go with them.",
    )
    assert f"{lacking.removeprefix('PERENNIAL_')} (a " in found.remedy
    assert "PERENNIAL_KUBERNETES_STEPS_VOLUME" in found.remedy


@pytest.mark.parametrize("seen", [{**SERVERS, **BUCKET}, {"kubernetes_steps_volume": "state"}])
def test_steps_in_pods_that_see_their_state_are_well(world, seen):
    assert [found.state for found in of_steps(world, **seen)] == ["ok"]


def test_a_store_beside_the_claim_is_a_problem(world, tmp_path):
    (found,) = of_steps(world, kubernetes_steps_volume="state", store=str(tmp_path / "elsewhere"))
    assert found.state == "problem"
    assert "PERENNIAL_STORE=" in found.said


def test_a_folder_on_one_machine_is_no_problem_where_nothing_is_a_pod(world):
    assert run_check("state", lambda: check_state(world.settings)) == []
    assert of_releases(world) == []


def test_releases_in_pods_without_the_store_are_a_problem(world):
    (found,) = of_releases(world, target="kubernetes")
    assert (found.state, found.said.partition(":")[0]) == ("problem", "Pods cannot reach the store")
    assert "PERENNIAL_KUBERNETES_SERVING_VOLUME" in found.remedy
    world.respec("alike:", "deploy: {target: kubernetes}\nalike:")
    assert [found.state for found in of_releases(world)] == ["problem"]
    assert [found.state for found in of_releases(world, **BUCKET)] == ["ok"]
    assert [f.state for f in of_releases(world, kubernetes_serving_volume="state")] == ["ok"]


def test_a_diagnosis_tells_of_both(world):
    found = bad(look(world, place="kubernetes", target="kubernetes"))
    assert {"state of steps' pods", "store of releases' pods"} <= found.keys()
