"""Which packages would stand in the way of Perennial's own modules, or be hidden by them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = frozenset(
    {"pipelines", "serving", "stack", "door", "demo", "perennial_airflow", "perennial_plugin"}
)
LITTER = frozenset({"tests", "test", "testing", "docs", "examples", "benchmarks", "scripts", "bin"})
"""What careless wheels leave at the top and nobody imports: hidden without harm."""

OF_START = frozenset({"sitecustomize", "usercustomize"})
"""Modules that Python itself imports when it starts."""


def refuse_shadows(site: Path, path: list[str]) -> None:
    """Raise SpecError where a module of `site` has the name of one that is there already.

    What is on `path`, in Python's own library or in Perennial comes first, so such a package would
    not work; and a package that takes such a name is hardly what its reader thinks. Folders without
    `__init__.py` (of namespace packages) may be shared.
    """
    there = set(_modules(site))
    taken = there & (OURS | OF_START | set(sys.stdlib_module_names))
    for folder in (Path(entry) for entry in path if Path(entry).is_dir()):
        both = there.intersection(_modules(folder)) - LITTER
        taken |= {name for name in both if not _is_shared(folder / name, site / name)}
    if taken:
        raise SpecError(
            f"A package of `requires` brings the module {', '.join(sorted(taken))}, which Python,"
            " Perennial or a package of its lock has already.",
            remedy="do without that package, or use the module that is there.",
            at=("requires",),
        )


def _modules(site: Path) -> Iterator[str]:
    """Yield the names by which modules at the top of a folder are imported."""
    for entry in site.iterdir():
        name = entry.name.split(".")[0]
        if name.isidentifier() and (
            (entry.is_dir() and entry.name == name and name != "__pycache__")
            or entry.suffix in {".py", ".so", ".pyd", ".pyc"}
        ):
            yield name


def _is_shared(one: Path, other: Path) -> bool:
    """Tell whether both are parts of a namespace package."""
    return (
        one.is_dir()
        and other.is_dir()
        and not any((folder / "__init__.py").exists() for folder in (one, other))
    )
