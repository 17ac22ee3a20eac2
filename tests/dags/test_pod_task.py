"""The program of a task's pod runs what Airflow's executor appends, and sees ends at once."""

from __future__ import annotations

import os
import subprocess
import sys

from airflow.providers.cncf.kubernetes import pod_generator

from tests.conftest import ROOT

PROGRAM = ROOT / "plugins" / "perennial_airflow" / "pod_task.py"
SEEN = """
import sys
from airflow.sdk.execution_time.supervisor import WatchedSubprocess
print("__wrapped__" in vars(WatchedSubprocess._check_subprocess_exit), sys.argv[1:], __name__)
"""


def run(folder, *arguments):
    """Run it as the image does: the plugins' folder is known to Airflow alone."""
    known = {"AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins")}
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    return subprocess.run(
        [sys.executable, "-P", PROGRAM, *arguments],
        env={**os.environ, **known, **paths},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_module_is_run_with_its_arguments_and_ends_are_seen_at_once(tmp_path):
    (tmp_path / "seen.py").write_text(SEEN)
    done = run(tmp_path, "python", "-m", "seen", "--json-string", "{}")
    assert done.stdout.splitlines()[-1:] == ["True ['--json-string', '{}'] __main__"], done.stderr


def test_it_is_what_the_executor_appends(tmp_path):
    """Airflow's own program refuses what is no task, and says so."""

    class Task:
        def model_dump_json(self):
            return '{"type": "no task"}'

    done = run(tmp_path, *pod_generator.workload_to_command_args(Task()))
    assert done.returncode == 1
    assert "Failed to parse input JSON string" in done.stdout + done.stderr
