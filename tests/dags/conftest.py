"""What the tests of the DAGs share.

Airflow reads its home when it is first imported: it gets an empty one before that.
"""

from __future__ import annotations

import os
import sys
import tempfile
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_home = tempfile.TemporaryDirectory(prefix="perennial-airflow-")
os.environ["AIRFLOW_HOME"] = _home.name
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"


class Lines:
    """A log that keeps what is written to it: (level, text)."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def log(self, level: int, message: str, /, *arguments: object) -> None:
        self.lines.append((level, message % arguments))

    @property
    def text(self) -> str:
        return "\n".join(text for _, text in self.lines)


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def command(tmp_path: Path):
    """Make a place's command out of Python code, which finds the step, the model and the request in
    `step`, `model`, `request`."""

    def make(code: str) -> tuple[str, ...]:
        path = tmp_path / "step.py"
        start = """
        import json, os, signal, subprocess, sys, time
        step, model, request = sys.argv[1], sys.argv[3], json.loads(sys.argv[5])
        def record(result, step=step):
            print(json.dumps({"perennial_record": 1, "step": step, "result": result}), flush=True)
        def say(text):
            print(text, file=sys.stderr, flush=True)
        """
        path.write_text(dedent(start) + dedent(code))
        return (sys.executable, str(path))

    return make
