"""From the names in `requires:` to a lock: what exactly is installed, decided once.

The answer is an entry of the store under the key of its question (requirements, Perennial's lock,
Python and platform). A package that is released tomorrow changes nothing; another version is asked
for by writing it.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from pydantic import ValidationError

from pipelines.environments.lock import LOCK, base_lock
from pipelines.environments.record import EnvironmentRecord, running_python
from pipelines.environments.uv import WHEELS, run_uv
from pipelines.errors import Corrupted, SpecError
from pipelines.refs import canonical, digest, sha256
from pipelines.spec.requirements import parse_requirement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.store.port import Store

RESOLVED = "environments"
"""The folder of the entries that say what requirements were resolved to."""
_YANKED = re.compile(r"`([^`=]+==[^`]+)` is yanked(?: \(reason: \"?(.*?)\"?\))?", re.MULTILINE)


def resolve(requirements: Sequence[str], store: Store) -> EnvironmentRecord:
    """Return the environment of a model's requirements: the one that was resolved before, or anew.

    Raises SpecError, at the entry of `requires`, where they conflict with Perennial's lock or with
    each other, do not exist, are yanked, need another Python or come as sources only; Unreachable
    where the index does not answer.
    """
    asked = sorted(requirements)
    base, locked = base_lock()
    key = f"{RESOLVED}/{digest(asked, base, running_python())}"
    found = _read(store, key)
    if found is not None:
        return found
    _refuse_conflicts(requirements, locked)
    text = _compile(requirements).encode()
    record = EnvironmentRecord(
        sha256=sha256(text),
        requirements=asked,
        lock=store.put(text, ".txt"),
        python=running_python(),
    )
    store.publish(key, canonical(record))
    # Of two that resolved at once, the first one is right for both.
    return _read(store, key) or record


def _read(store: Store, key: str) -> EnvironmentRecord | None:
    """Return what was resolved; None where that is not there, is not whole or is something else."""
    try:
        entry = store.read(key)
        if entry is None:
            return None
        record = EnvironmentRecord.model_validate_json(entry)
        store.get(record.lock)
    except (Corrupted, ValidationError):
        return None
    return record


def _refuse_conflicts(requirements: Sequence[str], locked: dict[str, str]) -> None:
    for place, text in enumerate(requirements):
        requirement = parse_requirement(text)
        version = locked.get(canonicalize_name(requirement.name))
        if version is not None and not requirement.specifier.contains(version, prereleases=True):
            raise SpecError(
                f"{text} conflicts with Perennial's lock, which has {requirement.name} {version}.",
                remedy="remove the entry, or use that version: nothing of the lock is changed.",
                at=("requires", place),
            )


def _compile(requirements: Sequence[str]) -> str:
    """Return the lock text of the requirements and of all that they need."""
    with tempfile.TemporaryDirectory(prefix="perennial-resolve-") as name:
        folder = Path(name)
        (folder / "requires.in").write_text("\n".join(requirements) + "\n", encoding="utf-8")
        output = folder / "lock.txt"
        try:
            warnings = run_uv(
                [
                    *("pip", "compile", "requires.in", "--output-file", str(output)),
                    *("--python", sys.executable, "--constraints", str(LOCK), *WHEELS),
                    *("--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate"),
                ],
                folder,
            )
        except SpecError as error:
            raise _with_entry(error, requirements) from error
        _refuse_yanked(warnings, requirements)
        return output.read_text(encoding="utf-8")


def _with_entry(error: SpecError, requirements: Sequence[str]) -> SpecError:
    """Return the error with the entry of `requires` that it names, and what can be done."""
    return SpecError(
        error.message,
        remedy=error.remedy
        or "name versions that exist as wheels for this Python and go with requirements.txt, of"
        " which nothing is changed.",
        at=_entry_named_in(error.message, requirements),
    )


def _refuse_yanked(warnings: str, requirements: Sequence[str]) -> None:
    match = _YANKED.search(warnings)
    if match is None:
        return
    why = f": {match[2].rstrip('.')}" if match[2] else ""
    raise SpecError(
        f"{match[1]} was yanked by its authors{why}.",
        remedy="name another version.",
        at=_entry_named_in(match[1], requirements),
    )


def _entry_named_in(text: str, requirements: Sequence[str]) -> tuple[str | int, ...]:
    """Return the place of the first entry whose package a text names; the whole list where none."""
    said = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][A-Za-z0-9._-]*", text)}
    said |= {canonicalize_name(word.split("==")[0]) for word in text.split()}
    for place, entry in enumerate(requirements):
        if canonicalize_name(parse_requirement(entry).name) in said:
            return ("requires", place)
    return ("requires",)


def find_yanked(lock: str) -> str:
    """Return in words which packages of a lock were yanked since it was made, or nothing.

    Asks the index. Raises Unreachable.
    """
    with tempfile.TemporaryDirectory(prefix="perennial-yanked-") as name:
        folder = Path(name)
        (folder / "lock.in").write_text(lock, encoding="utf-8")
        try:
            warnings = run_uv(
                [
                    *("pip", "compile", "lock.in", "--no-deps", "--python", sys.executable),
                    *("--output-file", str(folder / "lock.txt"), *WHEELS),
                ],
                folder,
            )
        except SpecError as error:
            return error.message
        return ", ".join(f"{match[0]} was yanked" for match in _YANKED.findall(warnings))
