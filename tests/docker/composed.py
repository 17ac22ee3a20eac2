"""A composed stack of a test's own.

Its own project, ports, secrets and volumes, beside any other one.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import httpx
import pytest

from pipelines.spec import load_all
from stack.airflow_api import AirflowApi
from stack.compose_secrets import make
from stack.dags import await_dags
from tests.docker.ports import free_port
from tests.docker.sales import FIRST_DAY, ROW, image_with

if TYPE_CHECKING:
    from tests.worlds import World

ENVIRON = dict(os.environ)
"""As it was when the tests began; each test's own is freed of our settings and images to try."""

ROOT = Path(__file__).parents[2]
PLUGINS = Path.home() / ".cache/docker-engine/dockercfg"
"""Where an engine of Debian's packages keeps compose v2."""

IMAGES = ("airflow", "steps", "serving", "mlflow", "gateway", "door", "postgres", "broker")
SERVICES = (
    "postgres",
    "airflow",
    "scheduler",
    "dag-processor",
    "triggerer",
    "mlflow",
    "gateway",
    "door",
)
RETRAIN = "retrain_sales"
FIRST_RUN = "first"
FIRST = {"as_of": FIRST_DAY, "reason": "the first time"}
"""The stack's first retraining, which others compare and build on: its run's id and its conf."""

PORTS = {"airflow": 8080, "mlflow": 5000, "gateway": 8000}


