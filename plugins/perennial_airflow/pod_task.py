"""The program of a task's pod, where each task has one: Airflow's own, which sees ends at once.

The chart names this file as the pod's command. Airflow's executor appends `python -m MODULE …`,
as to a container without a command; that module is run here, in this process.
"""

from __future__ import annotations

import runpy
import sys

import airflow  # noqa: F401 -- it makes the plugins' folder one to import from

from perennial_airflow.prompt_ends import see_ends_at_once

if __name__ == "__main__":
    see_ends_at_once()
    _python, _module_follows, module, *_ = sys.argv[1:]
    sys.argv = sys.argv[3:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
