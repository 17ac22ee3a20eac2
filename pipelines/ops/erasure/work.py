"""What an erasure has yet to do, in a file, so that one that was killed goes on.

Everything that must be known afterwards is written down before the first row goes: what takes the
place of which entry, which objects go, and by which keys the person's rows are known. The file
names the person; it is private, and removed when all is done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from pipelines.errors import Corrupted
from pipelines.private_files import make_folder
from pipelines.refs import Ref, Sha256, Value, canonical

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings


class Work(Value):
    """An erasure on its way.

    `values` are the people's keys as they were asked for, `row_keys` those of their rows, `labels`
    the identities of labels that were told by request of their rows.
    `replace` holds the JSON that takes the place of an entry of the store, by key; `drop_entries`
    and `drop_objects` are what goes.
    """

    format: int = 1
    run: str
    column: str
    values: list[str]
    row_keys: list[str]
    labels: list[str] = Field(default_factory=list)
    rows: int
    replace: dict[str, str]
    drop_entries: list[str]
    drop_objects: list[str]
    manifests: dict[Sha256, Sha256]
    manifests_ref: Ref
    versions: list[str]
    revisions: list[str]


def work_file(settings: Settings, model: str) -> Path:
    """Return where a model's unfinished erasure stands."""
    return settings.state / "erase" / f"{model}.json"


def read_work(settings: Settings, model: str) -> Work | None:
    """Return a model's unfinished erasure; None where there is none.

    Raises Corrupted where the file cannot be read.
    """
    path = work_file(settings, model)
    try:
        return Work.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise Corrupted(
            f"{path}, which says what an erasure has yet to do, cannot be read.",
            remedy="a newer Perennial wrote it (then use that one); else restore it from a backup.",
        ) from error


def write_work(settings: Settings, model: str, work: Work) -> None:
    """Write the file whole, for its owner alone."""
    import os

    path = work_file(settings, model)
    make_folder(path.parent)
    temporary = path.with_suffix(".tmp")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(canonical(work))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
