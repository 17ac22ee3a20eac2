"""Groups of models: the DAGs of each group are made by one DAG file, in a process of its own.

A model is always in the same group, whatever other models there are. What was noted of a group
lies beside its file: the models that are broken, slow, or were given up.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.plurals import how_many

GROUPS = 32
"""At most 100: a file's name has two digits."""
BROKEN = "broken_specs.py"
NOTES = "notes"
_FILE = re.compile(r"models_(\d\d)\.py")

TEXT = '''\
"""The DAGs of some of the models: each model is in one of such files (docs/fleets.md)."""

from airflow.sdk import get_parsing_context
from perennial_airflow.dags.all_models import group_dags

globals().update(group_dags(__file__, get_parsing_context().dag_id))
'''
BROKEN_TEXT = '''\
"""Defines no DAG: shows each broken or slow model.yaml as an import error in Airflow's UI."""

from airflow.sdk import get_parsing_context
from perennial_airflow.groups import raise_problems

if get_parsing_context().dag_id is None:
    raise_problems(__file__)
'''


@dataclass(frozen=True)
class Notes:
    """What was noted when a group was read, by model.

    `problems` are texts, `seconds` how long a slow one took. `given_up` holds the fingerprint of a
    folder that took too long: it is not tried again before it has changed.
    """

    problems: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    given_up: dict[str, str] = field(default_factory=dict)


def group_of(model: str) -> int:
    """Return the group of a model, from 0 on."""
    return zlib.crc32(model.encode("utf-8", "replace")) % GROUPS


def file_name(group: int) -> str:
    """Return the name of a group's DAG file."""
    return f"models_{group:02d}.py"


def group_in(file: str) -> int:
    """Return the group whose DAG file this is. Raises ValueError for another file."""
    found = _FILE.fullmatch(Path(file).name)
    if found is None:
        message = f"{file} is no file of a group of models"
        raise ValueError(message)
    return int(found[1])


def read_notes(folder: Path, group: int) -> Notes:
    """Return what was noted of a group; nothing where nothing readable is there."""
    try:
        body: dict[str, Any] = json.loads(_notes_file(folder, group).read_bytes())
        return Notes(**body)
    except (OSError, ValueError, TypeError):
        return Notes()


def write_notes(folder: Path, group: int, notes: Notes) -> None:
    """Note what was found of a group; where it is news, let the broken ones be shown at once."""
    if notes == read_notes(folder, group):
        return
    replace_file(_notes_file(folder, group), json.dumps(vars(notes)))
    touch(folder / BROKEN)


def raise_problems(file: str) -> None:
    """Raise SpecError with a line for each model that is broken or slow, in the folder of `file`.

    Nothing happens where all is well.
    """
    from pipelines.errors import SpecError
    from pipelines.spec.folders import say_slow

    folder = Path(file).parent
    found = [read_notes(folder, group) for group in range(GROUPS)]
    problems = {model: texts for notes in found for model, texts in notes.problems.items()}
    slow = {model: s for notes in found for model, s in notes.seconds.items()}
    broken = [text for model in sorted(problems) for text in problems[model]]
    late = [
        say_slow(f"models/{model}", slow[model])
        for model in sorted(slow, key=slow.__getitem__)[::-1]
    ]
    if broken or late:
        titles = [
            *([how_many(len(problems), "broken model")] if broken else []),
            *([how_many(len(slow), "slow model")] if late else []),
        ]
        raise SpecError("\n".join([f"{' and '.join(titles)}:", *broken, *late]))


def touch(file: Path) -> None:
    """Let Airflow parse a file again, as one that has changed."""
    try:
        os.utime(file)
    except FileNotFoundError:
        return


def replace_file(file: Path, text: str) -> None:
    """Write a file as a whole; its folder is there, or is made."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as opened:
            opened.write(text)
        Path(draft).replace(file)
    finally:
        Path(draft).unlink(missing_ok=True)


def _notes_file(folder: Path, group: int) -> Path:
    return folder / NOTES / f"models_{group:02d}.json"
