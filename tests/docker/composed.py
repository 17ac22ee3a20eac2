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
from dataclasses import dataclass
from pathlib import Path

import filelock
import httpx
import pytest

from pipelines.spec import load_all
from stack.airflow_api import AirflowApi
from stack.compose_secrets import make
from stack.dags import await_dags
from tests.docker.ports import free_port

ENVIRON = dict(os.environ)
"""As it was when the tests began.

Each test's own is freed of our settings, and of the images to try among them.
"""

ROOT = Path(__file__).parents[2]
PLUGINS = Path.home() / ".cache/docker-engine/dockercfg"
"""Where an engine of Debian's packages keeps compose v2."""

IMAGES = ("airflow", "steps", "serving", "mlflow", "gateway", "door", "postgres")
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
PORTS = {"airflow": 8080, "mlflow": 5000, "gateway": 8000}
ROW = {
    "origin": "JFK",
    "dest": "LAX",
    "carrier": "UA",
    "hour": 18,
    "weekday": 4,
    "distance": 2475.0,
    "plane_age": 8.0,
    "seats": 178.0,
    "temp": 41.0,
    "wind_speed": 10.4,
    "visib": 10.0,
    "precip": 0.0,
    "pressure": 1012.0,
    "origin_traffic": 25,
    "origin_late_share": 0.2,
    "carrier_late_share": 0.2,
}


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
            **ports,
            "PERENNIAL_PROJECT": self.project,
            "PERENNIAL_SECRETS_FILE": str(self.file),
            "PERENNIAL_BACKUPS": str(self.backups),
        }

    def compose(self, *arguments, timeout=900):
        command = [
            "docker",
            "compose",
            "--progress",
            "quiet",
            "--env-file",
            str(self.file),
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
        done = self.compose("up", "-d", "--wait")
        assert done.returncode == 0, (
            done.stderr[-3000:] + self.compose("logs", "--tail", "30").stdout[-6000:]
        )
        seconds = time.monotonic() - began
        with self.airflow() as api:
            assert await_dags(api, load_all(ROOT / "models")[0].values(), timeout_seconds=120) == []
        return seconds

    def retrain(self, **conf):
        """Retrain the flights; return the tasks of the run, which must have succeeded."""
        with self.airflow() as api:
            run = api.trigger("retrain_flight_delays", conf)
            state = api.wait("retrain_flight_delays", run, 600)
            tasks = api.tasks("retrain_flight_delays", run)
            failed = [task for task in tasks if task.state == "failed"]
            said = "\n".join(
                api.log("retrain_flight_delays", run, task.task, task.index, task.tries)[-3000:]
                for task in failed
            )
        assert state == "success", said
        return tasks

    def first_release(self):
        """Retrain once, unless something serves already."""
        if self.predict().status_code != httpx.codes.OK:
            self.retrain(as_of="2013-03-01T00:00:00Z", reason="the first time")

    def predict(self, request_id=None):
        """Ask the gateway for one prediction."""
        headers = {"x-request-id": request_id} if request_id else {}
        return httpx.post(
            f"{self.url('gateway')}/models/flight_delays/predict",
            json={"rows": [ROW]},
            headers=headers,
            timeout=10,
            trust_env=False,
        )

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
