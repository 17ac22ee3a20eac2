"""Steps that run the Python code of their request, in an image of the test's own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tarfile
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from perennial_airflow.places.docker import DockerStepOperator, container_name

STEP = b"""
import json, os, signal, subprocess, sys, threading, time
step, model, request = sys.argv[1], sys.argv[3], json.loads(sys.argv[5])
def record(result, step=step):
    print(json.dumps({"perennial_record": 1, "step": step, "result": result}), flush=True)
def say(text):
    print(text, file=sys.stderr, flush=True)
exec(request.get("code") or "record({'request': request, 'model': model})")
"""
WHILE_AT_WORK = "say('at work')\ntime.sleep(600)"


def step_image_of(engine):
    """Build an image whose entry point runs the Python code of its request; return its tag."""
    tags = {tag for image in engine.images() for tag in image["RepoTags"] or []}
    base = next(
        (tag for tag in ("python-base:local", "perennial/steps:latest") if tag in tags), None
    )
    if base is None:
        pytest.skip("neither python-base:local nor perennial/steps:latest is here (make images)")
    files = {
        "Dockerfile": (
            f"FROM {base}\nCOPY step.py /step.py\n".encode()
            + b'ENTRYPOINT ["python3", "-u", "/step.py"]\n'
        ),
        "step.py": STEP,
    }
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    context.seek(0)
    tag = f"perennial-test/step:{os.getpid()}"
    said = list(
        engine.build(
            fileobj=context, custom_context=True, tag=tag, rm=True, pull=False, decode=True
        )
    )
    assert any(tag in line.get("stream", "") for line in said), said
    return tag


def context(run: str = "by hand 1", conf: object = None) -> dict:
    dag_run = SimpleNamespace(
        conf=conf,
        run_type="manual",
        run_after=datetime(2024, 5, 1, 12, tzinfo=UTC),
        data_interval_end=None,
    )
    return {
        "run_id": run,
        "dag_run": dag_run,
        "ti": SimpleNamespace(dag_id="retrain_demo", run_id=run, map_index=-1),
    }


def operator(settings, code: str = "", step: str = "features", **parameters) -> DockerStepOperator:
    request = {"code": code} if code else {}
    return DockerStepOperator(
        task_id=step, step=step, model="demo", settings=settings, request=request, **parameters
    )


def the_name(settings, run: str = "by hand 1") -> str:
    return container_name(settings, "demo", "features", "retrain_demo", run, -1)


class Heard:
    """What a step said, line by line; `act` is called at the first line."""

    def __init__(self, act=lambda: None) -> None:
        self.lines: list[tuple[str, str]] = []
        self._act = act

    def __call__(self, stream: str, line: str) -> None:
        self.lines.append((stream, line))
        if len(self.lines) == 1:
            self._act()


@contextlib.contextmanager
def started(task: DockerStepOperator, code: str, run: str = "by hand 1"):
    with task._place(context(run)).start(
        task.step, task.model, json.dumps({"code": code})
    ) as running:
        yield running
