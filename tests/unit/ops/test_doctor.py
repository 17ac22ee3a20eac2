"""`doctor`: a sound system is green, and each thing that is wrong is named with its remedy."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from pipelines.ops.prune.removal import prune
from pipelines.settings import local_path
from tests.contracts.processes import flip
from tests.unit.ops.diagnoses import Room, Steady, bad, break_mlflow, look
from tests.unit.ops.lived import age_all
from tests.unit.steps.deployments import Following


def test_a_sound_system_is_green(restored_state):
    found = look(restored_state)
    assert bad(found) == {}
    said = {finding.what for finding in found}
    assert {"Python", "disk of the state", "keys", "locks", "ledger", "ledger's schema"} <= said
    assert {
        f"sales: {what}" for what in ("bundle", "features", "MLflow", "release", "server")
    } <= said


def test_it_is_green_after_prune(restored_state):
    age_all(restored_state)
    assert prune(restored_state.settings, restored_state.context().ports, timedelta(days=1))
    assert bad(look(restored_state)) == {}


def test_it_changes_nothing_and_a_state_that_is_not_there_is_no_problem(world):
    assert bad(look(world)) == {}
    assert not (world.home / "var").exists()


@pytest.mark.parametrize(
    ("free", "state"),
    [(6_000_000_000, "ok"), (4_000_000_000, "warning"), (900_000_000, "problem")],
)
def test_a_disk_that_is_nearly_full_is_named(world, free, state):
    found = {f.what: f for f in look(world, room=Room(10**11, free))}["disk of the state"]
    assert (found.state, f"{free / 1e9:.1f} GB of 100.0 GB" in found.said) == (state, True)
    assert state == "ok" or "perennial prune" in found.remedy


@pytest.mark.parametrize(("free", "state"), [(51 * 10**9, "ok"), (49 * 10**9, "warning")])
def test_fifty_gigabytes_are_enough_on_the_largest_disk(world, free, state):
    found = {f.what: f for f in look(world, room=Room(10**13, free))}["disk of the state"]
    assert found.state == state


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
def test_what_is_wrong_is_named_with_a_remedy(restored_state, break_it, what, state, words):
    break_it(restored_state)
    server = Following(restored_state.context()) if what != "sales: release" else Steady()
    found = bad(look(restored_state, server=server))
    assert what in found, found
    assert (found[what].state, bool(found[what].remedy)) == (state, True)
    assert words in found[what].said
