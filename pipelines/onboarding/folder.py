"""Writing the folder of a model and its suite: all of it, or nothing."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import Conflict, RequestError
from pipelines.refs import NAME_PATTERN
from pipelines.spec import model_names

if TYPE_CHECKING:
    from pipelines.settings import Settings


def check_name(name: str) -> None:
    """Raise RequestError where no model can be called so."""
    if not re.fullmatch(NAME_PATTERN, name):
        raise RequestError(
            f"{name!r} is no model's name.",
            remedy="begin with a lower-case letter; then lower-case letters, digits and _, at most"
            " 48 characters.",
        )


def check_free(settings: Settings, name: str, *, force: bool) -> None:
    """Raise Conflict where the model's folder or its suite is there already."""
    folder, suite = settings.models / name, settings.expectations / f"{name}.json"
    taken = [p for p in (folder, suite) if p.exists() or p.is_symlink()]
    if taken and not force:
        shown = " and ".join(f"{p.parent.name}/{p.name}" for p in taken)
        raise Conflict(
            f"{shown} {'is' if len(taken) == 1 else 'are'} there already; nothing was written.",
            remedy="choose another name, or pass --force to write over it.",
        )


def write_folder(
    settings: Settings, name: str, files: dict[str, str], suite: list[dict[str, Any]]
) -> list[str]:
    """Write the folder and the suite; return the paths. What else the folder holds stays.

    Each file appears whole: it is written beside its place and moved there.
    """
    folder = settings.models / name
    folder.mkdir(parents=True, exist_ok=True)
    settings.expectations.mkdir(parents=True, exist_ok=True)
    texts = {folder / file: text for file, text in files.items()}
    texts[settings.expectations / f"{name}.json"] = suite_text(name, suite)
    for path, text in texts.items():
        _write(path, text)
    return [_short_path(p, settings) for p in texts]


def _short_path(path: Path, settings: Settings) -> str:
    """Return the path as people name it: from the checkout where it lies in it."""
    return str(path.relative_to(settings.home) if path.is_relative_to(settings.home) else path)


def suite_text(name: str, suite: list[dict[str, Any]]) -> str:
    """Return a suite's JSON, a line for each expectation."""
    lines = ",\n".join(f"    {json.dumps(e, ensure_ascii=False)}" for e in suite)
    return f'{{\n  "name": {json.dumps(name)},\n  "expectations": [\n{lines}\n  ]\n}}\n'


def _write(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        file.write(text)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def find_examples() -> dict[str, Path]:
    """Return the folders of the worked examples by name: the shipped models, and examples/."""
    shipped = Path(__file__).resolve().parents[2]
    rooms = [shipped / "models", shipped / "examples"]
    return {name: room / name for room in rooms if room.is_dir() for name in model_names(room)}


def copy_example(settings: Settings, example: str, name: str, *, force: bool) -> list[str]:
    """Copy a worked example, with its suites, under a name; return the paths.

    Raises RequestError where there is no such example, Conflict where the name is taken.
    """
    examples = find_examples()
    if example not in examples:
        raise RequestError(
            f"There is no example {example!r}.",
            remedy=f"pass one of {', '.join(sorted(examples))}.",
        )
    check_name(name)
    check_free(settings, name, force=force)
    source, folder = examples[example], settings.models / name
    folder.mkdir(parents=True, exist_ok=True)
    settings.expectations.mkdir(parents=True, exist_ok=True)
    paths = []
    for path in sorted(p for p in source.iterdir() if p.is_file()):
        text = path.read_text(encoding="utf-8")
        if path.name == "model.yaml":
            text = re.sub(rf"(?m)^name: {example}$", f"name: {name}", text)
        _write(folder / path.name, text)
        paths.append(_short_path(folder / path.name, settings))
    for path in _suites_of(source):
        target = settings.expectations / path.name.replace(example, name, 1)
        shutil.copyfile(path, target)
        paths.append(_short_path(target, settings))
    return paths


def _suites_of(folder: Path) -> list[Path]:
    """Return the suites of an example: beside the other examples' ones, or among the models'."""
    inside = folder.parent / "expectations"
    room = inside if inside.is_dir() else folder.parents[1] / "expectations"
    return sorted([*room.glob(f"{folder.name}.json"), *room.glob(f"{folder.name}.*.json")])
