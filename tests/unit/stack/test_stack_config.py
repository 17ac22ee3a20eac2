"""What the stack writes and starts before anything runs.

Environment, programs, supervisord's configuration, keys.
"""

from __future__ import annotations

import json
import shlex
import sqlite3
import stat
import subprocess
from configparser import RawConfigParser
from typing import TYPE_CHECKING

import pytest
import yaml
from sqlalchemy import create_engine, make_url

from pipelines.errors import Corrupted, RequestError
from pipelines.settings import Settings, load_settings
from stack.environment import MARK, environment
from stack.keys import FERNET_KEY, PASSWORDS, USER, make_keys, password
from stack.layout import CHECKOUT, LOCK_SECONDS, Layout, sqlite_url
from stack.migration import prepare_mlflow
from stack.programs import programs
from stack.supervisor import render

if TYPE_CHECKING:
    from pathlib import Path


def layout(folder: Path, **settings: str) -> Layout:
    return Layout(
        load_settings(
            {
                "PERENNIAL_STATE": str(folder),
                **{f"PERENNIAL_{name.upper()}": value for name, value in settings.items()},
            }
        )
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_listens_on_this_machine_only(tmp_path):
    here = layout(tmp_path)
    environ = environment(here, {})
    assert environ["AIRFLOW__API__HOST"] == "127.0.0.1"
    commands = {program.name: program.command for program in programs(here)}
    assert commands["mlflow"][commands["mlflow"].index("--host") + 1] == "127.0.0.1"
    assert "--skip-serve-logs" in commands["scheduler"]
    assert "--skip-serve-logs" in commands["triggerer"]


def test_no_secret_stands_in_the_environment(tmp_path):
    here = layout(tmp_path)
    make_keys(here.secrets)
    kept = [*[path.read_text() for path in here.secrets.glob("*.txt")], password(here.secrets)]
    assert len(kept) == 4
    assert not [secret for secret in kept if secret in json.dumps(environment(here, {}))]


def test_airflow_reads_its_keys_by_command_also_below_a_folder_with_spaces(tmp_path):
    here = layout(tmp_path / "my state")
    make_keys(here.secrets)
    command = environment(here, {})["AIRFLOW__CORE__FERNET_KEY_CMD"]
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
    assert done.stdout == (here.secrets / FERNET_KEY).read_text()


def test_every_program_speaks_to_this_stacks_servers(tmp_path):
    environ = environment(
        layout(tmp_path, airflow_port="18080", mlflow_port="15000", serving_port="18000"), {}
    )
    assert (
        environ["PERENNIAL_MLFLOW_URI"]
        == environ["MLFLOW_TRACKING_URI"]
        == "http://127.0.0.1:15000"
    )
    assert environ["PERENNIAL_SERVING_URL"] == "http://127.0.0.1:18000"
    assert environ["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:18080/execution/"
    assert environ["PERENNIAL_STATE"] == str(tmp_path)


def test_another_airflows_settings_do_not_leak_in_but_ours_and_the_databases_do(tmp_path):
    outer = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW_HOME": "/elsewhere",
        "PERENNIAL_SQL_SHOP": "sqlite://",
        "A": "b",
    }
    environ = environment(layout(tmp_path), outer)
    assert "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS" not in environ
    assert environ["AIRFLOW_HOME"] == str(tmp_path / "airflow")
    assert (environ["PERENNIAL_SQL_SHOP"], environ["A"]) == ("sqlite://", "b")


def test_nothing_is_reported_to_anybody(tmp_path):
    environ = environment(layout(tmp_path), {})
    assert environ["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert environ["MLFLOW_DISABLE_TELEMETRY"] == environ["DO_NOT_TRACK"] == "true"
    assert environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_what_runs_elsewhere_is_not_started_here(tmp_path):
    names = {
        program.name
        for program in programs(
            layout(tmp_path, mlflow_uri="http://mlflow.example:80", serving_url="http://there:1")
        )
    }
    assert names == {"api-server", "scheduler", "dag-processor", "triggerer", "guard"}
    inside = layout(
        tmp_path, mlflow_uri="http://127.0.0.1:5000", serving_url="http://127.0.0.1:8000"
    )
    assert {"mlflow", "serving"} <= {program.name for program in programs(inside)}, (
        "the stack's own addresses are its own programs"
    )


@pytest.mark.parametrize(
    ("urls", "runs"),
    [
        ("http://127.0.0.1:8000, http://b:8000/", True),  # this stack's and another host's
        ("http://127.0.0.1:8000/", True),
        ("http://a:8000,http://b:8000", False),
    ],
)
def test_a_server_is_started_here_where_it_is_one_of_those_that_are_named(tmp_path, urls, runs):
    here = layout(tmp_path, serving_url=urls, serving_port="8000")
    assert here.runs_serving is runs


def test_supervisord_restarts_what_dies_and_stops_whole_groups(tmp_path):
    here = layout(tmp_path)
    config = RawConfigParser()
    config.read_string(render(here, programs(here), here.run / "s.sock"))
    for program in programs(here):
        section = config[f"program:{program.name}"]
        assert section["autorestart"] == section["stopasgroup"] == section["killasgroup"] == "true"
        assert int(section["startretries"]) >= 100
        assert section["stdout_logfile"] == str(tmp_path / "log" / f"{program.name}.log")
        assert section["stdout_logfile_maxbytes"]
    assert config["group:servers"]["programs"] == "mlflow,serving,api-server"
    assert int(config["group:workers"]["priority"]) > int(config["group:servers"]["priority"]), (
        "the workers stop first"
    )


def test_supervisord_reads_odd_paths_as_they_are(tmp_path):
    """A percent sign would be an expansion to supervisord (of a log's name even twice), a blank
    would cut the command.

    The settings refuse a percent sign for others' sake; here it is right all the same.
    """
    from supervisor.options import ServerOptions

    here = Layout(Settings(state=tmp_path / "it's 100% my state"))
    here.run.mkdir(parents=True)
    here.logs.mkdir()
    config = here.run / "supervisord.conf"
    config.write_text(render(here, programs(here), here.run / "s.sock"))
    options = ServerOptions()
    options.realize(["-c", str(config)])
    read = {
        process.name: process
        for group in options.process_group_configs
        for process in group.process_configs
    }
    for program in programs(here):
        assert shlex.split(read[program.name].command)[3:] == [
            str(here.state),
            program.name,
            *program.command,
        ]
        assert read[program.name].stdout_logfile == str(here.log(program.name))


def test_keys_are_for_their_owner_and_made_once(tmp_path):
    folder = tmp_path / "secrets"
    make_keys(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert mode(folder) == 0o700
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert len(set(before.values())) == len(before) == 4
    (folder / PASSWORDS).chmod(0o644)
    make_keys(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert mode(folder / PASSWORDS) == 0o600, "a key that was opened to all is closed again"
    assert len(password(folder)) >= 20


def test_two_stacks_have_different_keys(tmp_path):
    make_keys(tmp_path / "a")
    make_keys(tmp_path / "b")
    assert password(tmp_path / "a") != password(tmp_path / "b")


def test_a_missing_password_is_told_with_the_remedy(tmp_path):
    with pytest.raises(RequestError, match=f"no password of '{USER}'"):
        password(tmp_path)


def test_the_mark_is_not_in_the_environment_for_commands_by_hand(tmp_path):
    """`down` ends what carries it."""
    assert MARK not in environment(layout(tmp_path), {})
    assert str(CHECKOUT) in environment(layout(tmp_path), {})["PYTHONPATH"]


@pytest.mark.parametrize("name", ["a b", "50%", "a%20b", "what?", "no#1", "a@b:c", "ä"])
def test_a_database_lies_where_its_path_says_and_waits_for_its_lock(tmp_path, name):
    file = tmp_path / name / "airflow.db"
    file.parent.mkdir()
    url = make_url(sqlite_url(file))
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("create table t (a)")
        assert connection.exec_driver_sql("pragma busy_timeout").scalar() == 30_000
    engine.dispose()
    assert [path.name for path in file.parent.iterdir()] == ["airflow.db"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


def test_airflow_and_mlflow_wait_for_their_databases(tmp_path):
    here = layout(tmp_path)
    assert environment(here, {})["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == sqlite_url(
        here.airflow / "airflow.db"
    )
    [command] = [program.command for program in programs(here) if program.name == "mlflow"]
    assert command[command.index("--backend-store-uri") + 1] == sqlite_url(
        here.mlflow / "mlflow.db"
    )
    assert float(environment(here, {})["MLFLOW_HTTP_REQUEST_TIMEOUT"]) > LOCK_SECONDS, (
        "who asks waits longer than who answers"
    )


def test_mlflows_database_can_be_read_while_it_is_written(tmp_path):
    here = layout(tmp_path)
    here.mlflow.mkdir()
    for _ in range(2):
        prepare_mlflow(here)
    file = here.mlflow / "mlflow.db"
    assert mode(file) == 0o600
    writer, reader = sqlite3.connect(file), sqlite3.connect(file, timeout=0)
    writer.execute("create table runs (id)")
    writer.commit()
    writer.execute("insert into runs values (1)")
    assert reader.execute("select * from runs").fetchall() == []
    writer.commit()
    assert reader.execute("select * from runs").fetchall() == [(1,)]
    writer.close()
    reader.close()


def test_a_damaged_database_of_mlflow_is_named(tmp_path):
    here = layout(tmp_path)
    here.mlflow.mkdir()
    (here.mlflow / "mlflow.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(Corrupted, match=r"mlflow\.db is damaged"):
        prepare_mlflow(here)


def test_both_stacks_give_airflow_the_same_patience(tmp_path):
    composed = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())[
        "x-airflow-environment"
    ]
    embedded = environment(layout(tmp_path), {})
    same = (
        "AIRFLOW__CORE__EXECUTOR",
        "AIRFLOW__SCHEDULER__",
        "AIRFLOW__WORKERS__",
        "AIRFLOW__DAG_PROCESSOR__",
    )
    names = {name for name in {*composed, *embedded} if name.startswith(same)} - {
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
        # A container has a /tmp of its own.
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH",
    }
    assert len(names) > 6
    assert {name: composed.get(name) for name in names} == {
        name: str(embedded.get(name)).replace("executors.local", EXECUTOR) for name in names
    }


EXECUTOR = "executors.${PERENNIAL_EXECUTOR:-local}"
