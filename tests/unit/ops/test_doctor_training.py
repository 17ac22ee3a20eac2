"""Whether the Python that runs steps has what they train with."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from pipelines.ops.doctor.packages import check_training
from pipelines.settings import Settings
from tests.conftest import ROOT

BARE = """
import importlib.util, json, sys
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "sklearn" else found(name, *rest)
from pipelines.ops.doctor.packages import check_training
from pipelines.settings import Settings
found = check_training(Settings(place=sys.argv[1]))
print(json.dumps([[f.state, f.said, f.remedy] for f in found]))
"""


def without_sklearn(place):
    """What is found in a Python that has no scikit-learn, as Airflow's image."""
    done = subprocess.run(
        [sys.executable, "-c", BARE, place],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_this_python_can_train():
    assert [found.state for found in check_training(Settings(place="process"))] == ["ok"]


def test_one_without_a_library_is_told_before_a_run():
    [[state, said, remedy]] = without_sklearn("process")
    assert (state, said) == (
        "problem",
        "Steps run as processes of this Python, which has no library that trains.",
    )
    assert "PERENNIAL_PLACE" in remedy


def test_where_steps_run_elsewhere_it_needs_none():
    assert without_sklearn("kubernetes") == []
