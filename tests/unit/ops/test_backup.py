"""Back up and restore: a state that lived goes on elsewhere."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.bundle.load import golden_differences, open_bundle
from pipelines.deployment import orders
from pipelines.deployment.process_target import ProcessTarget
from pipelines.errors import Busy, Corrupted, RequestError, StorageFull, Unreachable
from pipelines.ledger import DriftCheck, GateVerdict
from pipelines.ledger.sql import SqlLedger
from pipelines.ops.backup.archive import HEAD, MANIFEST, Manifest, Writer, check_archive
from pipelines.ops.backup.creation import backup
from pipelines.ops.backup.restoration import restore
from pipelines.ops.doctor import machine
from pipelines.ops.lock import hold_state
from pipelines.ops.prune import removal
from pipelines.ports import ConfiguredPorts
from pipelines.refs import canonical, sha256
from pipelines.settings import local_path
from pipelines.store.memory import MemoryStore
from pipelines.store.opening import STORES
from pipelines.store.sealing import seal, unseal
from tests.contracts.processes import HOME, flip, small_disk, start
from tests.decisions import drift_check, gate_verdict
from tests.unit.ops.lived import elsewhere, restored, retrain
from tests.unit.steps.test_deploy import Following

KILLED = """
import os, signal, sys
from pathlib import Path
from pipelines.ops.backup.restoration import restore
from tests.worlds import World

def say(text):
    if text == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

