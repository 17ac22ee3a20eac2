"""The packages of an environment as objects of the store, for processes that reach no index.

They are installed once, where an index can be asked, by the hashes of the lock. Then each package
is an archive under its own hash, and an entry names them all: for one lock and one Python. Whoever
needs them lays those that it lacks into a folder of its own. Nothing of them runs meanwhile.
"""

from __future__ import annotations

import csv
import gzip
import shutil
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name
from pydantic import ValidationError

from pipelines.environments.interpreter import describe_running
from pipelines.environments.record import running_python
from pipelines.environments.uv import install_target
from pipelines.errors import Corrupted, GiveUp, StorageFull, Unreachable
from pipelines.full_disk import is_full
from pipelines.private_files import make_folder
from pipelines.refs import Ref, Value, canonical

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pipelines.environments.record import EnvironmentRecord
    from pipelines.store.port import Store

KEPT = "packages"
"""The folder of the entries."""
SUFFIX = ".tar.gz"
_INFO = ".dist-info"


class KeptPackage(Value):
    """One package."""

    name: str
    version: str
    archive: Ref
    """Its files below `site-packages`, as a tar."""


class KeptPackages(Value):
    """All packages of a lock, as they are installed for one Python."""

    format: Literal[1] = 1
    python: str
    """As `running_python` has it."""
    glibc: str
    """The C library of whoever installed them; wheels are made for this one and later ones."""
    packages: list[KeptPackage]


def find_kept(record: EnvironmentRecord, store: Store) -> KeptPackages | None:
    """Return the packages of an environment for the running Python; None where none are kept.

    Raises Corrupted where the entry is damaged, GiveUp where this C library is too old for them.
    """
    key = _key(record)
    entry = store.read(key)
    if entry is None:
        return None
    try:
        kept = KeptPackages.model_validate_json(entry)
    except ValidationError as error:
        raise Corrupted(f"The entry {key} names no packages.") from error
    here = describe_running().glibc
    if _number(here) < _number(kept.glibc):
        raise GiveUp(
            f"The packages of environment {record.sha256[:12]} are kept for a C library from"
            f" {kept.glibc} on, and here is {here or 'none of its kind'}.",
            remedy="build all images on one base (make images BASE=…).",
        )
    return kept


def keep(record: EnvironmentRecord, lock: str, store: Store, scratch: Path) -> KeptPackages:
    """Return the kept packages of an environment; install and keep them where they are not.

    They are installed below the folder `scratch`, and nothing of them stays there. Of two that do
    it at once, the first one is right for both. Raises what `run_uv` and `find_kept` raise.
    """
    found = find_kept(record, store)
    if found is not None and _are_whole(found, store):
        return found
    make_folder(scratch)
    with tempfile.TemporaryDirectory(prefix=".packages.", dir=scratch) as name:
        site = Path(name) / "site"
        install_target(site, lock, Path(name))
        packages = [_keep_package(info, store) for info in sorted(site.glob(f"*{_INFO}"))]
    kept = KeptPackages(python=running_python(), glibc=describe_running().glibc, packages=packages)
    if found is not None:  # its archives are put again; what is the same heals it
        return found if _are_whole(found, store) else kept
    store.publish(_key(record), canonical(kept))
    return find_kept(record, store) or kept


def lay(kept: KeptPackages, names: Collection[str], site: Path, store: Store) -> None:
    """Lay packages, by their canonical names, into a folder; each archive is verified first.

    Raises Corrupted naming an archive that was changed or is gone, GiveUp for a package that is
    not kept, StorageFull.
    """
    by_name = {package.name: package for package in kept.packages}
    absent = sorted(set(names) - by_name.keys())
    if absent:
        raise GiveUp(
            f"The package {absent[0]} is not among those that are kept.",
            remedy="run `make images`, so that all images are of this Perennial.",
        )
    site.mkdir(parents=True, exist_ok=True)
    for name in sorted(names):
        package = by_name[name]
        path = store.path(package.archive)
        try:
            with tarfile.open(path, mode="r:gz") as archive:
                _unpack(archive, site)
        except (tarfile.TarError, EOFError, gzip.BadGzipFile) as error:
            raise Corrupted(
                f"The archive {package.archive.uri} of {name} {package.version} is none: {error}."
            ) from error
        except OSError as error:
            if is_full(error):
                raise StorageFull(
                    f"No space is left for the package {name} {package.version} in {site}.",
                    remedy="make room there; a pod has what its node has left.",
                ) from error
            raise Unreachable(
                f"The package {name} cannot be laid into {site}: {error.strerror or error}.",
                remedy="see that this user may write there.",
            ) from error


def _key(record: EnvironmentRecord) -> str:
    return f"{KEPT}/{record.sha256}/{running_python()}"


def _number(glibc: str) -> tuple[int, ...]:
    return tuple(int(part) for part in glibc.split(".") if part.isdecimal())


def _are_whole(kept: KeptPackages, store: Store) -> bool:
    try:
        for package in kept.packages:
            store.path(package.archive)
    except Corrupted:
        return False
    return True


def _keep_package(info: Path, store: Store) -> KeptPackage:
    """Put one installed package into the store. The same files are the same archive."""
    name, _, version = info.name.removesuffix(_INFO).partition("-")
    with tempfile.NamedTemporaryFile(suffix=SUFFIX) as file:
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path in _files_of(info):
                _add(archive, path, path.relative_to(info.parent).as_posix())
        file.flush()
        archived = store.put_file(Path(file.name), SUFFIX)
    return KeptPackage(name=canonicalize_name(name), version=version, archive=archived)


def _files_of(info: Path) -> Iterator[Path]:
    """Yield the files that a package's record names, as far as they lie beside it.

    What a package would put elsewhere (scripts, headers) nobody here needs.
    """
    site = info.parent.resolve()
    with (info / "RECORD").open(encoding="utf-8", newline="") as record:
        names = sorted({row[0] for row in csv.reader(record) if row})
    for name in names:
        path = site / name
        if path.is_file() and not path.is_symlink() and path.resolve().is_relative_to(site):
            yield path


def _add(archive: tarfile.TarFile, path: Path, name: str) -> None:
    member = tarfile.TarInfo(name)
    status = path.stat()
    member.size, member.mode = status.st_size, 0o755 if status.st_mode & 0o100 else 0o644
    with path.open("rb") as data:
        archive.addfile(member, data)


def _unpack(archive: tarfile.TarFile, site: Path) -> None:
    """Write the files of an archive below a folder, and nowhere else.

    Raises ReadError for anything else. Not every Python 3.11 has tarfile's own filter.
    """
    for member in archive:
        name = PurePosixPath(member.name)
        data = archive.extractfile(member) if member.isreg() else None
        if data is None or name.is_absolute() or ".." in name.parts:
            raise tarfile.ReadError(f"{member.name} is no file within it")
        target = site / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with data, target.open("wb") as file:
            shutil.copyfileobj(data, file)
        target.chmod(0o755 if member.mode & 0o100 else 0o644)
