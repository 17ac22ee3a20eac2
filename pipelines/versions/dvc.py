"""Feature versions in a git repository with DVC and a DVC remote.

<root>/lock                          one writer at a time, among threads and processes <root>/repo
the git repository <root>/repo/features/<model>/        the Parquet files, tracked by DVC
<root>/repo/features/<model>.dvc     DVC's pointer to that folder, tracked by git
<root>/repo/features/<model>.json    the manifest: every file's key, SHA-256 and rows, tracked by
git <root>/remote                        the DVC remote, unless it is in a bucket

A pointer reaches git only after its objects were seen, whole, in the remote. A writer that is
killed leaves nothing that the next one does not mend. Readers take no lock: they read git objects
and DVC's cache, and verify both; only a missing or damaged cache file is pulled again, under the
lock.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pipelines.errors import Corrupted, RequestError
from pipelines.locks import hold
from pipelines.refs import FeaturesVersion, canonical
from pipelines.versions.configuration import CONFIG, FILES, REMOTE, with_remote
from pipelines.versions.failures import SITE, dvc_border, file_border
from pipelines.versions.git import Git
from pipelines.versions.objects import (
    Objects,
    has_md5,
    has_sha256,
    md5,
    object_of_pointer,
    objects_of_listing,
)
from pipelines.versions.port import (
    FeatureFile,
    check_changes,
    check_names,
    check_version,
    version_hash,
)
from pipelines.versions.remote import FolderRemote
from pipelines.versions.shared_history import BELOW, SharedHistory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipelines.versions.port import Content
    from pipelines.versions.remote import Remote

MANIFEST_FORMAT = 1
NOWHERE = "nowhere"
"""A remote that DVC is told of where it must not go to the real one."""
SUFFIX = ".parquet"


class DvcVersions:
    """Feature versions below one folder, created at the first commit."""

    def __init__(self, root: Path, lock_timeout: float = 300, remote: Remote | None = None) -> None:
        """Use the folder `root`; a writer waits up to `lock_timeout` seconds for another one.

        The remote is by default the folder `remote` in it.
        """
        self._root = root.resolve()
        self._lock_timeout = lock_timeout
        self._folder = self._root / "repo"
        self._own = threading.local()
        self._git = Git(self._folder, self._locks)
        self._cache = Objects(self._folder / ".dvc" / "cache")
        self._remote = remote or FolderRemote(self._root / "remote")
        history = self._remote.history
        self._shared = (
            None if history is None else SharedHistory(self._folder, history, self._locks)
        )

    def files(self, model: str, revision: str | None = None) -> dict[str, FeatureFile]:
        """Return the files of a revision (default: the newest) by batch name.

        Empty before the first commit.
        """
        check_names(model, ())
        with file_border(self._root):
            return self._at(model, revision)[0]

    def commit(
        self, model: str, changes: Mapping[str, tuple[FeatureFile, Content]], message: str
    ) -> FeaturesVersion:
        """Add or replace files, push them to the remote, then commit the pointer.

        Nothing changed returns the newest version.
        """
        check_changes(model, changes)
        with self._only_writer():
            while True:
                self._create()
                version = self._commit(model, changes, message)
                if self._shared is None or self._shared.add():
                    return version
                self._shared.catch_up()  # another host was first: once more, on top of its work

    def _commit(
        self, model: str, changes: Mapping[str, tuple[FeatureFile, Content]], message: str
    ) -> FeaturesVersion:
        files_before, oids = self._at(model, None)
        files = {**files_before, **{name: file for name, (file, _) in changes.items()}}
        if not files:
            raise RequestError(f"There are no features of {model} to commit.")
        pointer, manifest = f"features/{model}.dvc", f"features/{model}.json"
        if files != files_before:
            self._heal(model, first=not files_before)
            self._point()
            objects = {
                **{n: oids[n + SUFFIX] for n in files_before},
                **{n: md5(data) for n, (_, data) in changes.items()},
            }
            self._add(model, files_before, {n: data for n, (_, data) in changes.items()}, objects)
            self._push(model, files, objects, set(changes))
            self._write(
                manifest,
                canonical(
                    {
                        "format": MANIFEST_FORMAT,
                        "files": {n: f.model_dump() for n, f in files.items()},
                    }
                ),
            )
            self._git.commit([pointer, manifest], message)
        return FeaturesVersion(revision=self._git.newest(manifest), sha256=version_hash(files))

    def fetch(self, model: str, version: FeaturesVersion, names: list[str]) -> list[Path]:
        """Return verified files of DVC's cache in the order of `names`.

        They must not be written to and have no ending.
        """
        check_names(model, names)
        with file_border(self._root):
            files, oids = self._at(model, version.revision)
            check_version(model, version, files, names)
            return [
                self._sound(
                    oids[n + SUFFIX], f"{model}/{n}", partial(has_sha256, expected=files[n].sha256)
                )
                for n in names
            ]

    def drop(self, model: str, holds: Callable[[bytes], bool]) -> int:
        """Remove the objects of which `holds` is true from DVC's cache and remote; return how many.

        What the model's newest revision names stays, and all of other models'. Git is left: it
        knows hashes alone.
        """
        check_names(model, ())
        with self._only_writer():
            if self._shared is not None:
                self._shared.catch_up()
            if not self._is_there():
                return 0
            models = [path.stem for path in (self._folder / "features").glob("*.json")]
            stays: list[tuple[str, str | None]] = [(model, None)]
            for name in models:
                if name != model:
                    stays += [(name, at) for at in self._git.revisions(f"features/{name}.json")]
            keep = {oid for name, at in stays for oid in self._at(name, at)[1].values()}
            removed = self._cache.remove_where(holds, keep) | self._remote.remove_where(holds, keep)
            return len(removed)

    def find_damage(self, model: str, revision: str) -> list[str]:
        """Return the paths of the remote's objects of a revision that are missing or changed.

        Each object is read and compared with its name.
        """
        check_names(model, ())
        with file_border(self._root):
            oids = sorted(self._at(model, revision)[1].values())
            return [
                self._remote.place(oid)
                for oid in oids
                if not self._remote.is_sound(oid, partial(has_md5, oid=oid))
            ]

    def _at(
        self, model: str, revision: str | None
    ) -> tuple[dict[str, FeatureFile], dict[str, str]]:
        """Return the files of a revision, and DVC's objects by file name."""
        if (revision is None and not self._locks()) or not self._is_there():
            self._follow()
        if not self._is_there():
            if revision is None:
                return {}, {}
            raise Corrupted(
                f"There is no repository of features in {self._root}.",
                remedy="restore it from a backup.",
            )
        if revision is not None and (
            len(revision) not in {40, 64} or set(revision) - set("0123456789abcdef")
        ):
            raise RequestError(f"{revision!r} is no git revision.")
        at = revision or self._newest()
        names = f"{at}^{{commit}}", f"{at}:features/{model}.json", f"{at}:features/{model}.dvc"
        commit, manifest, pointer = self._git.blobs(*names)
        if commit is None and self._follow():
            commit, manifest, pointer = self._git.blobs(*names)
        if commit is None:
            raise Corrupted(
                f"The features' repository has no revision {at}.",
                remedy="restore it from a backup.",
            )
        if manifest is None or pointer is None:
            return {}, {}
        try:
            files = {
                name: FeatureFile.model_validate(f)
                for name, f in json.loads(manifest)["files"].items()
            }
            oid = object_of_pointer(pointer)
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
            yaml.YAMLError,
        ) as error:
            raise Corrupted(f"The manifest of {model} at {at} cannot be read: {error}.") from error
        listing = self._sound(oid, f"the list of {model}'s files", partial(has_md5, oid=oid))
        oids = objects_of_listing(listing.read_bytes())
        if {name + SUFFIX for name in files} != set(oids):
            raise Corrupted(f"The manifest of {model} at {at} and DVC's list of files differ.")
        return files, oids

    def _is_there(self) -> bool:
        return (self._folder / ".git").is_dir()

    def _newest(self) -> str:
        """Return the newest commit that counts: beyond it are those of writers at work."""
        shared = "" if self._shared is None or self._locks() else self._shared.revision
        return shared or "HEAD"

    def _follow(self) -> bool:
        """Read what other hosts wrote, where they wrote anything; tell whether they did."""
        if self._shared is None or not self._shared.is_behind:
            return False
        with self._only_writer():
            self._shared.catch_up()
        return True

    def _sound(self, oid: str, name: str, sound: Callable[[Path], bool]) -> Path:
        """Return the cache's file of an object.

        Where it is missing or damaged, pull it again from the remote.
        """
        path = self._cache.path(oid)
        if sound(path):
            return path
        with self._only_writer():
            if sound(path):
                return path
            self._remote.reach()
            end = self._remote.take(oid, self._cache, sound)
            if end == "taken":
                return path
            place, how = (
                self._remote.place(oid),
                {"missing": "is missing", "changed": "was changed"},
            )
            raise Corrupted(
                f"The object {place} ({name}) {how[end]}, and there is no sound copy in DVC's"
                " cache.",
                remedy="restore the object from a backup.",
            )

    def _add(
        self,
        model: str,
        files_before: Mapping[str, FeatureFile],
        data: Mapping[str, Content],
        expected: Mapping[str, str],
    ) -> None:
        """Let DVC take the model's folder into its cache.

        Afterwards its list of files is exactly the expected one.
        """
        if self._add_with_dvc(model, files_before, data) == expected:
            return
        # A damaged file of the cache is the work tree's too, where they are hard links: mend both,
        # then again.

        for name in sorted(set(files_before) - set(data)):
            self._sound(
                expected[name],
                f"{model}/{name}",
                partial(has_sha256, expected=files_before[name].sha256),
            )
        shutil.rmtree(self._folder / "features" / model)
        objects = self._add_with_dvc(model, files_before, data)
        if objects != expected:
            wrong = sorted(n for n in {*objects, *expected} if objects.get(n) != expected.get(n))
            raise Corrupted(f"DVC did not take the features {model}/{wrong[0]} as they are.")

    def _add_with_dvc(
        self, model: str, files_before: Mapping[str, FeatureFile], data: Mapping[str, Content]
    ) -> dict[str, str]:
        folder = self._folder / "features" / model
        with self._dvc() as repo:
            if files_before and self._remote.is_folder:
                repo.pull(targets=[f"{folder}.dvc"], force=True)
            elif files_before:
                self._fill_cache(model)
                repo.checkout(targets=[f"{folder}.dvc"], force=True)
            for name, content in data.items():
                self._write(f"features/{model}/{name}{SUFFIX}", content)
            repo.add(str(folder))
        oid = object_of_pointer(Path(f"{folder}.dvc").read_bytes())
        return {
            name.removesuffix(SUFFIX): object_id
            for name, object_id in objects_of_listing(self._cache.path(oid).read_bytes()).items()
        }

    def _fill_cache(self, model: str) -> None:
        """Take into DVC's cache what it lacks of the model's newest revision."""
        files, oids = self._at(model, None)
        for name, file in files.items():
            check = partial(has_sha256, expected=file.sha256)
            self._sound(oids[name + SUFFIX], f"{model}/{name}", check)

    def _push(
        self,
        model: str,
        files: Mapping[str, FeatureFile],
        oids: Mapping[str, str],
        changed_names: set[str],
    ) -> None:
        """Push the model's objects and see for ourselves that they arrived.

        What is new is read back.
        """
        pointer = self._folder / "features" / f"{model}.dvc"
        listing = object_of_pointer(pointer.read_bytes())
        checks = {oids[n]: partial(has_sha256, expected=files[n].sha256) for n in changed_names}
        checks[listing] = partial(has_md5, oid=listing)
        for oid, sound in checks.items():
            if not self._remote.is_sound(oid, sound):
                self._remote.remove(oid)  # DVC would take a damaged object for a pushed one
        if self._remote.is_folder:
            with self._dvc() as repo:
                repo.push(targets=[str(pointer)])
        else:
            wanted = {*oids.values(), listing}
            self._remote.put(sorted(wanted - self._remote.present(wanted)), self._cache)
        absent = sorted(set(oids.values()) - self._remote.present(oids.values()))
        absent += [oid for oid, sound in checks.items() if not self._remote.is_sound(oid, sound)]
        if absent:
            message = (
                f"The object {self._remote.place(absent[0])} of {model} is not in the remote after"
                " the push."
            )
            raise Corrupted(message, remedy="restore the object from a backup.")
        for oid in checks:
            self._remote.settle(oid)

    def _write(self, path: str, data: Content) -> None:
        """Write a file of the work tree anew.

        Never into an old one, which may be a hard link to the cache.
        """
        target = self._folder / path
        target.parent.mkdir(exist_ok=True)
        temporary = self._folder / "features" / ".unfinished.tmp"
        if isinstance(data, bytes):
            temporary.write_bytes(data)
        else:
            shutil.copyfile(data, temporary)
        temporary.replace(target)

    def _create(self) -> None:
        """Make repository and remote; the repository appears whole, by one renaming.

        One that other hosts have made is taken from there.
        """
        if self._shared is not None:
            self._shared.catch_up()
        if self._is_there():
            return
        if not self._remote.make():
            message = (
                f"The remote {self._remote.options['url']} holds features, but their repository"
                f" {self._folder} is gone."
            )
            raise Corrupted(
                message,
                remedy=(
                    "restore the repository from a backup, or move the remote away to begin anew."
                ),
            )
        for leftover in self._root.glob(".repo-*"):
            shutil.rmtree(leftover)
        draft = Path(tempfile.mkdtemp(prefix=".repo-", dir=self._root))
        draft.chmod(0o700)
        for name, content in FILES.items():
            (draft / name).parent.mkdir(exist_ok=True)
            (draft / name).write_text(
                with_remote(content, self._remote.options) if name == CONFIG else content
            )
        git = Git(draft, self._locks)
        git.create("An empty repository of features")
        if self._shared is not None and not self._shared.add(git):
            shutil.rmtree(draft)
            self._shared.catch_up()
            return
        draft.rename(self._folder)

    def _point(self) -> None:
        """Commit the remote's URL where the configuration names another.

        The state was moved, or is of an earlier version.
        """
        path = self._folder / CONFIG
        config = path.read_text(encoding="utf-8")
        new_config = with_remote(config, self._remote.options)
        if new_config != config:
            path.write_text(new_config, encoding="utf-8")
            self._git.commit([CONFIG], "The remote is where the features are")

    def _heal(self, model: str, *, first: bool) -> None:
        """Mend what a killed writer left.

        This process holds the lock, so what is found locked below is stale.
        """
        self._remote.reach()
        self._git.heal(BELOW)
        # torn, or of a process whose number may be another's by now
        (self._folder / ".dvc" / "tmp" / "rwlock").unlink(missing_ok=True)
        for belief in (self._root / SITE).glob("repo/*/index"):
            shutil.rmtree(belief)  # what DVC remembers of the remote; it must look
        if first:
            shutil.rmtree(self._folder / "features" / model, ignore_errors=True)
        self._cache.sweep()
        self._remote.sweep()

    @contextlib.contextmanager
    def _only_writer(self) -> Iterator[None]:
        """Be the only writer; raise Busy where another one stays too long."""
        if self._locks():
            yield  # a reader that must pull may be within a writer
            return
        seconds = self._lock_timeout
        lock = hold(
            self._root / "lock",
            f"Another writer has held {self._root} for {seconds:g} s.",
            seconds=seconds,
            remedy="run again later; PERENNIAL_LOCK_TIMEOUT_SECONDS says how long to wait.",
        )
        with file_border(self._root), lock as descriptor:
            self._own.lock = descriptor
            try:
                yield
            finally:
                del self._own.lock

    def _locks(self) -> tuple[int, ...]:
        """Return the descriptor of the writers' lock where this thread has it.

        Git inherits it: a git whose writer was killed works on, and the next writer must wait.
        """
        lock: int | None = getattr(self._own, "lock", None)
        return () if lock is None else (lock,)

    @contextlib.contextmanager
    def _dvc(self) -> Iterator[Any]:
        """Yield the opened repository."""
        # Of a bucket DVC knows nothing here: it would look for a plug-in (see bucket_remote.py)
        name, options = NOWHERE, {"url": str(self._root / NOWHERE)}
        if self._remote.is_folder:
            name, options = REMOTE, dict(self._remote.options)
        config = {
            "core": {"remote": name, "no_scm": True},  # git is this class's business
            "cache": {"dir": str(self._cache.folder), "type": "hardlink,copy"},
            "remote": {name: {**options, "verify": True}},
        }
        with (
            dvc_border(self._root) as repository,
            repository(str(self._folder), config=config) as repo,
        ):
            yield repo