restore(World(Path(sys.argv[1])).settings, Path(sys.argv[2]), say)
"""


def quiet(_text):
    """Say nothing."""


def members(tar):
    with tarfile.open(tar) as opened:
        return opened.getmembers()


def rewritten(tar, target, change):
    """Write the backup anew; `change` gets the entries (name, content) and returns others."""
    with tarfile.open(tar) as old:
        found = [(m, old.extractfile(m).read() if m.isreg() else None) for m in old]
    with tarfile.open(target, "w") as new:
        for member, data in change(found):
            if data is not None:
                member.size = len(data)
            new.addfile(member, io.BytesIO(data) if data is not None else None)
    return target


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

    def test_a_store_that_is_no_folder_is_never_left_out_silently(
        self, old, tar, tmp_path, monkeypatch
    ):
        monkeypatch.setitem(STORES, "memory", lambda _: MemoryStore())
        settings = old.settings.replace(store="memory://me:secret@here")
        for call in (
            lambda: backup(settings, tmp_path / "b.tar", quiet),
            lambda: restore(settings, tar, quiet),
        ):
            with pytest.raises(RequestError, match="is no folder") as refused:
                call()
            assert "secret" not in str(refused.value)
        assert not (tmp_path / "b.tar").exists()

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


class TestRestore:
    @pytest.fixture
    def empty(self, old, tmp_path):
        return elsewhere(old, tmp_path / "new")

    def refused(self, world, tar, error, words):
        """The backup is refused and nothing was written."""
        with pytest.raises(error, match=words):
            restore(world.settings, tar, quiet)
        state = world.settings.state
        assert (
            not state.exists()
            or [p for p in state.rglob("*") if p.is_file() and p.name != "ops.lock"] == []
        )

    def test_a_state_that_is_there_is_never_touched(self, old, tar):
        before = sorted(str(p) for p in old.settings.state.rglob("*"))
        with pytest.raises(RequestError, match="not empty"):
            restore(old.settings, tar, quiet)
        assert sorted(str(p) for p in old.settings.state.rglob("*")) == before

    def test_a_ledger_alone_counts_as_a_state(self, old, tar, empty):
        (empty.settings.state / "ledger").mkdir(parents=True)
        shutil.copy(old.settings.state / "ledger" / "ledger.db", empty.settings.state / "ledger")
        with pytest.raises(RequestError, match=r"ledger's database .* is not empty"):
            restore(empty.settings, tar, quiet)
        assert not (empty.settings.state / "store" / "objects").exists()

    def test_what_a_killed_restore_left_is_begun_anew(self, tar, empty):
        litter = local_path(empty.settings.store) / ".restoring" / "objects" / "half"
        litter.parent.mkdir(parents=True)
        litter.write_bytes(b"half")
        assert restore(empty.settings, tar, quiet) > 0
        assert not litter.parent.parent.exists()

    def test_a_failure_says_what_is_there_and_how_to_clear_it(self, tar, empty):
        """The ledger's folder cannot be made.

        MLflow's database is loaded by then, and no folder is in place.
        """
        state = empty.settings.state
        state.mkdir(parents=True)
        (state / "ledger").write_bytes(b"in the way")
        order = rf"remove {state}/mlflow/mlflow\.db\*; then restore again"
        with pytest.raises(
            Unreachable,
            match=rf"did not end; there already: mlflow's database [^,]*mlflow\.db\. .*{order}",
        ):
            restore(empty.settings, tar, quiet)
        assert [p for p in local_path(empty.settings.store).rglob("*") if p.is_file()] == []
        with pytest.raises(
            RequestError,
            match=(
                rf"The restore of {re.escape(str(tar))} did not end\. mlflow's database .*{order}"
            ),
        ):
            restore(empty.settings, tar, quiet)
        self.cleared(empty, tar)
        (state / "ledger").unlink()
        assert restore(empty.settings, tar, quiet) > 0

    @pytest.mark.parametrize(
        "phase", ["mlflow: loaded", "ledger: loaded", "secrets: in place", "store: in place"]
    )
    def test_one_that_was_killed_is_found_and_begun_again(self, old, tar, empty, phase):
        process = start(KILLED, empty.home, tar, phase)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        (found,) = machine.check_restore(empty.settings)
        assert (found.state, found.what) == ("problem", "restore")
        self.cleared(empty, tar)
        assert restore(empty.settings, tar, quiet) > 0
        assert list(machine.check_restore(empty.settings)) == []
        assert empty.context().ports.ledger.entries() == old.context().ports.ledger.entries()
        assert list(empty.settings.state.rglob(".restoring")) == []

    def cleared(self, world, tar):
        """Do what the refusal of a restore says."""
        with pytest.raises(
            RequestError, match=f"The restore of {re.escape(str(tar))} did not end"
        ) as refused:
            restore(world.settings, tar, quiet)
        for order in refused.value.remedy.removeprefix("while nothing runs, ").split("; ")[:-1]:
            path = order.removeprefix("remove ").removeprefix("what is in ")
            for found in Path(path.removesuffix("*")).parent.glob(Path(path).name):
                shutil.rmtree(found) if found.is_dir() else found.unlink()

    def test_every_changed_byte_is_found_before_anything_is_written(self, tar, empty, tmp_path):
        for member in members(tar)[1 :: max(len(members(tar)) // 12, 1)]:
            if member.isreg() and member.size:
                copy = shutil.copy(tar, tmp_path / "changed.tar")
                flip(copy, member.offset_data + member.size // 2)
                self.refused(
                    empty,
                    copy,
                    Corrupted,
                    "changed" if member.name != MANIFEST else r"manifest|changed|missing",
                )

    @pytest.mark.parametrize("share", [0.3, 0.9])
    def test_a_backup_that_was_cut_off_is_refused(self, tar, empty, tmp_path, share):
        data = tar.read_bytes()
        (tmp_path / "cut.tar").write_bytes(data[: int(len(data) * share)])
        self.refused(empty, tmp_path / "cut.tar", Corrupted, "cut off")

    def test_a_missing_member_is_named(self, tar, empty, tmp_path):
        gone = "databases/mlflow.sqlite"
        changed = rewritten(
            tar, tmp_path / "x.tar", lambda found: [f for f in found if f[0].name != gone]
        )
        self.refused(empty, changed, Corrupted, f"'{gone}' is missing")

    def test_another_format_is_refused(self, tar, empty, tmp_path):
        def newer(found):
            return [(found[0][0], json.dumps({"format": 3, "product": "9.9"}).encode()), *found[1:]]

        self.refused(
            empty,
            rewritten(tar, tmp_path / "x.tar", newer),
            RequestError,
            "has the format 3 .of Perennial 9.9.; this program",
        )

    @pytest.mark.parametrize("data", [b"", b"no tar" * 1000, b"\x00" * 20_480])
    def test_another_file_is_refused(self, empty, tmp_path, data):
        (tmp_path / "x.tar").write_bytes(data)
        self.refused(empty, tmp_path / "x.tar", (Corrupted, RequestError), "x.tar")

    def test_a_file_that_is_not_there_is_named(self, empty, tmp_path):
        self.refused(empty, tmp_path / "none.tar", RequestError, r"no file .*none\.tar")

    @pytest.mark.parametrize(
        "name",
        [
            "../evil",
            "store/../../evil",
            "/etc/evil",
            "store//evil",
            "models/evil.py",
            "databases/other.sqlite",
            "store/./x",
            "store/a\\b",
        ],
    )
    def test_a_member_that_would_leave_its_place_is_refused(self, empty, tmp_path, name):
        """Also in a backup whose hashes are all right: whoever made it may be hostile."""
        with (tmp_path / "x.tar").open("wb") as file:
            writer = Writer(file, "0", "2026-01-01T00:00:00Z")
            writer.add_bytes(name, b"evil")
            writer.finish({}, "/nowhere")
        self.refused(empty, tmp_path / "x.tar", Corrupted, "has no business")

    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
    )
    def test_links_and_devices_are_refused(self, tar, empty, tmp_path, kind):
        link = tarfile.TarInfo("store/objects/link")
        link.type, link.linkname = kind, "/etc/passwd"
        changed = rewritten(
            tar, tmp_path / "x.tar", lambda found: [found[0], (link, None), *found[1:]]
        )
        self.refused(empty, changed, Corrupted, "has no business")

    def test_a_database_of_another_kind_is_refused(self, old, tar, tmp_path):
        world = elsewhere(old, tmp_path / "new")
        settings = world.settings.replace(ledger_url="postgresql+psycopg2://nobody@127.0.0.1:1/x")
        with pytest.raises(
            RequestError,
            match="ledger's database is sqlite in the backup, but the settings name postgresql",
        ):
            restore(settings, tar, quiet)

    def test_a_full_disk_is_named(self, tar, empty):
        with small_disk(empty.settings.state, "1m"), pytest.raises(StorageFull):
            restore(empty.settings, tar, quiet)

    def test_hashes_in_the_manifest_are_those_of_the_files(self, tar):
        with tarfile.open(tar) as opened:
            said = json.loads(unseal(MANIFEST, opened.extractfile(MANIFEST).read()))["members"]
            assert said == {
                m.name: sha256(opened.extractfile(m).read())
                for m in opened
                if m.isreg() and m.name != MANIFEST
            }


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


class TestTheArchive:
    @pytest.fixture
    def small(self, tmp_path):
        """A small archive, its bytes and its manifest."""
        path = tmp_path / "small.tar"
        (tmp_path / "key").write_bytes(b"a key")
        with path.open("wb") as file:
            writer = Writer(file, "0.1", "2026-01-01T00:00:00Z")
            writer.add("secrets/key", tmp_path / "key")
            manifest = writer.finish({"ledger": "sqlite"}, "/var/artifacts")
        return path, path.read_bytes(), manifest

    def test_every_flipped_byte_is_refused_or_means_nothing(self, small):
        path, whole, manifest = small
        end = whole.rindex(b"}") + 1  # zeros follow
        refused = 0
        for at in range(end):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            try:
                assert check_archive(path, lambda _: True) == manifest
            except (Corrupted, RequestError):
                refused += 1
        assert refused > 1_900

    def test_every_cut_is_refused(self, small):
        path, whole, _ = small
        for size in range(0, whole.rindex(b"}"), 7):
            path.write_bytes(whole[:size])
            with pytest.raises((Corrupted, RequestError)):
                check_archive(path, lambda _: True)

    def test_one_of_the_first_format_is_still_read(self, small):
        path, _, manifest = small
        head = canonical({"format": 1, "product": "0.1", "at": manifest.at})
        members = {**manifest.members, HEAD: sha256(head)}
        older = manifest.model_copy(update={"format": 1, "members": members})
        contents = {HEAD: head, "secrets/key": b"a key", MANIFEST: canonical(older)}
        for last, known in ((canonical(older), True), (seal(canonical(older)), False)):
            with tarfile.open(path, "w") as tar:
                for name, data in {**contents, MANIFEST: last}.items():
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))
            if known:
                assert check_archive(path, lambda _: True) == Manifest.model_validate(
                    older.model_dump()
                )
            else:
                with pytest.raises(Corrupted, match="manifest"):
                    check_archive(path, lambda _: True)
