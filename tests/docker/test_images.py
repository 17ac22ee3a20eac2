"""The images of `make images`.

Who they run as, what they hold, what they do not, and that they live with a read-only root.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.engine, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ("airflow", "steps", "serving", "serving-native", "mlflow", "door")
ALL = (*PYTHON, "gateway", "postgres")
LIMIT = 250_000_000
"""Bytes that the image `serving` may have beyond its base."""


@pytest.fixture(scope="session")
def image(engine):
    """Returns what the engine knows of an image; fails where `make images` has not run."""

    def inspected(name):
        if not engine.images(f"perennial/{name}:latest"):
            pytest.fail(f"There is no image perennial/{name}:latest; run `make images`.")
        return engine.inspect_image(f"perennial/{name}:latest")

    return inspected


@pytest.fixture
def said(engine, image):
    """Runs a command in a container as production has it (read-only root, no capabilities, no
    network); returns what it printed."""
    made = []

    def run(name, entrypoint, *arguments, exit_code=0):
        limits = engine.create_host_config(
            read_only=True,
            tmpfs={"/tmp": ""},
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            network_mode="none",
            init=True,
        )
        created = engine.create_container(
            image(name)["Id"], entrypoint=entrypoint, command=list(arguments), host_config=limits
        )
        made.append(created["Id"])
        engine.start(created["Id"])
        ended = engine.wait(created["Id"], timeout=120)["StatusCode"]
        printed = engine.logs(created["Id"]).decode(errors="replace")
        assert ended == exit_code, f"exit code {ended}:\n{printed}"
        return printed

    yield run
    for container in made:
        engine.remove_container(container, force=True, v=True)


def python(said, name, program):
    """The JSON that a program prints last, in the image's own Python."""
    return json.loads(said(name, ["python", "-c"], program).splitlines()[-1])


@pytest.mark.parametrize("name", ALL)
def test_an_image_runs_as_the_fixed_user_tells_its_health_and_where_it_came_from(image, name):
    config = image(name)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == f"perennial/{name}"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert (
        labels["org.opencontainers.image.version"]
        == re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    )
    assert re.fullmatch(r"[0-9a-f]{40}(-changed)?", labels["org.opencontainers.image.revision"])
    assert re.fullmatch(r"[0-9a-f]{64}" if name in PYTHON else "none", labels["perennial.lock"])


@pytest.mark.parametrize("name", ALL)
def test_no_compiler_no_package_lists_no_caches_are_left(said, name):
    program = """
        id -u
        for tool in gcc cc g++ make uv; do command -v $tool; done
        pip=/opt/venv/lib/python3*/site-packages/pip
        find /var/lib/apt/lists /var/cache/apt /root/.cache /uv $pip -type f 2>/dev/null
        exit 0
    """
    installer = ["/opt/venv/bin/uv"] if name == "steps" else []
    assert said(name, ["sh", "-c"], program).split() == ["10001", *installer]


@pytest.mark.parametrize("name", PYTHON)
def test_all_code_is_compiled_and_belongs_to_root(said, name):
    program = """
import importlib.util, json, os, pathlib
folders = [pathlib.Path("/app"), *pathlib.Path("/opt/venv/lib").glob("python3*/site-packages")]
# What no Python reads: templates of code, and files for other versions that do not parse here
cache = importlib.util.cache_from_source
bare = [str(f) for d in folders for f in d.rglob("*.py") if not os.path.exists(cache(f))]
ours = [f for f in bare if f.startswith("/app")]
files = [f for d in folders for f in d.rglob("*")]
writable = [str(f) for f in files if os.access(f, os.W_OK) and not f.is_symlink()]
print(json.dumps([ours, len(bare), writable]))
"""
    ours, bare, writable = python(said, name, program)
    assert (ours, writable) == ([], [])
    assert bare < 20


@pytest.mark.parametrize(
    ("name", "folders"),
    [
        ("steps", "/state /gateway /trust"),
        ("serving", "/state"),
        ("airflow", "/state /gateway /trust /airflow/logs"),
    ],
)
def test_the_folders_that_volumes_take_over_belong_to_the_user(said, name, folders):
    assert said(name, ["stat", "-c", "%u:%g"], *folders.split()).split() == ["10001:10001"] * len(
        folders.split()
    )


def test_steps_lists_the_models_and_has_git_and_the_databases_clients(said):
    assert "flight_delays" in said("steps", None, "models")
    assert said("steps", ["git"], "--version").startswith("git version")
    assert " 15." in said("steps", ["pg_dump"], "--version")


def test_serving_starts_without_what_it_does_not_need_and_is_small(engine, image, said):
    program = """
import importlib.util, json, sys
import serving.app, serving.__main__, serving.workers, pipelines.bundle.load
heavy = ("pandas", "pyarrow", "sklearn", "skops", "mlflow", "airflow")
print(json.dumps([n for n in heavy if importlib.util.find_spec(n)]))
"""
    assert python(said, "serving", program) == []
    assert python(said, "serving-native", program) == ["pandas", "pyarrow", "sklearn", "skops"]
    history = [
        (layer["CreatedBy"], layer["Size"]) for layer in engine.history(image("serving")["Id"])
    ]  # the newest first
    first = next(
        place for place, (made_by, _) in enumerate(history) if "groupadd --gid 10001" in made_by
    )
    assert 0 < sum(size for _, size in history[: first + 1]) < LIMIT


def test_airflow_runs_reads_the_dags_and_the_pages_and_knows_no_science(said):
    assert "3.3.2" in said("airflow", None, "version")
    program = """
import importlib.util, json, sys
sys.path.insert(0, "/app/plugins")
from airflow.dag_processing.dagbag import DagBag
import perennial_plugin
from perennial_airflow.pages.app import make_app
from perennial_airflow.fab_log_in import NamedFabAuthManager
from types import SimpleNamespace
import asyncpg, psycopg2, docker, pipelines.ledger.sql
bag = DagBag("/app/dags")
make_app()
import pipelines.answers.predictions
heavy = ("pandas", "sklearn", "mlflow", "onnxruntime", "dvc", "great_expectations")
there = [n for n in heavy if importlib.util.find_spec(n)]
ann = SimpleNamespace(get_id=lambda: "3", get_name=lambda: "ann")
may = [NamedFabAuthManager.is_authorized_hitl_task(None, assigned_users=users, user=ann)
       for users in ({"ann", "bob"}, {"3"}, {"bob"})]
print(json.dumps([sorted(bag.dags), bag.import_errors, there, may]))
"""
    dags, errors, there, may = python(said, "airflow", program)
    assert may == [True, False, False], "an approver is named by log-in"
    assert (errors, there) == ({}, [])
    assert {"retrain_flight_delays", "drift_flight_delays"} <= set(dags)


def test_mlflow_has_its_authentication_and_the_database(said):
    assert (
        python(
            said,
            "mlflow",
            "import json, mlflow.server.auth, psycopg2; print(json.dumps(mlflow.__version__))",
        )
        == "3.17.2"
    )
