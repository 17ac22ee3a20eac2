"""`doctor`: a sound system is green, and each thing that is wrong is named with its remedy."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sqlite3
import subprocess
from contextlib import closing
from datetime import timedelta

import pytest

from pipelines.deployment.docker.engine import Container, Image
from pipelines.deployment.docker.names import image_name
from pipelines.deployment.serving_client import Serves
from pipelines.errors import Corrupted, RequestError, Unreachable
from pipelines.ledger import Crown, Head, ReleaseIntent
from pipelines.ledger.anchors import FileAnchor
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.backup.creation import backup
from pipelines.ops.doctor import champions, machine, modes
from pipelines.ops.doctor import docker as engine_checks
from pipelines.ops.doctor.diagnosis import diagnose
from pipelines.ops.prune.removal import prune
from pipelines.ports import ConfiguredPorts
from pipelines.settings import local_path
from tests.contracts.ledgers import an_older_ledger
from tests.contracts.processes import flip
from tests.decisions import gate_verdict
from tests.unit.ops.lived import restored
from tests.unit.ops.test_prune import age_all
from tests.unit.steps.test_deploy import Away, Following


@pytest.fixture
def lived(old, tar, tmp_path):
    return restored(old, tar, tmp_path / "home")


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def settings_of(world, **changes):
    quiet = {"airflow_port": free_port(), "mlflow_port": free_port(), "serving_port": free_port()}
    return world.settings.replace(**quiet, **changes)


def look(world, server=None, docker=None, **changes):
    context = world.context()
    return list(
        diagnose(settings_of(world, **changes), context.ports, server or Following(context), docker)
    )


def bad(found):
    return {finding.what: finding for finding in found if finding.state != "ok"}


def test_a_sound_system_is_green(lived):
    found = look(lived)
    assert bad(found) == {}
    said = {finding.what for finding in found}
    assert {"Python", "disk of the state", "keys", "locks", "ledger", "ledger's schema"} <= said
    assert {
        f"sales: {what}" for what in ("bundle", "features", "MLflow", "release", "server")
    } <= said


def test_it_is_green_after_prune(lived):
    age_all(lived)
    assert prune(lived.settings, lived.context().ports, timedelta(days=1))
    assert bad(look(lived)) == {}


def test_it_changes_nothing_and_a_state_that_is_not_there_is_no_problem(world):
    assert bad(look(world)) == {}
    assert not (world.home / "var").exists()


def change(world, statement):
    with closing(sqlite3.connect(world.settings.state / "ledger" / "ledger.db")) as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {name}")
        database.execute(statement)
        database.commit()


def break_remote(world):
    objects = (world.settings.versions / "remote" / "files" / "md5").glob("*/*")
    next(p for p in sorted(objects) if p.is_file() and not p.name.endswith(".dir")).unlink()


def break_bundle(world):
    flip(
        local_path(world.settings.store) / world.context().ports.ledger.champion("sales").bundle.uri
    )


def take_alias(world):
    world.context().ports.registry.point("sales", None)


def make_newer(world):
    change(world, "UPDATE alembic_version SET version_num = '9999'")


def break_mlflow(world):
    (world.settings.state / "mlflow" / "mlflow.db").unlink()


def break_release(world):
    (local_path(world.settings.store) / "keys" / "releases" / "sales" / "00000001").unlink()


def leave_lock(world):
    lock = world.settings.versions / "repo" / ".git" / "index.lock"
    lock.touch()
    os.utime(lock, (0, 0))


def lock_packages(world):
    (world.home / "requirements.txt").write_text(
        'pydantic==0.0.1 \\\n    --hash=sha256:ab\nnosuch==1 ; sys_platform == "win32"\n'
    )


@pytest.mark.parametrize(
    ("break_it", "what", "state", "words"),
    [
        pytest.param(break_bundle, "sales: bundle", "problem", "was changed", id="bundle"),
        pytest.param(
            break_remote,
            "sales: features",
            "problem",
            "missing or changed in DVC's remote",
            id="remote",
        ),
        pytest.param(
            lambda w: shutil.rmtree(w.settings.versions),
            "sales: features",
            "problem",
            "no repository",
            id="versions",
        ),
        pytest.param(
            break_mlflow, "sales: MLflow", "problem", "There is no", id="MLflow's database"
        ),
        pytest.param(take_alias, "sales: MLflow", "problem", "alias names nothing", id="alias"),
        pytest.param(break_release, "sales: release", "problem", "missing", id="release"),
        pytest.param(
            lambda w: change(w, "UPDATE entries SET body = '{}' WHERE seq = 1"),
            "ledger",
            "problem",
            "Entry 1 of",
            id="chain",
        ),
        pytest.param(make_newer, "ledger's schema", "problem", "newer", id="schema"),
        pytest.param(
            lambda w: w.settings.personal_key.chmod(0o644),
            "key personal_key",
            "problem",
            "read by others",
            id="key",
        ),
        pytest.param(leave_lock, "lock index.lock", "warning", "more than an hour", id="lock"),
        pytest.param(lock_packages, "package pydantic", "problem", "0.0.1 is locked", id="package"),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(lived, break_it, what, state, words):
    break_it(lived)
    server = Following(lived.context()) if what != "sales: release" else Steady()
    found = bad(look(lived, server=server))
    assert what in found, found
    assert (found[what].state, bool(found[what].remedy)) == (state, True)
    assert words in found[what].said


def ledger_file(world):
    return world.settings.state / "ledger" / "ledger.db"


def without_journal(file):
    for name in ("-wal", "-shm", "-journal"):
        file.with_name(file.name + name).unlink(missing_ok=True)
    return file


def delete_ledger(world):
    without_journal(ledger_file(world)).unlink()


def make_ledger_anew(world):
    delete_ledger(world)
    SqlLedger(world.settings.ledger_url)


def keep_the_verdict_only(world):
    shutil.rmtree(local_path(world.settings.store) / "keys" / "releases")
    shutil.rmtree(local_path(world.settings.store) / "keys" / "served")
    make_ledger_anew(world)


def take_an_older_ledger(world):
    """Before the release was decided.

    As a backup holds it that was made while the first run was at work.
    """
    entries = world.context().ports.ledger.entries()
    delete_ledger(world)
    older = SqlLedger(world.settings.ledger_url)
    for entry in entries[: [e.kind for e in entries].index("release")]:
        older.append(entry.model, entry.key, entry.decision)


def take_a_foreign_ledger(world):
    """Another installation of the same model: the same names and numbers, other bundles."""
    entries = world.context().ports.ledger.entries()
    delete_ledger(world)
    foreign = SqlLedger(world.settings.ledger_url)
    for entry in entries:
        decision = entry.decision
        if isinstance(decision, Crown | ReleaseIntent):
            other = decision.bundle.model_copy(update={"sha256": "ab" * 32})
            decision = decision.model_copy(update={"bundle": other})
        foreign.append(entry.model, entry.key, decision)


def take_a_foreign_mlflow(world):
    file = world.settings.state / "mlflow" / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("UPDATE model_versions SET run_id = 'ab'")
        database.commit()


def empty_mlflow(world):
    file = world.settings.state / "mlflow" / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.execute("DELETE FROM registered_model_aliases")
        database.execute("DELETE FROM model_version_tags")
        database.execute("DELETE FROM model_versions")
        database.commit()


@pytest.mark.parametrize(
    ("break_it", "what", "words"),
    [
        pytest.param(
            delete_ledger, "store and ledger", "ledger has no entry", id="a ledger that was deleted"
        ),
        pytest.param(
            make_ledger_anew,
            "store and ledger",
            "ledger has no entry",
            id="a ledger that was made anew",
        ),
        pytest.param(
            keep_the_verdict_only,
            "store and ledger",
            "verdict/first/000001, which a decision made",
            id="an emptied ledger, nothing released",
        ),
        pytest.param(
            make_ledger_anew,
            "MLflow and ledger",
            "the ledger has judged none",
            id="an emptied ledger and MLflow",
        ),
        pytest.param(
            take_an_older_ledger,
            "store and ledger",
            "of which the ledger knows nothing",
            id="an older ledger",
        ),
        pytest.param(
            take_a_foreign_ledger,
            "store and ledger",
            "another system's",
            id="another installation's ledger",
        ),
        pytest.param(
            take_a_foreign_mlflow,
            "MLflow and ledger",
            "another system's",
            id="another installation's MLflow",
        ),
        pytest.param(
            empty_mlflow,
            "MLflow and ledger",
            "MLflow has no version of sales",
            id="an emptied MLflow",
        ),
        pytest.param(
            lambda w: shutil.rmtree(local_path(w.settings.store)),
            "sales: bundle",
            "no object",
            id="an emptied store",
        ),
        pytest.param(
            lambda w: without_journal(ledger_file(w)).write_bytes(b""),
            "ledger",
            "is empty",
            id="an emptied file",
        ),
    ],
)
def test_a_ledger_store_or_mlflow_of_another_time_or_system_is_a_problem(
    lived, break_it, what, words
):
    break_it(lived)
    found = [f for f in look(lived, server=Steady()) if f.what == what and f.state == "problem"]
    assert any(words in f.said and f.remedy for f in found), found


@pytest.mark.parametrize(
    "break_it", [delete_ledger, make_ledger_anew, take_an_older_ledger, take_a_foreign_ledger]
)
def test_prune_takes_nothing_away_by_a_ledger_that_is_not_the_stores(lived, break_it):
    break_it(lived)
    age_all(lived)
    with pytest.raises(RequestError, match="nothing was removed"):
        prune(lived.settings, lived.context().ports, timedelta(days=1))


@pytest.mark.parametrize("name", ["ledger", "mlflow", "airflow"])
@pytest.mark.parametrize("kind", ["empty", "text", "header", "cut"])
def test_a_damaged_database_is_named_as_damaged(world, name, kind):
    file = world.settings.state / name / f"{name}.db"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as database:
        database.executescript(
            "CREATE TABLE t (x); INSERT INTO t SELECT randomblob(9000); INSERT INTO t SELECT"
            " randomblob(9000);"
        )
    whole = file.read_bytes()
    damaged = {
        "empty": b"",
        "text": b"nothing at all",
        "header": b"X" + whole[1:],
        "cut": whole[:9_000],
    }
    file.write_bytes(damaged[kind])
    found = bad(look(world))
    assert found[f"{name}'s database"].state == "problem"
    assert "is damaged" in found[f"{name}'s database"].said
    with pytest.raises(Corrupted):
        backup(world.settings, world.home.parent / "backup.tar", str)
    assert file.read_bytes() == damaged[kind]


class Steady:
    """A server that serves the first release."""

    def serves(self, _model):
        return Serves(release=1, version="1")


def test_a_missing_database_of_mlflow_is_not_made_anew(lived):
    break_mlflow(lived)
    look(lived)
    assert not (lived.settings.state / "mlflow" / "mlflow.db").exists()


def test_an_older_schema_is_a_warning_and_stays(world):
    (world.settings.state / "ledger").mkdir(parents=True)
    an_older_ledger(world.settings.ledger_url, "0001", entries=3)
    found = bad(look(world))
    assert list(found) == ["ledger's schema"]
    assert found["ledger's schema"].state == "warning"
    assert list(bad(look(world))) == ["ledger's schema"]


class Other:
    """A server that serves what nobody crowned."""

    def serves(self, _model):
        return Serves(release=7, version="9")


@pytest.mark.parametrize(
    ("server", "words"), [(Away(), "connection refused"), (Other(), "serves 9")]
)
def test_a_server_that_is_away_or_serves_something_else_is_a_problem(lived, server, words):
    assert words in bad(look(lived, server=server))["sales: server"].said


def test_a_port_that_somebody_else_holds_is_named_with_its_holder(world):
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        found = list(machine.check_ports(settings_of(world, airflow_port=port)))
    (wrong,) = bad(found).values()
    assert wrong.what == f"port {port} (Airflow)"
    assert f"held by process {os.getpid()} (" in wrong.said
    assert wrong.remedy == "end it, or set PERENNIAL_AIRFLOW_PORT."


def test_an_address_elsewhere_must_answer(world):
    found = list(
        machine.check_ports(settings_of(world, serving_url="http://me:geheim@gateway.invalid:8000"))
    )
    (wrong,) = bad(found).values()
    assert (wrong.what, wrong.said) == (
        "server at http://gateway.invalid:8000",
        "It does not answer.",
    )


def test_a_database_that_is_away_is_a_finding(world):
    found = bad(look(world, ledger_url="postgresql+psycopg2://me:geheim@127.0.0.1:1/ledger"))
    assert {"clock", "ledger", "champions"} <= set(found)
    assert "geheim" not in "".join(f"{finding}" for finding in found.values())


def test_everything_in_a_state_that_lived_is_its_owners_hold_state(lived):
    """Looked at by itself: what `doctor` passes over (DVC's objects, mode 444) may be read by
    others, but lies in closed folders."""
    state = lived.settings.state
    files = [path for path in state.rglob("*") if path.is_file() and not path.is_symlink()]
    folders = [state, *(path for path in state.rglob("*") if path.is_dir())]
    assert [str(path) for path in folders if path.stat().st_mode & 0o077] == []
    assert {path.stat().st_mode & 0o777 for path in files if path.stat().st_mode & 0o077} <= {0o444}
    assert len(files) > 50


@pytest.mark.parametrize(
    ("place", "mode"),
    [
        ("mlflow/mlflow.db", 0o644),
        ("versions/repo/.dvc/tmp/site", 0o777),
        ("store", 0o755),
        ("", 0o711),
        ("ledger/ledger.db", 0o620),
    ],
)
def test_a_path_that_is_open_to_others_is_named_with_the_command_that_closes_it(lived, place, mode):
    path = lived.settings.state / place
    path.mkdir(exist_ok=True, parents=True) if place.endswith("site") else None
    path.chmod(mode)
    (found,) = modes.check_modes(lived.settings)
    assert (found.state, str(path) in found.said) == ("problem", True)
    subprocess.run(shlex.split(found.remedy), check=True)
    assert [f.state for f in modes.check_modes(lived.settings)] == ["ok"]


def test_many_open_paths_are_one_command(world):
    state = world.settings.state
    (state / "store").mkdir(mode=0o700, parents=True)
    state.chmod(0o700)
    for n in range(12):
        (state / "store" / f"{n}").touch()
        (state / "store" / f"{n}").chmod(0o644)
    found = list(modes.check_modes(world.settings))
    assert (len(found), found[-1].said) == (11, "2 more paths are open to others.")
    subprocess.run(shlex.split(found[-1].remedy), check=True)
    assert [f.state for f in modes.check_modes(world.settings)] == ["ok"]


def test_the_anchor_is_looked_at(world, tmp_path):
    def said(anchor):
        settings = world.settings.replace(ledger_anchor=anchor)
        return [
            (f.state, f.said) for f in champions.check_anchor(settings, ConfiguredPorts(settings))
        ]

    assert "would not be seen" in said(None)[0][1]
    assert said(f"file://{tmp_path}/anchor") == [("ok", "set; nothing was decided yet")]
    ledger = SqlLedger(world.settings.ledger_url)
    first = [ledger.append("sales", f"run{n}", gate_verdict()) for n in range(4)][1]
    assert said(f"file://{tmp_path}/anchor")[0][0] == "warning"
    FileAnchor(tmp_path / "anchor").write(Head(seq=first.seq, hash=first.hash))
    ((state, words),) = said(f"file://{tmp_path}/anchor")
    assert (state, "2 entries behind, at 2 of 4" in words) == ("warning", True)
    inside = world.settings.state / "anchor"
    FileAnchor(inside).write(Head(seq=4, hash=ledger.at(4).hash))
    assert [state for state, _ in said(f"file://{inside}")] == ["ok", "warning"]


class Docker:
    """An engine with these images and containers of steps."""

    def __init__(self, images=(), steps=(), *, away=False):
        self._images, self._steps, self._away = dict(images), dict(steps), away

    def containers(self, _labels):
        if self._away:
            raise Unreachable("The Docker engine does not answer.", remedy="start it.")
        return sorted(self._steps)

    def container(self, name):
        return Container(
            name,
            name,
            "",
            {},
            {},
            running=self._steps[name],
            restarting=False,
            restarts=0,
            exit_code=0,
            out_of_memory=False,
            trouble="",
        )

    def image(self, name):
        return Image(f"sha256:{name}", self._images[name]) if name in self._images else None


class TestEngine:
    def test_an_engine_that_is_away_is_one_problem(self, lived):
        found = bad(look(lived, docker=Docker(away=True), place="docker", target="docker"))
        assert list(found) == ["Docker engine"]

    def test_a_missing_image_and_a_container_that_was_left_behind(self, world):
        docker = Docker(steps={"perennial-step-m-train-1": False, "perennial-step-m-train-2": True})
        found = bad(look(world, docker=docker, place="docker"))
        assert found["image perennial/steps:latest"].remedy == "make images."
        assert (
            found["container perennial-step-m-train-1"].remedy
            == "docker rm perennial-step-m-train-1"
        )
        assert "container perennial-step-m-train-2" not in found

    def test_an_image_of_other_locks_is_a_warning(self, world):
        (world.home / "docker").mkdir()
        settings = settings_of(world, place="docker")
        (found,) = engine_checks.check_images(
            settings, Docker({"perennial/steps:latest": {"perennial.lock": "0" * 64}})
        )
        assert (found.state, "lock" in found.said) == ("warning", True)
        (lock,) = engine_checks._locks(world.home, "steps")
        (found,) = engine_checks.check_images(
            settings, Docker({"perennial/steps:latest": {"perennial.lock": lock}})
        )
        assert found.state == "ok"

    def test_the_champions_image_must_be_there_and_its_own(self, lived):
        context = lived.context()
        champion = context.ports.ledger.champion("sales")
        base = {"perennial/serving:latest": {}, "perennial/serving-native:latest": {}}
        missing = bad(look(lived, docker=Docker(base), target="docker"))
        assert "no image of release 1" in missing["sales: image"].said
        own = {
            "perennial": "1",
            "perennial.kind": "release",
            "perennial.model": "sales",
            "perennial.release": "1",
        }
        own |= {"perennial.version": champion.version, "perennial.bundle": champion.bundle.sha256}
        assert (
            bad(look(lived, docker=Docker({**base, image_name("sales", 1): own}), target="docker"))
            == {}
        )
        other = Docker({**base, image_name("sales", 1): {**own, "perennial.bundle": "0" * 64}})
        assert "sales: image" in bad(look(lived, docker=other, target="docker"))
