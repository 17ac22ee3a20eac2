"""Run a benchmark on a tiny size, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import ROOT

RESULTS = ROOT / "benchmarks" / "results"
WITH_AN_ENGINE = ("containers", "deploy", "rebuild", "required")
"""The benchmarks that need a Docker engine; tests/docker starts them."""


def run(name: str, **environ: str) -> str:
    """Return what the benchmark printed; `environ` comes on top of the environment.

    It must end well and leave its committed figures as they are.
    """
    before = _figures()
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--tiny"],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert _figures() == before
    return done.stdout


def _figures() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in RESULTS.iterdir()}
