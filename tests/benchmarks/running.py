"""Run benchmarks on a tiny size, as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

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


ALL_OF_THEM = """
import contextlib, io, json, runpy, sys, traceback
ended = {}
for name in sys.argv[1:]:
    sys.argv = [name, "--tiny"]
    code, said = 0, io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            runpy.run_module(f"benchmarks.{name}", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            code = traceback.format_exc()
    ended[name] = [code, said.getvalue()]
print(json.dumps(ended))
"""
"""Runs one after the other, each as its own main program, in one process: most of the time of a
tiny run goes into importing the same libraries."""


def run_together(names: Sequence[str]) -> dict[str, tuple[int | str, str]]:
    """Return how each benchmark ended (0: well), and what it printed, by name.

    They must leave the committed figures as they are.
    """
    before = _figures()
    done = subprocess.run(
        [sys.executable, "-c", ALL_OF_THEM, *names],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert _figures() == before
    return json.loads(done.stdout.splitlines()[-1])


def _figures() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in RESULTS.iterdir()}
