"""What a task's process needs is there before the scheduler forks its workers."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.worlds import make_world

BEGINS = """
import json, sys
from perennial_airflow.before_tasks import load_for_tasks
load_for_tasks()
before = set(sys.modules)

# What Airflow's task runner does before it runs a task of ours
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk.listener import get_listener_manager
from airflow.sdk.plugins_manager import _get_plugins, integrate_macros_plugins
from perennial_airflow.dags.all_models import dags
loaded = _get_plugins.cache_info().misses
get_listener_manager()
integrate_macros_plugins()
made = dags("retrain_sales")
new = {name.partition(".")[0] for name in set(sys.modules) - before}
ours = sorted(new & {"pipelines", "perennial_airflow", "perennial_plugin"})
print(json.dumps([list(made), ours, loaded, _get_plugins.cache_info().misses]))
"""


@pytest.mark.slow
def test_a_task_loads_neither_plugins_nor_the_code_of_its_dag(tmp_path):
    make_world(tmp_path / "home")
    environ = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "PERENNIAL_HOME": str(tmp_path / "home"),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'plugins'}",
    }
    done = subprocess.run(
        [sys.executable, "-c", BEGINS], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    made, new, loaded, loaded_later = json.loads(done.stdout.splitlines()[-1])
    assert made == ["retrain_sales"]
    assert new == []
    assert (loaded, loaded_later) == (1, 1), "the plugins were there"
