"""Which types a stored model of a model's own code may name.

The loader's list, the classes and functions of exactly that code, and those of the packages that
models are made of, from the lock or from what the model requires.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from pipelines.bundle.trusted import TRUSTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.fence.own_code import OwnCode

PACKAGES = frozenset({"imblearn", "lightgbm", "numpy", "scipy", "sklearn", "xgboost"})
"""Packages of the lock whose classes and functions a model may be made of."""
_PLAIN = frozenset({"collections.OrderedDict", "collections.defaultdict"})


def split_types(
    names: Sequence[str], code: OwnCode, paths: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Return which of the types are trusted, and which are not."""
    trusted = [n for n in names if _is_trusted(n, code, paths)]
    return trusted, sorted(set(names) - set(trusted))


def _is_trusted(name: str, code: OwnCode, paths: Sequence[str]) -> bool:
    top = name.partition(".")[0]
    if name in TRUSTED or name in _PLAIN or code.owns(name) or top in PACKAGES:
        return True
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return False
    origin = spec.origin if spec is not None else None
    return origin is not None and any(origin.startswith(f"{path}/") for path in paths)
