"""What was not as it is now when a version was made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipelines.checkout import commit_of
from pipelines.environments.lock import packages
from pipelines.environments.record import running_python
from pipelines.errors import Corrupted
from pipelines.recipes import changes, files_of, installed_packages, perennial_hash
from pipelines.refs import Ref, sha256
from pipelines.store.port import object_uri

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.context import Context
    from pipelines.recipes import Recipe

MOST = 10
"""Packages that are named."""


def causes(context: Context, recipe: Recipe, *, from_folder: bool) -> list[str]:
    """Return in words what is not as it was, and may be why something comes out otherwise.

    The model's files only where the folder as it is now was built.
    """
    found = [_file_words(path) for path in changed_files(context, recipe)] if from_folder else []
    python = running_python()
    if python != recipe.python:
        found.append(f"Python is {python} and was {recipe.python}")
    found += _packages(context, recipe)
    if perennial_hash() != recipe.perennial:
        commit = commit_of(context.settings.home) or "no checkout"
        found.append(
            f"Perennial's own code is not what it was (now {commit}, then"
            f" {recipe.commit or 'no checkout'})"
        )
    if recipe.learnt.search_ended_by == "minutes":
        found.append("its search was ended by the clock, which is never the same twice")
    return found


def environment_causes(context: Context, recipe: Recipe, lock: str) -> list[str]:
    """Return in words which packages beside the lock are not those that the version was made with.

    They are resolved anew where Perennial's lock or its Python has changed since; `lock` is what
    they are resolved to now, empty where there are none or where it did not come to that.
    """
    now, then = sha256(lock.encode()), recipe.environment
    if not lock or then in {None, now}:
        return []
    try:
        before = context.ports.store.get(Ref(uri=object_uri(then, ".txt"), sha256=then))
    except Corrupted:
        return [f"what `requires` names is resolved to {now[:12]} and was to {then[:12]}"]
    return _package_words(packages(before.decode()), packages(lock))


def way_back(recipe: Recipe, found: Sequence[str]) -> list[str]:
    """Return in words how to build with what the version was made with, where something is not so.

    Nothing where neither a commit nor an image was recorded.
    """
    ways = [f"check out commit {recipe.commit} and run `make venv`"] if recipe.commit else []
    ways += [f"run the step in the image {recipe.image}"] if recipe.image else []
    if not found or not ways:
        return []
    return [f"To build it with what it was made with: {', or '.join(ways)}."]


def changed_files(context: Context, recipe: Recipe) -> list[str]:
    """Return the files of the model that are not what they were, by their path below home."""
    now = {name: sha256(path.read_bytes()) for name, path in files_of(context).items()}
    return list(changes({name: ref.sha256 for name, ref in recipe.files.items()}, now))


def folder_note(context: Context, recipe: Recipe) -> list[str]:
    """Return in words that the folder has changed since, and where the old one is."""
    changed = changed_files(context, recipe)
    if not changed:
        return []
    where = f"; git has them at commit {recipe.commit}" if recipe.commit else ""
    text = f"{', '.join(changed)}: not as they were. What was recorded was built{where}."
    return [f"{text} --from-folder builds the folder as it is now."]


def _file_words(path: str) -> str:
    return f"{path} is not what it was"


def _packages(context: Context, recipe: Recipe) -> list[str]:
    before = json.loads(context.ports.store.get(recipe.packages))
    return _package_words(before, installed_packages())


def _package_words(before: Mapping[str, str], now_installed: Mapping[str, str]) -> list[str]:
    found = changes(before, now_installed)
    words = [
        f"{name} is {now or 'not installed'} and was {was or 'not installed'}"
        for name, (was, now) in found.items()
    ]
    more = len(words) - MOST
    return [*words[:MOST], *([f"{more} more packages have other versions"] if more > 0 else [])]
