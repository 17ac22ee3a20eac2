"""`doctor`: a path that is open to others is named with what closes it."""

from __future__ import annotations

import shlex
import subprocess

import pytest

from pipelines.ops.doctor import modes


def test_everything_in_a_state_that_lived_is_its_owners_hold_state(restored_state):
    """Looked at by itself: what `doctor` passes over (DVC's objects, mode 444) may be read by
    others, but lies in closed folders."""
    state = restored_state.settings.state
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
def test_a_path_that_is_open_to_others_is_named_with_the_command_that_closes_it(
    restored_state, place, mode
):
    path = restored_state.settings.state / place
    path.mkdir(exist_ok=True, parents=True) if place.endswith("site") else None
    path.chmod(mode)
    (found,) = modes.check_modes(restored_state.settings)
    assert (found.state, str(path) in found.said) == ("problem", True)
    subprocess.run(shlex.split(found.remedy), check=True)
    assert [f.state for f in modes.check_modes(restored_state.settings)] == ["ok"]


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