def absent(reason):
    """Skip; but fail where an engine is promised."""
    if ENVIRON.get("PERENNIAL_REQUIRE_ENGINE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class Composed:
    """One project; nothing runs before `compose("up")`."""

    project: str
    folder: Path
    ports: dict[str, int]
    images: dict[str, str] = field(default_factory=dict)
    """By name, the images that are other ones than those of `make images`."""
    world: World | None = None
    """Whose model is in them, beside the shipped ones."""
    workers: int = 0
    """How many of them take tasks from a broker; 0: the scheduler does the tasks itself."""
    variables: dict[str, str] = field(default_factory=dict)
    """What else its operator has set."""

    @property
    def backups(self) -> Path:
        return self.folder / "backups"

    @property
    def file(self) -> Path:
        return self.folder / "secrets.env"

    @property
    def secrets(self) -> dict[str, str]:
        return dict(
            line.split("=", 1)
            for line in self.file.read_text().splitlines()
            if line.startswith("PERENNIAL_SECRET_")
        )

    def environ(self):
        kept = {
            name: value
            for name, value in ENVIRON.items()
            if not name.startswith("PERENNIAL_SECRET")
        }
        if "DOCKER_CONFIG" not in kept and PLUGINS.is_dir():
            kept["DOCKER_CONFIG"] = str(PLUGINS)
        tag = ENVIRON.get("TAG", "latest")
        images = {
            f"PERENNIAL_{name.upper()}_IMAGE": ENVIRON.get(
                f"PERENNIAL_{name.upper()}_IMAGE", f"perennial/{name}:{tag}"
            )
            for name in IMAGES
        }
        names = {"airflow": "AIRFLOW", "mlflow": "MLFLOW", "gateway": "SERVING"}
        ports = {
            f"PERENNIAL_{names[service]}_PORT": str(port) for service, port in self.ports.items()
        }
        return {
            **kept,
            **images,
            **{f"PERENNIAL_{name.upper()}_IMAGE": tag for name, tag in self.images.items()},
            **ports,
            **({"PERENNIAL_EXECUTOR": "celery"} if self.workers else {}),
            **self.variables,
            "PERENNIAL_PROJECT": self.project,
            "PERENNIAL_SECRETS_FILE": str(self.file),
            "PERENNIAL_BACKUPS": str(self.backups),
        }

    def with_model(self, engine, world):
        """The same stack whose images hold the world's model."""
        environ = self.environ()
        return replace(
            self,
            images={
                name: image_with(
                    engine,
                    environ[f"PERENNIAL_{name.upper()}_IMAGE"],
                    world,
                    f"perennial-test/{name}:{self.project}",
                )
                for name in ("airflow", "steps")
            },
            world=world,
        )

    def compose(self, *arguments, timeout=900):
        # `celery` would start the stack's own broker, too
        profile = "workers" if "PERENNIAL_BROKER_URL" in self.variables else "celery"
        command = [
            "docker",
            "compose",
            "--progress",
            "quiet",
            "--env-file",
            str(self.file),
            *(["--profile", profile] if self.workers else []),
            *arguments,
        ]
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def perennial(self, *arguments):
        """Run a command of ours as an operator does; return what it printed."""
        done = self.compose("run", "--rm", "perennial", *arguments)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def url(self, service):
        return f"http://127.0.0.1:{self.ports[service]}"

    def airflow(self):
        return AirflowApi(
            self.url("airflow"), "admin", self.secrets["PERENNIAL_SECRET_AIRFLOW"], tries=12
        )

    def up(self):
        """Bring everything up; return after how many seconds it was healthy."""
        make(self.file)
        began = time.monotonic()
        scale = ["--scale", f"worker={self.workers}"] if self.workers else []
        done = self.compose("up", "-d", "--wait", *scale)
        assert done.returncode == 0, (
            done.stderr[-3000:] + self.compose("logs", "--tail", "30").stdout[-6000:]
        )
        seconds = time.monotonic() - began
        with self.airflow() as api:
            homes = [ROOT, *([self.world.home] if self.world else [])]
            models = [spec for home in homes for spec in load_all(home / "models")[0].values()]
            missing = await_dags(api, models, timeout_seconds=240)
            assert missing == [], missing
        return seconds

    def retrain(self, run_id=None, dag=RETRAIN, **conf):
        """Retrain the sales, or by another DAG; return the run's tasks. It must have succeeded.

        The same `run_id` a second time starts nothing.
        """
        with self.airflow() as api:
            run = api.trigger(dag, conf, run_id)
            state = api.wait(dag, run, 600)
            tasks = api.tasks(dag, run)
            said = "\n".join(
                api.log(dag, run, task.task, task.index, task.tries)[-3000:]
                for task in tasks
                if task.state == "failed"
            )
        assert state == "success", said
        return tasks

    def first_release(self):
        """Retrain for the first time, unless that is done; return the tasks of that run."""
        return self.retrain(FIRST_RUN, **FIRST)

    def client(self):
        """Somebody who asks the gateway; the connection stays open."""
        return httpx.Client(base_url=self.url("gateway"), timeout=10, trust_env=False)

    def predict(self, request_id=None):
        """Ask the gateway for one prediction."""
        with self.client() as client:
            return predict(client, request_id)

    def down(self, engine):
        """Remove all that there is of this stack."""
        for found in engine.containers(
            all=True, filters={"label": f"perennial.stack={self.project}"}
        ):
            engine.remove_container(found["Id"], force=True, v=True)
        self.compose("down", "--volumes", "--timeout", "3")
        for found in engine.images(filters={"label": f"perennial.stack={self.project}"}):
            engine.remove_image(found["Id"], force=True)

    def states(self, engine):
        """The state and health of each service's container."""
        found = engine.containers(
            all=True, filters={"label": f"com.docker.compose.project={self.project}"}
        )
        return {one["Labels"]["com.docker.compose.service"]: one["Status"] for one in found}


def predict(client, request_id=None):
    """The gateway's answer to one request for a prediction."""
    headers = {"x-request-id": request_id} if request_id else {}
    return client.post("/models/sales/predict", json={"rows": [ROW]}, headers=headers)


@contextlib.contextmanager
def alone():
    """One composed stack at a time.

    Releases of one model have one name on an engine, whoever deployed them.
    """
    with filelock.FileLock(Path(tempfile.gettempdir()) / "perennial-composed-tests.lock"):
        yield


def composed(engine, folder):
    """A project that is not up yet."""
    stack = Composed(
        f"perennialtest{uuid.uuid4().hex[:6]}", folder, {service: free_port() for service in PORTS}
    )
    make(stack.file)
    if stack.compose("version").returncode != 0:
        absent("docker compose v2 is not there")
    known = {tag for image in engine.images() for tag in image["RepoTags"] or []}
    environ = stack.environ()
    missing = [
        environ[f"PERENNIAL_{name.upper()}_IMAGE"]
        for name in IMAGES
        if environ[f"PERENNIAL_{name.upper()}_IMAGE"] not in known
    ]
    if missing:
        absent(f"no image {missing[0]}: make images")
    return stack


def published(engine, project):
    """Every published port of the project's containers.

    (service, port in the container, address on the host).
    """
    found = engine.containers(all=True, filters={"label": f"com.docker.compose.project={project}"})
    return {
        (one["Labels"]["com.docker.compose.service"], port["PrivatePort"], port["IP"])
        for one in found
        for port in one["Ports"]
        if port.get("PublicPort")
    }


def as_json(text):
    """The JSON that a command printed, whatever it said before."""
    return json.loads(text[min(text.index(mark) for mark in "[{" if mark in text) :])
