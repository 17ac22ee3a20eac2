"""Back up and restore: a state that lived goes on elsewhere."""

from __future__ import annotations

import sqlite3
import stat
import threading
from contextlib import closing

import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.deployment import orders
from pipelines.deployment.process_target import ProcessTarget
from pipelines.errors import Busy, Corrupted, RequestError, StorageFull
from pipelines.ledger import DriftCheck, GateVerdict
from pipelines.ops.backup.archive import HEAD, MANIFEST
from pipelines.ops.backup.creation import backup
from pipelines.ops.lock import hold_state
from tests.contracts.processes import small_disk
from tests.decisions import drift_check
from tests.unit.ops.archives import members, quiet
from tests.unit.ops.lived import restored, retrain
from tests.unit.steps.deployments import Following


class TestRoundTrip:
    def test_the_restored_state_says_the_same_and_goes_on(self, old, tar, tmp_path):
        before = old.context().ports
        world = restored(old, tar, tmp_path / "new")
        ports = world.context().ports
        assert ports.ledger.entries() == before.ledger.entries()
        assert ports.ledger.champion("sales") == before.ledger.champion("sales")
        assert ports.registry.alias("sales") == "1"
        assert ports.versions.files("sales") == before.versions.files("sales")
        segments = ports.store.segments("inference/sales/predictions")
        assert segments == before.store.segments("inference/sales/predictions") != []
        assert ports.store.read_segment(segments[0]) == before.store.read_segment(segments[0])
        assert (
            golden_differences(open_bundle(ports.store, ports.ledger.champion("sales").bundle))
            == []
        )
        assert orders.reconcile(world.context(), ProcessTarget(Following(world.context()))) == []

        judged, _ = retrain(world, 7, "second")
        assert judged.champion == "1"
        assert (
            ports.ledger.find("sales", "verdict", "second").read(GateVerdict).verdict
            == judged.verdict
        )
        assert ports.ledger.verify() > before.ledger.verify()
        assert [v.version for v in ports.registry.versions("sales")] == ["1", "2"]

    def test_nothing_points_back_to_where_the_state_was(self, old, tar, tmp_path):
        """What MLflow writes from now on must not land in the old folder."""
        world = restored(old, tar, tmp_path / "new")
        with closing(sqlite3.connect(world.settings.state / "mlflow" / "mlflow.db")) as database:
            said = "\n".join(database.iterdump())
        assert str(old.settings.state) not in said
        assert str(world.settings.mlflow_artifacts) in said

    def test_keys_are_their_owners_alone_and_the_same(self, old, tar, tmp_path):
        assert stat.S_IMODE(tar.stat().st_mode) == 0o600
        world = restored(old, tar, tmp_path / "new")
        key = world.settings.personal_key
        assert key.read_bytes() == old.settings.personal_key.read_bytes()
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE((world.settings.state / "ledger" / "ledger.db").stat().st_mode) == 0o600

    def test_what_can_be_made_again_is_not_in_it(self, old, tar):
        names = [m.name for m in members(tar)]
        assert (names[0], names[-1]) == (HEAD, MANIFEST)
        assert names.index("databases/ledger.sqlite") < min(
            i for i, n in enumerate(names) if n.startswith("store/")
        )
        assert not [
            n
            for n in names
            if "/.dvc/cache/" in n or n.endswith((".lock", ".tmp")) or "feedback.db" in n
        ]
        assert list((old.settings.versions / "repo" / ".dvc" / "cache").rglob("*"))

    def test_a_segment_that_grows_is_copied_up_to_its_last_whole_line(self, old, tar, tmp_path):
        world = restored(old, tar, tmp_path / "new")
        segment = world.context().ports.store.open_segment(
            "inference/sales/predictions/2030-01-01-1-1-open"
        )
        segment.append(b'{"whole": 1}\n{"ha')
        backup(world.settings, tmp_path / "again.tar", quiet)
        segment.close()
        third = restored(old, tmp_path / "again.tar", tmp_path / "third")
        assert third.context().ports.store.read_segment(segment.name) == b'{"whole": 1}\n'

    def test_whatever_the_ledger_of_a_backup_names_is_in_it(self, old, tar, tmp_path):
        """While somebody writes without a pause: first the object, then the entry that names it."""
        world = restored(old, tar, tmp_path / "new")
        begun, stop = threading.Event(), threading.Event()

        def write():
            ports, n = world.context().ports, 0
            while not stop.is_set():
                ref = ports.store.put(f"object {n}".encode())
                check = drift_check(run=f"window{n}", figures=ref, page=ref)
                ports.ledger.append("sales", f"window{n}", check)
                n += 1
                begun.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert begun.wait(60)
        try:
            backup(world.settings, tmp_path / "busy.tar", quiet)
        finally:
            stop.set()
            writer.join()
        ports = restored(old, tmp_path / "busy.tar", tmp_path / "third").context().ports
        written = ports.ledger.entries("sales", "drift")
        assert [ports.store.get(entry.read(DriftCheck).figures) for entry in written]


