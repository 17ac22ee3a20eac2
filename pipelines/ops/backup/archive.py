"""The file that a backup is: a plain tar, written and read as a stream.

First comes backup.json (format, product, moment), then the members, and last manifest.json with the
SHA-256 of each of them.

Stored format, version 2: the manifest carries a checksum of its own (as the store's entries do),
which version 1 did not. To evolve it: raise FORMAT and let `check_archive` know all that were.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
from typing import IO, TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pipelines.errors import Corrupted, RequestError, TryAgain
from pipelines.private_files import make_folder
from pipelines.refs import Value, canonical, sha256
from pipelines.store.sealing import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

FORMAT: Final = 2
KNOWN: Final = (1, FORMAT)
HEAD = "backup.json"
MANIFEST = "manifest.json"
BLOCK = 1 << 20
_LARGEST_MANIFEST = 1 << 30
_REMEDY = "use another backup; nothing was written."


class Manifest(Value):
    """What a backup holds: the SHA-256 of each file by its name, the databases' kinds, and where
    MLflow's artifacts were.
    """

    format: int = FORMAT
    product: str
    at: str
    databases: dict[str, str]
    artifacts: str
    members: dict[str, str]


class Writer:
    """Adds files to a tar and keeps their hashes."""

    def __init__(self, file: IO[bytes], product: str, at: str) -> None:
        """Begin the archive."""
        # Closed by `finish`.
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._about = {"product": product, "at": at}
        self.members: dict[str, str] = {}
        self.bytes = 0
        self.add_bytes(HEAD, canonical({"format": FORMAT, **self._about}))

    def add(self, name: str, path: Path) -> None:
        """Add a file as long as it is now. Raises TryAgain where it shrinks meanwhile."""
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            reader = _HashingFile(file)
            try:
                self._tar.addfile(
                    _entry(name, status.st_size, status.st_mode & 0o777, int(status.st_mtime)),
                    reader,
                )
            except OSError as error:
                if error.errno is not None:
                    raise
                raise TryAgain(
                    f"{path} became shorter while it was copied.", remedy="run again."
                ) from error
        self._count(name, reader.hexdigest(), status.st_size)

    def add_bytes(self, name: str, data: bytes) -> None:
        """Add a file with this content."""
        self._tar.addfile(_entry(name, len(data), 0o644, 0), io.BytesIO(data))
        self._count(name, sha256(data), len(data))

    def add_folder(self, name: str) -> None:
        """Add an empty folder."""
        entry = tarfile.TarInfo(name)
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        self._tar.addfile(entry)

    def finish(self, databases: Mapping[str, str], artifacts: str) -> Manifest:
        """Write the manifest and the end."""
        manifest = Manifest.model_validate(
            {**self._about, "databases": databases, "artifacts": artifacts, "members": self.members}
        )
        data = seal(canonical(manifest))
        self._tar.addfile(_entry(MANIFEST, len(data), 0o644, 0), io.BytesIO(data))
        self._tar.close()
        return manifest

    def _count(self, name: str, digest: str, size: int) -> None:
        self.members[name] = digest
        self.bytes += size


def check_archive(path: Path, has_place: Callable[[str], bool]) -> Manifest:
    """Return the manifest after every member was read and is what it says.

    `has_place` tells whether a member's name has a place in this system.

    Raises RequestError for a file that is no backup of a format we know, Corrupted naming the first
    member that was changed, is missing, or has no business in a backup.
    """
    with open_entries(path) as entries:
        digests, manifest = _read(path, entries, has_place)
    if manifest is None:
        raise Corrupted(f"{path} has no end: it was cut off.", remedy=_REMEDY)
    wrong = sorted(
        name
        for name in {*digests, *manifest.members}
        if digests.get(name) != manifest.members.get(name)
    )
    if wrong:
        what = "is missing from" if wrong[0] not in digests else "was changed in"
        raise Corrupted(f"{wrong[0]!r} {what} {path}.", remedy=_REMEDY)
    return manifest


def _read(
    path: Path,
    entries: Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]],
    has_place: Callable[[str], bool],
) -> tuple[dict[str, str], Manifest | None]:
    """Return each member's SHA-256, and the manifest if there is one at the end."""
    digests: dict[str, str] = {}
    manifest: Manifest | None = None
    form = FORMAT
    for entry, file in entries:
        if manifest is not None:
            raise Corrupted(f"{path} goes on after its end with {entry.name!r}.", remedy=_REMEDY)
        if not digests:
            digests[HEAD], form = _read_format(path, entry, file)
        elif entry.name == MANIFEST:
            manifest = _manifest(path, entry, file, form)
        elif not _fits(entry, has_place):
            raise Corrupted(f"{entry.name!r} has no business in {path}.", remedy=_REMEDY)
        elif file is not None:
            if entry.name in digests:
                raise Corrupted(f"{entry.name!r} stands twice in {path}.", remedy=_REMEDY)
            digests[entry.name] = _digest(file)
    return digests, manifest


