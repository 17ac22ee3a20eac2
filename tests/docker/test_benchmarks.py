"""The benchmarks that need a Docker engine and the images run."""

from __future__ import annotations

import pytest

from tests.benchmarks.running import WITH_AN_ENGINE, run

pytestmark = [pytest.mark.engine, pytest.mark.slow]


LOCAL = "python-base:local"
"""The base of the images, where they were not built from the official one."""


LONG = ("required", "containers", "deploy")
"""Of these each takes minutes, and what it measures is tested in `test_deploy_packages.py`,
`test_place_containers.py` and `test_deploy.py` too.
"""


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long) if name in LONG else name
        for name in WITH_AN_ENGINE
    ],
)
def test_what_needs_an_engine_runs(engine, name):
    base = {"BASE": LOCAL} if engine.images(LOCAL) else {}
    assert "nothing was measured" not in run(name, **base)
