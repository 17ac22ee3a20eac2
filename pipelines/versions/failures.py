"""What DVC and the file system raise, as named errors."""

from __future__ import annotations

import contextlib
import getpass
import logging
import os
import shutil
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.collector import paused_collection
from pipelines.errors import Busy, PerennialError, StorageFull, Unreachable
from pipelines.full_disk import is_full
from pipelines.private_files import OTHERS
from pipelines.sqlite import fault

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = Path("repo", ".dvc", "tmp", "site")
"""Where DVC keeps what it remembers of files and remotes, below the folder of versions."""


@contextlib.contextmanager
def file_border(folder: Path) -> Iterator[None]:
    """Raise StorageFull or Unreachable, naming the folder, for what the file system raises."""
    try:
        yield
    except OSError as error:
        raise _make_error(folder, error, str(error)) from error


@contextlib.contextmanager
def dvc_border(folder: Path) -> Iterator[type[Any]]:
    """Yield DVC's Repo, imported here.

    Raise Busy, StorageFull or Unreachable for what it raises.
    """
    with paused_collection():
        from dvc.exceptions import DvcException
        from dvc.lock import LockError
        from dvc.repo import Repo

    causes = _Causes()
    logger = logging.getLogger("dvc_data")
    logger.addHandler(causes)
    try:
        with _own_environment(folder):
            yield Repo
    except LockError as error:
        raise Busy(
            f"A dvc command holds {folder}.", remedy="let it end, then run again."
        ) from error
    except sqlite3.Error as error:
        if fault(error) != "damaged":
            raise Busy(
                f"What DVC remembers in {folder / SITE} is in use.", remedy="run again."
            ) from error
        shutil.rmtree(folder / SITE, ignore_errors=True)
        raise Unreachable(
            f"What DVC remembers in {folder / SITE} was damaged, and was removed.",
            remedy="run again: DVC makes it anew.",
        ) from error
    except DvcException as error:
        causes.add(error)
        full = [cause for cause in causes.errors if is_full(cause)]
        raise _make_error(
            folder,
            (full or causes.errors)[0],
            "; ".join(str(c) for c in [error, *causes.errors[:3]]),
        ) from error
    finally:
        logger.removeHandler(causes)
        _close(folder / SITE)


def _close(site: Path) -> None:
    """Shut others out of what DVC remembers.

    It opens the folders to everybody by itself, and reads pickles from them.
    """
    for place, _, files in os.walk(site):
        for path in (Path(place), *(Path(place, name) for name in files)):
            with contextlib.suppress(OSError):
                # of another user, or gone meanwhile: doctor names what stays open
                mode = stat.S_IMODE(path.lstat().st_mode)
                if mode & OTHERS and not path.is_symlink():
                    path.chmod(mode & ~OTHERS)


@contextlib.contextmanager
def _own_environment(folder: Path) -> Iterator[None]:
    """Keep DVC from the configuration and caches of whoever runs this.

    They may have no home and no name at all.
    """
    nowhere = str(folder / "no-configuration")
    variables = {
        "DVC_GLOBAL_CONFIG_DIR": nowhere,
        "DVC_SYSTEM_CONFIG_DIR": nowhere,
        "DVC_SITE_CACHE_DIR": str(folder / SITE),
    }
    try:
        getpass.getuser()
    except (KeyError, OSError):  # a container's bare number, and DVC asks for a name
        variables["LOGNAME"] = "perennial"
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Causes(logging.Handler):
    """Collects why transfers failed: DVC logs that, and raises a mere count."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.add(record.exc_info[1])

    def add(self, error: BaseException | None) -> None:
        """Remember the error and what it was raised from."""
        while error is not None:
            self.errors.append(error)
            error = error.__cause__ or error.__context__


def _make_error(folder: Path, error: BaseException, text: str) -> PerennialError:
    if is_full(error):
        return StorageFull(
            f"No space is left for the features in {folder}.",
            remedy="free space there, then run again; no pointer was committed.",
        )
    return Unreachable(
        f"The features in {folder} cannot be read or written: {text}.",
        remedy="check that the folder is there and may be written to.",
    )