def extract(path: Path, place: Callable[[str], tuple[Path, str]]) -> None:
    """Write the members of a checked archive.

    `place` says below which folder, which is new, and under which name there.

    Not by tarfile's own extraction: Python 3.11.2, which is Debian's, does not have its safe form.
    """
    remedy = "keep it still, then restore again."
    try:
        with tarfile.open(path, mode="r|") as tar:
            for entry in tar:
                if entry.name in {HEAD, MANIFEST}:
                    continue
                if not _fits(entry, lambda _: True):
                    raise Corrupted(f"{path} was changed while it was restored.", remedy=remedy)
                folder, name = place(entry.name)
                if entry.isdir():
                    make_folder(folder / name)
                elif (content := tar.extractfile(entry)) is not None:
                    _write(folder / name, content, entry)
    except (tarfile.TarError, UnicodeError) as error:
        raise Corrupted(
            f"{path} was changed while it was restored: {error}.", remedy=remedy
        ) from error


def _write(target: Path, content: IO[bytes], entry: tarfile.TarInfo) -> None:
    """Write one new file with the entry's age and mode, for its owner alone."""
    make_folder(target.parent)
    mode = (entry.mode & 0o700) | 0o600
    with open(  # noqa: PTH123
        os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode),
        "wb",
    ) as file:
        shutil.copyfileobj(content, file, BLOCK)
        os.fchmod(file.fileno(), mode)
    os.utime(target, (entry.mtime, entry.mtime))


@contextlib.contextmanager
def open_entries(path: Path) -> Iterator[Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]]:
    """Yield the entries, with their content where they have one.

    What goes wrong while they are read is named.
    """
    try:
        with tarfile.open(path, mode="r|") as tar:
            yield (
                (entry, tar.extractfile(entry) if entry.type == tarfile.REGTYPE else None)
                for entry in tar
            )
    except FileNotFoundError as error:
        raise RequestError(f"There is no file {path}.") from error
    except tarfile.ReadError as error:
        raise Corrupted(
            f"{path} is no tar file, or it was cut off: {error}.", remedy=_REMEDY
        ) from error
    except (tarfile.TarError, OSError, UnicodeError) as error:
        raise Corrupted(f"{path} cannot be read: {error}.", remedy=_REMEDY) from error


def _read_format(path: Path, entry: tarfile.TarInfo, file: IO[bytes] | None) -> tuple[str, int]:
    """Return the first member's hash and the format.

    Raises RequestError unless it says that this is a backup of a format that we know.
    """
    data = file.read() if file is not None and entry.name == HEAD and entry.size <= BLOCK else b""
    body = _parse_json(data)
    if not isinstance(body, dict) or "format" not in body:
        raise RequestError(f"{path} is no backup of Perennial.")
    if body["format"] not in KNOWN:
        raise RequestError(
            f"{path} has the format {body['format']!r} (of Perennial {body.get('product')}); this"
            f" program knows up to {FORMAT}.",
            remedy="restore it with the Perennial that wrote it, then upgrade.",
        )
    return sha256(data), int(body["format"])


def _manifest(path: Path, entry: tarfile.TarInfo, file: IO[bytes] | None, form: int) -> Manifest:
    try:
        if file is None or entry.size > _LARGEST_MANIFEST:
            # One way out for all that is wrong with it.
            raise ValueError("it is no plain file")  # noqa: TRY301
        data = file.read()
        return Manifest.model_validate_json(data if form == 1 else unseal(MANIFEST, data))
    except Corrupted as error:
        raise Corrupted(
            f"The manifest of {path} was changed or cut off.", remedy=_REMEDY
        ) from error
    except (ValidationError, ValueError) as error:
        raise Corrupted(
            f"The manifest of {path} cannot be read: {type(error).__name__}.", remedy=_REMEDY
        ) from error


def _fits(entry: tarfile.TarInfo, has_place: Callable[[str], bool]) -> bool:
    """Tell whether the entry is a plain file or folder with a harmless name that has a place
    here.
    """
    parts = entry.name.split("/")
    harmless = not any(part in {"", ".", ".."} or "\\" in part or "\x00" in part for part in parts)
    plain = entry.type in {tarfile.REGTYPE, tarfile.DIRTYPE} and entry.sparse is None
    return plain and harmless and has_place(entry.name)


def _parse_json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _digest(file: IO[bytes]) -> str:
    reader = _HashingFile(file)
    while reader.read(BLOCK):
        pass
    return reader.hexdigest()


def _entry(name: str, size: int, mode: int, mtime: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, mode, mtime
    return entry


class _HashingFile:
    """A file that is hashed while it is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()
