"""What `restore` makes of a backup: the whole state, or a refusal before anything is written."""

from __future__ import annotations

import io
import json
import re
import shutil
import signal
import tarfile
from pathlib import Path

import pytest

from pipelines.errors import Corrupted, RequestError, StorageFull, Unreachable
from pipelines.ops.backup.archive import MANIFEST, Writer
from pipelines.ops.backup.restoration import restore
from pipelines.ops.doctor import machine
from pipelines.refs import sha256
from pipelines.settings import local_path
from pipelines.store.sealing import unseal
from tests.contracts.processes import flip, small_disk, start
from tests.unit.ops.archives import members, quiet
from tests.unit.ops.lived import elsewhere

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
