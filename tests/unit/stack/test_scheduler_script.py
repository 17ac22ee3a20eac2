"""docker/compose/scheduler.sh.

A scheduler that ends with 75 is started again, any other end is the container's.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "docker" / "compose" / "scheduler.sh"

AIRFLOW = """#!/bin/bash
echo "$*" >>"$CALLS"
read -r code <"$CODES"
sed -i 1d "$CODES"
[ "$code" != wait ] || { trap 'exit 0' TERM; echo ready; while true; do sleep 0.05; done; }
exit "$code"
"""


@pytest.fixture
def begin(tmp_path):
    """Start the script with an `airflow` that ends with these codes, one after the other."""
    airflow = tmp_path / "airflow"
    airflow.write_text(AIRFLOW)
    airflow.chmod(0o755)
    calls, codes = tmp_path / "calls", tmp_path / "codes"

    def start(*wanted: str) -> subprocess.Popen[str]:
        codes.write_text("".join(f"{code}\n" for code in wanted))
        environ = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "CALLS": str(calls),
            "CODES": str(codes),
        }
        return subprocess.Popen(
            ["bash", str(SCRIPT)], env=environ, stdout=subprocess.PIPE, text=True
        )

    start.calls = lambda: calls.read_text().splitlines()
    return start


@pytest.mark.parametrize("last", ["0", "1", "137"])
def test_only_a_stuck_scheduler_is_started_again(begin, last):
    script = begin("75", "75", last)
    script.communicate()
    assert script.returncode == int(last)
    assert begin.calls() == ["scheduler --skip-serve-logs"] * 3


def test_docker_stop_ends_the_scheduler_in_peace(begin):
    script = begin("wait", "75")
    assert script.stdout.readline() == "ready\n"
    script.send_signal(signal.SIGTERM)
    script.communicate()
    assert script.returncode == 0
    assert len(begin.calls()) == 1