class TestBackup:
    def test_it_never_overwrites(self, old, tar):
        before = tar.read_bytes()
        with pytest.raises(RequestError, match="there already"):
            backup(old.settings, tar, quiet)
        assert tar.read_bytes() == before

    @pytest.mark.parametrize("place", ["store/x.tar", "versions/x.tar", "nowhere/x.tar"])
    def test_a_target_that_cannot_be_is_refused(self, old, place):
        with pytest.raises(RequestError):
            backup(old.settings, old.settings.state / place, quiet)

    def test_a_state_without_a_ledger_is_refused(self, world, tmp_path):
        with pytest.raises(RequestError, match="There is no ledger"):
            backup(world.settings, tmp_path / "x.tar", quiet)
        assert not (world.home / "var" / "ledger").exists()

    def test_a_touched_ledger_is_not_backed_up(self, old, tar, tmp_path):
        world = restored(old, tar, tmp_path / "new")
        with closing(sqlite3.connect(world.settings.state / "ledger" / "ledger.db")) as database:
            for (name,) in database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'trigger'"
            ).fetchall():
                database.execute(f"DROP TRIGGER {name}")
            database.execute("UPDATE entries SET body = '{}' WHERE seq = 1")
            database.commit()
        with pytest.raises(Corrupted, match="Entry 1"):
            backup(world.settings, tmp_path / "x.tar", quiet)
        assert not (tmp_path / "x.tar").exists()

    @pytest.mark.parametrize(
        ("changes", "variable"),
        [
            ({"mlflow_uri": "http://127.0.0.1:5000"}, "PERENNIAL_MLFLOW_DATABASE is not set"),
            (
                {"mlflow_database": "sqlite:////nowhere/mlflow.db"},
                "has champions, but mlflow's .* set PERENNIAL_MLFLOW_DATABASE",
            ),
        ],
    )
    def test_a_backup_without_mlflow_is_refused(self, old, tmp_path, changes, variable):
        settings = old.settings.replace(
            versions=tmp_path / "v", store=str(tmp_path / "s"), state=tmp_path / "state"
        )
        settings = settings.replace(ledger_url=old.settings.ledger_url, **changes)
        with pytest.raises(RequestError, match=variable):
            backup(settings, tmp_path / "x.tar", quiet)
        assert not (tmp_path / "x.tar").exists()

    def test_behind_a_server_the_embedded_stacks_own_database_is_copied(self, old, tmp_path):
        settings = old.settings.replace(mlflow_uri="http://127.0.0.1:5000")
        assert backup(settings, tmp_path / "x.tar", quiet).databases == {
            "ledger": "sqlite",
            "mlflow": "sqlite",
        }

    def test_a_backup_without_the_airflow_that_is_set_is_refused(self, old, tmp_path, monkeypatch):
        monkeypatch.setenv(
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path}/airflow.db"
        )
        with pytest.raises(
            RequestError, match=r"airflow's database .* set AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
        ):
            backup(old.settings, tmp_path / "x.tar", quiet)

    @pytest.mark.parametrize("size", ["256k", "1500k"])
    def test_a_full_disk_leaves_nothing_behind(self, old, tmp_path, size):
        with small_disk(tmp_path / "small", size) as folder:
            with pytest.raises(StorageFull):
                backup(old.settings, folder / "x.tar", quiet)
            assert list(folder.iterdir()) == []

    def test_only_one_operation_is_at_work(self, old, tmp_path):
        with hold_state(old.settings), pytest.raises(Busy):
            backup(old.settings, tmp_path / "x.tar", quiet)
        assert list(tmp_path.iterdir()) == []
