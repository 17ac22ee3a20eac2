"""Which place the steps of a model run in."""

from __future__ import annotations

from typing import get_args

import pytest
from perennial_airflow.places.choice import PLACES, operator_for

from pipelines.settings import Settings
from pipelines.spec import load_spec


def test_every_place_that_a_setting_may_name_is_there():
    assert set(PLACES) == set(get_args(Settings.model_fields["place"].annotation))


@pytest.mark.parametrize(
    ("place", "operator"),
    [
        ("process", "StepOperator"),
        ("docker", "DockerStepOperator"),
        ("kubernetes", "KubernetesStepOperator"),
    ],
)
def test_a_place_has_its_operator(world, place, operator):
    spec = load_spec(world.settings.models, world.model)
    assert operator_for(place, spec)[0].__name__ == operator
