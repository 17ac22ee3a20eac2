"""Find and read `model.yaml`, and say what is wrong in words: file, line, field, remedy.

Only SpecError ever comes out.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipelines.errors import SpecError
from pipelines.plain_errors import problems, sentence
from pipelines.refs import NAME_PATTERN
from pipelines.spec.folders import SPEC_FILE, Stopwatch
from pipelines.spec.model import Spec
from pipelines.spec.reading import MAX_BYTES, NotYaml, read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_NAME = re.compile(NAME_PATTERN)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def model_names(models: Path, wanted: Callable[[str], bool] | None = None) -> list[str]:
    """Return the names of the folders under `models/` that have a `model.yaml`, sorted.

    Its kind and state do not matter. Of names that are not `wanted` no folder is looked at.

    Folders whose names begin with a dot belong to tools. Raises SpecError where `models/` itself
    cannot be listed.
    """
    try:
        with os.scandir(models) as entries:
            named = ((_printable(e.name), e) for e in entries if not e.name.startswith("."))
            return sorted(
                name
                for name, entry in named
                if (wanted is None or wanted(name)) and _is_model(entry)
            )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SpecError(
            f"The folder {models.name}/ cannot be listed: {error.strerror}.",
            remedy="check its kind and its mode.",
        ) from error


def _is_model(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry of `models/` is, or was meant to be, a model's folder."""
    try:
        if not entry.is_dir():
            # A path from `scandir`.
            return entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110
        # Likewise; a link to nothing is there too.
        os.lstat(os.path.join(entry.path, SPEC_FILE))  # noqa: PTH118
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:  # it cannot even be looked into: `load_spec` says why
        return True
    return True


def _printable(name: str) -> str:
    """Return a folder's name without bytes that are no text.

    Such a name is no model's, and must be shown all the same.
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def load_spec(models: Path, name: str) -> Spec:
    """Return the spec of one model. Raises SpecError naming file, line, field and remedy."""
    subject = f"{models.name}/{name}/{SPEC_FILE}"
    try:
        spec = parse_spec(_read(models, name, subject), subject)
    except SpecError:
        raise
    except (
        Exception
    ) as error:  # whatever a library raises on a user's file: it must harm this model alone
        raise SpecError(
            f"{subject} cannot be read: {type(error).__name__}: {str(error)[:200]}.",
            remedy="mend the file.",
        ) from error
    if spec.name != name:
        raise SpecError(
            f"{subject}: name: {spec.name!r} is not the folder's name.",
            remedy=f"write `name: {name}` or rename the folder.",
        )
    folder = models / name
    for candidate in spec.candidates:
        candidate.locate(folder)
    return spec


def _read(models: Path, name: str, subject: str) -> bytes:
    """Return the bytes of a model's file; what is no plain file is never opened."""
    if not _NAME.fullmatch(name):
        if name not in model_names(models):
            raise SpecError(f"There is no {subject}.", remedy=_hint(models, name))
        raise SpecError(
            f"{models.name}/{name}: the folder's name is no model's name.",
            remedy=(
                "begin with a lower-case letter; then lower-case letters, digits and _, at most 48"
                " characters."
            ),
        )
    path = models / name / SPEC_FILE
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
        if kind != stat.S_IFREG:
            raise SpecError(
                f"{subject} is {_KINDS.get(kind, 'no file')}.", remedy="put a text file there."
            )
        # Without blocking: by now somebody may have put a named pipe there.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        if os.path.lexists(path) or path.parent.is_symlink():
            raise SpecError(
                f"{subject} is a link to nothing.", remedy="mend the link, or remove it."
            ) from error
        raise SpecError(f"There is no {subject}.", remedy=_hint(models, name)) from error
    except OSError as error:
        raise SpecError(
            f"{subject} cannot be read: {error.strerror}.",
            remedy="check its mode, its owner and its links.",
        ) from error


def _hint(models: Path, name: str) -> str:
    names = model_names(models)
    close = difflib.get_close_matches(name, names, n=1)
    return (
        f"did you mean {close[0]!r}?" if close else f"known models: {', '.join(names) or 'none'}."
    )


def parse_spec(text: bytes, subject: str) -> Spec:
    """Return the spec in a YAML text.

    `subject` is the file's name in errors, which have a line for each problem.
    """
    try:
        document = read_yaml(text)
    except NotYaml as error:
        where = f"{subject}:{error.line}" if error.line else subject
        raise SpecError(f"{where}: not readable as YAML: {error}.") from error
    if not isinstance(document.body, dict):
        raise SpecError(
            f"{subject}:1: expected keys and values at the top.",
            remedy="see docs/add-a-model.md for a whole example.",
        )
    try:
        return Spec.model_validate(document.body)
    except ValidationError as error:
        faults = problems(error, document.body, Spec)
        lines = sorted((document.line(problem.path), str(problem)) for problem in faults)
        raise SpecError(
            "\n".join(
                f"{subject}:{line}: {sentence(sentence_text)}" for line, sentence_text in lines
            )
        ) from error


def place_of(models: Path, name: str, at: tuple[str | int, ...]) -> str:
    """Return where a thing stands in a model's file: `models/churn/model.yaml:12: target.column`.

    An entry of a list may be named by its position, by itself or by its `name`.
    """
    subject = f"{models.name}/{name}/{SPEC_FILE}"
    document = read_yaml(_read(models, name, subject))
    path: list[str | int] = []
    body = document.body
    for part in at:
        if isinstance(body, list) and isinstance(part, str):
            names = [e.get("name") if isinstance(e, dict) else e for e in body]
            part = names.index(part) if part in names else part  # noqa: PLW2901
        if isinstance(body, dict):
            body = body.get(str(part))
        else:
            body = body[part] if isinstance(body, list) and isinstance(part, int) else None
        path.append(part)
    return f"{subject}:{document.line(tuple(path))}: {'.'.join(map(str, at))}"


def load_all(
    models: Path, seconds: dict[str, float] | None = None
) -> tuple[dict[str, Spec], dict[str, SpecError]]:
    """Return the good specs and the errors of the broken ones, both by model name.

    A broken spec breaks only itself. `seconds` gets how long each took.
    """
    good: dict[str, Spec] = {}
    errors: dict[str, SpecError] = {}
    for name in model_names(models):
        watch = Stopwatch()
        try:
            good[name] = load_spec(models, name)
        except SpecError as error:
            errors[name] = error
        if seconds is not None:
            seconds[name] = watch.seconds
    return good, errors
