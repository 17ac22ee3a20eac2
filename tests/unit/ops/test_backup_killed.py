"""What a killed backup or restore left behind goes, and nothing else does."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta

import pytest

from pipelines.ledger.sql import SqlLedger
from pipelines.ops.backup.creation import backup
from pipelines.ops.doctor import machine
from pipelines.ops.lock import hold_state
from pipelines.ops.prune import removal
from pipelines.ports import ConfiguredPorts
from tests.contracts.processes import HOME
from tests.decisions import gate_verdict

KILLED_BACKUP = """
import os, signal, sys
from pathlib import Path
from pipelines.ops.backup import creation
from pipelines.settings import load_settings
settings = load_settings({"PERENNIAL_HOME": sys.argv[1], "PERENNIAL_STATE": sys.argv[1] + "/var"})

def say(text):
    if text.startswith(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

creation.backup(settings, Path(sys.argv[2]), say)
"""


class TestAKilledBackup:
    @pytest.fixture
    def killed(self, world, tmp_path):
        """A backup that was killed while the keys were in its folder, elsewhere."""
        SqlLedger(world.settings.ledger_url).append("sales", "run", gate_verdict())
        secrets = world.settings.state / "secrets"
        secrets.mkdir(mode=0o700)
        (secrets / "key").write_text("a key")
        place = tmp_path / "disk"
        place.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", KILLED_BACKUP, world.home, place / "a.tar", "secrets"],
            cwd=HOME,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        (left,) = place.iterdir()
        assert left.stat().st_mode & 0o077 == 0
        return place

    def test_its_folder_goes_with_the_next_one_even_elsewhere(self, world, killed, tmp_path):
        bystander = killed / ".perennial-backup-of-another-system"
        bystander.mkdir()
        backup(world.settings, tmp_path / "b.tar", str)
        assert list(killed.iterdir()) == [bystander]
        assert list((world.settings.state / "scratch").iterdir()) == []

    def test_doctor_names_it_and_prune_takes_it_away(self, world, killed):
        (left,) = killed.iterdir()
        (finding,) = machine.check_scratch(world.settings)
        assert (finding.state, str(left) in finding.said) == ("warning", True)
        ports = ConfiguredPorts(world.settings)
        assert [
            leftover.name
            for leftover in removal.find_leftovers(world.settings, ports, timedelta(days=1))
        ] == [str(left)]
        assert left.is_dir()
        removal.prune(world.settings, ports, timedelta(days=1))
        assert list(killed.iterdir()) == []
        assert list(machine.check_scratch(world.settings)) == []

    def test_that_of_one_at_work_stays(self, world, killed):
        (left,) = killed.iterdir()
        with hold_state(world.settings):
            assert list(machine.check_scratch(world.settings)) == []
            assert (
                removal.find_leftovers(
                    world.settings, ConfiguredPorts(world.settings), timedelta(days=1)
                )
                == []
            )
        assert left.is_dir()

    def test_a_note_that_names_something_else_removes_nothing(self, world, tmp_path):
        SqlLedger(world.settings.ledger_url)
        precious = tmp_path / "precious"
        precious.mkdir()
        (tmp_path / ".perennial-backup-link").symlink_to(precious)
        notes = world.settings.state / "scratch"
        notes.mkdir()
        for n, path in enumerate(
            (precious, tmp_path / ".perennial-backup-link", tmp_path / "gone")
        ):
            (notes / f"{n}").write_text(str(path))
        backup(world.settings, tmp_path / "b.tar", str)
        assert precious.is_dir()
        assert list(notes.iterdir()) == []

    def test_a_draft_of_a_killed_restore_goes_too(self, world):
        SqlLedger(world.settings.ledger_url)
        draft = world.settings.state / ".restoring"
        draft.mkdir()
        (draft / "ledger.sqlite").write_bytes(b"x" * 10)
        (going,) = removal.prune(world.settings, ConfiguredPorts(world.settings), timedelta(days=1))
        assert (going.kind, going.bytes, draft.exists()) == ("killed backup or restore", 10, False)
